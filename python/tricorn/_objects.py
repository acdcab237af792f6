"""The objects that handlers get: ordinary Python objects, with gunicorn's attributes.

The same object comes back at later hooks of the same process, and takes new attributes. What the
server knows better than an attribute could say is a property that asks it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tricorn import _native, _reload
from tricorn._loading import load_application

if TYPE_CHECKING:
    from types import FrameType

    from tricorn._config import Config
    from tricorn._logger import Logger
    from tricorn._reload import Reloader


#: What a client is told whose request cannot be served.
_FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 22\r\n\r\nInternal Server Error\n"
)


class Application:
    """What is served, as ``server.app`` and ``worker.app``."""

    def __init__(self, cfg: Config, logger: Any, uri: str | None) -> None:
        self.cfg = cfg
        self.logger = logger
        self.app_uri = uri
        self.callable: Callable[..., Any] | None = None

    def wsgi(self) -> Callable[..., Any]:
        """Return the application, loaded at the first call."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def load(self) -> Callable[..., Any]:
        """Load the application."""
        return load_application(self.app_uri)

    def chdir(self) -> None:
        """Change to the configured directory, and import from it."""
        os.chdir(self.cfg.chdir)
        if self.cfg.chdir not in sys.path:
            sys.path.insert(0, self.cfg.chdir)


class Listener:
    """One socket of ``server.LISTENERS`` and ``worker.sockets``."""

    def __init__(self, url: str, fd: int) -> None:
        self.url = url
        self.fd = fd

    @property
    def sock(self) -> socket.socket:
        """A socket object over a copy of the descriptor."""
        return socket.socket(fileno=os.dup(self.fd))

    def getsockname(self) -> Any:
        """Return the address the socket is bound to."""
        with self.sock as sock:
            return sock.getsockname()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.fd

    def __str__(self) -> str:
        return self.url


