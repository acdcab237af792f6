"""Servers for people's own tests: ``tricorn.testing.Server``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request

import pytest
import tricorn.testing

from tests.harness import eventually
from tests.harness.processes import alive
from tests.harness.server import environment, heed_interrupts
from tests.harness.waiting import PATIENCE


def hello(environ, start_response):
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    return [environ["PATH_INFO"].encode()]


def read(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def test_a_server_for_tests_runs_an_application_of_the_test():
    with tricorn.testing.Server(hello, threads=2) as server:
        assert read(server.url + "/there") == b"/there"
        assert server.address[0] == "127.0.0.1"
        assert "Using worker: gthread" in server.log
    assert server.exit_code == 0


def test_two_servers_for_tests_run_beside_each_other():
    with tricorn.testing.Server(hello) as one, tricorn.testing.Server(hello, workers=2) as other:
        assert one.url != other.url
        assert read(one.url + "/one") + read(other.url + "/other") == b"/one/other"


def test_a_server_for_tests_has_the_hooks_it_is_given():
    ready = []
    with tricorn.testing.Server(
        hello, worker_ready=lambda server, worker: print("READY", worker.id, ready)
    ) as server:
        eventually(lambda: "READY 1 []" in server.log, "the hook's line")


def test_a_server_for_tests_that_cannot_come_up_says_why():
    def broken(server):
        raise RuntimeError("on purpose")

    with (
        pytest.raises(tricorn.testing.Failed, match=r"ended with code 1(?s:.*)on purpose"),
        tricorn.testing.Server(hello, on_starting=broken),
    ):
        pass


def test_a_server_for_tests_that_does_not_stop_is_killed():
    def stuck(server):
        import time

        time.sleep(600)

    server = tricorn.testing.Server(hello, on_exit=stuck, patience=1)
    server.start()
    server.stop()
    assert server.exit_code == -signal.SIGKILL


def test_a_server_for_tests_that_is_told_where_to_listen_says_where_that_is():
    with tricorn.testing.Server(hello, bind="127.0.0.1:0") as server:
        assert server.address[1] != 0
        assert read(server.url + "/there") == b"/there"
    with tricorn.testing.Server(hello, bind=["[::1]:0", "127.0.0.1:0"]) as server:
        assert server.url.startswith("http://[::1]:")
        assert read(server.url + "/six") == b"/six"


def test_a_server_for_tests_that_has_no_url_says_why(tmp_path):
    server = tricorn.testing.Server(hello, bind=f"unix:{tmp_path}/socket")
    with pytest.raises(RuntimeError, match="the server is not running"):
        server.url  # noqa: B018
    with server, pytest.raises(RuntimeError, match=f"on {tmp_path}/socket, which has no URL"):
        server.url  # noqa: B018


@pytest.mark.parametrize(
    ("settings", "asks", "said"),
    [
        ({}, signal.SIGUSR2, "a server for tests is not executed anew"),
        (
            {"preload_app": True, "preload_reload": True},
            signal.SIGHUP,
            "a server for tests is not executed anew",
        ),
    ],
)
def test_a_server_for_tests_never_executes_the_test_run_anew(settings, asks, said):
    with tricorn.testing.Server(hello, **settings) as server:
        os.kill(server.pid, asks)
        eventually(lambda: said in server.log, "it is refused")
        assert read(server.url + "/still") == b"/still"


def test_a_server_for_tests_is_no_daemon():
    with tricorn.testing.Server(hello, daemon=True) as server:
        url = server.url
        assert read(url + "/there") == b"/there"
    with pytest.raises(urllib.error.URLError):
        read(url + "/gone")


def test_a_server_for_tests_heeds_signals_that_the_test_run_does_not():
    former = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        with tricorn.testing.Server(hello) as server:
            assert read(server.url + "/there") == b"/there"
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    assert server.exit_code == 0


def test_a_server_for_tests_may_be_waited_for_by_somebody_else():
    former = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with tricorn.testing.Server(hello) as server:
            pid = server.pid
    finally:
        signal.signal(signal.SIGCHLD, former)
    assert server.exit_code is None
    assert not alive(pid)


# Test runs that end before their time.

PROGRAM = """
    import os, signal, sys, time
    from tricorn.testing import Server

    def application(environ, start_response):
        start_response("200 OK", [])
        return [b""]

    def boots(worker):
        with open("pids", "w") as file:
            file.write(f"{os.getppid()} {os.getpid()}\\n")
        if "slowly" in sys.argv:
            time.sleep(600)

    with Server(application, post_worker_init=boots):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def program(tmp_path):
    """Return what starts a program that uses a server for tests, and its output's end."""
    running = []

    def start(*arguments):
        (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
        started = subprocess.Popen(
            [sys.executable, "program.py", *arguments],
            cwd=tmp_path,
            env=environment(),
            preexec_fn=heed_interrupts,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(started)
        return started

    yield start
    for started in running:
        started.kill()
        started.wait()
        started.stdout.close()
    for pid in pids_of(tmp_path):
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def pids_of(folder):
    """Return the processes of the program's server, once it has a worker."""
    file = folder / "pids"
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def test_no_server_outlives_a_test_run_that_is_killed(program, tmp_path):
    killed = program()
    assert killed.wait(PATIENCE) == -signal.SIGKILL
    eventually(lambda: not any(map(alive, pids_of(tmp_path))), "the server has left")
    # Whoever reads the run's output, as CI does, comes to its end.
    assert "Traceback" not in killed.communicate(timeout=PATIENCE)[0]


def test_no_server_is_left_by_a_test_run_that_is_interrupted_while_it_boots(program, tmp_path):
    interrupted = program("slowly")
    pids = eventually(lambda: pids_of(tmp_path), "the worker boots")
    interrupted.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in interrupted.communicate(timeout=PATIENCE)[0]
    assert not any(map(alive, pids))
