"""Signals: who heeds which, whoever sends it, and whatever is under way."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios

import pytest

from tests.harness import eventually
from tests.harness.processes import wait_until_signalled
from tests.harness.server import COMMAND, environment

PLAIN = "tests.apps.plain:application"

TOLD = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
    def nworkers_changed(server, new, old):
        server.log.info("WORKERS %s -> %s", old, new)
    def child_exit(server, worker):
        server.log.info("GONE %s cause=%s", worker.pid, worker.exit_cause)
"""


def start(server, workers, *arguments, config=""):
    server.start(PLAIN, "-w", str(workers), *arguments, config=TOLD + config)
    server.wait_for_log("WORKER READY", workers)


# WINCH.


def test_winch_from_a_process_stops_the_workers_and_keeps_the_arbiter(server):
    start(server, 2)
    server.send_signal(signal.SIGWINCH)
    server.wait_for_log("GONE", 2)
    assert "WORKERS 2 -> 0" in server.log
    assert server.workers() == []
    with server.connect() as waiting:
        waiting.request("/hello")
        server.send_signal(signal.SIGHUP)
        assert waiting.reply().body == b"hello", "it waited for the workers to come back"
    server.wait_for_log("WORKER READY", 4)


def test_ttin_brings_a_worker_back_after_winch(server):
    start(server, 1)
    server.send_signal(signal.SIGWINCH)
    server.wait_for_log("GONE")
    server.send_signal(signal.SIGTTIN)
    server.wait_for_log("WORKER READY", 2)
    assert server.get("/hello").status == 200


#: A process of the terminal's foreground group that tells when it hears WINCH.
WITNESS = """
import signal, sys
signal.signal(signal.SIGWINCH, lambda *_: (print("WITNESS HEARD IT", flush=True), sys.exit()))
print("WITNESS LISTENS", flush=True)
while True:
    signal.pause()
"""


def test_a_terminal_that_is_resized_stops_nothing(server):
    server.write("witness.py", WITNESS)
    config = """
    import subprocess, sys
    def when_ready(server):
        server.witness = subprocess.Popen([sys.executable, "witness.py"])
    def on_exit(server):
        server.witness.wait()
    """
    server.write("server.conf.py", TOLD + config)
    terminal, end = pty.openpty()
    with open(server.log_path, "ab") as log:
        server.process = subprocess.Popen(
            [*COMMAND, "-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN],
            cwd=server.folder,
            env=environment(),
            stdin=end,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(end, termios.TIOCSCTTY, 0),
        )
    try:
        server.wait_for_log("WORKER READY")
        server.wait_for_log("WITNESS LISTENS")
        before = server.workers()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        server.wait_for_log("WITNESS HEARD IT")
        assert server.get("/hello").status == 200
        assert set(before) >= set(server.workers())
        assert "Handling signal: winch" not in server.log
    finally:
        server.end()
        os.close(terminal)
        os.close(end)


# Signals to a worker.


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2, signal.SIGWINCH])
def test_a_signal_that_is_meant_for_the_arbiter_does_no_harm_to_a_worker(server, number):
    start(server, 1)
    (worker,) = server.workers()
    os.kill(worker, number)
    assert server.get("/pid").text == str(worker)


def test_usr1_to_a_worker_opens_its_logs_again(server):
    config = """
    def log_reopen(subject):
        subject.log.info("REOPENED BY %s", subject.pid)
    """
    start(server, 1, config=config)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGUSR1)
    server.wait_for_log(f"REOPENED BY {worker}")


def test_usr1_reaches_a_worker_that_has_just_been_forked(server):
    config = """
    import os, time
    def wait():
        while os.path.exists("hold"):
            time.sleep(0.02)
    os.register_at_fork(after_in_child=wait)
    def log_reopen(subject):
        subject.log.info("REOPENED BY %s", subject.pid)
    """
    server.write("hold", "")
    server.start(PLAIN, config=TOLD + config)
    (worker,) = eventually(server.workers, "a worker")
    server.send_signal(signal.SIGUSR1)
    server.wait_for_log(f"REOPENED BY {server.pid}")
    (server.folder / "hold").unlink()
    server.wait_for_log(f"REOPENED BY {worker}")
    server.wait_for_log(f"WORKER READY {worker}")


# While something is under way.


