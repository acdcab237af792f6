"""Requests that run for longer than `timeout` in a pool of threads."""

from __future__ import annotations

import os
import re
import signal
from contextlib import ExitStack

import pytest
from simple_websocket import Client as WebSocket

from tests.harness import eventually

APP = """
    import os, threading, time

    one, other = threading.Lock(), threading.Lock()
    meet = threading.Barrier(2)

    def deadlock(first, second):
        with first:
            meet.wait()
            with second:
                pass

    def application(environ, start_response):
        what, _, seconds = environ["PATH_INFO"].strip("/").partition("/")
        if what == "sleep":
            time.sleep(float(seconds))
        elif what == "endless":
            while True:
                time.sleep(0.01)
        elif what == "one":
            deadlock(one, other)
        elif what == "other":
            deadlock(other, one)
        elif what == "c":
            # The lock of the interpreter is held meanwhile.
            sum(range(10**13))
        elif what == "socket":
            return hold(environ["gunicorn.socket"], float(seconds))
        start_response("200 OK", [("Content-Type", "text/plain")])
        if what == "stream":
            return stream(float(seconds))
        return [str(os.getpid()).encode()]

    def hold(client, seconds):
        client.setblocking(True)
        time.sleep(seconds)
        client.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n%d" % os.getpid())
        client.close()
        return []

    def stream(seconds):
        time.sleep(seconds)
        yield b"%d" % os.getpid()
"""

SOCKETS = """
    import os, time
    from flask import Flask
    from flask_sock import Sock

    application = Flask(__name__)
    sock = Sock(application)

    @application.get("/")
    def pid():
        return str(os.getpid())

    @sock.route("/silent")
    def silent(ws):
        while True:
            ws.send(ws.receive())

    @sock.route("/busy")
    def busy(ws):
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            ws.send("tick")
            time.sleep(0.05)
        ws.send("over")
        ws.receive()
"""

ABORT = """
    timeout = 1
    abort_grace = 1

    def worker_abort(worker):
        print("worker_abort ran", flush=True)

    def child_exit(server, worker):
        print("GONE", worker.exit_cause, worker.exit_signal, flush=True)
"""

SLOW = "runs a request for longer than timeout, beside others"


def start(server, threads, *arguments, app=APP):
    server.write("app.py", app)
    pool = ["-k", "gthread", "--threads", str(threads)]
    server.start("app:application", *pool, *arguments, config=ABORT)
    return int(server.get("/").text)


def ask(stack, server, target):
    """Send a request on a connection of its own."""
    return stack.enter_context(server.connect()).request(target)


def test_slow_requests_are_answered_like_those_beside_them(server):
    worker = start(server, 4)
    with ExitStack() as stack:
        clients = [ask(stack, server, f"/sleep/{seconds}") for seconds in (3.2, 2.5, 0.9, 0.3)]
        assert [client.reply().text for client in clients] == [str(worker)] * 4
    assert int(server.get("/").text) == worker
    assert "WORKER TIMEOUT" not in server.log


def test_a_slow_request_is_told_of_once_with_its_stack(server):
    start(server, 3)
    with server.connect() as client:
        client.request("/sleep/4.5")
        text = server.wait_for_log(SLOW)
        assert client.reply().status == 200
    assert re.search(r"it runs GET /sleep/4\.5 from 127\.0\.0\.1, for [1-9]\.\d s", text)
    assert re.search(r'File ".*app\.py", line \d+ in application', text)
    assert server.log.count(SLOW) == 1


def test_where_every_thread_is_slow_another_worker_serves_and_all_are_answered(server):
    worker = start(server, 2)
    with ExitStack() as stack:
        slow = [ask(stack, server, "/sleep/4") for _ in range(2)]
        server.wait_until_asleep(2)
        # Nobody could run it but a worker that was started for it.
        assert int(server.get("/").text) != worker
        assert [client.reply().text for client in slow] == [str(worker)] * 2
    assert "WORKER TIMEOUT" in server.log
    server.wait_for_log("GONE timeout None")


