"""Clients that send further requests without waiting, and what becomes of the others."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from tests.harness import eventually
from tests.harness.plugins import built
from tests.harness.waiting import pause

PLAIN = "tests.apps.plain:application"
REQUEST = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"

#: Numbers its answers, and takes its time for each.
COUNTING = """
    import itertools
    import time
    numbers = itertools.count(1)
    def application(environ, start_response):
        time.sleep(0.01)
        start_response("200 OK", [])
        return [str(next(numbers)).encode()]
"""


@contextmanager
def never_ending(server, target):
    """A client that sends requests as fast as it is answered, until the block is left."""
    client = server.connect()
    over = threading.Event()
    pieces = []

    def ask():
        while not over.is_set():
            client.send(REQUEST.format(target) * 200)

    def read():
        with suppress(ConnectionResetError):
            while piece := client.sock.recv(1 << 20):
                pieces.append(len(piece))

    threads = [threading.Thread(target=work, daemon=True) for work in (ask, read)]
    for thread in threads:
        thread.start()
    try:
        yield pieces
    finally:
        over.set()
        threads[0].join()
        client.sock.shutdown(socket.SHUT_RDWR)
        threads[1].join()
        client.close()


def test_requests_that_are_sent_together_take_turns_with_those_of_others(server, arguments):
    server.write("app.py", COUNTING)
    server.start("app:application", *arguments)
    with server.connect() as patient, server.connect() as hasty:
        patient.get()
        hasty.send(REQUEST.format("/") * 200)
        assert hasty.reply().text == "2"
        assert int(patient.get().text) < 50
        answers = [hasty.reply().status for _ in range(199)]
    assert answers == [200] * 199


def test_requests_that_a_plugin_answers_at_their_heads_take_turns_too(probe):
    server = probe("--access-logfile", "access.log", "--access-logformat", "%(U)s")
    with server.connect() as patient, server.connect() as hasty:
        patient.get("/hello")
        hasty.send(REQUEST.format("/head/slow") * 200)
        hasty.reply()
        patient.get("/pid")
        answers = [hasty.reply().status for _ in range(199)]
    assert answers == [200] * 199
    log = server.folder / "access.log"
    eventually(lambda: len(log.read_text().split()) == 202, "all lines are there")
    assert log.read_text().split().index("/pid") < 50


@pytest.mark.parametrize("target", ["/hello", "/facts"], ids=["application", "plugin"])
def test_a_client_that_never_stops_asking_neither_starves_the_others_nor_ends_the_worker(
    server, arguments, target
):
    plugin = ("--plugin", str(built("fixture-probe")))
    server.start(PLAIN, *arguments, *plugin, "--timeout", "1")
    assert server.get("/pid").status == 200
    before = server.workers()
    with never_ending(server, target) as pieces:
        for _ in range(3):
            pause(1)
            assert server.get("/pid").status == 200
    assert sum(pieces) > 100_000
    assert server.workers() == before
    assert "timeout" not in server.log
