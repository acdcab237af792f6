"""Workers that are replaced: after requests, for their memory or age, and how many at once."""

from __future__ import annotations

import signal

from tests.harness import eventually

PLAIN = "tests.apps.plain:application"

TOLD = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.id)
    def child_exit(server, worker):
        server.log.info("GONE %s cause=%s code=%s", worker.id, worker.exit_cause, worker.exitcode)
"""

#: Grows by so many megabytes at each request.
GROWING = """
    import os
    HELD = []
    def application(environ, start_response):
        HELD.append(os.urandom(int(environ["QUERY_STRING"] or 0) << 20))
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
"""


def marks(server, *words):
    """The lines of the log in which one of these words stands, in their order."""
    lines = server.log.splitlines()
    return [word for line in lines for word in words if word in line]


# After a number of requests.


def test_a_worker_that_has_served_enough_serves_until_its_replacement_does(server):
    server.start(PLAIN, "--max-requests", "5", config=TOLD)
    while "GONE" not in server.log:
        assert server.get("/hello").status == 200
    order = marks(server, "WORKER READY 1", "last of its 5", "WORKER READY 2", "GONE 1")
    assert order[:3] == ["WORKER READY 1", "last of its 5", "WORKER READY 2"]
    assert "GONE 1" in order[3:]
    assert "cause=max_requests code=0" in server.log


def test_without_a_surge_the_worker_leaves_first(server):
    server.start(PLAIN, "--max-requests", "5", "--max-surge", "0", config=TOLD)
    served = [server.get("/pid").text for _ in range(5)]
    assert len(set(served)) == 1
    server.wait_for_log("WORKER READY 1", 2)
    assert server.get("/pid").text not in served
    assert "WORKER READY 2" not in server.log
    server.wait_for_log("cause=max_requests code=0")


def test_a_replacement_that_cannot_boot_leaves_the_old_worker_serving(server):
    server.write("app.py", GROWING)
    server.start("app:application", "--max-requests", "3", config=TOLD)
    before = server.get("/").text
    server.write("app.py", "raise RuntimeError('broken meanwhile')\n")
    for _ in range(3):
        server.get("/")
    server.wait_for_log("broken meanwhile")
    assert server.get("/").text == before
    server.write("app.py", GROWING)
    eventually(lambda: server.get("/").text != before, "the mended one takes over")


# For its memory.


def test_a_worker_that_has_grown_too_large_is_replaced(server):
    server.write("app.py", GROWING)
    server.start("app:application", "--max-worker-memory", "150M", config=TOLD)
    before = server.get("/").text
    server.get("/?200")
    server.wait_for_log("MiB of resident memory")
    eventually(lambda: server.get("/").text != before, "another worker serves")
    server.wait_for_log("cause=memory code=0")
    order = marks(server, "WORKER READY 2", "GONE 1")
    assert order == ["WORKER READY 2", "GONE 1"]


def test_a_worker_that_is_too_large_is_told_of_once_however_long_its_replacement_boots(server):
    server.write("app.py", GROWING)
    limits = ["--max-worker-memory", "150M", "--boot-timeout", "4"]
    server.start("app:application", *limits, config=TOLD)
    server.wait_for_log("WORKER READY 1")
    server.write("app.py", "import time; time.sleep(60)\n")
    server.get("/?200")
    server.wait_for_log("WORKER TIMEOUT")
    assert server.log.count("MiB of resident memory") == 1
    server.write("app.py", GROWING)
    server.wait_for_log("cause=memory code=0")


def test_a_size_that_is_none_is_refused(server):
    server.spawn("--max-worker-memory", "lots", PLAIN)
    assert server.wait() == 2
    assert "'lots' is not a number of bytes" in server.log


# For its age.


def test_workers_that_are_old_enough_are_replaced_one_at_a_time(server):
    server.start(PLAIN, "-w", "2", "--max-worker-age", "1", config=TOLD)
    server.wait_for_log("cause=age code=0", 2)
    states = marks(server, "leaves once its replacement serves: it has reached", "GONE")
    assert states[:4] == ["leaves once its replacement serves: it has reached", "GONE"] * 2


# How many at once.


def test_a_reload_has_no_more_workers_beyond_those_wanted_than_the_surge(server):
    config = """
    def pre_fork(server, worker):
        server.log.info("FORK %s", worker.id)
    """
    server.start(PLAIN, "-w", "4", "--max-surge", "1", config=TOLD + config)
    server.wait_for_log("WORKER READY", 4)
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("GONE", 4)
    server.wait_for_log("WORKER READY", 8)
    order = marks(server, "FORK", "WORKER READY")
    assert order[8:] == ["FORK", "WORKER READY"] * 4, "the next one when the last one serves"
    eventually(lambda: len(server.workers()) == 4, "four workers are left")


def test_without_a_surge_a_reload_replaces_one_worker_after_the_other(server):
    server.start(PLAIN, "-w", "2", "--max-surge", "0", config=TOLD)
    server.wait_for_log("WORKER READY", 2)
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("WORKER READY", 4)
    order = marks(server, "WORKER READY", "GONE")
    assert order == ["WORKER READY"] * 2 + ["GONE", "WORKER READY"] * 2


# Hooks that number workers: they refuse a replacement beside the worker that it is to replace.

NUMBERED = """
    def pre_fork(server, worker):
        taken = {other.slot for other in server.WORKERS.values()}
        worker.slot = min(set(range(server.num_workers)) - taken)
        server.log.info("SLOT %s", worker.slot)
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.id)
"""
OLD_FIRST = "leaves before its replacement is forked, as with max_surge = 0"


def test_workers_that_a_pre_fork_numbers_are_replaced_after_max_requests(server):
    server.start(PLAIN, "-w", "2", "--max-requests", "3", config=NUMBERED)
    seen = set()
    eventually(lambda: len(seen.add(server.get("/pid").text) or seen) >= 6, "six workers served")
    assert server.log.count(OLD_FIRST) == 1
    assert server.log.count("Traceback") == 1
    slots = marks(server, "SLOT 0", "SLOT 1")
    assert len(slots) >= 6


def test_a_reload_replaces_workers_that_a_pre_fork_numbers_one_after_the_other(server):
    server.start(PLAIN, "-w", "2", config=NUMBERED)
    server.wait_for_log("WORKER READY", 2)
    before = set(server.workers())
    server.send_signal(signal.SIGHUP)
    eventually(lambda: before.isdisjoint(server.workers()), "all are new")
    server.wait_for_log("WORKER READY", 4)
    assert server.log.count(OLD_FIRST) == 1


def test_workers_that_their_class_numbers_are_replaced_too(server):
    config = """
    from gunicorn.workers.sync import SyncWorker
    FREE = [0]
    class Numbered(SyncWorker):
        def __init__(self, *args):
            super().__init__(*args)
            self.slot = FREE.pop()
    worker_class = Numbered
    def child_exit(server, worker):
        FREE.append(worker.slot)
    """
    server.start(PLAIN, "--max-requests", "2", config=config)
    seen = set()
    eventually(lambda: len(seen.add(server.get("/pid").text) or seen) >= 3, "three workers served")
    assert server.log.count(OLD_FIRST) == 1


def test_a_new_pre_fork_that_always_fails_leaves_the_only_worker_serving(server):
    server.start(PLAIN, config="")
    before = server.get("/pid").text
    server.write("server.conf.py", "def pre_fork(server, worker): raise ValueError('broken')\n")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("ValueError: broken", 2)
    assert server.get("/pid").text == before
