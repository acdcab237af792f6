"""Answers that are given before the client has sent all of its request, and reach it all the same.

The clients here are of the common kind: they send the whole of a request, and read only then.
"""

from __future__ import annotations

import http.client
import socket
from contextlib import suppress

import pytest

from tests.harness.client import Client
from tests.harness.server import running

APPLICATION = """
    BIG = b"x" * 700_000

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/bad-chunk":
            environ["wsgi.input"].read()
        body = BIG if path == "/big" else b"too large"
        if path == "/raise":
            raise RuntimeError("before anything was read")
        if path == "/reads-some":
            environ["wsgi.input"].read(100_000)
        if path == "/writes":
            start_response("413 Content Too Large", [])(body)
            return []
        if path == "/cut":
            return cut(start_response)
        start_response("413 Content Too Large", [("Content-Length", str(len(body)))])
        return [body]

    def cut(start_response):
        start_response("413 Content Too Large", [])
        yield b"too large"
        raise RuntimeError("after the beginning")
"""

#: As many bytes as a large upload has.
LARGE = 50_000_000

PIECE = b"x" * 500_000


@pytest.fixture(scope="module", params=["sync", "gthread"])
def shared(request, tmp_path_factory):
    """A server of each worker class for all tests that leave it as it was."""
    with running(tmp_path_factory.mktemp("shared")) as server:
        server.write("app.py", APPLICATION)
        arguments = ("--threads", "2") if request.param == "gthread" else ()
        yield server.start("app:application", "-k", request.param, *arguments)


def send_upload(client: Client, head: str, size: int, *, chunked: bool) -> None:
    """Send all of an upload, whatever the server says meanwhile."""
    client.send(f"{head}\r\n\r\n")
    for _ in range(0, size, len(PIECE)):
        client.send(f"{len(PIECE):x}\r\n" if chunked else "")
        client.send(PIECE).send("\r\n" if chunked else "")
    client.send("0\r\n\r\n" if chunked else "")


HEADS = {
    "length": "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}",
    "chunked": "POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked",
    "close": "POST {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}",
    "expect": "POST {} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}",
    "HTTP/1.0": "POST {} HTTP/1.0\r\nContent-Length: {}",
    "HTTP/1.0 keep-alive": "POST {} HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: {}",
}


@pytest.mark.parametrize("size", [500_000, 1_500_000, LARGE])
@pytest.mark.parametrize("kind", HEADS)
def test_an_application_that_refuses_an_upload_unread_is_heard(shared, kind, size):
    with shared.connect() as client:
        head = HEADS[kind].format("/upload", size)
        send_upload(client, head, size, chunked=kind == "chunked")
        reply = client.reply("POST")
        assert (reply.status, reply.body) == (413, b"too large")


@pytest.mark.parametrize(
    ("path", "status", "length"),
    [
        ("/big", 413, 700_000),
        ("/raise", 500, None),
        ("/reads-some", 413, 9),
        ("/writes", 413, 9),
        ("/bad-chunk", 400, None),
    ],
)
def test_an_answer_of_any_kind_is_heard_by_a_client_that_sends_first(shared, path, status, length):
    with shared.connect() as client:
        head = HEADS["chunked"].format(path)
        if path == "/bad-chunk":
            send_upload(client, f"{head}\r\n\r\nno-size", 5_000_000, chunked=True)
        else:
            send_upload(client, head, 5_000_000, chunked=True)
        reply = client.reply("POST")
        assert reply.status == status
        assert length in (None, len(reply.body))


def test_an_answer_that_was_cut_short_is_read_up_to_there(shared):
    with shared.connect() as client:
        send_upload(client, HEADS["chunked"].format("/cut"), 5_000_000, chunked=True)
        assert client.head().status == 413
        assert client.chunk() == b"too large"
        assert client.is_closed()


