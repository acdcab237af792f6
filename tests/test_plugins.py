"""Compiled plugins at work: requests, answers, events, and what is done when they misbehave."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time

import pytest

from tests.harness import eventually
from tests.harness.client import Client, Closed
from tests.harness.plugins import INCLUDE, ROOT, built, compile_c
from tests.harness.server import run

PLAIN = "tests.apps.plain:application"


# What a handler sees of a request, and does to it


def test_a_handler_reads_a_request(probe):
    server = probe()
    reply = server.get("/facts?a=b", "X-One: 1")
    assert reply.text == "GET /facts?a=b a=b (1, 1) 127.0.0.1 2"


def test_what_a_handler_changes_the_application_sees(probe):
    server = probe()
    reply = server.get("/edit", "X-Remove: this", "X-Set: by the client")
    assert reply.status == 500, "there is no such page: the application has run"
    config = "def pre_request(worker, req): worker.log.info('HEADERS %s', sorted(req.headers))\n"
    server.write("server.conf.py", (server.folder / "server.conf.py").read_text() + config)
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            start_response("200 OK", [])
            keys = ("HTTP_X_SET", "HTTP_X_REMOVE", "REMOTE_USER")
            return [" ".join(environ.get(key, "-") for key in keys).encode()]
        """,
    )
    server.send_signal(signal.SIGTERM)
    server.wait()
    server.log_path.unlink()
    server.start("app:application", "-c", "server.conf.py")
    reply = server.get("/edit", "X-Remove: this", "X-Set: by the client")
    assert reply.text == "by the plugin - ada"
    log = server.wait_for_log("HEADERS")
    assert "('X-SET', 'by the plugin')" in log
    assert "X-REMOVE" not in log


def test_a_handler_answers_before_the_body_is_read(probe):
    server = probe()
    with server.connect() as client:
        client.request("/head/answer", "Expect: 100-continue", "Content-Length: 9", method="PUT")
        reply = client.reply()
        assert (reply.status, reply.text) == (403, "before the body")
        assert client.is_closed(), "nobody knows whether the body comes"
    with server.connect() as client:
        assert client.post("/head/answer", b"abc").status == 403
        assert client.get("/hello").text == "hello", "the body was thrown away"


def test_an_answers_head_is_edited_whoever_gives_it(probe):
    server = probe()
    assert server.get("/hello").header("X-Probe") == "200"
    assert server.get("/calls").header("X-Probe") == "200"
    assert server.get("/nowhere").header("X-Probe") == "500"
    reply = server.get("/calls", method="HEAD")
    assert (reply.header("X-Probe"), reply.header("Content-Length")) == ("200", "1")


def test_another_thread_decides_and_nobody_waits_for_it(probe):
    server = probe()
    with server.connect() as one, server.connect() as two:
        one.request("/later")
        assert two.get("/hello").text == "hello"
        reply = one.reply()
        assert (reply.status, reply.text, reply.header("X-Probe")) == (202, "later", "202")
        assert one.get("/hello").text == "hello", "the connection is kept"
    with server.connect() as client:
        reply = client.post("/head/later", b"abc")
        assert (reply.status, reply.text) == (202, "later, before the body")
        assert client.post("/head/on", b"abc").status == 500, "the application has run"


def test_a_resumed_request_goes_on_to_the_application(probe):
    server = probe()
    many = [server.connect().request("/on") for _ in range(20)]
    assert [client.reply().status for client in many] == [500] * 20, "the application has run"
    assert server.log.count("do_on") >= 20


def test_a_token_that_is_dropped_closes_and_one_that_is_kept_times_out(probe):
    server = probe("-t", "1")
    with server.connect() as client, pytest.raises(Closed):
        client.get("/dropped-token")
    with server.connect() as client:
        assert client.get("/never").status == 503
    assert "has not decided in time" in server.log
    assert server.get("/hello").text == "hello"


HEAD_HANDLER = "request_head handler test.probe/head"


@pytest.mark.parametrize(
    ("target", "handler"),
    [("/never", "pre_request handler test.probe/ready"), ("/head/never", HEAD_HANDLER)],
)
def test_a_suspension_that_nobody_ends_names_who_has_it(server, arguments, target, handler):
    entries = [str(built("plugin-hello")), str(built("fixture-probe"))]
    server.start(PLAIN, *arguments, "-t", "1", config=f"plugins = {entries!r}\n")
    assert server.get(target).status == 503
    line = f"{target}: {handler} (from plugin {entries[1]}) has suspended this request"
    server.wait_for_log(f"{line} and has not decided in time (after 'timeout')")


def test_a_token_that_is_not_returned_on_decides_nothing(probe):
    server = probe()
    assert server.get("/stray-token").status == 500
    assert "it misbehaves (a token without PENDING)" in server.wait_for_log("misbehaves")


def test_an_answer_that_cannot_be_as_it_says_is_refused(probe):
    server = probe()
    for count, target in enumerate(("/wrong-length", "/no-file", "/past-the-end"), 1):
        assert server.get(target).status == 500
        server.wait_for_log("pre_request handler test.probe/ready", count=count)


