"""The class ``sync``."""

from __future__ import annotations

from typing import ClassVar

from tricorn.workers.base import Worker


class SyncWorker(Worker):
    """A worker that runs one request at a time. Its loop is the server's own."""

    # Programs compare the class's name as text.
    __module__ = "gunicorn.workers.sync"

    LOOP: ClassVar[str | None] = "sync"
