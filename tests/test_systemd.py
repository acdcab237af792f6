"""systemd: sockets that it passes, and what it is told. It need not run for that."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.harness import Client
from tests.harness.server import COMMAND, environment

PLAIN = "tests.apps.plain:application"

READY = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY")
"""


@pytest.fixture
def ear(tmp_path):
    """A socket that hears what systemd would."""
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(str(tmp_path / "notify"))
    ear.settimeout(20)
    yield ear
    ear.close()


def heard(ear, wanted):
    """Everything that is told until `wanted` is."""
    told = []
    while wanted not in told:
        told += ear.recv(4096).decode().splitlines()
    return told


# Notifications.


def test_systemd_is_told_of_readiness_reloads_and_the_end(server, ear):
    server.start(PLAIN, config=READY, NOTIFY_SOCKET=ear.getsockname())
    heard(ear, "READY=1")
    assert "WORKER READY" in server.wait_for_log("WORKER READY"), "not before a worker serves"
    server.send_signal(signal.SIGHUP)
    told = heard(ear, "RELOADING=1") + heard(ear, "READY=1")
    assert any(line.startswith("MONOTONIC_USEC=") for line in told)
    server.send_signal(signal.SIGTERM)
    heard(ear, "STOPPING=1")
    assert server.wait() == 0


def test_a_reload_that_is_given_up_ends_it_for_systemd_too(server, ear):
    server.start(PLAIN, config=READY, NOTIFY_SOCKET=ear.getsockname())
    heard(ear, "READY=1")
    server.write("server.conf.py", "workers = = 1")
    server.send_signal(signal.SIGHUP)
    heard(ear, "RELOADING=1")
    heard(ear, "READY=1")


def test_the_watchdog_gets_signs_of_life(server, ear):
    start_by_shell(server, "export WATCHDOG_PID=$$ WATCHDOG_USEC=400000", ear=ear)
    for _ in range(4):
        heard(ear, "WATCHDOG=1")


def test_after_an_upgrade_systemd_is_told_of_the_new_process(server, ear):
    server.start(PLAIN, "-p", "server.pid", config=READY, NOTIFY_SOCKET=ear.getsockname())
    heard(ear, "READY=1")
    successor = server.call_successor()
    server.wait_for_log(f"Upgrade: the successor (pid:{successor}) serves")
    server.give_way(successor)
    heard(ear, f"MAINPID={successor}")


# Sockets.


def start_by_shell(server, preparation, *arguments, ear=None, pass_fds=()):
    """Start the server in a shell that knows its process id."""
    server.write("server.conf.py", READY)
    variables = {"NOTIFY_SOCKET": ear.getsockname()} if ear else {}
    words = [*COMMAND, "-c", "server.conf.py", *arguments, PLAIN]
    with open(server.log_path, "ab") as log:
        server.process = subprocess.Popen(
            ["bash", "-c", f'{preparation}; exec "$@"', "start", *words],
            cwd=server.folder,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=pass_fds,
        )
    server.wait_for_log("WORKER READY")


def start_with(server, *sockets, arguments=()):
    """Start the server with sockets as systemd passes them."""
    copies = [os.dup(sock.fileno()) for sock in sockets]
    moves = " ".join(f"exec {number}<&{copy};" for number, copy in enumerate(copies, 3))
    # Copies that are in the way of another's place are none here: they are numbered higher.
    assert min(copies) > 2 + len(copies), copies
    preparation = f"{moves} export LISTEN_PID=$$ LISTEN_FDS={len(copies)}"
    start_by_shell(server, preparation, *arguments, pass_fds=copies)
    for copy in copies:
        os.close(copy)


@pytest.fixture
def passed():
    """A socket that listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def test_sockets_that_systemd_passes_are_served_whatever_bind_says(server, passed):
    start_with(server, passed, arguments=("-b", "127.0.0.1:1"))
    port = passed.getsockname()[1]
    assert f"Listening at: http://127.0.0.1:{port}" in server.log
    assert server.get("/hello").status == 200
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("WORKER READY", 2)
    assert server.get("/hello").status == 200


def test_the_file_of_a_socket_that_systemd_passes_stays(server):
    path = server.folder / "passed.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        start_with(server, sock)
        assert Client(str(path)).get("/hello").status == 200
        assert server.stop() == 0
        assert path.exists()


def test_sockets_of_systemd_go_over_to_a_successor(server, passed):
    start_with(server, passed, arguments=("-p", "server.pid"))
    server.give_way(server.call_successor())
    assert server.get("/hello").status == 200
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("WORKER READY", 3)
    assert server.get("/hello").status == 200


def test_variables_that_are_meant_for_another_process_are_passed_over(server):
    server.start(PLAIN, config=READY, LISTEN_PID="1", LISTEN_FDS="1")
    assert server.get("/hello").status == 200


def test_a_descriptor_that_is_no_socket_is_one_clear_line(server):
    preparation = "exec 3</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1"
    words = [sys.executable, "-m", "tricorn", PLAIN]
    ended = subprocess.run(
        ["bash", "-c", f'{preparation}; exec "$@"', "start", *words],
        cwd=server.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode == 1
    assert "LISTEN_FDS: descriptor 3 is not an open stream socket" in ended.stderr
    assert "Traceback" not in ended.stderr