def test_what_is_suspended_is_answered_before_the_worker_leaves(probe):
    server = probe("--graceful-timeout", "2")
    with server.connect() as waiting:
        waiting.request("/never")
        with server.connect() as other:
            other.get("/")
        server.send_signal(signal.SIGTERM)
        assert waiting.reply().status == 503
    assert server.wait() == 0
    assert "test.probe/ready" in server.log
    assert "has not decided in time (the worker leaves)" in server.log


def test_a_handler_closes_a_connection(probe):
    server = probe()
    with server.connect() as client, pytest.raises(Closed):
        client.get("/close")


def test_a_value_is_kept_from_one_event_to_the_next_and_let_go_of_once(probe):
    server = probe(tell=True)
    for target in ("/hello", "/nowhere", "/later", "/calls", "/hello"):
        server.get(target)
    with server.connect() as client:
        client.request("/sleep/1")
        server.wait_until_asleep()
    server.wait_for_log("DONE /sleep/1")
    with server.connect() as client, pytest.raises(Closed):
        client.get("/close")
    eventually(lambda: server.get("/dropped").text == "7", "each value is let go of once")
    assert "kept=False" not in server.log


def test_the_end_is_told_as_it_was(probe):
    server = probe("--workers", "1", tell=True)
    server.get("/hello")
    server.wait_for_log("DONE /hello 200 5 Complete")
    with server.connect() as client, pytest.raises(Closed):
        client.get("/close")
    server.wait_for_log("DONE /close 0 0 Closed")
    with server.connect() as client:
        client.request("/stream/100000")
        client.head()
    log = server.wait_for_log("DONE /stream/100000 200")
    assert "DONE /stream/100000 200" in log


def test_refused_requests_and_connections_are_told(probe):
    server = probe(tell=True)
    with server.connect() as client:
        client.get("/hello")
        client.get("/hello")
    server.wait_for_log("CLOSED 127.0.0.1 after 2")
    with server.connect() as client:
        client.send("nonsense\r\n\r\n").rest()
    server.wait_for_log("REFUSED 400")


def test_events_of_a_servers_life_reach_a_plugin_in_order(probe):
    server = probe(tell=True)
    server.get("/hello")
    server.send_signal(signal.SIGUSR1)
    server.wait_for_log("EVENT log_reopen")
    server.stop()
    events = [line.split("EVENT ")[1] for line in server.log.splitlines() if "EVENT " in line]
    life = [
        "nworkers_changed",
        "on_starting",
        "when_ready",
        "pre_fork",
        "post_fork",
        "worker_init",
        "post_worker_init",
        "worker_ready",
        "conn_open",
        "request_head",
        "pre_request",
        "response_start",
        "post_request",
        "access",
        "log_reopen",
        "drain_start",
        "worker_exit",
        "instance_drop",
        "child_exit",
        "on_exit",
    ]
    places = [events.index(event) for event in life]
    # A worker's events and the arbiter's are told by two processes.
    worker_ready = life.index("worker_ready")
    assert places[:worker_ready] == sorted(places[:worker_ready]), events
    assert places[worker_ready + 1 :] == sorted(places[worker_ready + 1 :]), events
    assert "GONE Some(0) None asked" in server.log
    assert "COUNT None 1" in server.log


def test_what_a_plugin_logs_is_in_the_servers_log(probe):
    server = probe("--log-level", "debug")
    server.get("/log")
    log = server.wait_for_log("traced")
    for line in (
        "[INFO] [fixture_probe] prepared for 1 workers",
        "[DEBUG] [fixture_probe] a debug line",
        "[WARNING] [probe::target] a warning",
        "[ERROR] [fixture_probe] outer: traced number=7",
    ):
        assert line in log, line


def test_a_level_that_is_not_logged_is_not_even_made(probe):
    server = probe()
    server.get("/log")
    assert "a debug line" not in server.wait_for_log("traced")


# One order, two languages


def order_of(server, *arguments):
    done = run(server.folder, "hooks", "list", *arguments, PLAIN)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_compiled_and_python_handlers_are_in_one_order(server):
    server.write("server.conf.py", "def pre_request(worker, req): pass\n")
    hello = str(built("plugin-hello"))
    text = order_of(server, "-c", "server.conf.py", "--plugin", hello)
    part = text.split("pre_request (")[1].split("\n")
    assert part[1].strip().startswith("1. native org.example.hello/greet")
    assert "priority -10" in part[1]
    assert hello in part[1]
    assert part[2].strip().startswith("2. python server.conf.py:pre_request")


def test_an_order_that_goes_back_and_forth_is_pointed_out(server):
    config = "def pre_request(worker, req): pass\n"
    config += f"plugins = [{{'path': {str(built('plugin-hello'))!r}, 'priority': 5}}]\n"
    server.write("server.conf.py", config)
    text = order_of(server, "-c", "server.conf.py")
    assert "a compiled handler behind a Python one needs the interpreter" in text


