"""What PEP 3333 and RFC 9110 ask of answers, rule by rule."""

from __future__ import annotations

import pytest

from tests.harness.server import running

APPLICATION = """
    def late(start_response):
        yield b""
        start_response("200 OK", [("X-A", "b")])
        yield b"late"

    ANSWERS = {
        "/bytes-status": lambda start: start(b"200 OK", []) or [b"x"],
        "/text": lambda start: start("200 OK", []) and ["x"],
        "/written-text": lambda start: start("200 OK", [])("x") or [],
        "/bytearray": lambda start: start("200 OK", []) and [bytearray(b"x")],
        "/nothing": lambda start: start("200 OK", []) and None,
        "/not-started": lambda start: [b"x"],
        "/not-started-and-empty": lambda start: [],
        "/started-twice": lambda start: (start("200 OK", []), start("200 OK", [])) and [],
        "/a-line-in-a-field": lambda start: start("200 OK", [("X", "a\\r\\nB: c")]) and [],
        "/late": late,
        "/no-content": lambda s: s("204 No Content", [("Content-Length", "5")]) and [b"xxxxx"],
        "/not-modified": lambda s: s("304 Not Modified", [("Content-Length", "5")]) and [],
        "/framed": lambda start: start("200 OK", [("Transfer-Encoding", "chunked")]) and [b"xyz"],
        "/length-twice": lambda s: s("200 OK", [("Content-Length", "3")] * 2) and [b"xyz"],
    }

    def application(environ, start_response):
        if environ["PATH_INFO"] not in ANSWERS:
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        return ANSWERS[environ["PATH_INFO"]](start_response)
"""


@pytest.fixture(scope="module", params=["sync", "gthread"])
def shared(request, tmp_path_factory):
    """A server of each worker class for all tests."""
    with running(tmp_path_factory.mktemp("shared")) as server:
        server.write("app.py", APPLICATION)
        arguments = ("--threads", "2") if request.param == "gthread" else ()
        yield server.start("app:application", "-k", request.param, *arguments)


@pytest.mark.parametrize(
    "path",
    [
        *("/bytes-status", "/text", "/written-text", "/bytearray", "/nothing", "/not-started"),
        *("/not-started-and-empty", "/started-twice", "/a-line-in-a-field"),
    ],
)
def test_what_an_application_must_not_do_is_a_500_with_nothing_of_its_answer(shared, path):
    reply = shared.get(path)
    assert reply.status == 500
    assert reply.header("B") is None


def test_a_generator_may_start_its_answer_after_an_empty_piece(shared):
    reply = shared.get("/late")
    assert (reply.status, reply.header("X-A"), reply.body) == (200, "b", b"late")


def test_a_204_has_no_length_and_a_304_may_have_that_of_the_content(shared):
    with shared.connect() as client:
        assert client.get("/no-content").header("Content-Length") is None
        assert client.get("/not-modified").header("Content-Length") == "5"
        assert client.get("/").body == b"ok", "nothing of a body came before it"


def test_the_framing_is_the_servers_and_stands_there_once(shared):
    for path in ["/framed", "/length-twice"]:
        reply = shared.get(path)
        names = [name for name, _ in reply.headers]
        assert names.count("Content-Length") + names.count("Transfer-Encoding") == 1
        assert reply.body == b"xyz"


def test_every_answer_has_one_date(shared):
    for path in ["/", "/no-content", "/not-started"]:
        names = [name for name, _ in shared.get(path).headers]
        assert names.count("Date") == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nExpect: something\r\n\r\n", 417),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    ],
    ids=["no Host", "an unknown expectation", "OPTIONS *", "an unknown method"],
)
def test_requests_are_refused_as_http_says_and_else_are_the_applications(shared, sent, status):
    with shared.connect() as client:
        assert client.send(sent).reply().status == status
