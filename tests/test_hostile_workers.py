"""Workers that belong to another user, and attack what they share with the arbiter of root."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.harness.client import Closed
from tests.harness.strangers import NOBODY, let_through, need_root

HOSTILE = r'''
    import ctypes, fcntl, os, random, signal, struct, time

    FORGED = "\n[2031-01-01 00:00:00 +0000] [1] [CRITICAL] FORGED\n\x1b[2J"

    def held():
        """Descriptors, and what they are."""
        for number in sorted(map(int, os.listdir("/proc/self/fd"))):
            try:
                yield number, os.readlink(f"/proc/self/fd/{number}")
            except OSError:
                pass

    def mapped():
        """Where the memory stands that all share."""
        for line in open("/proc/self/maps"):
            if "rw-s" in line and ("memfd:board" in line or "/dev/zero" in line):
                first, last = (int(text, 16) for text in line.split()[0].split("-"))
                # Those of the workers that live come first.
                yield first, min(last - first, 1 << 19)

    def lengths():
        said = []
        for number, what in held():
            if "memfd:board" in what or "memfd:stacks" not in what and "memfd" in what:
                for length in (0, 1 << 40):
                    try:
                        os.ftruncate(number, length)
                        said.append(f"{what} has {length} bytes")
                    except OSError:
                        pass
        return said or ["refused"]

    def noise():
        for seed in range(20):
            chance = random.Random(seed)
            for first, length in mapped():
                ctypes.memmove(first, chance.randbytes(length), length)
            time.sleep(0.02)
        # Requests, at every place where one may stand, that have run since the machine was started.
        text = (FORGED.encode() * 8)[:192]
        request = struct.pack("=QQQII", 5, 7, 7, 4, 0xFFFFFFFF) + text.ljust(224, b"x")
        while True:
            for shift in range(0, 256, 64):
                for first, length in mapped():
                    raw = request[shift:] + request * (length // 256)
                    ctypes.memmove(first, raw, length)
                time.sleep(0.3)

    def pipes():
        return [number for number, what in held() if what.startswith("pipe:") and number > 2]

    def flood():
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            for number in pipes():
                for text in (b"R", b"S" * 100, bytes(range(256)) * 64):
                    try:
                        os.write(number, text)
                    except OSError:
                        pass
        return ["done"]

    def block():
        for number in pipes():
            fcntl.fcntl(number, fcntl.F_SETFL, 0)
        return ["done"]

    def stuff():
        """Fill every pipe that leads out, and have whoever writes to it next wait."""
        for number, what in held():
            if what.endswith("log.pipe") or what.startswith("pipe:"):
                try:
                    fcntl.fcntl(number, fcntl.F_SETFL, os.O_NONBLOCK)
                    while True:
                        os.write(number, b"x" * 512)
                except OSError:
                    fcntl.fcntl(number, fcntl.F_SETFL, 0)
        return ["done"]

    def close():
        os.closerange(3, 4096)
        time.sleep(60)

    def stacks():
        memory = next(number for number, what in held() if "memfd:stacks" in what)
        def lie(*_):
            os.pwrite(memory, FORGED.encode(), 0)
        signal.signal(signal.SIGRTMAX - 2, lie)
        while True:
            time.sleep(0.01)

    def shown():
        return [f"{number} {what}" for number, what in held()]

    def whoami():
        return [repr((os.getuid(), os.getgid(), sorted(os.getgroups())))]

    def application(environ, start_response):
        said = globals()[environ["PATH_INFO"].strip("/") or "whoami"]()
        start_response("200 OK", [])
        return ["\n".join(said).encode()]
'''


@pytest.fixture
def site(server):
    """A server of root's whose workers belong to nobody, and attack it when they are asked to."""
    need_root()
    let_through(server.folder)
    server.write("app.py", HOSTILE)

    def start(*arguments, config=""):
        config = f"user = group = {NOBODY.pw_uid}\n{config}"
        return server.start("app:application", "--preload", *arguments, config=config)

    return start


def ask(server, target):
    """What the worker says, which may die meanwhile."""
    with suppress(OSError, Closed):
        return server.get(target).body.decode().splitlines()
    return []


def serves_on(server):
    """The arbiter does what it is told: it reloads, and stops in order."""
    assert server.is_there(), server.log
    before = server.log.count("Handling signal: hup")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Handling signal: hup", before + 1)
    eventually(lambda: ask(server, "/") == [repr((NOBODY.pw_uid, NOBODY.pw_gid, [NOBODY.pw_gid]))])
    assert server.stop() in (0, None)


