"""What worker classes derive from that run requests on green threads of their own.

Whoever derives from it accepts connections in ``run()``, and serves each in ``handle()``. There is
no ``handle()`` here: requests are parsed by the compiled core, for the server's own loops alone.
"""

from __future__ import annotations

import contextlib
from typing import Any, NoReturn

from tricorn._loading import Mistake
from tricorn.workers.base import Worker

#: What an application returns that has answered already.
ALREADY_HANDLED = object()


class AsyncWorker(Worker):
    """A worker whose ``run()`` and ``handle()`` are one's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.worker_connections: int = self.cfg.worker_connections

    @classmethod
    def setup(cls) -> None:
        """Refuse a class that cannot serve."""
        lacking = [name for name in ("run", "handle") if not _is_own(cls, name)]
        if lacking:
            what = f"worker_class {cls.__name__} derives from AsyncWorker and has no "
            what += " and no ".join(f"{name}()" for name in lacking)
            raise Mistake(what, "give it one, or use worker_class gthread")

    def timeout_ctx(self) -> contextlib.AbstractContextManager[Any]:
        """Return what ends a wait for the next request on a connection: nothing does."""
        return contextlib.nullcontext()

    def is_already_handled(self, respiter: Any) -> bool:
        """Say whether the application has answered by itself."""
        return respiter is ALREADY_HANDLED

    def handle(self, listener: Any, client: Any, addr: Any) -> NoReturn:
        """Serve a connection."""
        what = f"{type(self).__name__}.handle() is not there"
        raise NotImplementedError(f"{what}: it is to serve a connection, with a parser of its own")


def _is_own(cls: type[AsyncWorker], name: str) -> bool:
    """Say whether a class has a method that is not of tricorn's."""
    return not str(getattr(getattr(cls, name), "__module__", "")).startswith("tricorn.")
