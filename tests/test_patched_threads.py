"""The ends of workers whose threads another library has patched, or has started."""

from __future__ import annotations

import signal

import pytest

from tests.harness import eventually

PLAIN = "tests.apps.plain:application"

GREENLETS = """
    from gevent import monkey
    monkey.patch_all()
"""

TOLD = """
    import atexit, os
    def note(text):
        with open("notes", "a") as notes:
            notes.write(f"{text} {os.getpid()}\\n")
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
    def worker_exit(server, worker):
        note("WORKER EXIT")
    def child_exit(server, worker):
        server.log.info("GONE %s %s %s", worker.pid, worker.exitcode, worker.exit_signal)
    def post_fork(server, worker):
        atexit.register(note, "ATEXIT")
"""


def start(server, *arguments, config=""):
    server.start(PLAIN, "--threads", "4", *arguments, config=config + TOLD)
    server.wait_for_log("WORKER READY")
    return server.workers()[0]


def assert_left_in_order(server, worker):
    server.wait_for_log(f"GONE {worker} 0 None")
    notes = (server.folder / "notes").read_text().splitlines()
    assert f"WORKER EXIT {worker}" in notes
    assert f"ATEXIT {worker}" in notes
    assert "Traceback" not in server.log


def serve_some(server):
    with server.connect() as one, server.connect() as other:
        one.request("/sleep/0.1")
        other.request("/hello")
        assert one.reply().status == 200
        assert other.reply().status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_worker_under_a_patched_config_file_leaves_in_order(server, number):
    worker = start(server, config=GREENLETS)
    serve_some(server)
    server.send_signal(number)
    assert_left_in_order(server, worker)


def test_a_worker_under_a_patched_config_file_is_recycled_in_order(server):
    worker = start(server, "--max-requests", "3", config=GREENLETS)
    for _ in range(3):
        assert server.get("/hello").status == 200
    assert_left_in_order(server, worker)
    eventually(lambda: server.get("/pid").text != str(worker), "another serves")
