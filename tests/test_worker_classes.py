"""Worker classes of the operator's own, and those of other packages: they serve by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
from textwrap import dedent

import pytest

from tests.harness import eventually
from tests.harness.server import COMMAND, environment

#: A class that serves one connection after another, as gunicorn documents its base.
LOOP = """
    import os, select, socket, time
    from gunicorn.workers.base import Worker

    class LoopWorker(Worker):
        def init_process(self):
            self.log.info("INIT %s", self.booted)
            super().init_process()

        def run(self):
            self.log.info("RUNS %s in %s", self.id, os.environ["TRICORN_WORKER_ID"])
            while self.alive:
                self.notify()
                if self.max_requests and self.nr >= self.max_requests:
                    break
                ready, _, _ = select.select([*self.sockets, self.PIPE[0]], [], [], 1)
                for listener in ready:
                    if listener in self.sockets:
                        self.handle(listener)

        def handle(self, listener):
            client, _ = listener.accept()
            with client:
                target = client.recv(65536).split()[1].decode()
                if target == "/stuck":
                    time.sleep(600)
                self.nr += 1
                body = b"".join(self.wsgi({"PATH_INFO": target}, lambda status, headers: None))
                client.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n" + body)

        def handle_exit(self, sig, frame):
            self.log.info("LEAVES by %s", sig.name if hasattr(sig, "name") else sig)
            super().handle_exit(sig, frame)
"""
APP = """
    import os
    def application(environ, start_response):
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode() + b" " + str(os.getpid()).encode()]
"""
HOOKS = """
    def post_worker_init(worker): worker.log.info("LOADED %s", worker.booted)
    def worker_ready(server, worker): server.log.info("READY %s", worker.id)
    def worker_abort(worker): worker.log.info("ABORTED")
    def worker_exit(server, worker): worker.log.info("EXITS")
    def child_exit(server, worker): server.log.info("GONE %s", worker.exit_cause)
"""


@pytest.fixture
def looping(server):
    """Start a server with that class."""

    def start(*arguments):
        server.write("loop_worker.py", LOOP)
        server.write("app.py", APP)
        given = ["-k", "loop_worker.LoopWorker", *arguments]
        server.start("app:application", *given, config=HOOKS)
        server.wait_for_log("READY")
        return server

    return start


def test_a_class_of_ones_own_serves_in_its_run(looping):
    server = looping()
    assert server.get("/there").body.startswith(b"/there ")
    for line in ("INIT False", "LOADED False", "RUNS 1 in 1", "Using worker: loop_worker.Loop"):
        assert line in server.log


def test_term_ends_its_loop_and_the_hooks_of_the_end_run(looping):
    server = looping()
    assert server.stop() == 0
    assert "LEAVES by 15" in server.log or "LEAVES by SIGTERM" in server.log
    assert server.log.count("EXITS") == 1
    assert server.workers() == []


def test_without_signs_of_life_it_is_aborted_and_replaced(looping):
    server = looping("--timeout", "2")
    with server.connect() as client:
        client.request("/stuck")
        server.wait_for_log("WORKER TIMEOUT")
        server.wait_for_log("ABORTED")
        server.wait_for_log("GONE timeout")
    eventually(lambda: server.get("/x").status == 200, "its replacement serves")


def test_with_signs_of_life_it_is_left_in_peace(looping):
    server = looping("--timeout", "2")
    (pid,) = server.workers()
    until = os.times().elapsed + 4
    eventually(lambda: os.times().elapsed > until, "longer than the time-out has passed")
    assert server.workers() == [pid]


def test_it_leaves_by_itself_at_max_requests_and_is_replaced(looping):
    server = looping("--max-requests", "2")
    seen = {server.get("/").body for _ in range(2)}
    eventually(lambda: server.get("/").body not in seen, "another process serves")


def test_hup_replaces_it(looping):
    server = looping("-w", "2")
    server.wait_for_log("READY", 2)
    before = set(server.workers())
    server.send_signal(signal.SIGHUP)
    eventually(lambda: len(before & set(server.workers())) == 0, "all are new")
    assert server.get("/").status == 200


def test_it_ends_when_the_arbiter_is_killed(looping):
    server = looping()
    (pid,) = server.workers()
    server.send_signal(signal.SIGKILL)
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), "the worker has ended")
    assert "EXITS" in server.log


def test_a_class_object_and_a_function_that_returns_one_are_taken(server):
    server.write("loop_worker.py", LOOP)
    server.write("app.py", APP)
    for given in ("LoopWorker", "lambda: LoopWorker"):
        config = f"from loop_worker import LoopWorker\nworker_class = {given}\n"
        server.write("site.conf.py", config)
        ended = run(server, "--check-config", "-c", "site.conf.py", "app:application")
        assert (ended.returncode, ended.stderr) == (0, "")


def test_a_class_that_derives_from_sync_has_the_servers_own_loop(server):
    server.write("app.py", APP)
    config = """
        from gunicorn.workers.sync import SyncWorker
        class Quiet(SyncWorker):
            def handle_quit(self, sig, frame):
                self.log.info("QUIETLY")
                super().handle_quit(sig, frame)
        worker_class = Quiet
    """
    server.start("app:application", config=config)
    assert server.get("/x").status == 200
    server.send_signal(signal.SIGINT)
    server.wait_for_log("QUIETLY")
    assert server.wait() == 0


def test_what_the_own_loop_does_not_call_is_pointed_out(server):
    server.write("app.py", APP)
    config = """
        from gunicorn.workers.sync import SyncWorker
        class Counting(SyncWorker):
            def handle_request(self, listener, req, client, addr): raise AssertionError
        worker_class = Counting
    """
    server.start("app:application", config=config)
    assert server.get("/x").status == 200
    line = "worker_class Counting: its handle_request() is not called: the server's own loop serves"
    assert line in server.log


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("no.such.Class", "cannot be imported"),
        ("os.path", "'os.path' is not a worker class"),
        ("gevent", "'gevent' is not a worker class of this version"),
    ],
)
def test_what_is_no_worker_class_is_refused_in_one_line(server, given, complaint):
    server.write("app.py", APP)
    ended = run(server, "-k", given, "app:application")
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert line.startswith("Error: setting 'worker_class': ")
    assert complaint in line
    assert "(from command line)" in line


def test_a_class_whose_constructor_fails_stops_no_server_that_serves(server):
    server.write("app.py", APP)
    server.write("loop_worker.py", LOOP)
    config = """
        import os
        from loop_worker import LoopWorker
        class Fragile(LoopWorker):
            def __init__(self, *args):
                if os.path.exists("trouble"):
                    raise RuntimeError("on purpose")
                super().__init__(*args)
        worker_class = Fragile
    """
    server.start("app:application", config=dedent(config) + dedent(HOOKS))
    server.wait_for_log("READY")
    trouble = server.write("trouble", "")
    (pid,) = server.workers()
    os.kill(pid, signal.SIGKILL)
    server.wait_for_log("RuntimeError: on purpose")
    trouble.unlink()
    eventually(lambda: len(server.workers()) == 1, "a worker")
    server.wait_for_log("READY", 2)
    assert server.get("/").status == 200


def test_a_worker_that_is_told_to_leave_while_it_sets_itself_up_does_so_without_an_error(server):
    server.write("app.py", APP)
    config = """
        import os, signal
        from gunicorn.workers.sync import SyncWorker
        class Leaving(SyncWorker):
            def init_signals(self):
                super().init_signals()
                if not os.path.exists("left"):
                    open("left", "w").close()
                    os.kill(os.getpid(), signal.SIGTERM)
        worker_class = Leaving
    """
    server.start("app:application", config=config)
    eventually(lambda: server.get("/").status == 200, "its replacement serves")
    assert "[ERROR]" not in server.log


# Those of other packages.

ASGI = """
    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        body = f"{scope['path']} from {scope['client'][0]}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
