"""Threads that call back when a file has changed which the process has loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from tricorn._reload import Files, Pause, Wake


class ReloaderBase(threading.Thread):
    """Calls ``callback(path)`` for each change that is found."""

    def __init__(
        self,
        extra_files: Iterable[str] | None = None,
        interval: float = 1,
        callback: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(name="gunicorn-reload", daemon=True)
        self._interval = interval
        self._callback = callback
        self._files = Files(extra_files or ())

    def add_extra_file(self, filename: str) -> None:
        """Watch this file too."""
        self._files.watch([filename])

    def get_files(self) -> list[str]:
        """Return the files that are watched now."""
        return list(self._files.paths())

    def start(self) -> None:
        """Look for changes from now on."""
        self._files.look()
        super().start()

    def _pause(self) -> None:
        time.sleep(self._interval)

    def run(self) -> None:
        """Look for changes for ever."""
        while True:
            while path := self._files.look():
                if self._callback:
                    self._callback(path)
            self._pause()


class Reloader(ReloaderBase):
    """Looks at the files every ``interval`` seconds."""


class InotifyReloader(ReloaderBase):
    """Looks at the files when the system tells that something has changed."""

    def __init__(
        self,
        extra_files: Iterable[str] | None = None,
        callback: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(extra_files, callback=callback)
        self._wake: Pause | Wake = Wake()

    def _pause(self) -> None:
        self._wake.until_change(self._files.paths)


has_inotify = True
preferred_reloader = InotifyReloader

#: What ``reload_engine`` may be, and what that stands for.
reloader_engines = {"auto": InotifyReloader, "poll": Reloader, "inotify": InotifyReloader}
