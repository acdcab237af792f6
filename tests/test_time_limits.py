"""Limits of time: for a worker's boot, and for each request."""

from __future__ import annotations

import os
import signal

import pytest

from tests.harness import eventually

PLAIN = "tests.apps.plain:application"

TOLD = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.id)
    def worker_abort(worker):
        worker.log.info("ABORTED %s", worker.id)
    def child_exit(server, worker):
        server.log.info("GONE cause=%s signal=%s", worker.exit_cause, worker.exit_signal)
"""

#: Never comes to its end while it is loaded, as long as there is a file `hang`.
HANGING = """
    import os, time
    while os.path.exists("hang"):
        time.sleep(0.05)
    def application(environ, start_response):
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
"""

#: Runs for ever, in Python or outside it.
ENDLESS = """
    import os, signal, time
    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/python":
            while True:
                time.sleep(0.01)
        if path == "/stuck":
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
            time.sleep(600)
        if path == "/slow":
            time.sleep(1.5)
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
"""

CLASSES = [(), ("--threads", "3")]


# The boot.


def test_a_first_worker_that_never_boots_ends_the_server_with_3(server):
    server.write("app.py", HANGING)
    server.write("hang", "")
    server.start("app:application", "--boot-timeout", "1", config=TOLD)
    assert server.wait() == 3
    assert "has not come to serve within boot_timeout" in server.log
    assert "app.py" in server.log, "where it hangs is told"
    assert "ABORTED 1" in server.log
    assert "GONE cause=boot" in server.log


def test_a_later_worker_that_never_boots_is_tried_again(server):
    server.write("app.py", HANGING)
    server.start("app:application", "--boot-timeout", "1", config=TOLD)
    before = server.get("/").text
    hang = server.write("hang", "")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("GONE cause=boot")
    assert server.get("/").text == before
    hang.unlink()
    eventually(lambda: server.get("/").text != before, "the new worker serves")


# A request.


@pytest.mark.parametrize("arguments", CLASSES)
def test_a_request_that_takes_too_long_is_ended_and_its_worker_serves_on(server, arguments):
    server.write("app.py", ENDLESS)
    server.start("app:application", "--request-timeout", "1", *arguments, config=TOLD)
    before = server.get("/").text
    reply = server.get("/python")
    assert reply.status == 504
    assert "REQUEST TIMEOUT" in server.log
    assert "GET /python from" in server.log
    assert "RequestTimeout" in server.log
    assert server.get("/").text == before


def test_the_other_requests_of_a_worker_are_let_finish_where_one_cannot_be_ended(server):
    server.write("app.py", ENDLESS)
    limits = ["--request-timeout", "2", "--abort-grace", "1", "--graceful-timeout", "2"]
    server.start("app:application", "--threads", "2", *limits, config=TOLD)
    before = server.get("/").text
    with server.connect() as stuck, server.connect() as other:
        stuck.request("/stuck")
        server.wait_until_asleep()
        server.wait_for_log("REQUEST TIMEOUT")
        other.request("/slow")
        assert other.reply().text == before
        eventually(lambda: server.get("/").text != before, "another worker serves")
        assert stuck.is_closed()
    server.wait_for_log("GONE cause=request_timeout signal=9")


def test_a_stuck_request_of_a_sync_worker_ends_the_worker(server):
    server.write("app.py", ENDLESS)
    limits = ["--request-timeout", "1", "--abort-grace", "1", "--graceful-timeout", "1"]
    server.start("app:application", *limits, config=TOLD)
    before = server.get("/").text
    with server.connect() as stuck:
        stuck.request("/stuck")
        server.wait_until_asleep()
        eventually(lambda: server.get("/").text != before, "another worker serves")
        assert stuck.is_closed()
    server.wait_for_log("GONE cause=request_timeout signal=9")


@pytest.mark.parametrize("arguments", CLASSES)
def test_a_request_that_comes_after_one_that_was_ended_is_left_alone(server, arguments):
    server.write("app.py", ENDLESS)
    server.start("app:application", "--request-timeout", "0.3", *arguments)
    for _ in range(3):
        assert server.get("/python").status == 504
        assert server.get("/").status == 200


def test_the_signal_that_ends_requests_does_nothing_to_others(server):
    server.start(PLAIN, "--request-timeout", "60", config=TOLD)
    server.wait_for_log("WORKER READY")
    os.kill(server.workers()[0], signal.SIGRTMAX - 3)
    assert server.get("/hello").status == 200
    assert server.get("/sleep/0.1").status == 200
