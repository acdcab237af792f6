"""Exceptions that reach the server, as a logger in Python is told of them."""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest

from tests.harness import eventually

#: A logger that writes down by which method it was told, and what was handled meanwhile.
LOGGER = """
    import json, logging, sys, traceback
    from gunicorn.glogging import Logger

    def told(**facts):
        with open("told.jsonl", "a") as file:
            file.write(json.dumps(facts) + "\\n")

    class Records(logging.Handler):
        def emit(self, record):
            if record.exc_info:
                _, error, tb = record.exc_info
                frames = [frame.name for frame in traceback.extract_tb(tb)]
                told(
                    kind="record", level=record.levelname, message=record.getMessage(),
                    error=repr(error), own=getattr(error, "own", None), frames=frames,
                    cause=repr(error.__context__),
                )

    class Own(Logger):
        def setup(self, cfg):
            super().setup(cfg)
            if not any(isinstance(handler, Records) for handler in self.error_log.handlers):
                self.error_log.addHandler(Records())
        def exception(self, msg, *args, **kwargs):
            told(kind="exception", error=repr(sys.exc_info()[1]), given=[*args, *kwargs])
            super().exception(msg, *args, **kwargs)
        def error(self, msg, *args, **kwargs):
            told(kind="error", message=msg, error=repr(sys.exc_info()[1]), given=[*args, *kwargs])
            super().error(msg, *args, **kwargs)

    logger_class = Own
"""

APP = """
    import sys

    class Trouble(Exception):
        def __init__(self, text):
            super().__init__(text)
            self.own = text.upper()

    class Closing(list):
        def close(self):
            raise Trouble("in close")

    def late():
        yield b"first"
        raise Trouble("late")

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/early":
            raise Trouble("early")
        if path == "/caught":
            try:
                raise KeyError("caught")
            except KeyError:
                environ["wsgi.errors"].write("a line\\n")
        start_response("200 OK", [("Content-Type", "text/plain")])
        if path == "/late":
            return late()
        if path == "/close":
            return Closing([b"x"])
        return [repr(sys.exc_info()[1]).encode()]
"""


CALLABLE = """
def application(environ, start_response):
    start_response("200 OK", [])
    return []
"""


def told(server, kind, count=1):
    """Wait until the logger was told so often in a way, and return what it was told."""
    path = server.folder / "told.jsonl"

    def probe():
        lines = path.read_text().splitlines() if path.exists() else []
        found = [facts for facts in map(json.loads, lines) if facts["kind"] == kind]
        return found if len(found) >= count else None

    return eventually(probe, f"{count} of {kind}: {server.log}")


@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize(
    ("path", "text", "frame"),
    [
        ("/early", "early", "application"),
        ("/late", "late", "late"),
        ("/close", "in close", "close"),
    ],
)
def test_what_an_application_raises_is_told_as_it_is(server, threads, path, text, frame):
    server.write("app.py", APP)
    server.start("app:application", "--threads", threads, config=LOGGER)
    with server.connect() as client:
        client.request(path)
        (called,) = told(server, "exception")
        (record,) = told(server, "record")
    assert called == {"kind": "exception", "error": f"Trouble('{text}')", "given": []}
    assert record["own"] == text.upper()
    assert record["frames"] == [frame]
    assert record["level"] == "ERROR"
    assert "Traceback" not in record["message"]
    assert server.log.count("Traceback (most recent call last):") == 1


def test_nothing_is_handled_any_more_once_the_logger_was_told(server):
    server.write("app.py", APP)
    server.start("app:application", config=LOGGER)
    server.get("/early")
    assert server.get("/then").text == "None"


def test_a_line_that_an_application_writes_while_it_handles_an_exception_is_no_exception(server):
    server.write("app.py", APP)
    server.start("app:application", config=LOGGER)
    assert server.get("/caught").text == "None"
    (line,) = told(server, "error")
    assert (line["message"], line["given"]) == ("a line", [])


def test_an_exception_is_let_go_when_the_logger_was_told(server):
    server.write(
        "app.py",
        """
        import weakref
        class Mark: pass
        marks = []
        def application(environ, start_response):
            if environ["PATH_INFO"] == "/early":
                local = Mark()
                marks.append(weakref.ref(local))
                raise ValueError("early")
            start_response("200 OK", [])
            return [repr([mark() for mark in marks]).encode()]
        """,
    )
    server.start(
        "app:application",
        config="""
            from gunicorn.glogging import Logger
            class Own(Logger): pass
            logger_class = Own
        """,
    )
    server.get("/early")
    server.wait_for_log("ValueError: early")
    assert server.get("/").text == "[None]"