class Arbiter:
    """The server, as handlers see it in the arbiter and, forked, in a worker."""

    WORKER_BOOT_ERROR = 3
    APP_LOAD_ERROR = 4

    def __init__(self, app: Application, control: _native.ArbiterControl) -> None:
        self.app = app
        self.reloads = -1
        self.workers_killed = 0
        self.cfg = app.cfg
        self.log = app.logger
        self.pid = os.getpid()
        self.WORKERS: dict[int, Worker] = {}
        self.LISTENERS: list[Listener] = []
        self.master_name = "Master"
        self.master_pid = 0
        self.reexec_pid = 0
        self.dirty_arbiter_pid = 0
        self.systemd = False
        self.SIG_QUEUE: list[int] = []
        self.start_time = time.time()
        self.pidfile = self.cfg.pidfile
        self.START_CTX: dict[int | str, Any] = {
            # Not sys.argv: `python -m` would be lost.
            "args": sys.orig_argv[1:],
            "cwd": _native.start_directory(),
            0: sys.executable,
        }
        self._control = control

    @property
    def cfg(self) -> Config:
        """The configuration in force."""
        return self._cfg

    @cfg.setter
    def cfg(self, cfg: Config) -> None:
        self._cfg = cfg
        self.reloads += 1
        #: What gunicorn copies from the configuration, and hooks may overwrite.
        self.address: list[Any] = cfg.address
        self.timeout: int = cfg.timeout
        self.proc_name: str = cfg.proc_name
        self.worker_class: Any = cfg.worker_class

    @property
    def num_workers(self) -> int:
        """The number of workers to keep."""
        return self._control.workers

    @num_workers.setter
    def num_workers(self, count: int) -> None:
        self._control.set_workers(count)

    @property
    def worker_age(self) -> int:
        """How many workers have been forked."""
        return self._control.age

    @property
    def _stats(self) -> dict[str, Any]:
        return {
            "start_time": self.start_time,
            "workers_spawned": self.worker_age,
            "workers_killed": self.workers_killed,
            "reloads": self.reloads,
        }

    def wakeup(self) -> None:
        """Wake the arbiter from its sleep."""
        self._control.wake()

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send a signal to a worker."""
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            self.wakeup()
        else:
            self.workers_killed += 1

    def kill_workers(self, sig: int) -> None:
        """Send a signal to every worker."""
        for pid in list(self.WORKERS):
            self.kill_worker(pid, sig)

    def manage_workers(self) -> None:
        """Keep the number of workers as it should be: the arbiter does so by itself."""
        self.wakeup()

    def reexec(self) -> None:
        """Act as if USR2 had arrived."""
        os.kill(self.pid, signal.SIGUSR2)

    spawn_worker = spawn_workers = reap_workers = murder_workers = manage_workers

    def _succeed(self, predecessor: int) -> None:
        """Know the arbiter before this one; 0 once it is gone, or where there is none."""
        self.master_pid = predecessor
        self.master_name = "Master.2" if predecessor else "Master"
        self.proc_name = self.cfg.proc_name + (".2" if predecessor else "")
        if not predecessor:
            os.environ.pop("GUNICORN_PID", None)

    def maybe_promote_master(self) -> None:
        """Do nothing: an upgrade that succeeds is noticed by itself."""

    def __getattr__(self, name: str) -> Any:
        """Give ``handle_hup`` and the like: they act as if that signal had arrived."""
        number = getattr(signal, f"SIG{name.removeprefix('handle_').upper()}", None)
        if not name.startswith("handle_") or number is None:
            raise AttributeError(f"the server has no attribute {name!r}")
        return lambda: os.kill(self.pid, number)

    def reload(self) -> None:
        """Reload the configuration, as HUP does."""
        self._control.signal("HUP")

    def stop(self, graceful: bool = True) -> None:
        """Stop the server, as TERM does, or QUIT."""
        self._control.signal("TERM" if graceful else "QUIT")

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """Stop the server and exit with a code."""
        if reason:
            self.log.error("Halting: %s", reason)
        self._control.leave(exit_status)

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Act as if the signal had arrived."""
        os.kill(self.pid, sig)


class WorkerTmp:
    """A heartbeat, as ``worker.tmp`` is one in gunicorn. Here it beats by itself, in memory."""

    def __init__(self) -> None:
        self._file: Any = None

    def notify(self) -> None:
        """Do nothing: signs of life come from the server itself."""

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


class Worker:
    """A worker: before the fork, in its own process, and in ``child_exit``."""

    #: The signals that mean something to a worker.
    SIGNALS: ClassVar[list[signal.Signals]] = [
        getattr(signal, f"SIG{name}")
        for name in ("ABRT", "HUP", "QUIT", "INT", "TERM", "USR1", "USR2", "WINCH", "CHLD")
    ]

    def __init__(self, age: int, server: Arbiter) -> None:
        cfg = server.cfg
        self.age = age
        self.pid: int | str = "[booting]"
        self.ppid = os.getpid()
        self.sockets = list(server.LISTENERS)
        self.app = server.app
        self.cfg = cfg
        self.log = server.log
        self.timeout = cfg.timeout / 2
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
    def check_config(cls, cfg: Config, log: Logger) -> None:
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
        """Set the handlers of the worker's signals."""
        _native.install_signals()

    def load_wsgi(self) -> None:
        """Load the application."""
        self.wsgi = _reload.load(self) if self.cfg.reload else self.app.wsgi()

    def run(self) -> None:
        """Serve until the worker is told to leave."""
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
        """Do nothing: a worker's signs of life come from the server itself."""

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


class SyncWorker(Worker):
    """A worker of the class ``sync``."""


class ThreadWorker(Worker):
    """A worker of the class ``gthread``."""

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


#: The classes by the names that settings give them.
CLASSES: dict[str, type[Worker]] = {"sync": SyncWorker, "gthread": ThreadWorker}
