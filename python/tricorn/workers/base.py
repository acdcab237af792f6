"""A worker as handlers see it, and what worker classes of one's own derive from."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tricorn import _handlers, _native, _reload
from tricorn.workers.workertmp import WorkerTmp

if TYPE_CHECKING:
    from types import FrameType

    from tricorn._reload import Reloader
    from tricorn.app.base import BaseApplication
    from tricorn.config import Config
    from tricorn.sock import Listener


#: What a client is told whose request cannot be served.
_FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 22\r\n\r\nInternal Server Error\n"
)


class Worker:
    """A worker: before the fork, in its own process, and in ``child_exit``.

    A class of one's own that derives from this one serves in its ``run()``, as it sees fit: it
    accepts from ``sockets``, calls ``notify()`` more often than every ``timeout`` seconds, and
    returns when ``alive`` is false.
    """

    #: Which of the server's own loops serves; None for a class that has its own, in ``run()``.
    LOOP: ClassVar[str | None] = None

    #: The signals that mean something to a worker.
    SIGNALS: ClassVar[list[signal.Signals]] = [
        getattr(signal, f"SIG{name}")
        for name in ("ABRT", "HUP", "QUIT", "INT", "TERM", "USR1", "USR2", "WINCH", "CHLD")
    ]

    def __init__(
        self,
        age: int,
        ppid: int,
        sockets: list[Listener],
        app: BaseApplication,
        timeout: float,
        cfg: Config,
        log: Any,
    ) -> None:
        self.age = age
        self.pid: int | str = "[booting]"
        self.ppid = ppid
        self.sockets = sockets
        self.app = app
        self.timeout = timeout
        self.cfg = cfg
        self.log = log
        self.booted = False
        self.aborted = False
        self.reloader: Reloader | None = None
        self.tmp = WorkerTmp()
        #: Small, stable, and unique among the living: also in ``TRICORN_WORKER_ID``.
        self.id: int | None = None
        #: How the worker ended, for ``child_exit``: the code, the signal, and why.
        self.exitcode: int | None = None
        self.exit_signal: int | None = None
        self.exit_cause: str | None = None
        self.started = time.monotonic()
        self._control: _native.WorkerControl | None = None
        self._counted = 0
        self._pipe: tuple[int, int] | None = None

    @classmethod
    def setup(cls) -> None:
        """Prepare the class, before there is a worker of it: nothing is to be done."""

    @classmethod
    def check_config(cls, cfg: Config, log: Any) -> None:
        """Look whether the configuration suits the class: every one does."""

    @property
    def max_requests(self) -> int:
        """Requests after which the worker leaves; set it to change that."""
        given = self._control.max_requests if self._control else cast("int", self.cfg.max_requests)
        return given or sys.maxsize

    @max_requests.setter
    def max_requests(self, requests: int) -> None:
        if self._control is not None:
            self._control.max_requests = 0 if requests == sys.maxsize else requests

    @property
    def alive(self) -> bool:
        """Whether the worker serves on; set it to False for a graceful stop."""
        return self._control is None or self._control.alive

    @alive.setter
    def alive(self, alive: bool) -> None:
        if self._control is not None:
            self._control.alive = alive

    @property
    def nr(self) -> int:
        """How many requests the worker has begun to serve."""
        return 0 if self._control is None else self._control.requests - self._counted

    @nr.setter
    def nr(self, count: int) -> None:
        if self._control is not None:
            self._counted = self._control.requests - count

    @property
    def wsgi(self) -> Any:
        """The application; set it to serve another one from the next request on."""
        return None if self._control is None else self._control.wsgi

    @wsgi.setter
    def wsgi(self, wsgi: Any) -> None:
        if self._control is not None:
            self._control.wsgi = wsgi

    @property
    def PIPE(self) -> tuple[int, int]:  # noqa: N802
        """A pipe of the worker's own, made when it is first asked for."""
        if self._pipe is None:
            self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        return self._pipe

    @property
    def wait_fds(self) -> list[Any]:
        """What a worker waits for: its sockets, and the end of its pipe to read from."""
        return [*self.sockets, self.PIPE[0]]

    def init_process(self) -> None:
        """Live the worker's life, from the end of ``post_fork`` on."""
        self._proceed("init_process")

    def init_signals(self) -> None:
        """Set the handlers of the worker's signals: the server's, or methods of a derived class."""
        _native.install_signals()
        for name, method in _HANDLERS.items():
            handler = getattr(self, method)
            if getattr(handler, "__func__", None) is not getattr(Worker, method):
                signal.signal(getattr(signal, name), handler)
        if self.LOOP is None:
            signal.set_wakeup_fd(self.PIPE[1], warn_on_full_buffer=False)

    def load_wsgi(self) -> None:
        """Load the application."""
        self.wsgi = _reload.load(self) if self.cfg.reload else self.app.wsgi()

    def run(self) -> None:
        """Serve until the worker is told to leave."""
        if self.LOOP is None:
            what = f"{type(self).__name__}.run() is not there"
            raise NotImplementedError(f"{what}: it is to serve until self.alive is false")
        self._proceed("run")

    def _proceed(self, step: str) -> None:
        if self._control is None:
            raise RuntimeError(f"{step}() is called in the worker's process, by the server")
        self._control.proceed(step)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Log why a request cannot be served, and tell its client."""
        uri = getattr(req, "uri", None) or "a request"
        self.log.error("Error handling %s from %s", uri, addr, exc_info=exc)
        with contextlib.suppress(OSError):
            client.sendall(_FAILED)

    def notify(self) -> None:
        """Give a sign of life. The server's own loops give theirs by themselves."""
        self.tmp.notify()

    def _begin(self) -> None:
        """Be ready to serve."""
        self.booted = True
        _handlers.look()
        if self.LOOP is None:
            for listener in self.sockets:
                # The server is about to close its own copy.
                _ = listener.sock

    def _become(self, control: _native.WorkerControl) -> None:
        """Be the worker of this process."""
        self._control = control
        self.pid = os.getpid()
        self.tmp.beat = control.beat

    def handle_exit(self, sig: int | None, frame: FrameType | None) -> None:
        """Stop gracefully, as TERM does."""
        self.alive = False

    def handle_quit(self, sig: int | None, frame: FrameType | None) -> None:
        """Leave at once, as QUIT does."""
        _native.worker_quit(sig, frame)

    def handle_usr1(self, sig: int | None, frame: FrameType | None) -> None:
        """Open the log files again, as USR1 does."""
        self.log.reopen_files()

    def handle_abort(self, sig: int | None, frame: FrameType | None) -> None:
        """Abort, as ABRT does."""
        _native.worker_abort(sig, frame)

    def handle_winch(self, sig: int | None, frame: FrameType | None) -> None:
        """Do nothing: a terminal that was resized is nobody's affair."""

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"


#: The signals that a method handles where it is overridden; else the server does.
_HANDLERS = {
    "SIGABRT": "handle_abort",
    "SIGQUIT": "handle_quit",
    "SIGINT": "handle_quit",
    "SIGTERM": "handle_exit",
    "SIGUSR1": "handle_usr1",
    "SIGWINCH": "handle_winch",
}
