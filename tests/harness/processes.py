"""Processes that the tests did not start themselves, looked at through /proc."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.harness.waiting import eventually

PROC = Path("/proc")


def state(path: Path) -> str:
    """Return the letter for what a process or thread does; empty if it is gone."""
    try:
        return (path / "stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether a process is there, and not just waits to be buried."""
    return state(PROC / str(pid)) not in ("", "Z", "X")


def working_in(folder: Path) -> list[int]:
    """Return the processes whose working directory is this folder, or one inside it."""
    found = []
    for path in PROC.glob("[0-9]*"):
        with suppress(OSError):
            cwd = Path(os.readlink(path / "cwd"))
            inside = cwd == folder or folder in cwd.parents
            if inside and int(path.name) != os.getpid() and alive(int(path.name)):
                found.append(int(path.name))
    return found


def end_all_in(folder: Path) -> None:
    """Kill what works in this folder, until nothing does."""

    def is_clear() -> bool:
        left = working_in(folder)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    eventually(is_clear, f"nothing works in {folder} any more")


def freeze(pid: int) -> None:
    """Stop a process where it is, with all its threads."""
    os.kill(pid, signal.SIGSTOP)
    tasks = PROC / str(pid) / "task"
    eventually(lambda: {state(task) for task in tasks.iterdir()} == {"T"}, f"{pid} stands still")


def wait_until_signalled(pid: int) -> None:
    """Wait until every signal that was sent to a process has been delivered."""
    status = PROC / str(pid) / "status"

    def is_delivered() -> bool:
        lines = (line.split() for line in status.read_text().splitlines())
        waiting = [
            mask
            for name, mask in (line[:2] for line in lines if len(line) > 1)
            if name in ("SigPnd:", "ShdPnd:")
        ]
        return not any(int(mask, 16) for mask in waiting)

    eventually(is_delivered, f"no signal waits for {pid}")


def client_ports(pid: int) -> set[int]:
    """Return the ports of the clients whose TCP connections a process holds."""
    held = set()
    for path in (PROC / str(pid) / "fd").iterdir():
        with suppress(OSError):
            held.add(os.readlink(path))
    ports = set()
    for line in (PROC / "net" / "tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if f"socket:[{fields[9]}]" in held:
            ports.add(int(fields[2].rpartition(":")[2], 16))
    return ports - {0}


def switches(pid: int) -> int:
    """Return how often all threads of a process gave up the processor of their own will."""
    total = 0
    for status in (PROC / str(pid) / "task").glob("*/status"):
        line = next(li for li in status.read_text().splitlines() if li.startswith("voluntary"))
        total += int(line.split()[1])
    return total