@pytest.mark.parametrize(
    ("hook", "arguments", "method"),
    [
        ("pre_fork", "server, worker", "error"),
        ("nworkers_changed", "server, new, old", "error"),
        ("child_exit", "server, worker", "error"),
        ("on_exit", "server", "error"),
        ("post_fork", "server, worker", "exception"),
        ("post_worker_init", "worker", "exception"),
        ("pre_request", "worker, req", "exception"),
        ("post_request", "worker, req, environ, resp", "exception"),
        ("response_start", "worker, req, resp", "exception"),
        ("worker_exit", "server, worker", "exception"),
    ],
)
def test_what_a_hook_raises_is_told_as_it_is(server, hook, arguments, method):
    server.write("app.py", APP)
    server.write("server.conf.py", f"{LOGGER}\n    def {hook}({arguments}):\n        1 / 0\n")
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", "app:application")
    server.wait_for_log("Listening at: ")
    if hook.endswith("request") or hook.startswith("response"):
        server.get("/")
    if hook.endswith("exit"):
        eventually(server.workers)
        server.get("/")
        server.stop()
    found = [call for call in told(server, method) if "division" in call["error"]]
    record = told(server, "record")[0]
    assert found[0]["given"] == ([] if method == "exception" else ["exc_info"])
    assert record["error"] == "ZeroDivisionError('division by zero')"
    assert record["frames"] == [hook]
    assert record["message"].startswith(f"{hook} handler ")


@pytest.mark.parametrize("early", [False, True])
def test_an_application_that_cannot_be_loaded_is_told_as_it_is(server, early):
    server.write("app.py", "raise LookupError('nothing here')\n")
    server.write("server.conf.py", f"{LOGGER}\n    preload_app = {early}\n")
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", "app:application")
    assert server.wait() == 1 if early else 3
    told(server, "error" if early else "exception")
    (record,) = told(server, "record")
    assert record["error"] == "LookupError('nothing here')"
    assert record["frames"][-1] == "<module>"


def test_a_logger_that_fails_loses_neither_its_exception_nor_the_one_it_was_told_of(server):
    server.write("app.py", APP)
    server.start(
        "app:application",
        config="""
            from gunicorn.glogging import Logger
            class Own(Logger):
                def exception(self, msg, *args, **kwargs):
                    raise ValueError("no exceptions")
            logger_class = Own
        """,
    )
    assert server.get("/early").status == 500
    server.wait_for_log("ValueError: no exceptions")
    server.wait_for_log("it was to log: Error handling request GET /early\nTraceback")
    assert "app.Trouble: early" in server.log


@pytest.mark.parametrize("own", [False, True])
def test_a_statsd_counts_exceptions(server, own):
    server.write("app.py", APP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(20)
        config = """
            from gunicorn.instrument.statsd import Statsd
            class Own(Statsd): pass
            logger_class = Own
        """
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        server.start("app:application", "--statsd-host", address, config=config if own else "")
        server.get("/early")
        found = ""
        while "gunicorn.log.exception:1|c" not in found:
            found += sock.recv(4096).decode() + "\n"
        server.send_signal(signal.SIGTERM)
        server.wait()
    assert "gunicorn.log.error" not in found


def test_a_logger_that_writes_when_its_booting_worker_is_told_to_leave_does_not_keep_it(server):
    server.write("app.py", "import os\nopen(f'loaded.{os.getpid()}', 'w').close()\n" + CALLABLE)
    server.start(
        "app:application",
        config="""
            import os, time
            from gunicorn.glogging import Logger
            class Own(Logger):
                def info(self, msg, *args, **kwargs):
                    if "Booting" in msg and not os.path.exists("writes"):
                        open("writes", "w").close()
                        time.sleep(60)
                    super().info(msg, *args, **kwargs)
            logger_class = Own
        """,
    )
    eventually((server.folder / "writes").exists)
    (first,) = server.workers()
    os.kill(first, signal.SIGTERM)
    assert server.get("/").status == 200
    assert not (server.folder / f"loaded.{first}").exists()
    assert f"Booting worker with pid: {first}" in server.log
    assert "failed" not in server.log
    assert "Traceback" not in server.log


def test_a_request_whose_line_is_being_written_does_not_outlive_a_quick_stop(server):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            environ["wsgi.errors"].write("a line\\n")
            open("went on", "w").close()
            start_response("200 OK", [])
            return []
        """,
    )
    server.start(
        "app:application",
        config="""
            import time
            from gunicorn.glogging import Logger
            class Own(Logger):
                def error(self, msg, *args, **kwargs):
                    if msg == "a line":
                        open("writes", "w").close()
                        time.sleep(60)
                    super().error(msg, *args, **kwargs)
            logger_class = Own
        """,
    )
    with server.connect() as client:
        client.request("/")
        eventually((server.folder / "writes").exists)
        (first,) = server.workers()
        os.kill(first, signal.SIGQUIT)
        server.wait_for_log(f"Worker exiting (pid: {first})")
    assert not (server.folder / "went on").exists()
    assert "[ERROR] a line" in server.log
    assert "the logger's" not in server.log


def test_a_quick_stop_while_a_logger_writes_an_access_line_is_no_failure_of_the_logger(server):
    server.write("app.py", CALLABLE)
    server.start(
        "app:application",
        config="""
            import time
            from gunicorn.glogging import Logger
            class Own(Logger):
                def access(self, resp, req, environ, request_time):
                    open("writes", "w").close()
                    time.sleep(60)
            logger_class = Own
        """,
    )
    server.get("/")
    eventually((server.folder / "writes").exists)
    (first,) = server.workers()
    os.kill(first, signal.SIGQUIT)
    server.wait_for_log(f"Worker exiting (pid: {first})")
    assert "failed" not in server.log
