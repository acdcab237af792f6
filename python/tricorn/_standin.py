"""Answers imports of ``gunicorn`` with parts of tricorn, where gunicorn itself is not installed.

Loggers written for gunicorn subclass its classes; here they subclass ours.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence

#: What stands in for each of gunicorn's modules; None for a package that holds others.
MODULES: dict[str, str | None] = {
    "gunicorn": None,
    "gunicorn.glogging": "tricorn.glogging",
    "gunicorn.instrument": None,
    "gunicorn.instrument.statsd": "tricorn.statsd",
}

#: The version of gunicorn whose behaviour is answered with.
VERSION = "27.0.0"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules that nobody else has found: it is asked last."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in MODULES:
            return None
        is_package = MODULES[fullname] is None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=is_package)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        name = MODULES[module.__name__]
        if name:
            # The importing machinery takes what stands there afterwards.
            sys.modules[module.__name__] = importlib.import_module(name)
        elif module.__name__ == "gunicorn":
            module.__version__ = VERSION  # type: ignore[attr-defined]


def install() -> None:
    """Answer imports from now on."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
