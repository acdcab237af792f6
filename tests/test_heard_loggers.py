"""Handlers and filters that operators set on the loggers of a server that logs natively."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from tests.harness import eventually
from tests.test_logs import PLAIN, lines, logged

LOG = ("--access-logfile", "access.log", "--access-logformat", "%(m)s %(U)s %(s)s %(B)s")

FILTER = """
    import logging

    class HealthFilter(logging.Filter):
        def filter(self, record):
            return record.args["U"] != "/pid"
"""

#: Where such a filter is set: in the file itself, or by a hook of the arbiter's or of the worker's.
PLACES = {
    "in the file": "{}",
    "on_starting": "def on_starting(server): {}",
    "when_ready": "def when_ready(server): {}",
    "post_fork": "def post_fork(server, worker): {}",
    "post_worker_init": "def post_worker_init(worker): {}",
}

ADD_FILTER = 'logging.getLogger("gunicorn.access").addFilter(HealthFilter())'


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("threads", ["1", "4"])
def test_a_filter_of_requests_is_asked_wherever_it_is_set(server, place, threads):
    config = f"{FILTER}\n    {PLACES[place].format(ADD_FILTER)}\n"
    server.start(PLAIN, *LOG, "--threads", threads, config=config)
    for _ in range(2):
        server.get("/pid")
        server.get("/hello")
    server.stop()
    assert lines(server) == ["GET /hello 200 5"] * 2


def test_a_filter_that_the_application_sets_is_asked(server):
    server.write(
        "app.py",
        """
        import logging
        from tests.apps.plain import application
        logging.getLogger("gunicorn.access").addFilter(lambda record: record.args["U"] != "/pid")
        """,
    )
    server.start("app:application", *LOG)
    server.get("/pid")
    server.get("/hello")
    assert logged(server) == ["GET /hello 200 5"]


def test_a_filter_of_the_servers_own_handler_is_asked(server):
    server.start(
        PLAIN,
        *LOG,
        config=f"""{FILTER}
    def post_fork(server, worker):
        for handler in worker.log.access_log.handlers:
            handler.addFilter(HealthFilter())
    """,
    )
    server.get("/pid")
    server.get("/hello")
    assert logged(server) == ["GET /hello 200 5"]


def test_lines_are_native_again_when_the_filter_is_gone(server):
    server.write(
        "app.py",
        """
        import logging
        from tests.apps.plain import application as plain
        log = logging.getLogger("gunicorn.access")
        asked = []
        def note(record):
            asked.append(record)
            return True
        def application(environ, start_response):
            if environ["PATH_INFO"] == "/add":
                log.addFilter(note)
            if environ["PATH_INFO"] == "/remove":
                log.removeFilter(note)
            if environ["PATH_INFO"] == "/asked":
                start_response("200 OK", [])
                return [str(len(asked)).encode()]
            environ["PATH_INFO"] = "/hello"
            return plain(environ, start_response)
        """,
    )
    server.start("app:application", *LOG, "--access-logformat", "%(r)s")
    for path in ("/one", "/add", "/two", "/remove", "/three"):
        server.get(path)
    assert server.get("/asked").text == "2"
    found = logged(server, 6)
    assert [line.split()[1] for line in found] == [
        *("/one", "/add", "/two", "/remove", "/three", "/asked")
    ]


HANDLER = """
    import json, logging

    class Heard(logging.Handler):
        def emit(self, record):
            args = record.args
            with open("heard.jsonl", "a") as file:
                file.write(json.dumps([
                    record.name, record.levelname, record.getMessage(),
                    sorted(args)[:3] if hasattr(args, "keys") else [],
                    repr(record.exc_info[1]) if record.exc_info else None,
                ]) + "\\n")
