"""Workers that never come to serve, or hardly: the server ends, or waits longer each time."""

from __future__ import annotations

import itertools
import os
import signal

import pytest

from tests.harness import eventually

APP = """
    def application(environ, start_response):
        start_response("200 OK", [])
        return [b"served"]
"""

#: A class with a loop of its own. What `begin` does comes before its first sign of life.
LOOP = """
    import os, select, sys, time
    from gunicorn.workers.base import Worker

    class LoopWorker(Worker):
        def run(self):
            self.begin()
            while self.alive:
                self.notify()
                for listener in select.select(self.sockets, [], [], 0.2)[0]:
                    client, _ = listener.accept()
                    with client:
                        client.recv(65536)
                        client.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n")

        def begin(self):
            if os.path.exists("trouble"):
                self.fail()

        def fail(self):
            sys.exit(3)
"""

HOOKS = """
    def worker_ready(server, worker): server.log.info("READY %s", worker.age)
    def child_exit(server, worker): server.log.info("GONE %s", worker.exit_cause)
"""


@pytest.fixture
def looping(server):
    """Start a server of that class, whose trouble is this method's body."""

    def spawn(fail, *arguments, trouble=True):
        server.write("loop_worker.py", LOOP.replace("sys.exit(3)", fail))
        server.write("app.py", APP)
        server.write("hooks.conf.py", HOOKS)
        if trouble:
            server.write("trouble", "")
        given = ["-b", "127.0.0.1:0", "-k", "loop_worker.LoopWorker", "-c", "hooks.conf.py"]
        server.spawn(*given, *arguments, "app:application")
        return server

    return spawn


# With a loop of the class's own.


@pytest.mark.parametrize(
    "fail",
    [
        "sys.exit(3)",
        "time.sleep(1.2); sys.exit(3)",
        "raise RuntimeError('on purpose')",
        "os._exit(1)",
    ],
)
def test_a_class_that_cannot_start_its_own_loop_ends_the_server_with_3(looping, fail):
    server = looping(fail, "-w", "2")
    assert server.wait() == 3
    assert "No worker could boot" in server.log
    assert "READY" not in server.log


def test_a_loop_that_ends_at_once_without_an_error_ends_the_server_with_3_after_some_tries(looping):
    server = looping("sys.exit(0)")
    assert server.wait() == 3
    assert server.log.count("left with code 0 before it served") == 4


def test_a_loop_that_cannot_start_any_more_is_tried_with_a_growing_pause(looping):
    server = looping("sys.exit(3)", trouble=False)
    server.wait_for_log("READY")
    (server.folder / "trouble").touch()
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for_log("GONE boot", 3)
    assert server.log.count("READY") == 1
    (server.folder / "trouble").unlink()
    server.wait_for_log("READY", 2)
    assert server.get("/").status == 200


def test_a_reload_waits_until_the_loop_gives_a_sign_of_life(looping):
    server = looping("time.sleep(1)", trouble=False)
    server.wait_for_log("READY 1")
    (server.folder / "trouble").touch()
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("GONE asked")
    lines = [line for line in server.log.splitlines() if "Booting" in line or "READY" in line]
    assert "READY 2" in lines[-1]


def test_a_loop_that_gives_no_signs_of_life_is_taken_for_ready_after_a_while(looping):
    server = looping("self.notify = lambda: None", "--boot-timeout", "2")
    server.wait_for_log("READY")
    assert server.get("/").status == 200


STARTUP = """
    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})
"""


@pytest.mark.filterwarnings("ignore")
def test_an_asgi_application_whose_start_fails_ends_uvicorns_server_with_3(server):
    server.write("app.py", STARTUP)
    given = ["-k", "uvicorn.workers.UvicornWorker", "-w", "2", "-b", "127.0.0.1:0"]
    server.spawn(*given, "app:application")
    assert server.wait() == 3
    assert "no database" in server.log
    assert server.log.count("Booting worker") == 2


AIOHTTP = """
    from aiohttp import web
    async def fail(application): raise RuntimeError("no database")
    application = web.Application()
    application.on_startup.append(fail)
"""


def test_an_application_of_aiohttps_whose_start_fails_ends_the_server_with_3(server):
    server.write("app.py", AIOHTTP)
    server.spawn("-k", "aiohttp.GunicornWebWorker", "-b", "127.0.0.1:0", "app:application")
    assert server.wait() == 3
    assert "no database" in server.log


# With the server's own loops.


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os; os._exit(0)", "has left with code 0 before it served"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
    ],
)
def test_a_site_whose_boots_come_to_nothing_ends_the_server_with_3(server, source, told):
    server.write("app.py", source + "\n")
    server.spawn("-b", "127.0.0.1:0", "app:application")
    assert server.wait() == 3
    assert server.log.count(told) == 4
    assert "No worker could boot" in server.log


@pytest.mark.parametrize("hook", ["post_fork(server, worker)", "post_worker_init(worker)"])
def test_a_hook_that_has_every_worker_leave_in_order_ends_the_server_with_3(server, hook):
    server.write("app.py", APP)
    server.write("given.conf.py", f"import sys\ndef {hook}: sys.exit(0)\n")
    server.spawn("-b", "127.0.0.1:0", "-c", "given.conf.py", "app:application")
    assert server.wait() == 3


def test_a_pre_fork_that_refuses_every_worker_ends_the_server_with_3(server):
    server.write("app.py", APP)
    server.write("given.conf.py", "def pre_fork(server, worker): raise ValueError('never')\n")
    server.spawn("-b", "127.0.0.1:0", "-c", "given.conf.py", "app:application")
    assert server.wait() == 3
    assert server.log.count("ValueError: never") >= 4


def test_workers_that_end_as_soon_as_they_serve_are_forked_with_a_growing_pause(server):
    server.write("app.py", APP)
    server.start(
        config="""
        import os, threading, time
        def worker_ready(server, worker):
            server.log.info("AT %s", time.monotonic())
            os.kill(worker.pid, 9)
        """
    )
    server.wait_for_log("AT ", 4)
    lines = [line for line in server.log.splitlines() if "AT " in line]
    times = [float(line.rsplit(" ", 1)[1]) for line in lines]
    pauses = [later - former for former, later in itertools.pairwise(times)]
    assert pauses[0] >= 0.25
    assert pauses[1] >= 0.5
    assert pauses[2] >= 1.0


def test_a_worker_that_is_told_to_leave_while_it_boots_is_replaced(server):
    server.write("app.py", APP)
    server.start(
        config="""
        import os, signal
        def post_worker_init(worker):
            if not os.path.exists("left"):
                open("left", "w").close()
                os.kill(os.getpid(), signal.SIGTERM)
        """
    )
    eventually(lambda: server.get("/").body == b"served", "its replacement serves")
