"""Connections that come in floods, without requests."""

from __future__ import annotations

import time

from tests.harness import eventually

PLAIN = "tests.apps.plain:application"


def test_workers_take_in_connections_that_bring_no_request_as_fast_as_one_alone(
    make_server, arguments
):
    def seconds(workers):
        server = make_server()
        server.start(PLAIN, *arguments, "-w", str(workers))
        eventually(lambda: len(server.workers()) == workers)
        began = time.monotonic()
        for _ in range(4000):
            server.connect().close()
        assert server.get("/hello").text == "hello"
        return time.monotonic() - began

    assert seconds(2) < 3 * seconds(1)