"""
AIOHTTP = """
    from aiohttp import web
    async def hello(request):
        return web.Response(text=request.path)
    application = web.Application()
    application.router.add_get("/{rest:.*}", hello)
"""


@pytest.mark.parametrize("name", ["UvicornWorker", "UvicornH11Worker"])
@pytest.mark.filterwarnings("ignore")
def test_uvicorns_class_serves_asgi(server, name):
    server.write("app.py", ASGI)
    server.start("app:application", "-k", f"uvicorn.workers.{name}", "-w", "2", config=HOOKS)
    server.wait_for_log("Application startup complete", 2)
    assert server.get("/there").body == b"/there from 127.0.0.1"
    before = set(server.workers())
    server.send_signal(signal.SIGHUP)
    eventually(lambda: len(before & set(server.workers())) == 0, "all are new")
    assert server.get("/again").body == b"/again from 127.0.0.1"
    assert server.stop() == 0
    assert "Application shutdown complete" in server.log
    assert "[ERROR]" not in server.log


def test_uvicorns_class_leaves_at_max_requests_and_is_replaced(server):
    server.write("app.py", ASGI)
    given = ["-k", "uvicorn.workers.UvicornWorker", "--max-requests", "2"]
    server.start("app:application", *given, config=HOOKS)
    server.wait_for_log("READY")
    for _ in range(4):
        eventually(lambda: server.get("/x").status == 200, "it serves")
    server.wait_for_log("READY", 2)


def test_aiohttps_class_serves_its_applications(server):
    server.write("app.py", AIOHTTP)
    given = ["-k", "aiohttp.GunicornWebWorker", "--access-logfile", "-"]
    server.start("app:application", *given, config=HOOKS)
    server.wait_for_log("READY")
    eventually(lambda: server.get("/there").body == b"/there", "it serves")
    assert server.stop() == 0
    server.wait_for_log('"GET /there HTTP/1.1" 200')
    assert "EXITS" in server.log


def run(server, *arguments):
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=server.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )
