"""``reload``: workers that watch the files they have loaded, and leave when one changes."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tricorn import _native

if TYPE_CHECKING:
    from tricorn.workers.base import Worker

#: Seconds between two looks at all files, and at which modules there are.
INTERVAL = 0.5

#: So many of them pass before files are looked at although nobody has told of a change.
ROUNDS = 10


def load(worker: Worker) -> Any:
    """Load the application, and watch its files from then on.

    An application that cannot be loaded is replaced by one that shows why: the worker stays, and
    tries again when a file has changed.
    """
    worker.reloader = Reloader(worker)
    try:
        application = worker.app.wsgi()
    except Exception as error:
        worker.log.exception("The application cannot be loaded; waiting for a change")
        worker.reloader.watch(_files_of(error))
        application = _explain(traceback.format_exc())
    # Before the first request, so that no change after it can be missed.
    worker.reloader.look()
    worker.reloader.start()
    return application


class Pause:
    """Between two looks: always the same."""

    def __init__(self) -> None:
        self._never = threading.Event()

    def until_change(self, _paths: Callable[[], Iterable[str]]) -> None:
        """Wait until it is time to look again."""
        self._never.wait(INTERVAL)


class Wake:
    """Between two looks: until something has changed in a directory of the files.

    The system tells of directories, so that files are seen that an editor puts in the place of
    others. Whether one of the files is meant is found out by looking at them.
    """

    def __init__(self) -> None:
        self._watch = _native.DirectoryWatch()
        self._watched: set[str] = set()
        self._known: set[str] = set()

    def until_change(self, paths: Callable[[], Iterable[str]]) -> None:
        """Wait until something has changed in a directory of these files, or there are more.

        Not for ever: some file systems tell nobody.
        """
        for _ in range(ROUNDS):
            if self._add(paths()) or self._watch.wait(INTERVAL):
                return

    def _add(self, paths: Iterable[str]) -> bool:
        fresh = {path for path in paths if path not in self._known}
        self._known |= fresh
        for path in fresh:
            for directory in _directories(path) - self._watched:
                self._watched.add(directory)
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    self._watch.add(directory)
        return bool(fresh)


def _directories(path: str) -> set[str]:
    """Return where a change may give a path other content: its links' directories too."""
    found = {os.path.dirname(os.path.realpath(path))}
    part = os.path.abspath(path)
    while part != os.path.dirname(part):
        if os.path.islink(part):
            found.add(os.path.dirname(part))
        part = os.path.dirname(part)
    return found | {os.path.dirname(os.path.abspath(path))}


class Files:
    """The files that the process has loaded, others that are named, and their changes."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = list(patterns)
        self._watched: set[str] = set()
        self._states: dict[str, tuple[int, ...]] = {}

    def watch(self, paths: Iterable[str]) -> None:
        """Watch these files too."""
        self._watched.update(paths)

    def look(self) -> str | None:
        """Return the first file that is not what it was at the last look."""
        for path in self.paths():
            state = _state(path)
            if state is None:
                continue
            former, self._states[path] = self._states.get(path, state), state
            if former != state:
                return path
        return None

    def paths(self) -> Iterator[str]:
        """Give the files there are now."""
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str):
                yield path
        yield from tuple(self._watched)
        for pattern in self._patterns:
            yield from glob.iglob(pattern, recursive=True)


class Reloader(threading.Thread):
    """Looks at the files when something may have changed."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(name="tricorn-reload", daemon=True)
        self._worker = worker
        self._engine = worker.cfg.reload_engine
        self._files = Files(worker.cfg.reload_extra_files)
        self.watch, self.look = self._files.watch, self._files.look

    def run(self) -> None:
        """Look until a file has changed."""
        pause = self._pause()
        while True:
            try:
                pause.until_change(self._files.paths)
            except OSError as error:
                self._worker.log.warning("reload_engine: %s; the files are polled", error)
                pause = Pause()
            if path := self.look():
                self._worker.log.info("Worker reloading: %s has changed", path)
                _native.reload_worker()
                return

    def _pause(self) -> Pause | Wake:
        if self._engine == "poll":
            return Pause()
        try:
            return Wake()
        except OSError as error:
            if self._engine != "auto":
                self._worker.log.warning("reload_engine: %s; the files are polled", error)
            return Pause()


def _state(path: str) -> tuple[int, ...] | None:
    """Return what differs when a path leads to other content; links are followed."""
    try:
        status = os.stat(path)
    except OSError:
        # An editor may be about to put it back.
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


def _files_of(error: BaseException | None) -> Iterator[str]:
    """Give the files that an exception came through."""
    while error is not None:
        if isinstance(error, SyntaxError) and error.filename:
            yield error.filename
        for frame in traceback.extract_tb(error.__traceback__):
            yield frame.filename
        error = error.__cause__ or error.__context__


def _explain(text: str) -> Callable[..., Any]:
    body = f"The application cannot be loaded:\n\n{text}".encode(errors="backslashreplace")

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response("500 Internal Server Error", fields)
        return [body]

    return application
