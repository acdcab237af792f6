"""What the processes cost: ``make bench WITH=lifecycle``.

The time from the start to the first answer, latencies while the server is reloaded under a fixed
load, and the memory of a worker that idles; ours and gunicorn's in turn, in the same run.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from benches.measure import family, free_port
from benches.servers import PEERS, SERVERS, Server

APP = "hello"
#: The modules that give it, and what reloads of them are called.
MODULES = {"benches.apps": "HUP", "benches.slow": "HUP, import of 0.4 s"}
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"

#: Requests a second while the server is reloaded, reloads, and seconds between two of them.
RATE, RELOADS, BETWEEN = 300, 5, 2.0

#: The interpreters that the two run in.
PYTHONS = {"tricorn": Path(sys.executable), "gunicorn": PEERS / "python"}


def ask(port: int) -> bool:
    """Send one request on a connection of its own; whether it was answered with 200."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(REQUEST)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
        return answer.startswith(b"HTTP/1.1 200")
    return False


@contextmanager
def started(
    server: Server, *arguments: str, module: str = "benches.apps"
) -> Iterator[tuple[subprocess.Popen[bytes], int, float]]:
    """Start a server; give its process, its port, and the seconds to its first answer."""
    port = free_port()
    began = time.perf_counter()
    command = [*server.command(APP, port)[:-1], f"{module}:{APP}"]
    process = subprocess.Popen([*command[:1], *arguments, *command[1:]], stderr=subprocess.DEVNULL)
    try:
        while not ask(port):
            if process.poll() is not None or time.perf_counter() - began > 20:
                raise SystemExit(f"{server.name} does not start")
            time.sleep(0.001)
        yield process, port, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)


def importing(python: Path) -> float:
    """Return the seconds in which an interpreter starts and imports the application."""
    began = time.perf_counter()
    subprocess.run([python, "-c", "import benches.apps"], check=True)
    return time.perf_counter() - began


def idle(process: subprocess.Popen[bytes]) -> float:
    """Return the proportional memory of the only worker, in MiB."""
    workers = [pid for pid in family(process.pid) if pid != process.pid]
    rollup = Path(f"/proc/{workers[-1]}/smaps_rollup").read_text()
    line = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) / 1024


def reloaded(process: subprocess.Popen[bytes], port: int) -> list[float]:
    """Return the latencies of requests that are sent at a fixed rate over some reloads.

    They are counted from the time at which each was due, so that none hides behind another.
    """
    began = time.perf_counter()
    latencies, reloads = [], 0
    for number in range(int(RATE * BETWEEN * (RELOADS + 1))):
        due = began + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        if number == int(RATE * BETWEEN * (reloads + 1)):
            reloads += 1
            os.kill(process.pid, signal.SIGHUP)
        answered = ask(port)
        latencies.append(time.perf_counter() - due if answered else float("inf"))
    return latencies


def main() -> int:
    """Measure both, in turn, and print what came of it."""
    parser = argparse.ArgumentParser(prog="make bench WITH=lifecycle", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    count = parser.parse_args().rounds
    both = [server for server in SERVERS if server.name in PYTHONS]
    rows: dict[str, dict[str, list[float]]] = {server.name: {} for server in both}
    for number in range(count):
        for server in both if number % 2 else both[::-1]:
            print(f"\r\033[Kround {number + 1} of {count}: {server.name}", end="", file=sys.stderr)
            for name, value in one_round(server).items():
                rows[server.name].setdefault(name, []).append(value)
    print("\r\033[K", end="", file=sys.stderr)
    names = list(rows[both[0].name])
    print(f"{'median of ' + str(count) + ' rounds':34}" + "".join(f"{s.name:>12}" for s in both))
    for name in names:
        values = "".join(f"{median(rows[server.name][name]):12.1f}" for server in both)
        print(f"{name:34}{values}")
    return 0


def one_round(server: Server) -> dict[str, float]:
    """Measure everything of one server."""
    result = {"import the application, ms": importing(PYTHONS[server.name]) * 1e3}
    with started(server) as (process, _, first):
        result["start to first answer, ms"] = first * 1e3
        result["idle worker, PSS in MiB"] = idle(process)
    for module, name in MODULES.items():
        with started(server, "-w", "2", module=module) as (process, port, _):
            latencies = sorted(reloaded(process, port))
        result[f"{name}: worst latency, ms"] = latencies[-1] * 1e3
        result[f"{name}: 99.9 %, ms"] = latencies[int(len(latencies) * 0.999) - 1] * 1e3
        result[f"{name}: 99 %, ms"] = latencies[int(len(latencies) * 0.99) - 1] * 1e3
        result[f"{name}: requests lost"] = float(latencies.count(float("inf")))
    return result


if __name__ == "__main__":
    sys.exit(main())
