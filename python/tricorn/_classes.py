"""Finding the classes that settings name: loggers and workers."""

from __future__ import annotations

import functools
from typing import Any

from tricorn._loading import Mistake, entry_points, import_setting
from tricorn.workers import SUPPORTED_WORKERS

#: The groups of entry points by which packages offer classes, as for gunicorn.
GROUPS = {"logger_class": "gunicorn.loggers", "worker_class": "gunicorn.workers"}

#: What is not called of a class that derives from one with a loop of the server's own.
UNHEARD = frozenset(
    {
        *("accept", "accept_conn", "finish_request", "handle", "handle_request"),
        *("handle_request_error", "init_poller", "is_parent_alive", "run_for_multiple"),
        *("run_for_one", "reuse_connection", "wait"),
    }
)


def load_logger_class(given: Any) -> type[Any]:
    """Return the logger's class that ``logger_class`` names or is."""
    found = find_class("logger_class", given)
    if not isinstance(found, type):
        what = f"{given!r} is not a class"
        raise Mistake(what, "give a class, or its dotted name", "logger_class")
    install = getattr(found, "install", None)
    if callable(install):
        install()
    return found


def load_worker_class(given: Any, threads: int) -> type[Any]:
    """Return the workers' class that ``worker_class`` names or is, set up."""
    from tricorn.workers.base import Worker

    given = with_threads(given, threads)
    named = SUPPORTED_WORKERS.get(given, given) if isinstance(given, str) else given
    found = find_class("worker_class", named)
    if not isinstance(found, type) or not issubclass(found, Worker):
        raise _no_worker_class(given, found)
    found.setup()
    return found


def _no_worker_class(given: Any, found: Any) -> Mistake:
    name = repr(worker_class_name(given))
    if any(base.__module__.startswith("gunicorn.") for base in getattr(found, "__mro__", ())):
        what = f"{name} derives from a class of the gunicorn that is installed, which cannot be run"
        mend = "drop gunicorn_compat = False, and import gunicorn no earlier than the config file"
    else:
        what = f"{name} is not a worker class"
        mend = "derive it from tricorn.workers.base.Worker"
    return Mistake(what, mend, "worker_class")


def with_threads(given: Any, threads: int) -> Any:
    """Return what ``worker_class`` comes to: sync with several threads is gthread."""
    is_sync = isinstance(given, str) and (given == "sync" or given.endswith("SyncWorker"))
    return "gthread" if is_sync and threads > 1 else given


def examine_worker_class(given: Any) -> tuple[str, str | None, list[str]]:
    """Return a worker class's name, its loop if that is the server's, and what is not called."""
    from tricorn.workers.base import Worker
    from tricorn.workers.gthread import ThreadWorker
    from tricorn.workers.sync import SyncWorker

    found = load_worker_class(given, 1)
    unheard = {
        name
        for base in found.__mro__
        if found.LOOP is not None and base not in (SyncWorker, ThreadWorker, *Worker.__mro__)
        for name in UNHEARD & vars(base).keys()
    }
    return worker_class_name(given), found.LOOP, sorted(f"{name}()" for name in unheard)


def worker_class_name(given: Any) -> str:
    """Return what a worker class is called."""
    return given if isinstance(given, str) else str(getattr(given, "__name__", given))


def find_class(setting: str, given: Any) -> Any:
    """Return what a name stands for, or what a function gives that stands for a class."""
    if not isinstance(given, str):
        is_maker = callable(given) and not isinstance(given, type)
        return given() if is_maker and not isinstance(given, functools.partial) else given
    if given.startswith("egg:"):
        package, _, entry = given.removeprefix("egg:").partition("#")
        offered = [
            found
            for found in entry_points(GROUPS[setting], entry or "main")
            if found.dist and found.dist.name == package
        ]
        if not offered:
            what = f"{given!r}: the package {package!r} offers no such class"
            raise Mistake(what, "install it, or give the class's dotted name", setting)
        return offered[0].load()
    if "." in given or ":" in given:
        return import_setting(setting, given)
    offered = entry_points(GROUPS[setting], given)
    if not offered:
        what = f"{given!r} is neither a dotted name nor offered by a package"
        raise Mistake(what, "give native, a class, its dotted name, or plugin:ID", setting)
    return offered[0].load()
