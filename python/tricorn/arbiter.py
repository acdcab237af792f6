"""The server as handlers see it: ``server``, an ordinary Python object with gunicorn's attributes.

The same object comes back at later hooks of the same process, and takes new attributes. What the
server knows better than an attribute could say is a property that asks it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from tricorn import _native

if TYPE_CHECKING:
    from types import FrameType

    from tricorn.app.base import BaseApplication
    from tricorn.config import Config
    from tricorn.sock import Listener
    from tricorn.workers.base import Worker


#: The methods by which gunicorn's arbiter does its work. The server does it in the compiled core.
_STEPS = frozenset(
    {
        *("halt", "init_signals", "kill_worker", "kill_workers", "manage_workers"),
        *("maybe_promote_master", "murder_workers", "reap_workers", "reexec", "reload", "run"),
        *("signal", "signal_chld", "sleep", "spawn_worker", "spawn_workers", "start", "stop"),
        *("wait_for_signals", "wakeup"),
    }
)


class SignalQueue:
    """Signals to act on: what is put in here is acted on as if it had arrived.

    Nothing ever waits in it: the server takes each signal as it comes.
    """

    def __init__(self, server: Arbiter) -> None:
        self._server = server

    def put(self, sig: int, block: bool = True, timeout: float | None = None) -> None:
        """Act on a signal; what is no signal wakes the server and means nothing."""
        if sig in self._server.SIGNALS:
            os.kill(self._server.pid, sig)
        else:
            self._server.wakeup()

    put_nowait = append = put

    def empty(self) -> bool:
        """Return True: nothing waits."""
        return True

    def qsize(self) -> int:
        """Return 0: nothing waits."""
        return 0

    __len__ = qsize

    def get(self, block: bool = True, timeout: float | None = None) -> NoReturn:
        """Raise ``queue.Empty``: nothing waits."""
        import queue

        raise queue.Empty

    get_nowait = get


class Arbiter:
    """The server, as handlers see it in the arbiter and, forked, in a worker.

    A class that derives from this one and takes the application alone is made in its place where a
    program puts it there: as ``gunicorn.arbiter.Arbiter``, or by its ``run()``.
    """

    WORKER_BOOT_ERROR = 3
    APP_LOAD_ERROR = 4

    #: The signals that mean something to the server.
    SIGNALS: ClassVar[list[signal.Signals]] = [
        getattr(signal, f"SIG{name}")
        for name in ("HUP", "QUIT", "INT", "TERM", "TTIN", "TTOU", "USR1", "USR2", "WINCH")
    ]

    #: The name of every signal, as those of the methods ``handle_*``.
    SIG_NAMES: ClassVar[dict[int, str]] = {
        each: each.name.removeprefix("SIG").lower() for each in signal.Signals
    }

    #: What ends the server's sleep and is no signal.
    WAKEUP_REQUEST = signal.NSIG

    #: How the server that is about to be made reaches the compiled part.
    _next_control: ClassVar[_native.ArbiterControl | None] = None

    def __init__(self, app: BaseApplication) -> None:
        self._given_control = _OWN._next_control
        self.reloads = -1
        self.workers_killed = 0
        self.setup(app)
        self.pid = os.getpid()
        self.WORKERS: dict[int, Worker] = {}
        self.LISTENERS: list[Listener] = []
        self.master_name = "Master"
        self.master_pid = 0
        self.reexec_pid = 0
        self.dirty_arbiter_pid = 0
        self.systemd = False
        self.SIG_QUEUE = SignalQueue(self)
        self.start_time = time.time()
        self.pidfile = self.cfg.pidfile
        self.START_CTX: dict[int | str, Any] = {
            # Not sys.argv: `python -m` would be lost.
            "args": sys.orig_argv[1:],
            "cwd": _native.start_directory(),
            0: sys.executable,
        }

    def setup(self, app: BaseApplication) -> None:
        """Take the application, and its configuration and logger."""
        self.app = app
        self.cfg = app.cfg
        self.log = app.logger

    @classmethod
    def _of(cls, app: BaseApplication, control: _native.ArbiterControl) -> Arbiter:
        """Make the object of the server that runs in this process."""
        from tricorn.app import base

        _OWN._next_control = control
        try:
            server: Arbiter = (app._server_class or vars(base).get("Arbiter", cls))(app)
        finally:
            _OWN._next_control = None
        server._point_out_uncalled()
        return server

    def _point_out_uncalled(self) -> None:
        """Name the methods of a derived class that gunicorn calls and this server does not."""
        own = type(self).__mro__[: type(self).__mro__.index(_OWN)]
        called = {"run"} if self.app._server_class else set()
        theirs = {name for each in own for name in vars(each)} - called
        uncalled = sorted(
            f"{name}()" for name in theirs if name in _STEPS or name.startswith("handle_")
        )
        if uncalled:
            what = f"its {', '.join(uncalled)} is not called: the server supervises by itself"
            sys.stderr.write(f"Warning: Arbiter class {type(self).__name__}: {what}\n")

    @property
    def _control(self) -> _native.ArbiterControl:
        if self._given_control is None:
            raise RuntimeError("the server does not run yet: run() starts it")
        return self._given_control

    def run(self) -> NoReturn:
        """Serve the application of an object that a program has made, and leave with its code.

        The server makes an object of its own, of this one's class: hooks get that one.
        """
        self.app._server_class = type(self)
        sys.exit(_native.serve(self.app))

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
        return self._control.workers if self._given_control else cast("int", self.cfg.workers)

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

    def _expect(self, age: int, number: int) -> Worker:
        """Make the object of a worker that is about to be forked."""
        made: Worker = self.worker_class(
            age, self.pid, self.LISTENERS, self.app, self.timeout / 2, self.cfg, self.log
        )
        made.id = number
        return made

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


#: The class itself, whatever a program sets under its name.
_OWN = Arbiter
