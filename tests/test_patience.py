"""Bodies that hardly come: what they may cost everybody else."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from tests.harness import eventually
from tests.harness.waiting import pause

PLAIN = "tests.apps.plain:application"
READER = """
    def application(environ, start_response):
        environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [b"read"]
"""
SLOW = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n"


def test_bodies_that_do_not_come_keep_nobody_elses_from_being_read(server):
    server.start(PLAIN)
    with ExitStack() as stack:
        for _ in range(70):
            stack.enter_context(server.connect()).send(SLOW)
        with server.connect() as client:
            assert client.post("/echo", b"abc").text == "abc"
            assert client.post("/echo", b"x" * 300_000).body == b"x" * 300_000


def test_bodies_that_have_come_in_part_leave_room_for_one_more(server):
    config = "request_body_memory = 200_000\nrequest_body_buffer = 150_000\n"
    server.start(PLAIN, config=config)
    head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 140000\r\n\r\n"
    with ExitStack() as stack:
        stuck = [stack.enter_context(server.connect()).send(head + "x" * 100_000) for _ in range(4)]
        with server.connect() as client:
            assert client.post("/echo", b"abc").text == "abc"
        for client in stuck:
            client.send("x" * 40_000)
            assert len(client.reply().body) == 140_000


def test_bodies_that_stop_in_part_do_not_keep_another_waiting_for_their_memory(server, arguments):
    config = "request_body_memory = 400_000\nrequest_body_buffer = 500_000\n"
    server.start(PLAIN, *arguments, config=config)
    head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 450000\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(server.connect()).send(head + "x" * 300_000)
        with server.connect() as client, server.connect() as half_closed:
            half_closed.send(head + "z" * 450_000).sock.shutdown(socket.SHUT_WR)
            assert client.post("/echo", b"y" * 450_000).body == b"y" * 450_000
            assert half_closed.reply().body == b"z" * 450_000


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_a_body_that_drips_is_given_up_though_it_never_falls_silent(server, worker_class):
    server.write("app.py", READER)
    given = ("-k", worker_class, "--body-timeout", "1", "--no-request-body-chunks")
    server.start("app:application", *given)
    with server.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

        def drip():
            client.send("1\r\na\r\n")
            pause(0.2)
            return "Invalid body" in server.log

        eventually(drip, "the body is given up")
        assert client.reply().status == 408
    assert server.get("/").text == "read"


@pytest.mark.parametrize(
    ("framing", "piece"),
    [("Content-Length: 1000", "a"), ("Transfer-Encoding: chunked", "1\r\na\r\n")],
    ids=["length", "chunked"],
)
def test_a_short_body_that_drips_is_given_up_before_the_application_is_called(
    server, framing, piece
):
    server.start(PLAIN, "--body-timeout", "1")
    with server.connect() as client:
        client.request("/echo", framing, method="POST")

        def drip():
            client.send(piece)
            pause(0.2)
            return "Invalid request" in server.log

        eventually(drip, "the body is given up")
        assert client.reply("POST").status == 408


def test_a_proxy_header_that_drips_is_given_up(server):
    server.start(PLAIN, "--header-timeout", "1", "--proxy-protocol")
    with server.connect() as client:
        line = iter("PROXY TCP4 192.0.2.100 192.0.2.200 12345 54321")

        def drip():
            client.send(next(line))
            pause(0.2)
            return "Invalid request" in server.log

        eventually(drip, "the header is given up")
        assert client.reply().status == 408
