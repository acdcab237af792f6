"""A server for the tests of an application: a context manager that runs one on a free port.

::

    from tricorn.testing import Server

    def test_it_answers():
        with Server(application, threads=2) as server:
            assert urlopen(server.url + "/health").status == 200
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tricorn import _execution
from tricorn._loading import Mistake
from tricorn.serving import Program, Served

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from tricorn.settings import Settings


class Failed(RuntimeError):
    """The server has not come up; its log is in the message."""


class Server:
    """A server in a child process, between ``with`` and the end of its block.

    `app` is an application, or its name; the settings are those of a config file. It listens on a
    free port of 127.0.0.1 unless ``bind`` is among them, and is ready when the block begins. The
    child is a fork of this process: what the test has set up before is there. It is told to stop
    when this process ends, however that comes about.
    """

    def __init__(self, app: Served, *, patience: float = 30, **settings: Unpack[Settings]) -> None:
        self.app = app
        self.patience = patience
        self.settings = settings
        self.pid = 0
        #: The code that the server has ended with, unless somebody else has waited for it.
        self.exit_code: int | None = None
        self._files = contextlib.ExitStack()
        self._log: Path | None = None
        self._socket: socket.socket | None = None
        #: What its first socket is bound to: host and port and maybe more, or a path.
        self._bound: list[Any] | str | None = None

    @property
    def address(self) -> tuple[str, int]:
        """The host and port it listens on: the first, if there are several."""
        if self._bound is None:
            raise RuntimeError("the server is not running: it has no address")
        if isinstance(self._bound, str):
            raise RuntimeError(f"the server listens on {self._bound}, which has no URL")
        host, port = self._bound[:2]
        return host, port

    @property
    def url(self) -> str:
        """Where it listens, as ``http://HOST:PORT``."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def log(self) -> str:
        """What it has logged and printed so far."""
        return self._log.read_text(errors="replace") if self._log is not None else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, and wait until a worker serves."""
        try:
            self._fork()
        except BaseException:
            # An interrupt among them: nobody else would end it.
            self.stop()
            raise

    def _fork(self) -> None:
        folder = self._files.enter_context(tempfile.TemporaryDirectory(prefix="tricorn-"))
        self._log = Path(folder) / "server.log"
        if "bind" not in self.settings:
            self._socket = self._files.enter_context(socket.create_server(("127.0.0.1", 0)))
        ready, tell = os.pipe()
        watched, held = os.pipe()
        self._files.callback(os.close, held)
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ready)
            os.close(held)
            self._live(watched, tell)
        os.close(watched)
        os.close(tell)
        with open(ready, "rb", buffering=0) as pipe:
            readable, _, _ = select.select([pipe], [], [], self.patience)
            told = pipe.readline() if readable else b""
        if not told:
            self._give_up(bool(readable))
        self._bound = json.loads(told)

    def _give_up(self, is_gone: bool) -> None:
        log = self.log
        self.stop()
        why = f"it ended with code {self.exit_code}" if is_gone else "it takes too long"
        raise Failed(f"the server has not come up: {why}\n{log}")

    def _live(self, watched: int, tell: int) -> None:
        """Be the server: never returns."""
        code: Any = 1
        try:
            os.setpgid(0, 0)
            # What the test run does about signals is its own affair.
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._take_streams()
            _end_with(watched)
            _execution.refusal = Mistake(
                "a server for tests is not executed anew", "the program would be the test run"
            )
            program = Program(self.app, self._full_settings(tell))
            program.run()
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Not by the way that this process's own end would take: the tests are not over.
            os._exit(code if isinstance(code, int) else 1)

    def _take_streams(self) -> None:
        """Have all that is printed in the log."""
        log = os.open(str(self._log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number in (1, 2):
            os.dup2(log, number)
        sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115

    def _full_settings(self, tell: int) -> Settings:
        """Add the socket, and a hook that tells the test that a worker serves."""
        settings = self.settings.copy()
        # Whoever has started it is to stop it.
        settings["daemon"] = False
        if self._socket is not None:
            settings["bind"] = f"fd://{self._socket.fileno()}"
        own = settings.get("worker_ready", ())
        handlers = [own] if callable(own) or isinstance(own, str) else list(own)

        def worker_ready(server: Any, worker: Any) -> None:
            bound = server.LISTENERS[0].getsockname()
            with contextlib.suppress(OSError):
                os.write(tell, json.dumps(bound, default=os.fsdecode).encode() + b"\n")

        settings["worker_ready"] = [*handlers, worker_ready]
        return settings

    def stop(self) -> int | None:
        """Stop the server, gracefully; the code that it ends with."""
        try:
            if self.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGTERM)
                self.exit_code = self._reap()
        finally:
            self.pid = 0
            self._files.close()
            self._socket = self._bound = None
        return self.exit_code

    def _reap(self) -> int | None:
        try:
            for _ in self._moments():
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    return os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            # Somebody else has waited for it.
            return None
        except BaseException:
            self._kill()
            raise
        return self._kill()

    def _kill(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.kill(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _moments(self) -> Iterator[None]:
        """Yield at short intervals, until patience is at its end."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            yield
            time.sleep(0.01)


def _end_with(watched: int) -> None:
    """Have this process told to stop when nobody holds the other end of a pipe any longer."""
    fcntl.fcntl(watched, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(watched, fcntl.F_SETSIG, signal.SIGTERM)
    fcntl.fcntl(watched, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    if select.select([watched], [], [], 0)[0]:
        sys.exit(1)