"""

BOTH = """[
        logging.getLogger(f"gunicorn.{name}").addHandler(Heard()) for name in ("error", "access")
    ]"""


def heard(server, text):
    """Wait for records that have the text, and return them."""

    def probe():
        path = server.folder / "heard.jsonl"
        found = (
            [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        )
        return [record for record in found if text in record[2]]

    return eventually(probe, f"{text!r} in heard.jsonl: {server.log}")


def test_a_handler_hears_what_is_written_natively_too(server):
    server.start(PLAIN, *LOG, config=f"{HANDLER}\n    {BOTH}\n")
    server.get("/hello")
    (record,) = heard(server, "/hello")
    assert record == ["gunicorn.access", "INFO", "GET /hello 200 5", ["B", "D", "H"], None]
    assert logged(server) == ["GET /hello 200 5"]
    assert heard(server, "Listening at: ")[0][:2] == ["gunicorn.error", "INFO"]
    assert heard(server, "Booting worker with pid")
    assert server.log.count("Booting worker with pid") == 1
    assert server.stop() == 0
    assert heard(server, "Shutting down")
    assert server.log.count("Shutting down") == 1


def test_a_handler_is_told_of_an_exception_as_it_is_and_its_native_line_stays_the_same(server):
    server.start(PLAIN, config=f"{HANDLER}\n    def post_fork(server, worker): {BOTH}\n")
    server.get("/raise")
    (record,) = heard(server, "Error handling request GET /raise")
    assert record[4] == "RuntimeError('raised before the head')"
    assert "Traceback" not in record[2]
    server.wait_for_log("[ERROR] Error handling request GET /raise\nTraceback (most recent call")
    assert server.log.count("RuntimeError: raised before the head") == 1


def test_a_handler_in_place_of_the_servers_own_has_the_log_alone(server):
    server.start(
        PLAIN,
        config=f"""{HANDLER}
    def post_fork(server, worker):
        logging.getLogger("gunicorn.error").handlers = [Heard()]
    """,
    )
    server.get("/raise")
    assert heard(server, "Error handling request GET /raise")
    assert "Error handling" not in server.log


def test_a_formatter_of_the_servers_own_handler_makes_whole_lines(server):
    server.start(
        PLAIN,
        config="""
            import logging
            def post_worker_init(worker):
                for handler in worker.log.error_log.handlers:
                    handler.setFormatter(logging.Formatter("<<%(levelname)s|%(message)s>>"))
                worker.log.warning("from a hook")
        """,
    )
    server.get("/raise")
    server.wait_for_log("\n<<WARNING|from a hook>>\n")
    server.wait_for_log("\n<<ERROR|Error handling request GET /raise>>\nTraceback")


def test_what_an_application_writes_to_wsgi_errors_is_no_record(server):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            environ["wsgi.errors"].write("written\\n")
            start_response("200 OK", [])
            return []
        """,
    )
    server.start("app:application", config=f"{HANDLER}\n    {BOTH}\n")
    server.get("/")
    server.wait_for_log("[ERROR] written")
    server.stop()
    assert "written" not in (server.folder / "heard.jsonl").read_text()


def test_a_level_of_the_operators_own_silences_what_is_below(server):
    server.start(
        PLAIN,
        *LOG,
        config="""
            import logging
            def post_fork(server, worker):
                worker.log.access_log.setLevel(logging.WARNING)
                worker.log.error_log.setLevel(logging.ERROR)
        """,
    )
    server.get("/raise")
    server.wait_for_log("Error handling request GET /raise")
    server.stop()
    assert lines(server) == []
    assert "Worker exiting" not in server.log


def test_a_logger_that_a_configuration_has_disabled_is_written_on_natively(server):
    server.write(
        "app.py",
        """
        import logging.config
        logging.config.dictConfig({"version": 1})
        assert logging.getLogger("gunicorn.error").disabled
        from tests.apps.plain import application
        """,
    )
    server.start("app:application", *LOG, config=f"{HANDLER}\n    {BOTH}\n")
    server.get("/raise")
    server.wait_for_log("Error handling request GET /raise")
    assert logged(server) == ["GET /raise 500 139"]


