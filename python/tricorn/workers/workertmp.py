"""A worker's heartbeat."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, cast


class WorkerTmp:
    """A heartbeat, as ``worker.tmp`` is one in gunicorn. Here it beats in memory."""

    def __init__(self, _cfg: Any = None) -> None:
        self._file: Any = None
        #: Tells the arbiter of a sign of life, in the worker's process.
        self.beat: Callable[[], None] | None = None

    def notify(self) -> None:
        """Give a sign of life."""
        if self.beat is not None:
            self.beat()

    def last_update(self) -> float:
        """Return the time of the last sign of life: now, as long as somebody can ask."""
        return time.monotonic()

    def fileno(self) -> int:
        """Return a descriptor of an empty file."""
        if self._file is None:
            self._file = open(os.devnull, "rb")  # noqa: SIM115
        return cast("int", self._file.fileno())

    def close(self) -> None:
        """Close that file."""
        if self._file is not None:
            self._file.close()
            self._file = None
