"""Bodies that are read before the application is called: chunks, Expect, and slow senders."""

from __future__ import annotations

import json

import pytest

from tests.harness import Client
from tests.test_logs import PLAIN

FRAMEWORKS = """
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIRequest
    from flask import Flask, request
    settings.configure()
    django.setup()
    flask = Flask(__name__)

    @flask.post("/flask")
    def echo():
        return request.get_data()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/flask":
            return flask(environ, start_response)
        start_response("200 OK", [])
        return [WSGIRequest(environ).body]
"""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    return b"".join(map(chunk, pieces)) + b"0\r\n" + trailer + b"\r\n"


def begin(client: Client, target: str, *fields: str) -> Client:
    return client.request(target, "Transfer-Encoding: chunked", *fields, method="POST")


def test_django_and_flask_get_a_chunked_body(server, arguments):
    server.write("app.py", FRAMEWORKS)
    server.start("app:application", *arguments)
    for path in ("/django", "/flask"):
        with server.connect() as client:
            begin(client, path).send(chunked(b"hello ", b"you"))
            assert client.reply().body == b"hello you", path
            assert client.get("/flask").status == 405


@pytest.fixture(scope="module")
def shown():
    """Say which entries of an environ tell of the body, and what it was."""

    def entries(reply):
        environ = json.loads(reply.body)
        names = ("CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "wsgi.input_terminated")
        return [environ.get(name) for name in names]

    return entries


def test_a_chunked_body_that_ends_in_time_has_a_length_and_no_coding(server, shown):
    server.start(PLAIN)
    with server.connect() as client:
        for body, length in ((chunked(b"a" * 10, b"b"), "11"), (chunked(), "0")):
            begin(client, "/env").send(body)
            assert shown(client.reply()) == [length, None, True]
        assert shown(client.post("/env", b"abc")) == ["3", None, True]
        begin(client, "/echo").send(chunked(b"abc"))
        assert client.reply().body == b"abc"


def test_a_handler_that_edits_the_headers_leaves_the_length(server, shown):
    config = "def pre_request(worker, req):\n    req.headers.append(('X-MORE', '1'))\n"
    server.start(PLAIN, config=config)
    with server.connect() as client:
        begin(client, "/env").send(chunked(b"abc"))
        assert shown(client.reply()) == ["3", None, True]


def test_a_chunked_body_beyond_the_buffer_comes_as_it_comes(server, arguments, shown):
    server.start(PLAIN, *arguments, "--request-body-buffer", "1000")
    with server.connect() as client:
        begin(client, "/env").send(chunk(b"x" * 1001))
        assert shown(client.reply()) == [None, "chunked", True]
    with server.connect() as client:
        begin(client, "/length")
        for _ in range(50):
            client.send(chunk(b"x" * 999))
        client.send(chunked())
        assert client.reply().text == str(50 * 999)
        assert client.get("/hello").text == "hello"


def test_a_setting_leaves_chunked_bodies_to_the_application(server, shown):
    server.start(PLAIN, "--no-request-body-chunks")
    with server.connect() as client:
        begin(client, "/env").send(chunk(b"abc"))
        assert shown(client.reply()) == [None, "chunked", True]


@pytest.mark.parametrize("body", [b"x\r\n", b"3\r\nabcd", b"3\r\nabc\r\n0\r\nbad\r\n\r\n"])
def test_chunks_that_cannot_be_read_never_reach_the_application(server, body):
    server.start(PLAIN, "--access-logfile", "access.log", "--access-logformat", "%(m)s %(s)s")
    with server.connect() as client:
        assert begin(client, "/pid").send(body).reply().status == 400
    assert "Error handling request" not in server.log


def test_trailers_of_a_body_that_was_read_are_there(server):
    config = """
        def pre_request(worker, req):
            worker.log.info("TRAILERS %s", req.trailers)
    """
    server.start(PLAIN, config=config)
    with server.connect() as client:
        begin(client, "/hello").send(chunked(b"abc", trailer=b"X-Sum: 9\r\n"))
        assert client.reply().text == "hello"
    server.wait_for_log("TRAILERS [('X-SUM', '9')]")


def test_requests_behind_a_chunked_body_are_answered_in_order(server):
    server.start(PLAIN)
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server.connect() as client:
        client.send((head + chunked(b"one") + head + chunked(b"two")) * 2)
        assert [client.reply().body for _ in range(4)] == [b"one", b"two"] * 2


@pytest.mark.parametrize("framing", ["Content-Length: 3", "Transfer-Encoding: chunked"])
def test_who_waits_for_100_continue_is_told_to_go_on(server, arguments, framing):
    server.start(PLAIN, *arguments)
    with server.connect() as client:
        client.request("/echo", framing, "Expect: 100-continue", method="POST")
        assert client.head().status == 100
        client.send(b"abc" if "Length" in framing else chunked(b"abc"))
        assert client.reply().body == b"abc"


SLOW = [
    ("Transfer-Encoding: chunked",),
    ("Transfer-Encoding: chunked", "Expect: 100-continue"),
    ("Content-Length: 3",),
]


@pytest.mark.parametrize("fields", SLOW, ids=["chunked", "expect", "length"])
def test_clients_that_send_slowly_hold_no_worker(server, arguments, fields):
    """As many as there are places to run a request, and more."""
    server.start(PLAIN, *arguments)
    slow = [server.connect() for _ in range(8)]
    try:
        for client in slow:
            client.request("/echo", *fields, method="POST")
            client.send(b"3\r\nab" if "chunked" in fields[0] else b"ab")
        assert server.get("/hello").text == "hello"
        for client in slow:
            client.send(b"c\r\n0\r\n\r\n" if "chunked" in fields[0] else b"c")
            replies = [client.head()] if len(fields) > 1 else []
            assert client.reply().body == b"abc", replies
    finally:
        for client in slow:
            client.close()
