"""Import aiogram without building the schemas of its 400 models; pydantic then builds each when it is first used.

aiogram's `types` and `methods` end in a loop that calls `model_rebuild` on every model, although their config says
`defer_build`. Measured with aiogram 3.31 and pydantic 2.13 on two shared cores: that loop is 3.6 of 5.0 s and 107 of
135 MB of the import; a bot that polls and sends needs about ten of these schemas (0.4 s, 2 MB).

While the import runs, `BaseModel.model_rebuild` only notes the namespace it was called with. Afterwards aiogram's
models find that namespace again whenever pydantic rebuilds one of them. Nothing private is touched: `model_rebuild` and
its `_types_namespace` are pydantic's public method and argument. If aiogram was imported before, nothing is changed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import GenericAlias
from typing import Any

from pydantic import BaseModel

_rebuild = BaseModel.model_rebuild.__func__  # type: ignore[attr-defined]


@contextmanager
def _postponed(namespace: dict[str, Any]) -> Iterator[None]:
    def postpone(cls: type[BaseModel], /, *, _types_namespace: Mapping[str, Any] | None = None, **options: Any) -> bool:
        if _types_namespace is None:
            return bool(_rebuild(cls, **options))
        namespace.update(_types_namespace)
        return False

    BaseModel.model_rebuild = classmethod(postpone)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        BaseModel.model_rebuild = classmethod(_rebuild)  # type: ignore[method-assign, assignment]


def _import() -> None:
    namespace: dict[str, Any] = {}
    with _postponed(namespace):
        importlib.import_module("aiogram")

    def rebuild(cls: type[BaseModel], /, **options: Any) -> bool | None:
        options["_types_namespace"] = namespace | dict(options.get("_types_namespace") or {})
        rebuilt: bool | None = _rebuild(cls, **options)
        return rebuilt

    types, methods = importlib.import_module("aiogram.types.base"), importlib.import_module("aiogram.methods.base")
    for model in (types.TelegramObject, methods.TelegramMethod, methods.Response):
        model.model_rebuild = classmethod(rebuild)


_kept: list[type[BaseModel]] = []


def build() -> None:
    """Build the schemas that every bot needs (0.7 s), the big one once for others to take over, and keep them.

    pydantic holds `Response[T]` weakly: without a reference every full garbage collection throws away the types of all
    answers, and the next answer blocks the loop for 0.3 s (measured) until they are built again.
    """
    types: Any = importlib.import_module("aiogram.types")
    base: Any = importlib.import_module("aiogram.methods.base")
    types.Message.model_rebuild()
    types.Update.model_rebuild()
    updates = GenericAlias(list, types.Update)
    for result in (types.User, types.WebhookInfo, types.Message, updates, bool):
        answer = base.Response[result]
        answer.model_rebuild()
        _kept.append(answer)


if "aiogram" not in sys.modules:
    _import()
