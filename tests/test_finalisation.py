"""What the interpreter does at the end of a process: nothing of the operator's is left undone."""

from __future__ import annotations

import signal

import pytest

from tests.harness import eventually
from tests.harness.processes import alive

#: Text that is written and not flushed, and an object that says when it goes.
KEPT = """
    import os
    class Kept:
        def __init__(self, name):
            self.name = name
        def __del__(self, open=open, pid=os.getpid):
            with open("went", "a") as went:
                went.write(f"{self.name} {pid()}\\n")
"""

APP = (
    KEPT
    + """
    FILE = open(f"app.{os.getpid()}.txt", "w")
    FILE.write("written by the application")
    OBJECT = Kept("app")

    def application(environ, start_response):
        assert FILE and OBJECT
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(os.getpid()).encode()]
    """
)

CONFIG = (
    KEPT
    + """
    FILE = open(f"config.{os.getpid()}.txt", "w")
    FILE.write("written by the config file")
    OBJECT = Kept("config")
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
    def post_fork(server, worker):
        assert FILE and OBJECT
    def worker_int(worker):
        assert FILE and OBJECT
    def pre_request(worker, req):
        assert FILE and OBJECT
    def post_request(worker, req, environ, resp):
        assert FILE and OBJECT
    def on_exit(server):
        assert FILE and OBJECT
    """
)

LOGGER = """
    from gunicorn.glogging import Logger
    class Own(Logger):
        def access(self, *arguments):
            assert FILE and OBJECT
    logger_class = Own
    accesslog = "-"
"""

PLAIN_CLASSES = ["sync", "gthread"]


def serve(server, *arguments, config=""):
    server.write("app.py", APP)
    server.start("app:application", *arguments, config=CONFIG + config)
    server.wait_for_log("WORKER READY")
    (worker,) = server.workers()
    for _ in range(2):
        assert server.get("/").text == str(worker)
    return worker


def assert_all_went(server, worker, loader):
    """Look for what a worker left, the application that `loader` loaded, and the arbiter."""
    went = set((server.folder / "went").read_text().splitlines())
    assert went >= {f"app {worker}", f"config {worker}", f"config {server.pid}"}
    written = (server.folder / f"config.{server.pid}.txt").read_text()
    assert "written by the config file" in written
    assert "written by the application" in (server.folder / f"app.{loader}.txt").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_what_modules_have_not_flushed_is_written_at_the_end(server, arguments, number):
    worker = serve(server, *arguments)
    assert server.stop(number) == 0
    assert_all_went(server, worker, worker)


def test_what_a_preloaded_module_has_not_flushed_is_written_at_the_end(server, arguments):
    worker = serve(server, "--preload", *arguments)
    assert server.stop() == 0
    assert_all_went(server, worker, server.pid)


def test_a_logger_of_the_operators_keeps_nothing_from_being_written(server):
    worker = serve(server, config=LOGGER)
    assert server.stop() == 0
    assert_all_went(server, worker, worker)


def test_what_a_former_configuration_held_is_written_after_a_reload(server):
    former = serve(server)
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("WORKER READY", 2)
    eventually(lambda: not alive(former), "the former worker is gone")
    went = (server.folder / "went").read_text().splitlines()
    assert {f"app {former}", f"config {former}"} <= set(went)
    worker = int(server.get("/").text)
    assert server.stop() == 0
    assert_all_went(server, worker, worker)


def test_what_a_program_has_not_flushed_is_written_at_the_end(server):
    program = (
        APP
        + """
    from tricorn.app.base import BaseApplication
    class Program(BaseApplication):
        def load_config(self):
            self.cfg.set("bind", "127.0.0.1:0")
            self.cfg.set("post_fork", lambda server, worker: None)
            self.cfg.set("when_ready", lambda server: None)
        def load(self):
            return application
    Program().run()
    """
    )
    server.start_program(program)
    worker = int(server.get("/").text)
    assert server.stop() == 0
    went = set((server.folder / "went").read_text().splitlines())
    assert went >= {f"app {worker}", f"app {server.pid}"}
    assert "written by" in (server.folder / f"app.{server.pid}.txt").read_text()


ENDLESS = """
    import atexit, time
    FILE = open("app.txt", "w")
    FILE.write("written by the application")
    def application(environ, start_response):
        # Long enough for the end of the process to find it awake again and again.
        while True:
            time.sleep(0.01)
    def note():
        print("EXIT HANDLER", flush=True)
    atexit.register(note)
"""

GREENLETS = """
    from gevent import monkey
    monkey.patch_all()
"""


@pytest.mark.parametrize("patches", ["", GREENLETS], ids=["threads", "greenlets"])
def test_a_worker_ends_in_order_although_a_thread_runs_a_request(server, patches):
    config = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
    def worker_exit(server, worker):
        print("WORKER EXIT", flush=True)
    """
    server.write("app.py", ENDLESS)
    arguments = ["--threads", "2", "--graceful-timeout", "4"]
    server.start("app:application", *arguments, config=patches + config)
    server.wait_for_log("WORKER READY")
    with server.connect() as client:
        client.request("/")
        if not patches:
            server.wait_until_asleep()
        assert server.stop(signal.SIGQUIT) == 0
    assert "WORKER EXIT" in server.log
    assert "EXIT HANDLER" in server.log
    assert "was killed" not in server.log
    assert (server.folder / "app.txt").read_text() == "written by the application"
