"""Load many modules in less time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """What is made inside stays for good, so nobody looks for garbage among it, now or later.

    To look costs a fifth of the time that imports take: 0.9 of 4.3 s for all services.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
