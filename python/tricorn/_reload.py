"""``reload``: workers that watch the files they have loaded, and leave when one changes."""

from __future__ import annotations

import glob
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tricorn import _native

if TYPE_CHECKING:
    from tricorn._objects import Worker

#: Seconds between two looks at all files.
INTERVAL = 0.5


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


class Reloader(threading.Thread):
    """Looks at the files every now and then."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(name="tricorn-reload", daemon=True)
        self._worker = worker
        self._patterns = list(worker.cfg.reload_extra_files)
        self._watched: set[str] = set()
        self._times: dict[str, float] = {}

    def watch(self, paths: Iterable[str]) -> None:
        """Watch these files too."""
        self._watched.update(paths)

    def run(self) -> None:
        """Look until a file has changed."""
        pause = threading.Event()
        while not pause.wait(INTERVAL):
            if path := self.look():
                self._worker.log.info("Worker reloading: %s has changed", path)
                _native.reload_worker()
                return

    def look(self) -> str | None:
        """Return the first file that is not what it was at the last look."""
        for path in self._files():
            time = _modified(path)
            if time is not None and self._times.setdefault(path, time) != time:
                return path
        return None

    def _files(self) -> Iterator[str]:
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str):
                yield path
        yield from tuple(self._watched)
        for pattern in self._patterns:
            yield from glob.iglob(pattern, recursive=True)


def _modified(path: str) -> float | None:
    try:
        return os.stat(path).st_mtime
    except OSError:
        # An editor may be about to put it back.
        return None


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
