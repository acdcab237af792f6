"""Answers imports of ``gunicorn`` with parts of tricorn, inside a process of tricorn's.

Loggers, worker classes and programs written for gunicorn derive from its classes; here they derive
from ours. What is asked first wins: a gunicorn that was imported before stays what it is, and with
``gunicorn_compat = False`` imports are left to whoever finds them.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import types
from collections.abc import Sequence
from typing import Any

#: What stands in for each of gunicorn's modules.
MODULES: dict[str, str] = {
    "gunicorn": "tricorn.compat.package",
    "gunicorn.__main__": "tricorn.__main__",
    "gunicorn.app": "tricorn.app",
    "gunicorn.app.base": "tricorn.app.base",
    "gunicorn.app.pasterapp": "tricorn.app.pasterapp",
    "gunicorn.app.wsgiapp": "tricorn.app.wsgiapp",
    "gunicorn.arbiter": "tricorn.arbiter",
    "gunicorn.config": "tricorn.config",
    "gunicorn.debug": "tricorn._debug",
    "gunicorn.errors": "tricorn.compat.errors",
    "gunicorn.glogging": "tricorn.glogging",
    "gunicorn.http": "tricorn.compat.http",
    "gunicorn.http.body": "tricorn.compat.http.body",
    "gunicorn.http.errors": "tricorn.compat.http.errors",
    "gunicorn.http.message": "tricorn.compat.http.message",
    "gunicorn.http.unreader": "tricorn.compat.http.unreader",
    "gunicorn.http.wsgi": "tricorn.compat.http.wsgi",
    "gunicorn.instrument": "tricorn.compat.instrument",
    "gunicorn.instrument.statsd": "tricorn.statsd",
    "gunicorn.pidfile": "tricorn.compat.pidfile",
    "gunicorn.reloader": "tricorn.compat.reloader",
    "gunicorn.sock": "tricorn.sock",
    "gunicorn.systemd": "tricorn.compat.systemd",
    "gunicorn.util": "tricorn.compat.util",
    "gunicorn.workers": "tricorn.workers",
    "gunicorn.workers.base": "tricorn.workers.base",
    "gunicorn.workers.base_async": "tricorn.workers.base_async",
    "gunicorn.workers.gthread": "tricorn.workers.gthread",
    "gunicorn.workers.sync": "tricorn.workers.sync",
    "gunicorn.workers.workertmp": "tricorn.workers.workertmp",
}

#: Modules of gunicorn's that nothing stands in for, and what to do without.
ABSENT: dict[str, str] = {
    "gunicorn.asgi": "use the worker class of an ASGI server, such as uvicorn_worker.UvicornWorker",
    "gunicorn.ctl": "there is no control socket; signals do the same",
    "gunicorn.dirty": "run long work in a process of its own, such as a task queue's",
    "gunicorn.http.parser": "requests are parsed by the compiled core; bring a parser of your own",
    "gunicorn.http2": "put a proxy in front that speaks HTTP/2",
    "gunicorn.uwsgi": "have the proxy in front speak HTTP",
    "gunicorn.workers.gasgi": "use the worker class of an ASGI server, such as "
    "uvicorn_worker.UvicornWorker",
    "gunicorn.workers.geventlet": "use worker_class gthread",
    "gunicorn.workers.ggevent": "use worker_class gthread",
    "gunicorn.workers.gtornado": "use worker_class gthread",
}

_NO_PARSER = "requests are parsed by the compiled core, which makes environ itself"

#: Names that a module has in gunicorn and not here, and what to do without.
LEFT_OUT: dict[str, str] = {
    "gunicorn.http.RequestParser": _NO_PARSER,
    "gunicorn.http.get_parser": _NO_PARSER,
    "gunicorn.http.body.ChunkedReader": _NO_PARSER,
    "gunicorn.http.body.EOFReader": _NO_PARSER,
    "gunicorn.http.body.LengthReader": _NO_PARSER,
    "gunicorn.http.wsgi.create": _NO_PARSER,
    "gunicorn.http.wsgi.default_environ": _NO_PARSER,
    "gunicorn.http.wsgi.proxy_environ": _NO_PARSER,
}

#: What else there is to do.
_BESIDE = "gunicorn_compat = False leaves imports to a gunicorn that is installed"

#: What is imported under these names when the server starts: agents wait for that.
ANNOUNCED = (
    "gunicorn.app.base",
    "gunicorn.app.wsgiapp",
    "gunicorn.arbiter",
    "gunicorn.config",
    "gunicorn.glogging",
    "gunicorn.workers.base",
    "gunicorn.workers.gthread",
    "gunicorn.workers.sync",
)

#: Those that hold others.
PACKAGES = {name.rpartition(".")[0] for name in (*MODULES, *ABSENT)}


class StandIn(types.ModuleType):
    """A module under gunicorn's name: what is read and set on it is another module's."""

    def __getattr__(self, name: str) -> Any:
        full = f"{self.__name__}.{name}"
        if full in LEFT_OUT:
            raise AttributeError(f"tricorn has nothing that stands in for {full}: {LEFT_OUT[full]}")
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if full in MODULES and is_installed():
            # In gunicorn, importing a module brings in most of the others.
            return importlib.import_module(full)
        return getattr(_behind(self.__name__), name)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if not name.startswith("__") and not isinstance(value, StandIn):
            setattr(_behind(self.__name__), name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if not name.startswith("__"):
            vars(_behind(self.__name__)).pop(name, None)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(_behind(self.__name__))})


def _behind(name: str) -> types.ModuleType:
    return importlib.import_module(MODULES[name])


class _Finder:
    """Finds gunicorn's modules, and loads them: it is asked first of all.

    It derives from nothing: ``importlib.abc`` takes a process milliseconds to import.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in MODULES and fullname not in ABSENT:
            return None
        is_package = fullname in PACKAGES
        loader: Any = self
        spec = importlib.machinery.ModuleSpec(fullname, loader, is_package=is_package)
        behind = importlib.util.find_spec(MODULES[fullname]) if fullname in MODULES else None
        if behind is not None:
            spec.origin, spec.has_location = behind.origin, behind.has_location
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        if spec.name in ABSENT:
            what = f"tricorn has nothing that stands in for {spec.name}"
            raise ModuleNotFoundError(f"{what}: {ABSENT[spec.name]}; {_BESIDE}", name=spec.name)
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Fill the module with what the other one offers."""
        behind = _behind(module.__name__)
        offered = {name: value for name, value in vars(behind).items() if name[:2] != "__"}
        vars(module).update(offered, __doc__=behind.__doc__)
        for dunder in ("__version__", "__all__"):
            if dunder in vars(behind):
                vars(module)[dunder] = vars(behind)[dunder]

    def get_code(self, fullname: str) -> types.CodeType | None:
        """Return what ``python -m`` runs, and ``runpy``."""
        spec = importlib.util.find_spec(MODULES[fullname])
        loader: Any = spec.loader if spec else None
        return loader.get_code(MODULES[fullname]) if hasattr(loader, "get_code") else None


_FINDER = _Finder()


def install() -> None:
    """Answer imports from now on, unless gunicorn itself has been imported.

    Whoever has set himself before the interpreter's own finders stays there: agents that wait for
    a module wrap what is found after them.
    """
    if _FINDER in sys.meta_path or "gunicorn" in sys.modules:
        return
    own = (importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter)
    places = [
        number
        for number, finder in enumerate(sys.meta_path)
        if finder in (*own, importlib.machinery.PathFinder)
    ]
    sys.meta_path.insert(min(places, default=0), _FINDER)


def is_installed() -> bool:
    """Say whether imports are answered."""
    return _FINDER in sys.meta_path


def announce() -> None:
    """Import what the server is made of under gunicorn's names, as starting gunicorn does."""
    if not is_installed():
        return
    for name in ANNOUNCED:
        importlib.import_module(name)
    _point_out()


def tell_software() -> None:
    """Set the variable by which programs find out that they run under gunicorn."""
    if is_installed():
        from tricorn.compat import package

        os.environ["SERVER_SOFTWARE"] = package.UNCHANGED["SERVER_SOFTWARE"]


def _point_out() -> None:
    """Tell of what has been set, and has no effect."""
    from tricorn.compat import identity

    for line in identity.complaints():
        sys.stderr.write(f"Warning: {line}\n")


def remove() -> None:
    """Leave imports to others from now on, those that have been answered already among them."""
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)
    for name in [name for name, module in sys.modules.items() if isinstance(module, StandIn)]:
        del sys.modules[name]
