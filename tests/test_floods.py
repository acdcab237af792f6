"""Connections that come in floods, without requests."""

from __future__ import annotations

import os
import signal

from tests.harness import eventually
from tests.harness.processes import switches

PLAIN = "tests.apps.plain:application"


def test_workers_do_not_sleep_while_connections_wait_that_bring_no_request(server, arguments):
    server.start(PLAIN, *arguments, "-w", "2")
    workers = eventually(lambda: pids if len(pids := server.workers()) == 2 else None)
    assert server.get("/hello").text == "hello"
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    for _ in range(200):
        server.connect().close()
    before = sum(map(switches, workers))
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    assert server.get("/hello").text == "hello"
    assert sum(map(switches, workers)) - before < 100
