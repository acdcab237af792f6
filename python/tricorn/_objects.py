"""The objects that handlers get: ordinary Python objects, with gunicorn's attributes.

The same object comes back at later hooks of the same process, and takes new attributes. What the
server knows better than an attribute could say is a property that asks it.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tricorn import _native
from tricorn._loading import import_dotted, load_application

if TYPE_CHECKING:
    from types import FrameType

    from tricorn._reload import Reloader


class Setting:
    """One setting, as ``cfg.settings`` holds it."""

    def __init__(self, name: str, value: Any, default: Any, section: str) -> None:
        self.name = name
        self.value = value
        self.default = default
        self.section = section

    def get(self) -> Any:
        """Return the value."""
        return self.value

    def set(self, value: Any) -> None:
        """Check a value and take it."""
        self.value = _native.check_setting(self.name, value)

    def __repr__(self) -> str:
        return f"<Setting {self.name}={self.value!r}>"


class Config:
    """The configuration: every setting is an attribute, and so is every hook."""

    settings: dict[str, Setting]
    hooks: dict[str, Callable[..., Any]]
    env_orig: dict[str, str]

    def __init__(
        self,
        settings: Iterable[tuple[str, Any, Any, str]],
        hooks: Mapping[str, Callable[..., Any]],
        resolved: Mapping[str, Any],
    ) -> None:
        made = {row[0]: Setting(*row) for row in settings}
        object.__setattr__(self, "settings", made)
        object.__setattr__(self, "hooks", dict(hooks))
        object.__setattr__(self, "_resolved", dict(resolved))
        object.__setattr__(self, "env_orig", dict(os.environ))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        resolved = self.__dict__["_resolved"]
        if name in resolved:
            return resolved[name]
        if name in self.hooks:
            return self.hooks[name]
        if name in self.settings:
            return self.settings[name].value
        raise AttributeError(f"there is no setting {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.settings or name in self.hooks:
            raise AttributeError(f"use cfg.set({name!r}, ...)")
        object.__setattr__(self, name, value)

    def set(self, name: str, value: Any) -> None:
        """Set a setting, as the config file would."""
        if name in self.hooks:
            self.hooks[name] = value
        elif name in self.settings:
            self.settings[name].set(value)
            self.__dict__["_resolved"].pop(name, None)
        else:
            raise AttributeError(f"there is no setting {name!r}")

    @property
    def env(self) -> dict[str, str]:
        """The variables of ``raw_env``, as a dict."""
        pairs = (item.partition("=") for item in self.raw_env if item)
        return {name: value for name, _, value in pairs}

    @property
    def address(self) -> list[Any]:
        """The addresses to listen on: (host, port), a path, or a descriptor."""
        return _native.parse_addresses(self.bind)

    @property
    def worker_class_str(self) -> str:
        """The name of the worker class."""
        return cast("str", self.__dict__["_resolved"]["worker_class_str"])

    @property
    def is_ssl(self) -> bool:
        """Whether TLS is on."""
        return bool(self.certfile or self.keyfile)


class Logger:
    """The server's logger, with the methods of gunicorn's."""

    LOG_LEVELS: ClassVar[dict[str, int]] = {
        "critical": logging.CRITICAL,
        "error": logging.ERROR,
        "warning": logging.WARNING,
        "info": logging.INFO,
        "debug": logging.DEBUG,
    }

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg

    def critical(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level critical."""
        self.log(logging.CRITICAL, msg, *args, **kwargs)

    def error(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level error."""
        self.log(logging.ERROR, msg, *args, **kwargs)

    def warning(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level warning."""
        self.log(logging.WARNING, msg, *args, **kwargs)

    def info(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level info."""
        self.log(logging.INFO, msg, *args, **kwargs)

    def debug(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level debug."""
        self.log(logging.DEBUG, msg, *args, **kwargs)

    def exception(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level error, with the traceback of the exception at hand."""
        kwargs.setdefault("exc_info", True)
        self.log(logging.ERROR, msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at a level, by number or name."""
        level = self.LOG_LEVELS.get(lvl.lower(), logging.INFO) if isinstance(lvl, str) else lvl
        if not _native.log_enabled(level):
            return
        text = str(msg)
        if args:
            # As the standard library has it: one mapping fills named places.
            single = len(args) == 1 and isinstance(args[0], Mapping) and args[0]
            text = text % (args[0] if single else args)
        trace = _trace(kwargs.get("exc_info"))
        _native.log(level, f"{text}\n{trace}" if trace else text)

    def reopen_files(self) -> None:
        """Open the log files again."""
        _native.log_reopen()

    def close_on_exec(self) -> None:
        """Do nothing: the log files are never inherited by what is executed."""


def _trace(exc_info: Any) -> str:
    if not exc_info:
        return ""
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    elif not isinstance(exc_info, tuple):
        exc_info = sys.exc_info()
    if exc_info[1] is None:
        return ""
    return "".join(traceback.format_exception(*exc_info)).rstrip()


class Application:
    """What is served, as ``server.app`` and ``worker.app``."""

    def __init__(self, cfg: Config, logger: Logger, uri: str | None) -> None:
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
        if self.cfg.chdir:
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
        self.cfg = app.cfg
        self.log = app.logger
        self.pid = os.getpid()
        self.WORKERS: dict[int, Worker] = {}
        self.LISTENERS: list[Listener] = []
        self.master_name = "Master"
        self.master_pid = 0
        self.reexec_pid = 0
        self.systemd = False
        self.pidfile = self.cfg.pidfile
        self.START_CTX: dict[int | str, Any] = {
            "args": list(sys.argv),
            "cwd": os.getcwd(),
            0: sys.executable,
        }
        self._control = control

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
    def address(self) -> list[Any]:
        """The addresses to listen on."""
        return self.cfg.address

    @property
    def timeout(self) -> int:
        """The time-out of workers, in seconds."""
        return cast("int", self.cfg.timeout)

    @property
    def proc_name(self) -> str:
        """The name in the processes' titles."""
        return cast("str", self.cfg.proc_name)

    @property
    def worker_class(self) -> Any:
        """The class of the workers."""
        return self.cfg.worker_class

    def wakeup(self) -> None:
        """Wake the arbiter from its sleep."""
        self._control.wake()

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send a signal to a worker."""
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            self.wakeup()

    def kill_workers(self, sig: int) -> None:
        """Send a signal to every worker."""
        for pid in list(self.WORKERS):
            self.kill_worker(pid, sig)

    def manage_workers(self) -> None:
        """Keep the number of workers as it should be: the arbiter does so by itself."""
        self.wakeup()

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


class Worker:
    """A worker: before the fork, in its own process, and in ``child_exit``."""

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
        self.max_requests = cfg.max_requests or sys.maxsize
        self.id: int | None = None
        #: How the worker ended, for ``child_exit``: the code, the signal, and why.
        self.exitcode: int | None = None
        self.exit_signal: int | None = None
        self.exit_cause: str | None = None
        self.started = time.monotonic()
        self._control: _native.WorkerControl | None = None

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
        """How many requests the worker has served."""
        return 0 if self._control is None else self._control.requests

    @property
    def wsgi(self) -> Any:
        """The application; set it to serve another one from the next request on."""
        return None if self._control is None else self._control.wsgi

    @wsgi.setter
    def wsgi(self, wsgi: Any) -> None:
        if self._control is not None:
            self._control.wsgi = wsgi

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

    def __str__(self) -> str:
        return f"<Worker {self.pid}>"


class FileWrapper:
    """PEP 3333's ``wsgi.file_wrapper``: a file, to be sent by the kernel where that can be done."""

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data = self.filelike.read(self.blksize)
        if data:
            return cast("bytes", data)
        raise StopIteration

    def __getitem__(self, key: int) -> bytes:
        data = self.filelike.read(self.blksize)
        if data:
            return cast("bytes", data)
        raise IndexError(key)


def hook_callable(name: str, configured: Any) -> Callable[..., Any]:
    """Return what ``cfg.<hook>`` is: the handler, several in one, or one that does nothing."""
    if callable(configured):
        return cast("Callable[..., Any]", configured)
    given = configured if isinstance(configured, list | tuple) else [configured]
    handlers = [import_dotted(item) if isinstance(item, str) else item for item in given if item]

    def call_all(*args: Any) -> None:
        for handler in handlers:
            handler(*args)

    call_all.__name__ = call_all.__qualname__ = name
    return call_all


class _ClientSocket(socket.socket):
    """A client's socket that gives out first what the server had received already."""

    _received: bytearray

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive data."""
        if not self._received:
            return super().recv(bufsize, flags)
        data = bytes(self._received[:bufsize])
        if not flags & socket.MSG_PEEK:
            del self._received[:bufsize]
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive data into a buffer."""
        if not self._received:
            return super().recv_into(buffer, nbytes, flags)
        view = memoryview(buffer).cast("B")
        data = self.recv(min(nbytes or len(view), len(view)), flags)
        view[: len(data)] = data
        return len(data)


def client_socket(fileno: int, received: bytes) -> socket.socket:
    """Make the socket of a client, from which `received` has been received already."""
    if not received:
        return socket.socket(fileno=fileno)
    sock = _ClientSocket(fileno=fileno)
    sock._received = bytearray(received)
    return sock
