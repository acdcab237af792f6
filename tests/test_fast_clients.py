"""Clients that are never waited for: what they send or read takes long, and the worker lives on."""

from __future__ import annotations

import pytest

from tests.harness import eventually

#: Takes two and a half seconds for three megabytes of a body, or of an answer.
STEADY = """
    import time
    PIECE = 64 * 1024
    def application(environ, start_response):
        read = environ["wsgi.input"].read
        while read(PIECE):
            time.sleep(0.05)
        start_response("200 OK", [])
        return answer() if environ["PATH_INFO"] == "/long" else [b"read"]
    def answer():
        for _ in range(48):
            time.sleep(0.05)
            yield b"x" * PIECE
"""


@pytest.fixture
def steady(server, arguments):
    server.write("app.py", STEADY)
    server.start("app:application", *arguments, "--timeout", "1")
    eventually(server.workers)
    return server


def test_a_body_that_comes_as_fast_as_it_is_read_does_not_end_the_worker(steady):
    before = steady.workers()
    with steady.connect() as client:
        client.request("/", "Transfer-Encoding: chunked", method="POST")
        client.send((b"10000\r\n" + b"x" * 65536 + b"\r\n") * 48 + b"0\r\n\r\n")
        assert client.reply("POST").text == "read"
    assert steady.workers() == before
    assert "TIMEOUT" not in steady.log


def test_an_answer_that_is_read_as_fast_as_it_comes_does_not_end_the_worker(steady):
    before = steady.workers()
    with steady.connect() as client:
        assert len(client.get("/long").body) == 48 * 65536
    assert steady.workers() == before
    assert "TIMEOUT" not in steady.log