def test_a_compiled_handler_behind_a_python_one_has_its_say(server, arguments):
    config = "def pre_request(worker, req): worker.log.info('PYTHON')\n"
    config += "def post_request(worker, req): worker.log.info('AFTER')\n"
    config += f"plugins = [{{'path': {str(built('plugin-hello'))!r}, 'priority': 5}}]\n"
    server.start(PLAIN, *arguments, config=config)
    assert server.get("/hello").text.startswith("Hello, 127.0.0.1!")
    log = server.wait_for_log("AFTER")
    assert log.count("PYTHON") == log.count("AFTER") == 1
    assert "HTTP_X_GREETING" in server.get("/env").text


def test_what_a_plugin_answers_makes_no_python_handler_run(server, arguments):
    config = "def pre_request(worker, req): worker.log.info('PYTHON')\n"
    server.start(PLAIN, *arguments, "--plugin", str(built("plugin-hello")), config=config)
    assert server.get("/hello").status == 200
    server.get("/env")
    assert server.wait_for_log("PYTHON").count("PYTHON") == 1


# The examples


def test_the_example_in_c_is_a_whole_plugin(server, tmp_path):
    path = tmp_path / "hello.so"
    compile_c(ROOT / "examples/plugin-c/hello.c", path, "-pedantic")
    assert len((ROOT / "examples/plugin-c/hello.c").read_text().splitlines()) <= 50
    assert (INCLUDE / "tricorn.h").exists()
    server.start(PLAIN, "--plugin", str(path))
    assert server.get("/c").text == "Hello from C\n"
    assert server.get("/hello").text == "hello"


def test_the_example_in_rust_greets_and_counts(server, arguments):
    hello, metrics = str(built("plugin-hello")), str(built("tricorn-plugin-metrics"))
    server.start(PLAIN, *arguments, "-w", "2", "--plugin", hello, "--plugin", metrics)
    for _ in range(10):
        assert server.get("/hello").text.startswith("Hello, 127.0.0.1!")
    eventually(
        lambda: "hello_greeted_total 10" in server.get("/metrics").text, "ten over both workers"
    )
    assert '"HTTP_X_GREETING": "Hello"' in server.get("/env").text


def test_many_requests_are_suspended_at_once_and_cost_no_thread(server):
    path = str(built("fixture-probe"))
    server.start(PLAIN, "--plugin", path, "-k", "sync", "-w", "1")
    began = time.monotonic()
    clients = [server.connect().request("/later") for _ in range(50)]
    assert [client.reply().status for client in clients] == [202] * 50
    assert time.monotonic() - began < 5
    assert len(os.listdir(f"/proc/{server.workers()[0]}/task")) < 60


def break_off(client):
    """Close so that the server hears of it for certain: by a reset."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()


def test_a_client_that_breaks_off_ends_its_suspended_request(probe):
    server = probe(tell=True)
    dropped = int(server.get("/dropped").text)
    client = server.connect().request("/never")
    server.wait_for_log("EVENT pre_request", count=2)
    break_off(client)
    server.wait_for_log("DONE /never 0 0 ClientGone kept=true")
    server.wait_for_log("after 1", count=2)
    assert int(server.get("/dropped").text) == dropped + 2, "what was kept is let go of"


def test_a_client_that_breaks_off_before_the_body_is_read_is_noticed_too(probe):
    server = probe(tell=True)
    with server.connect() as client:
        assert client.get("/hello").text == "hello"
        client.request("/head/never", "Content-Length: 100", method="POST")
        server.wait_for_log("EVENT request_head", count=2)
        break_off(client)
    server.wait_for_log("after 2")
    assert server.get("/hello").text == "hello"


def test_a_proxy_that_closes_a_unix_socket_ends_its_suspended_request(server, arguments):
    plugin = {"path": str(built("fixture-probe")), "options": {"tell": True}}
    path = server.folder / "socket"
    server.start(PLAIN, *arguments, config=f"plugins = [{plugin!r}]\n", bind=f"unix:{path}")
    with Client(str(path)) as client:
        client.request("/never")
        server.wait_for_log("EVENT pre_request")
    server.wait_for_log("DONE /never 0 0 ClientGone kept=true")


def test_a_client_that_only_sends_no_more_still_gets_its_answer(probe):
    server = probe()
    with server.connect() as client:
        client.request("/later").sock.shutdown(socket.SHUT_WR)
        assert client.reply().text == "later"


def test_a_decision_for_a_client_that_is_gone_is_dropped(probe):
    server = probe(tell=True)
    for target in ("/later", "/on", "/head/later", "/head/on"):
        before = server.log.count("EVENT request_head")
        client = server.connect().request(target)
        server.wait_for_log("EVENT request_head", count=before + 1)
        break_off(client)
    server.wait_for_log("CLOSED", count=4)
    with server.connect() as client:
        assert client.get("/later").text == "later"
