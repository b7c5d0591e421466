"""Import the client library without the parts of it that a session never uses.

Link previews, stickers, thumbnails, QR drawings and vCards bring nine packages along. Measured with neonize 0.5.2, a
session's process has 17 MiB less of its own memory without them (42 to 25 MiB after the import), and starts 0.4 s of
processor time sooner; without the parts of the library itself that belong to them, another MiB and 0.02 s. They are
replaced by placeholders, in this process only: names in them can be imported and used in annotations, and calling one
says what is missing.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

_LEFT_OUT = {"PIL", "bs4", "httpx", "linkpreview", "magic", "phonenumbers", "requests", "segno", "tqdm"} | {
    f"neonize.{name}" for name in ("aioze.preview", "ext", "utils.iofile", "utils.sticker", "utils.thumbnail")
}


def leave_out() -> None:
    """From here on, imports of the packages that are left out give placeholders."""
    sys.meta_path.insert(0, _Finder())


class _Name(type):
    """The type of every name in a placeholder; its attributes are names again."""

    def __getattr__(cls, name: str) -> _Name:
        return _name(name)

    def __call__(cls, *_args: object, **_kwargs: object) -> NoReturn:
        raise RuntimeError(f"{cls.__name__} belongs to a package that is left out: remove it from {__name__}._LEFT_OUT")


def _name(name: str) -> _Name:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Name(name, (Exception,), {})  # an exception, so that `except` clauses accept it


class _Package(ModuleType):
    def __getattr__(self, name: str) -> _Name:
        return _name(name)


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        names = itertools.accumulate(fullname.split("."), "{}.{}".format)
        return None if _LEFT_OUT.isdisjoint(names) else ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Package(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""