def ticks(pid):
    """Processor time of a process, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_nobody_changes_the_length_of_what_all_share(site):
    server = site("-w", "2")
    assert ask(server, "/lengths") == ["refused"]
    serves_on(server)


def test_random_bytes_in_what_all_share_end_no_arbiter_and_no_foreign_process(site):
    plugins = "plugins = ['package:request-id', 'package:metrics']\n"
    limits = "timeout = request_timeout = graceful_timeout = 1\nabort_grace = 0.2\n"
    server = site("-w", "2", config=plugins + limits)
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        ask(server, "/noise")
        server.wait_for_log("it runs")
        serves_on(server)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert "FORGED" in server.log, "what it has written there is shown"
    assert not re.search(r"^\[2031", server.log, re.M)
    assert "\x1b" not in server.log


def test_a_flood_of_reports_leaves_the_arbiter_its_time(site):
    server = site("-w", "2")
    before = ticks(server.pid)
    ask(server, "/flood")
    assert ticks(server.pid) - before < 50, "it has better to do than to read"
    assert server.log.count("it floods the arbiter with reports") == 1
    serves_on(server)


def test_pipes_that_wait_hold_up_nobody_but_their_worker(site):
    # The worker itself may wait for ever, and is killed.
    server = site("-w", "1", config="graceful_timeout = abort_grace = 1\n")
    assert ask(server, "/block") == ["done"]
    server.send_signal(signal.SIGTTIN)
    eventually(lambda: len(server.workers()) == 2, "the arbiter forks")
    serves_on(server)


def test_a_pipe_of_the_log_that_a_worker_has_filled_holds_up_nobody_else(site, tmp_path):
    pipe = tmp_path / "log.pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    ready = "def when_ready(server): print('Listening at:', server.LISTENERS[0], flush=True)\n"
    limits = "graceful_timeout = abort_grace = 1\n"
    server = site("-w", "1", config=f"errorlog = {str(pipe)!r}\n{limits}{ready}")
    assert ask(server, "/stuff") == ["done"]
    server.send_signal(signal.SIGTTIN)
    eventually(lambda: len(server.workers()) == 2, "the arbiter forks")
    assert server.stop() in (0, None)
    os.close(reader)


def test_a_worker_that_closes_all_it_holds_leaves_the_arbiter_its_time(site):
    server = site("-w", "1", config="timeout = 1\nabort_grace = 1\n")
    before = ticks(server.pid)
    ask(server, "/close")
    server.wait_for_log("WORKER TIMEOUT")
    assert ticks(server.pid) - before < 50, "it does not look again and again at what is closed"
    serves_on(server)


def test_stacks_that_a_worker_makes_up_look_like_no_lines_of_the_log(site):
    server = site("-w", "1", config="timeout = 1\nabort_grace = 1\n")
    ask(server, "/stacks")
    server.wait_for_log("FORGED")
    server.wait_for_log("Booting worker", 2)
    serves_on(server)
    assert "  [2031-01-01 00:00:00 +0000] [1] [CRITICAL] FORGED" in server.log
    assert not re.search(r"^\[2031", server.log, re.M)
    assert "\x1b" not in server.log


@pytest.mark.parametrize("how", ["started", "reloaded in place", "upgraded"])
def test_a_worker_holds_nothing_that_belongs_to_the_arbiter_alone(site, how):
    server = site("-w", "2", "--pid", "server.pid", config="preload_reload = True\n")
    eventually(lambda: ask(server, "/"), "it serves")
    former = set(server.workers())
    if how == "reloaded in place":
        server.send_signal(signal.SIGHUP)
        eventually(lambda: len(server.workers()) == 2 and not former & set(server.workers()))
    if how == "upgraded":
        server.give_way(server.call_successor())
    lines = ask(server, "/shown")
    arbiters = links(server.pid)
    held = dict(line.split(" ", 1) for line in lines)
    shared = {what for what in held.values() if what in arbiters.values()}
    own = {what for what in shared if re.match(r"pipe|socket", what)} - outside()
    kinds = sorted(what.split(":")[0] for what in own)
    assert kinds == ["pipe", "pipe", "socket"], "a pipe each way, and the socket that listens"
    memories = [what for what in held.values() if "memfd" in what]
    assert memories == ["/memfd:stacks (deleted)"], "where it writes its stacks"
    serves_on(server)


def links(pid):
    """The descriptors of a process, by their numbers."""
    found = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found[path.name] = os.readlink(path)
    return found


def outside():
    """What the test's own process has handed down."""
    return set(links(os.getpid()).values())
