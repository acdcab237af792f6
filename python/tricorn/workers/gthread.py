"""The class ``gthread``."""

from __future__ import annotations

from typing import ClassVar, cast

from tricorn.workers.base import Worker


class ThreadWorker(Worker):
    """A worker that runs requests on a pool of threads. Its loop is the server's own."""

    # Programs compare the class's name as text.
    __module__ = "gunicorn.workers.gthread"

    LOOP: ClassVar[str | None] = "gthread"

    @property
    def worker_connections(self) -> int:
        """The connections it may have."""
        return cast("int", self.cfg.worker_connections)

    @property
    def max_keepalived(self) -> int:
        """The connections it may keep while no thread serves them."""
        return self.worker_connections - cast("int", self.cfg.threads)

    @property
    def nr_conns(self) -> int:
        """The connections it has."""
        return 0 if self._control is None else self._control.connections