SLOW_BOOT = """
    import os, time
    while os.path.exists("hold"):
        time.sleep(0.02)
    from tests.apps.plain import application
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_stop_is_heard_while_a_reload_waits_for_its_workers(server, number):
    server.write("app.py", SLOW_BOOT)
    server.start("app:application", config=TOLD)
    server.wait_for_log("WORKER READY")
    server.write("hold", "")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Booting worker", 2)
    assert server.stop(number) == 0
    assert server.workers() == []


def test_the_number_of_workers_is_changed_while_a_reload_waits_for_its_workers(server):
    server.write("app.py", SLOW_BOOT)
    server.start("app:application", config=TOLD)
    server.wait_for_log("WORKER READY")
    hold = server.write("hold", "")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Booting worker", 2)
    server.send_signal(signal.SIGTTIN)
    server.wait_for_log("WORKERS 1 -> 2")
    assert server.get("/hello").status == 200
    hold.unlink()
    server.wait_for_log("WORKER READY", 3)
    server.wait_for_log("GONE")
    eventually(lambda: len(server.workers()) == 2, "two workers")


def test_quit_cuts_a_graceful_stop_short(server):
    start(server, 1, "--graceful-timeout", "60")
    with server.connect() as client:
        client.request("/sleep/60")
        server.wait_until_asleep()
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        server.send_signal(signal.SIGQUIT)
        assert server.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTTIN, signal.SIGUSR2, signal.SIGWINCH])
def test_a_signal_that_comes_during_a_stop_changes_nothing(server, number):
    start(server, 1)
    with server.connect() as client:
        client.request("/sleep/1")
        server.wait_until_asleep()
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        server.send_signal(number)
        name = number.name.removeprefix("SIG").lower()
        server.wait_for_log(f"Handling signal: {name}")
        assert client.reply().status == 200
    assert server.wait() == 0
    assert server.log.count("WORKER READY") == 1


def test_usr1_is_passed_on_during_a_stop(server):
    config = """
    def log_reopen(subject):
        subject.log.info("REOPENED BY %s", subject.pid)
    """
    start(server, 1, config=config)
    (worker,) = server.workers()
    with server.connect() as client:
        client.request("/sleep/1")
        server.wait_until_asleep()
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        server.send_signal(signal.SIGUSR1)
        assert client.reply().status == 200
        server.wait_for_log(f"REOPENED BY {worker}")
    assert server.wait() == 0


# Several that were sent while the arbiter was busy.


def send_at_once(server, *numbers):
    """Have signals come in one go: all while the arbiter reads its configuration."""
    hold = server.write("hold", "")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Handling signal: hup")
    server.wait_for_log("READING", 2)
    for number in numbers:
        server.send_signal(number)
        wait_until_signalled(server.pid)
    hold.unlink()
    for number in numbers:
        server.wait_for_log(f"Handling signal: {number.name.removeprefix('SIG').lower()}")


SLOW_CONFIG = """
    import os, sys, time
    pidfile = "server.pid"
    print("READING", file=sys.stderr, flush=True)
    while os.path.exists("hold"):
        time.sleep(0.02)
"""


def test_a_worker_that_is_added_behind_a_reload_is_not_forgotten_over_it(server):
    start(server, 1, config=SLOW_CONFIG)
    send_at_once(server, signal.SIGHUP, signal.SIGTTIN)
    server.wait_for_log("WORKERS 1 -> 2")
    server.send_signal(signal.SIGTTIN)
    server.wait_for_log("WORKERS 2 -> 3")


def test_workers_that_are_sent_away_behind_a_reload_stay_away(server):
    start(server, 1, config=SLOW_CONFIG)
    send_at_once(server, signal.SIGHUP, signal.SIGWINCH)
    server.wait_for_log("WORKERS 1 -> 0")
    eventually(lambda: not server.workers(), "no workers")


def test_two_upgrades_that_are_asked_for_at_once_are_one(server):
    start(server, 1, config=SLOW_CONFIG)
    send_at_once(server, signal.SIGUSR2, signal.SIGUSR2)
    server.wait_for_log("No upgrade: there is a successor already")
    assert server.log.count("Upgrade: the successor is process") == 1


def test_a_stop_that_is_asked_for_behind_an_upgrade_waits_until_the_successor_serves(server):
    start(server, 1, config=SLOW_CONFIG)
    send_at_once(server, signal.SIGUSR2, signal.SIGTERM)
    server.wait_for_log("The stop waits until the successor serves")
    assert server.wait() == 0
    server.follow()
    assert server.get("/hello").status == 200