def test_a_tool_that_hears_all_records_hears_the_servers_errors(server):
    server.start(
        PLAIN,
        config="""
            import logging
            def post_fork(server, worker):
                former = logging.Logger.callHandlers
                def call(self, record):
                    print("TOOL", record.name, record.exc_info and record.exc_info[0].__name__)
                    return former(self, record)
                logging.Logger.callHandlers = call
        """,
        PYTHONUNBUFFERED="1",
    )
    server.get("/raise")
    server.wait_for_log("TOOL gunicorn.error RuntimeError")
    server.wait_for_log("[ERROR] Error handling request GET /raise")


def test_files_of_such_handlers_are_opened_again(server):
    server.start(
        PLAIN,
        *LOG,
        config="""
            import logging
            logging.getLogger("gunicorn.access").addHandler(logging.FileHandler("own.log"))
        """,
    )
    server.get("/hello")
    logged(server, name="own.log")
    (server.folder / "own.log").rename(server.folder / "own.log.1")
    server.send_signal(signal.SIGUSR1)
    eventually((server.folder / "own.log").exists)

    def probe():
        server.get("/hello")
        return lines(server, "own.log")

    assert eventually(probe)[0] == "GET /hello 200 5"


def test_a_handler_that_fails_loses_no_native_line(server):
    server.start(
        PLAIN,
        *LOG,
        config="""
            import logging
            class Broken(logging.Handler):
                def emit(self, record):
                    raise ValueError("broken")
            for name in ("error", "access"):
                logging.getLogger("gunicorn." + name).addHandler(Broken())
        """,
    )
    server.get("/hello")
    assert logged(server) == ["GET /hello 200 5"]
    server.wait_for_log("Booting worker with pid")


@pytest.mark.parametrize("count", ["100"])
def test_every_request_has_its_line_and_its_record(server, count):
    server.start(PLAIN, *LOG, "--threads", "4", config=f"{HANDLER}\n    {BOTH}\n")
    with server.connect() as client:
        for _ in range(int(count)):
            client.get("/hello")
        client.send("NONSENSE\r\n\r\n").reply()
    server.stop()
    assert len(lines(server)) == int(count) + 1
    assert len(heard(server, "/hello")) == int(count)
    assert len(heard(server, "400")) == 1


def test_a_statsd_counts_what_is_heard_once(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(20)
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        server.start(PLAIN, "--statsd-host", address, config=f"{HANDLER}\n    {BOTH}\n")
        server.get("/raise")
        server.wait_for_log("Error handling request GET /raise")
        server.get("/hello")
        found = ""
        while "gunicorn.request.status.200:" not in found:
            found += sock.recv(4096).decode() + "\n"
    assert found.count("gunicorn.log.exception:1|c") == 1
    assert "gunicorn.log.error" not in found


def test_a_record_says_how_long_its_request_took_though_no_line_does(server):
    server.start(
        PLAIN,
        *LOG,
        config="""
            import logging
            logging.getLogger("gunicorn.access").addFilter(lambda record: record.args["D"] > 150000)
        """,
    )
    with server.connect() as client:
        client.get("/hello")
        client.get("/sleep/0.2")
    server.stop()
    assert [line.split()[1] for line in lines(server)] == ["/sleep/0.2"]


def test_a_filter_and_a_formatter_of_the_operators_own_go_together(server):
    server.start(
        PLAIN,
        *LOG,
        config=f"""{FILTER}{HANDLER}
    {ADD_FILTER}
    {BOTH}
    def access_log_formatter(atoms):
        if atoms["U"] == "/id":
            raise ValueError("no line for this")
        return "mine " + atoms["U"]
    """,
    )
    for path in ("/pid", "/hello", "/id"):
        server.get(path)
    assert logged(server, 2) == ["mine /hello", "GET /id 200 1"]
    assert heard(server, "/hello")[0][2] == "GET /hello 200 5"
    server.wait_for_log("ValueError: no line for this")
