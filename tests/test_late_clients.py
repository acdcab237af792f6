"""Workers that are to leave, and clients that are late to finish or to go."""

from __future__ import annotations

import signal

import pytest

PLAIN = "tests.apps.plain:application"
LEAVING = """
    def worker_exit(server, worker):
        worker.log.info("worker_exit was called")
"""


@pytest.mark.parametrize(
    "sent",
    ["GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"],
    ids=["head", "body"],
)
def test_a_worker_whose_clients_do_not_finish_leaves_by_itself_and_is_not_killed(
    server, arguments, sent
):
    server.start(PLAIN, *arguments, "--graceful-timeout", "2", config=LEAVING)
    with server.connect() as client:
        client.send(sent)
        server.get("/hello")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
    assert "worker_exit was called" in server.log
    assert "SIGKILL" not in server.log


def test_a_client_that_stays_and_is_silent_keeps_a_worker_for_a_moment_only(server, arguments):
    times = ("--keep-alive", "60", "--graceful-timeout", "20", "--timeout", "0")
    server.start(PLAIN, *arguments, *times)
    with server.connect() as client:
        client.get("/hello")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
