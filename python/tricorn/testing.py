"""A server for the tests of an application: a context manager that runs one on a free port.

::

    from tricorn.testing import Server

    def test_it_answers():
        with Server(application, threads=2) as server:
            assert urlopen(server.url + "/health").status == 200
"""

from __future__ import annotations

import contextlib
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
    child is a fork of this process: what the test has set up before is there.
    """

    def __init__(self, app: Served, *, patience: float = 30, **settings: Unpack[Settings]) -> None:
        self.app = app
        self.patience = patience
        self.settings = settings
        self.pid = 0
        #: The code that the server has ended with.
        self.exit_code: int | None = None
        self._files = contextlib.ExitStack()
        self._log: Path | None = None
        self._socket: socket.socket | None = None

    @property
    def address(self) -> tuple[str, int]:
        """The host and port it listens on."""
        if self._socket is None:
            raise RuntimeError("the server's addresses are those of its setting 'bind'")
        host, port = self._socket.getsockname()
        return host, port

    @property
    def url(self) -> str:
        """Where it listens, as ``http://HOST:PORT``."""
        host, port = self.address
        return f"http://{host}:{port}"

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
        folder = self._files.enter_context(tempfile.TemporaryDirectory(prefix="tricorn-"))
        self._log = Path(folder) / "server.log"
        if "bind" not in self.settings:
            self._socket = self._files.enter_context(socket.create_server(("127.0.0.1", 0)))
        ready, tell = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ready)
            self._live(tell)
        os.close(tell)
        with open(ready, "rb", buffering=0) as pipe:
            readable, _, _ = select.select([pipe], [], [], self.patience)
            if not (readable and pipe.read(1)):
                self._give_up(bool(readable))

    def _give_up(self, is_gone: bool) -> None:
        log = self.log
        self.stop()
        why = f"it ended with code {self.exit_code}" if is_gone else "it takes too long"
        raise Failed(f"the server has not come up: {why}\n{log}")

    def _live(self, tell: int) -> None:
        """Be the server: never returns."""
        code: Any = 1
        try:
            os.setpgid(0, 0)
            self._take_streams()
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
        if self._socket is not None:
            settings["bind"] = f"fd://{self._socket.fileno()}"
        own = settings.get("worker_ready", ())
        handlers = [own] if callable(own) or isinstance(own, str) else list(own)

        def worker_ready(server: Any, worker: Any) -> None:
            with contextlib.suppress(OSError):
                os.write(tell, b"!")

        settings["worker_ready"] = [*handlers, worker_ready]
        return settings

    def stop(self) -> int | None:
        """Stop the server, gracefully; the code that it ends with."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            self.exit_code = self._reap()
            self.pid = 0
        self._files.close()
        self._socket = None
        return self.exit_code

    def _reap(self) -> int:
        for is_late in self._moments():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if is_late:
                os.killpg(self.pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _moments(self) -> Iterator[bool]:
        """Yield at short intervals, and whether patience is at its end: the last time."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            yield False
            time.sleep(0.01)
        yield True
