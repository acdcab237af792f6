"""A server process under test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.harness.client import Client
from tests.harness.processes import alive, end_all_in
from tests.harness.waiting import PATIENCE, eventually

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "tricorn"]

#: Numbers of the system call in which `time.sleep` waits: clock_nanosleep on x86-64 and on AArch64.
SLEEPING = {"230", "115"}

#: Names that the environment of the tests must not bring in.
FOREIGN = {
    "FORWARDED_ALLOW_IPS",
    "GUNICORN_CMD_ARGS",
    "PORT",
    "SCRIPT_NAME",
    "SENDFILE",
    "TRICORN_CMD_ARGS",
    "WEB_CONCURRENCY",
}


def environment(**variables: str) -> dict[str, str]:
    """Return the variables a server is started with."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def heed_interrupts() -> None:
    """Undo what a shell does to a command in the background: it would ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Server:
    """A server, its folder, and its log.

    It is the process that was started, until another is followed: a daemon, or a successor.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log_path = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.followed: int | None = None

    def write(self, name: str, text: str) -> Path:
        """Write a file into the server's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def spawn(self, *arguments: str, **variables: str) -> None:
        """Start the process, and do not wait for anything."""
        self.spawn_program(*COMMAND[1:], *arguments, **variables)

    def run_program(self, *arguments: str, **variables: str) -> Server:
        """Start a Python program that serves, and wait until it listens."""
        self.spawn_program(*arguments, **variables)
        self.wait_for_log("Listening at: ")
        return self

    def spawn_program(self, *arguments: str, **variables: str) -> None:
        """Start a Python program, and do not wait for anything."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.folder,
                env=environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=heed_interrupts,
            )

    def start(
        self,
        app: str = "app:application",
        *arguments: str,
        config: str | None = None,
        bind: str = "127.0.0.1:0",
        **variables: str,
    ) -> Server:
        """Start a server, and wait until it listens."""
        given = ["-b", bind] if bind else []
        if config is not None:
            self.write("server.conf.py", config)
            given += ["-c", "server.conf.py"]
        self.spawn(*given, *arguments, app, **variables)
        self.wait_for_log("Listening at: ")
        return self

    def start_program(self, text: str, *arguments: str, **variables: str) -> Server:
        """Write a Python program that serves, start it, and wait until it listens."""
        self.write("program.py", text)
        return self.run_program("program.py", *arguments, **variables)

    @property
    def log(self) -> str:
        """Everything that was logged so far."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def wait_for_log(self, text: str, count: int = 1, patience: float = PATIENCE) -> str:
        """Wait until `text` stands in the log so many times."""

        def probe() -> bool:
            if self.log.count(text) >= count:
                return True
            ended = self.process is not None and not self.is_there()
            assert not ended or self.log.count(text) >= count, f"the server ended: {self.log}"
            return False

        self._wait_until(probe, f"{text!r} in the log", patience)
        return self.log

    def _wait_until(self, probe: Callable[[], object], what: str, patience: float = PATIENCE):
        """Wait until something is true of the server; show its log if it never is."""
        try:
            return eventually(probe, what, patience)
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- the log:\n{self.log}") from None

    @property
    def address(self) -> tuple[str, int]:
        """The first TCP address the server listens on."""
        found = re.findall(r"http://(\[.*?\]|[^:/,]+):(\d+)", self.log)
        assert found, f"no address in the log: {self.log}"
        return found[0][0].strip("[]"), int(found[0][1])

    @property
    def url(self) -> str:
        """The URL of that address."""
        host, port = self.address
        return f"http://{host}:{port}"

    def connect(self) -> Client:
        """Open a connection."""
        return Client(self.address)

    def get(self, target: str = "/", *headers: str, method: str = "GET"):
        """Send one request on a connection of its own."""
        with self.connect() as client:
            return client.get(target, *headers, method=method)

    @property
    def pid(self) -> int:
        """The arbiter's process id."""
        assert self.process is not None
        return self.followed or self.process.pid

    def is_there(self) -> bool:
        """Whether the arbiter runs."""
        if self.process is not None and self.followed is None:
            return self.process.poll() is None
        return alive(self.pid)

    def follow(self, pidfile: str = "server.pid") -> None:
        """Take the process that a pidfile names for the arbiter from now on."""
        self.followed = self._wait_until(lambda: self.named_in(pidfile), f"a process in {pidfile}")

    def named_in(self, pidfile: str) -> int | None:
        """Return the living process that a pidfile names, if there is one."""
        with suppress(OSError, ValueError):
            pid = int((self.folder / pidfile).read_text())
            return pid if alive(pid) else None
        return None

    def call_successor(self, pidfile: str = "server.pid") -> int:
        """Have the arbiter start another, and return its process id once it has its own pidfile."""
        self.send_signal(signal.SIGUSR2)
        theirs = f"{pidfile}.2"
        return self._wait_until(lambda: self.named_in(theirs), f"a successor in {theirs}")

    def give_way(self, successor: int, pidfile: str = "server.pid") -> None:
        """Stop the arbiter, and follow the successor once it has taken the pidfile over."""
        self.stop()
        self.followed = successor
        self._wait_until(
            lambda: self.named_in(pidfile) == successor, f"{successor} takes {pidfile} over"
        )
        left = self.folder / f"{pidfile}.2"
        self._wait_until(lambda: not left.exists(), f"{left} is gone")

    def workers(self) -> list[int]:
        """Return the process ids of the workers there are."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        try:
            return [int(pid) for pid in path.read_text().split()]
        except OSError:
            return []

    def wait_until_asleep(self, threads: int = 1) -> None:
        """Wait until so many threads of the workers are inside `time.sleep`."""
        eventually(lambda: self._sleepers() >= threads, f"{threads} requests sleep")

    def _sleepers(self) -> int:
        calls = []
        for pid in self.workers():
            for call in Path(f"/proc/{pid}/task").glob("*/syscall"):
                with suppress(OSError):
                    calls.append(call.read_text().split()[0])
        return sum(call in SLEEPING for call in calls)

    def send_signal(self, number: int) -> None:
        """Send a signal to the arbiter."""
        os.kill(self.pid, number)

    def wait(self, patience: float = PATIENCE) -> int | None:
        """Wait for the arbiter to end, and return its code, unless it is followed."""
        assert self.process is not None
        if self.followed is None:
            return self.process.wait(patience)
        self._wait_until(lambda: not self.is_there(), f"process {self.pid} ends", patience)
        return None

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        """Stop the server, and return its code."""
        self.send_signal(number)
        return self.wait()

    def end(self) -> None:
        """Make sure that nothing is left of the server, however the test ended."""
        workers = self.workers() if self.process else []
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # Daemons and successors are nobody's children; where they work tells whose they are.
        end_all_in(self.folder)


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Give a server to start, and end it afterwards."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.end()


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