REFUSED = {
    "no HTTP": ("nonsense", 400),
    "two lengths": ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2", 400),
    "a long target": (f"POST /{'x' * 5000} HTTP/1.1\r\nHost: x", 414),
    "a large field": (f"POST / HTTP/1.1\r\nHost: x\r\nX: {'x' * 9000}", 431),
    "many fields": ("POST / HTTP/1.1\r\nHost: x" + "\r\nX: y" * 200, 431),
    "an unknown coding": ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip", 501),
    "an unknown version": ("POST / HTTP/3.0\r\nHost: x", 400),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_head_is_answered_before_the_connection_ends(shared, what):
    head, status = REFUSED[what]
    with shared.connect() as client:
        client.send(f"{head}\r\n\r\n")
        # What follows is sent after the server has answered, and is no broken pipe.
        reply = client.reply("POST")
        assert reply.status // 100 == status // 100, reply
        for _ in range(20):
            client.send(PIECE)
        assert client.is_closed()


@pytest.mark.parametrize("what", REFUSED)
def test_a_client_that_sends_on_after_its_refused_head_reads_the_answer(shared, what):
    head, status = REFUSED[what]
    with shared.connect() as client:
        send_upload(client, head, 5_000_000, chunked=False)
        assert client.reply("POST").status // 100 == status // 100


def test_http_client_reads_the_answer_to_a_refused_head(shared):
    for _ in range(9):
        connection = http.client.HTTPConnection(*shared.address, timeout=20)
        connection.putrequest("POST", "/")
        connection.putheader("X-Large", "x" * 9000)
        connection.putheader("Content-Length", "2000000")
        connection.endheaders()
        for _ in range(4):
            connection.send(PIECE)
        reply = connection.getresponse()
        assert reply.status // 100 == 4
        assert reply.read()
        connection.close()


def test_a_plugins_early_answer_is_heard(probe):
    server = probe()
    answers = [("/head/answer", 403), ("/head/later", 202), ("/calls", 200), ("/later", 202)]
    for path, status in answers:
        for kind in ["length", "chunked", "HTTP/1.0"]:
            with server.connect() as client:
                head = HEADS[kind].format(path, 5_000_000)
                send_upload(client, head, 5_000_000, chunked=kind == "chunked")
                assert client.reply("POST").status == status


def test_a_request_that_nobody_decides_of_is_answered_while_its_client_sends(probe):
    server = probe("--timeout", "1", "--graceful-timeout", "1")
    with server.connect() as client:
        send_upload(client, HEADS["length"].format("/head/never", LARGE), 500_000, chunked=False)
        reply = client.reply("POST")
        assert reply.status == 503
        for _ in range(10):
            client.send(PIECE)
        assert client.is_closed()


@pytest.mark.parametrize(
    "sent",
    [
        "POST / HTTP/1.1\r\nHost: x\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
    ],
    ids=["head", "body"],
)
def test_a_client_that_was_too_slow_reads_so_though_it_goes_on(server, arguments, sent):
    server.write("app.py", APPLICATION)
    times = ("--header-timeout", "0.3", "--body-timeout", "0.3")
    server.start("app:application", *arguments, *times)
    with server.connect() as client:
        client.send(sent)
        reply = client.reply("POST")
        assert reply.status == 408
        for _ in range(10):
            client.send(PIECE)
        assert client.is_closed()


def test_a_worker_that_leaves_lets_an_upload_end_that_it_has_answered(server, arguments):
    server.write("app.py", APPLICATION)
    server.start("app:application", *arguments)
    with server.connect() as client:
        client.send(HEADS["length"].format("/upload", LARGE) + "\r\n\r\n")
        client.send(PIECE)
        reply_head = client.head()
        server.send_signal(15)
        for _ in range(len(PIECE), LARGE, len(PIECE)):
            client.send(PIECE)
        assert (reply_head.status, client.rest()) == (413, b"too large")
    assert server.wait(20) == 0


# What clients may not make of it.


def send_for_ever(client: Client) -> None:
    while True:
        client.send(PIECE)


def test_a_client_that_never_stops_sending_is_cut_off(shared):
    with shared.connect() as client:
        client.send(HEADS["chunked"].format("/upload") + "\r\n\r\n")
        with pytest.raises(ConnectionError):
            send_for_ever(client)


def test_others_are_served_while_somebody_sends_what_nobody_reads(shared):
    with shared.connect() as client:
        client.send(HEADS["chunked"].format("/upload") + "\r\n\r\n").send(PIECE)
        client.sock.setblocking(False)
        for _ in range(30):
            with suppress(BlockingIOError):
                for _ in range(8):
                    client.sock.send(PIECE)
            assert shared.get("/").status == 413


def test_connections_that_end_give_way_to_new_ones(server, arguments):
    server.write("app.py", APPLICATION)
    server.start("app:application", *arguments, "--worker-connections", "3")
    ending = []
    for _ in range(6):
        client = server.connect()
        ending.append(client)
        client.send(HEADS["length"].format("/upload", LARGE) + "\r\n\r\n")
        assert client.reply("POST").status == 413
    assert server.get("/").status == 413
    for client in ending:
        client.close()


def test_the_answer_is_heard_over_a_unix_socket(server, arguments):
    server.write("app.py", APPLICATION)
    path = str(server.folder / "s")
    server.start("app:application", *arguments, bind=f"unix:{path}")
    with Client(path) as client:
        send_upload(client, HEADS["length"].format("/", 5_000_000), 5_000_000, chunked=False)
        assert client.reply("POST").body == b"too large"
        client.sock.shutdown(socket.SHUT_WR)
