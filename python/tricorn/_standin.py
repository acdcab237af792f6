"""Answers imports of ``gunicorn`` with parts of tricorn, inside a process of tricorn's.

Loggers, worker classes and programs written for gunicorn derive from its classes; here they derive
from ours. What is asked first wins: a gunicorn that was imported before stays what it is, and with
``gunicorn_compat = False`` imports are left to whoever finds them.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any

#: What stands in for each of gunicorn's modules.
MODULES: dict[str, str] = {
    "gunicorn": "tricorn.compat.package",
    "gunicorn.app": "tricorn.app",
    "gunicorn.app.base": "tricorn.app.base",
    "gunicorn.app.wsgiapp": "tricorn.app.wsgiapp",
    "gunicorn.arbiter": "tricorn.arbiter",
    "gunicorn.config": "tricorn.config",
    "gunicorn.glogging": "tricorn.glogging",
    "gunicorn.instrument": "tricorn.compat.instrument",
    "gunicorn.instrument.statsd": "tricorn.statsd",
    "gunicorn.sock": "tricorn.sock",
    "gunicorn.workers": "tricorn.workers",
    "gunicorn.workers.base": "tricorn.workers.base",
    "gunicorn.workers.gthread": "tricorn.workers.gthread",
    "gunicorn.workers.sync": "tricorn.workers.sync",
    "gunicorn.workers.workertmp": "tricorn.workers.workertmp",
}

#: Modules of gunicorn's that nothing stands in for, and what to do without.
ABSENT: dict[str, str] = {}

#: Those that hold others.
PACKAGES = {name.rpartition(".")[0] for name in (*MODULES, *ABSENT)}


class StandIn(types.ModuleType):
    """A module under gunicorn's name: what is read and set on it is another module's."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(_behind(self.__name__), name)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if not name.startswith("__") and not isinstance(value, StandIn):
            setattr(_behind(self.__name__), name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(_behind(self.__name__))})


def _behind(name: str) -> types.ModuleType:
    return importlib.import_module(MODULES[name])


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds gunicorn's modules: it is asked first of all."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in MODULES:
            is_package = fullname in PACKAGES
            return importlib.machinery.ModuleSpec(fullname, self, is_package=is_package)
        if fullname in ABSENT:
            what = f"tricorn has nothing that stands in for {fullname}"
            raise ImportError(f"{what}: {ABSENT[fullname]}", name=fullname)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill the module with what the other one offers."""
        behind = _behind(module.__name__)
        offered = {name: value for name, value in vars(behind).items() if name[:1] != "_"}
        vars(module).update(offered, __doc__=behind.__doc__)
        for dunder in ("__version__", "__all__"):
            if dunder in vars(behind):
                vars(module)[dunder] = vars(behind)[dunder]


_FINDER = _Finder()


def install() -> None:
    """Answer imports from now on, unless gunicorn itself has been imported."""
    if _FINDER not in sys.meta_path and "gunicorn" not in sys.modules:
        sys.meta_path.insert(0, _FINDER)


def remove() -> None:
    """Leave imports to others from now on, those that have been answered already among them."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
    for name in [name for name, module in sys.modules.items() if isinstance(module, StandIn)]:
        del sys.modules[name]
