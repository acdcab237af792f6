"""One measurement: a server on one core, wrk on another."""

from __future__ import annotations

import os
import re
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benches.loads import Load
from benches.servers import ACCESS_LOG, Server

#: The cores of the server and of wrk.
CORES = ("0", "1")
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 15.0


@dataclass(frozen=True)
class Result:
    """What a run of wrk has shown."""

    #: Answers in a second.
    rate: float
    #: Microseconds of processor time that the server took for an answer.
    cpu: float
    #: The part of it that was spent outside the kernel.
    user: float
    #: The share of its core that the server used: below 1, wrk was the bound.
    busy: float
    #: Mebibytes resident after the load.
    memory: float
    #: Milliseconds within which half of the answers came, and 99 in 100.
    half: float
    most: float
    #: It kept a streamed answer back until that was whole.
    collects: bool = False


class Failed(Exception):
    """A server that does not start, or does not answer as it should."""


def free_port() -> int:
    """Find a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def running(server: Server, load: Load) -> Iterator[tuple[int, int]]:
    """Run a server; give its process id and its port."""
    port = free_port()
    command = ["taskset", "-c", CORES[0], *server.command(load.app, port)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(port, process)
        yield process.pid, port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        ACCESS_LOG.unlink(missing_ok=True)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failed(f"it ended with code {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Failed("it does not listen")


def family(pid: int) -> list[int]:
    """Return the process and all that descend from it."""
    found = [pid]
    for parent in found:
        children = Path(f"/proc/{parent}/task/{parent}/children")
        found += map(int, children.read_text().split()) if children.exists() else []
    return found


def _cpu(pids: list[int]) -> tuple[float, float]:
    """Return the seconds of processor time of the processes: all, and outside the kernel."""
    user = kernel = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        user, kernel = user + int(fields[11]), kernel + int(fields[12])
    return (user + kernel) / TICK, user / TICK


def _memory(pids: list[int]) -> float:
    sizes = []
    for pid in pids:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        sizes.append(int(found[1]) / 1024 if found else 0.0)
    return max(sizes)


def _wrk(load: Load, port: int, seconds: int) -> str:
    command = ["taskset", "-c", CORES[1], "wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s"]
    target = ["--latency", f"http://127.0.0.1:{port}/"]
    done = subprocess.run(
        [*command, *load.wrk, *target], capture_output=True, text=True, check=True
    )
    return done.stdout


def measure(server: Server, load: Load, seconds: int) -> Result:
    """Run a server under a load."""
    with running(server, load) as (pid, port):
        if wrong := load.check(port):
            raise Failed(wrong)
        collects = load.streams and load.collects(port)
        _wrk(load, port, 1)
        pids = family(pid)
        (all_before, user_before), began = _cpu(pids), time.monotonic()
        said = _wrk(load, port, seconds)
        (spent, user), took = _cpu(pids), time.monotonic() - began
        spent, user = spent - all_before, user - user_before
        memory = _memory(pids)
    answers = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    if not answers or (refused and int(refused[1]) * 100 > answers):
        raise Failed(refused[0] if refused else "it answers nothing under load")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    each = 1e6 / answers
    half, most = _percentile(said, 50), _percentile(said, 99)
    return Result(rate, spent * each, user * each, spent / took, memory, half, most, collects)


def _percentile(said: str, which: int) -> float:
    """Return a percentile of what wrk has measured, in milliseconds."""
    found = re.search(rf"^\s+{which}%\s+([\d.]+)(us|ms|s)$", said, re.MULTILINE)
    if not found:
        raise Failed("wrk tells no percentiles")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def middle(results: list[Result]) -> Result:
    """Return the median of each figure."""
    rows = ((r.rate, r.cpu, r.user, r.busy, r.memory, r.half, r.most) for r in results)
    figures = zip(*rows, strict=True)
    return Result(*map(statistics.median, figures), any(result.collects for result in results))