def test_a_deadlock_is_found_explained_and_ended(server):
    worker = start(server, 2, "--graceful-timeout", "1")
    with ExitStack() as stack:
        stuck = [ask(stack, server, "/one"), ask(stack, server, "/other")]
        text = server.wait_for_log("has no thread that has moved for")
        eventually(lambda: int(server.get("/").text) != worker, "another worker serves")
        assert all(client.is_closed() for client in stuck)
    assert f"WORKER TIMEOUT (pid:{worker})" in text
    assert text.count("in deadlock") == 2, "both threads' stacks are shown"
    server.wait_for_log("worker_abort ran")
    server.wait_for_log("GONE timeout")


def test_a_deadlock_of_some_threads_keeps_the_others_serving(server):
    worker = start(server, 3, "--graceful-timeout", "1")
    with ExitStack() as stack:
        ask(stack, server, "/one")
        ask(stack, server, "/other")
        text = server.wait_for_log(SLOW)
        assert text.count("in deadlock") >= 1
        assert int(server.get("/").text) == worker
        assert server.get("/sleep/0.2").text == str(worker)
    assert "WORKER TIMEOUT" not in server.log


@pytest.mark.parametrize("threads", [1, 3])
def test_a_process_that_is_stuck_in_c_is_aborted_at_once(server, threads):
    worker = start(server, threads)
    with server.connect() as client:
        client.request("/c")
        text = server.wait_for_log("has given no sign of life for")
        assert f"WORKER TIMEOUT (pid:{worker})" in text
        assert client.is_closed()
    server.wait_for_log("GONE timeout 9")
    eventually(lambda: int(server.get("/").text) != worker, "a new worker serves")


def test_a_process_that_was_stopped_is_ended_though_it_runs_nothing(server):
    worker = start(server, 3)
    os.kill(worker, signal.SIGSTOP)
    server.wait_for_log("GONE timeout 9")
    eventually(lambda: int(server.get("/").text) != worker, "a new worker serves")


def test_what_holds_its_socket_or_streams_may_fill_the_pool_and_be_silent(server):
    worker = start(server, 4)
    with ExitStack() as stack:
        silent = [ask(stack, server, f"/{kind}/3") for kind in ("socket", "stream") * 2]
        assert [client.reply().text for client in silent] == [str(worker)] * 4
    assert int(server.get("/").text) == worker
    assert "WORKER TIMEOUT" not in server.log
    assert SLOW not in server.log, "it is no fault"


def test_websockets_may_fill_the_pool_busy_or_silent(server):
    worker = start(server, 2, app=SOCKETS)
    url = server.url.replace("http:", "ws:")
    silent, busy = WebSocket.connect(f"{url}/silent"), WebSocket.connect(f"{url}/busy")
    while busy.receive(timeout=20) != "over":
        pass
    silent.send("still there?")
    assert silent.receive(timeout=20) == "still there?"
    busy.close()
    silent.close()
    assert int(server.get("/").text) == worker
    assert "WORKER TIMEOUT" not in server.log


def test_request_timeout_ends_single_requests_of_a_pool(server):
    worker = start(server, 3, "--request-timeout", "1")
    with ExitStack() as stack:
        slow, other = ask(stack, server, "/endless"), ask(stack, server, "/sleep/0.5")
        assert other.reply().text == str(worker)
        assert slow.reply().status == 504
    assert int(server.get("/").text) == worker


def test_a_request_beyond_the_first_64_threads_is_ended_by_request_timeout_too(server):
    start(server, 66, "--request-timeout", "1", "--timeout", "0")
    with ExitStack() as stack:
        slow = [ask(stack, server, "/endless") for _ in range(66)]
        assert [client.reply().status for client in slow] == [504] * 66
    assert "threads beyond the first 64 run 2 more" in server.log
