"""A gunicorn that is really installed, and a worker class of a package that needs it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.harness.server import ROOT, run

#: Where `make test` installs gunicorn itself and uvicorn's worker class.
BESIDE = Path(sys.prefix) / "beside"

ASGI = """
    import asyncio, importlib.metadata, os
    import gunicorn.workers.base

    async def lifespan(receive, send):
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            return await lifespan(receive, send)
        if scope["path"] == "/slow":
            open("begun", "w").close()
            while not os.path.exists("go"):
                await asyncio.sleep(0.01)
        whose = gunicorn.workers.base.Worker.__module__
        told = [scope["path"], os.getpid(), whose, importlib.metadata.version("gunicorn")]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr(told).encode()})
"""
HOOKS = """
    def on_starting(server): server.log.info("STARTING")
    def when_ready(server): server.log.info("WHEN READY")
    def pre_fork(server, worker): server.log.info("PRE FORK")
    def post_fork(server, worker): server.log.info("POST FORK")
    def post_worker_init(worker): worker.log.info("LOADED %s", worker.booted)
    def worker_ready(server, worker): server.log.info("READY %s", worker.id)
    def on_reload(server): server.log.info("RELOADS")
    def worker_exit(server, worker): worker.log.info("EXITS")
    def child_exit(server, worker): server.log.info("GONE")
    def on_exit(server): server.log.info("AT THE END")
"""


@pytest.fixture
def beside():
    """The path of imports on which gunicorn is."""
    assert (BESIDE / "gunicorn" / "workers" / "ggevent.py").is_file(), "`make test` installs it"
    return f"{BESIDE}:{ROOT}"


@pytest.fixture
def serving(server, beside):
    """Start a server whose workers are uvicorn's."""

    def start(*arguments, name="UvicornWorker", config=HOOKS):
        server.write("app.py", ASGI)
        given = ["-k", f"uvicorn_worker.{name}", *arguments]
        server.start("app:application", *given, config=config, PYTHONPATH=beside)
        server.wait_for_log("READY 1")
        return server

    return start


def answer(server, target="/"):
    """Return what the application tells: the target, its process, and of gunicorn."""
    return eval(server.get(target).body, {"__builtins__": {}})


@pytest.mark.parametrize("name", ["UvicornWorker", "UvicornH11Worker"])
def test_uvicorns_worker_class_serves_and_finds_tricorns_parts_in_gunicorns_place(serving, name):
    server = serving(name=name)
    target, pid, whose, version = answer(server, "/there")
    assert (target, [pid]) == ("/there", server.workers())
    assert whose == "tricorn.workers.base"
    assert version == "27.0.1"
    assert f"Using worker: uvicorn_worker.{name}" in server.log


def test_hooks_run_around_it(serving):
    server = serving()
    answer(server)
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("GONE")
    assert server.stop() == 0
    once = ["STARTING", "WHEN READY", "RELOADS", "AT THE END"]
    twice = ["PRE FORK", "POST FORK", "LOADED", "READY", "GONE"]
    counts = {told: server.log.count(f"] {told}") for told in once + twice}
    assert counts == dict.fromkeys(once, 1) | dict.fromkeys(twice, 2)
    assert "[ERROR]" not in server.log


def test_it_leaves_at_max_requests_and_is_replaced(serving):
    server = serving("--max-requests", "2")
    before = {answer(server)[1] for _ in range(2)}
    # By a signal that it does not survive it would leave without this hook, as under gunicorn.
    server.wait_for_log("EXITS")
    eventually(lambda: answer(server)[1] not in before, "another process serves")


def test_hup_replaces_all_of_them(serving):
    server = serving("-w", "2")
    server.wait_for_log("READY", 2)
    before = set(server.workers())
    server.send_signal(signal.SIGHUP)
    eventually(lambda: len(before & set(server.workers())) == 0, "all are new")
    assert answer(server)[1] not in before


def test_term_waits_for_the_request_that_is_being_answered(serving):
    server = serving()
    with server.connect() as client:
        client.request("/slow")
        eventually((server.folder / "begun").exists, "the request has begun")
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("Shutting down")
        server.write("go", "")
        assert client.reply().status == 200
    assert server.wait() == 0
    assert "Application shutdown complete" in server.log


def test_a_worker_that_is_killed_is_replaced(serving):
    server = serving()
    (pid,) = server.workers()
    os.kill(pid, signal.SIGKILL)
    server.wait_for_log("READY", 2)
    assert answer(server)[1] != pid


def test_gunicorn_itself_is_imported_where_that_is_asked_for(server, beside):
    server.write(
        "app.py",
        """
        import gunicorn.util
        from importlib.metadata import version
        def application(environ, start_response):
            start_response("200 OK", [])
            return [repr([gunicorn.util.__file__, version("gunicorn")]).encode()]
        """,
    )
    config = "gunicorn_compat = False\n"
    server.start("app:application", config=config, PYTHONPATH=beside)
    assert answer(server) == [str(BESIDE / "gunicorn" / "util.py"), "27.0.1"]


def test_a_worker_class_that_derives_from_gunicorn_itself_is_refused_in_one_line(server, beside):
    server.write("app.py", ASGI)
    server.write("gunicorn.conf.py", "gunicorn_compat = False\n")
    given = ["-k", "uvicorn_worker.UvicornWorker", "app:application"]
    ended = run(server.folder, *given, PYTHONPATH=beside)
    assert ended.returncode == 2
    assert ended.stderr == (
        "Error: setting 'worker_class': 'uvicorn_worker.UvicornWorker' derives from a class of the "
        "gunicorn that is installed, which cannot be run (from command line); drop "
        "gunicorn_compat = False, and import gunicorn no earlier than the config file\n"
    )
