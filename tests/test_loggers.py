"""Loggers and formatters of the operator's own, in Python."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading

import pytest

from tests.harness import eventually
from tests.harness.client import Client
from tests.test_logs import PLAIN, lines, logged

LOG = ("--access-logfile", "access.log")


def test_a_formatter_makes_the_lines_of_the_atoms(server):
    server.start(
        PLAIN,
        *LOG,
        config="""
            def access_log_formatter(atoms):
                return f"{atoms['m']} {atoms['U']} {atoms['s']} {atoms['B'] + 1} {atoms['{x-in}i']}"
        """,
    )
    server.get("/hello", "X-In: here")
    assert logged(server) == ["GET /hello 200 6 here"]


def test_a_formatter_by_its_name(server):
    server.write("lines.py", "def line(atoms):\n    return atoms['r'] + chr(10) + 'forged'\n")
    server.start(PLAIN, *LOG, "--access-log-formatter", "lines.line")
    server.get("/hello")
    assert logged(server) == ["GET /hello HTTP/1.1\\x0aforged"]


def test_a_formatter_that_fails_falls_back_and_is_counted(server):
    server.start(
        PLAIN,
        *LOG,
        config="""
            access_log_format = "%(m)s %(U)s"
            def access_log_formatter(atoms):
                if atoms["U"] == "/hello":
                    raise ValueError("no line for this")
                return "mine"
        """,
    )
    for _ in range(8):
        server.get("/hello")
    server.get("/pid")
    assert logged(server, 9) == ["GET /hello"] * 8 + ["mine"]
    assert server.log.count("ValueError: no line for this") == 1
    server.wait_for_log("access_log_formatter has failed 8 times in this worker")


def test_a_formatter_sees_refused_requests_too(server):
    server.start(PLAIN, *LOG, config="def access_log_formatter(a): return f\"{a['r']}|{a['s']}\"")
    with server.connect() as client:
        assert client.send("NONSENSE\r\n\r\n").reply().status == 400
    assert logged(server) == ["NONSENSE  |400"]


CLASS = """
    import datetime, json

    class Logger:
        def __init__(self, cfg):
            self.cfg = cfg
            self.file = open("own.log", "a", buffering=1)
        def setup(self, cfg):
            self.cfg = cfg
            self.write("setup")
        def write(self, kind, msg="", args=()):
            self.file.write(f"{kind}: {msg % args if args else msg}\\n")
        def critical(self, msg, *args, **kwargs): self.write("critical", msg, args)
        def error(self, msg, *args, **kwargs): self.write("error", msg, args)
        def warning(self, msg, *args, **kwargs): self.write("warning", msg, args)
        def info(self, msg, *args, **kwargs): self.write("info", msg, args)
        def debug(self, msg, *args, **kwargs): self.write("debug", msg, args)
        def exception(self, msg, *args, **kwargs): self.write("exception", msg, args)
        def log(self, lvl, msg, *args, **kwargs): self.write(lvl, msg, args)
        def access(self, resp, req, environ, request_time):
            assert isinstance(request_time, datetime.timedelta)
            self.write("access", json.dumps([
                req.method, req.path, getattr(req, "mark", None), resp.status, resp.sent,
                environ.get("mark"), environ["REQUEST_METHOD"], resp.end,
                0 <= request_time.total_seconds() < 60, resp.req is req,
            ]))
        def reopen_files(self): self.write("reopen")
        def close_on_exec(self): self.write("close_on_exec")

    logger_class = Logger
"""


def having(server, text):
    return [line for line in lines(server, "own.log") if text in line]


def own(server, text, count=1):
    """Wait for so many lines that have the text, and return them."""
    return eventually(
        lambda: found if len(found := having(server, text)) >= count else None,
        f"{text!r} in own.log: {lines(server, 'own.log')}",
    )


def test_a_class_of_ones_own_has_all_that_the_server_logs(server):
    server.write("server.conf.py", CLASS)
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN)
    (listening,) = own(server, "info: Listening at: ")
    assert own(server, "info: Booting worker with pid")
    assert own(server, "close_on_exec")
    assert server.log == ""
    server.send_signal(signal.SIGUSR1)
    own(server, "reopen", 2)
    server.send_signal(signal.SIGHUP)
    own(server, "setup")
    assert server.stop() == 0
    assert own(server, "info: Shutting down")
    assert listening


def test_access_gets_the_objects_that_hooks_and_the_application_had(server):
    server.write(
        "server.conf.py",
        CLASS
        + """
    def pre_request(worker, req):
        req.mark = "of the hook"

    def post_worker_init(worker):
        inner = worker.wsgi
        def marked(environ, start_response):
            environ["mark"] = "of the application"
            return inner(environ, start_response)
        worker.wsgi = marked
    """,
    )
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN)
    (line,) = own(server, "Listening at: ")
    port = int(line.rpartition(":")[2].split()[0].strip("()"))
    with Client(("127.0.0.1", port)) as client:
        client.get("/hello")
        client.send("NONSENSE\r\n\r\n").reply()
    reached, refused = (
        json.loads(found.partition(": ")[2]) for found in own(server, "access: ", 2)
    )
    assert reached == [
        *("GET", "/hello", "of the hook", "200 OK", 5),
        *("of the application", "GET", "complete", True, True),
    ]
    assert refused[3] == "400 Bad Request"
    assert refused[6] == "NONSENSE"


def test_a_logger_that_fails_loses_neither_the_line_nor_the_server(server):
    server.start(
        PLAIN,
        config="""
            import tricorn.glogging

            class Logger(tricorn.glogging.Logger):
                def access(self, resp, req, environ, request_time):
                    raise ValueError("no access")
                def warning(self, msg, *args, **kwargs):
                    raise ValueError("no warnings")

            logger_class = Logger
        """,
    )
    with server.connect() as client:
        assert client.send("NONSENSE\r\n\r\n").reply().status == 400
    server.wait_for_log("ValueError: no access")
    server.wait_for_log("ValueError: no warnings")
    server.wait_for_log("it was to log: Invalid request from 127.0.0.1")
    assert server.get("/hello").status == 200


#: A program that imports what loggers written for gunicorn import, where it is not installed.
SUBCLASS = """
    from gunicorn import glogging
    from gunicorn.glogging import Logger
    from gunicorn.instrument.statsd import Statsd

    class Quiet(Logger):
        error_fmt = "E|%(levelname)s|%(message)s"
        datefmt = ""

        def setup(self, cfg):
            super().setup(cfg)
            form = glogging.logging.Formatter("A|%(message)s")
            self._set_handler(self.access_log, "own.log", form)

        def atoms(self, resp, req, environ, request_time):
            atoms = super().atoms(resp, req, environ, request_time)
            atoms["shout"] = environ["PATH_INFO"].upper()
            return atoms

        def access(self, resp, req, environ, request_time):
            if environ["PATH_INFO"] != "/pid":
                super().access(resp, req, environ, request_time)

        def now(self):
            return "NOW"

    accesslog = "-"
    access_log_format = "%(t)s %(shout)s %(s)s"
    logger_class = Quiet
"""


def test_a_subclass_of_gunicorns_logger_runs_without_gunicorn(server):
    missing = "import importlib.util as u; raise SystemExit(u.find_spec('gunicorn') is not None)"
    assert subprocess.run([sys.executable, "-c", missing]).returncode == 0
    server.write("server.conf.py", SUBCLASS)
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN)
    server.wait_for_log("E|INFO|Listening at: ")
    server.get("/pid")
    server.get("/hello")
    assert logged(server, name="own.log") == ["A|NOW /HELLO 200"]
    assert server.stop() == 0
    assert "E|INFO|Shutting down" in server.log


def test_what_python_code_logs_arrives_where_the_server_logs(server):
    server.write(
        "server.conf.py",
        """
            import logging

            def when_ready(server):
                server.log.info("from %s", "server.log")
                logging.getLogger("gunicorn.error").warning("from the logger gunicorn.error")
                logging.getLogger("gunicorn.access").info("from the logger gunicorn.access")

            def post_worker_init(worker):
                worker.log.log("error", "from worker.log")
                try:
                    1 / 0
                except ZeroDivisionError:
                    worker.log.exception("with a traceback")
        """,
    )
    server.spawn(
        *("-b", "127.0.0.1:0", "-c", "server.conf.py", "--error-logfile", "error.log"), *LOG, PLAIN
    )
    found = eventually(
        lambda: (
            lines(server, "error.log")
            if any("ZeroDivisionError" in line for line in lines(server, "error.log"))
            else None
        )
    )
    text = "\n".join(found)
    assert "[INFO] from server.log" in text
    assert "[WARNING] from the logger gunicorn.error" in text
    assert "[ERROR] from worker.log" in text
    assert "[ERROR] with a traceback\nTraceback" in text
    assert lines(server) == ["from the logger gunicorn.access"]


DICT = {
    "handlers": {
        "own": {"class": "logging.FileHandler", "filename": "own.log", "formatter": "bare"},
    },
    "formatters": {"bare": {"format": "%(name)s|%(levelname)s|%(message)s"}},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["own"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["own"], "propagate": False},
    },
    "root": {"level": "WARNING", "handlers": []},
}

INI = """\
[loggers]
keys=root, error, access
[handlers]
keys=own
[formatters]
keys=bare
[logger_root]
level=WARNING
handlers=
[logger_error]
level=INFO
handlers=own
propagate=0
qualname=gunicorn.error
[logger_access]
level=INFO
handlers=own
propagate=0
qualname=gunicorn.access
[handler_own]
class=FileHandler
formatter=bare
args=(r'%(here)s/own.log', 'a')
[formatter_bare]
format=%(name)s|%(levelname)s|%(message)s
"""


@pytest.mark.parametrize("kind", ["dict", "json", "ini"])
def test_the_standard_librarys_configuration_rules_both_logs(server, kind):
    if kind == "ini":
        (server.folder / "log.ini").write_text(INI)
        setting = f"logconfig = {str(server.folder / 'log.ini')!r}"
    elif kind == "json":
        (server.folder / "log.json").write_text(json.dumps(DICT))
        setting = "logconfig_json = 'log.json'"
    else:
        setting = f"logconfig_dict = {DICT!r}"
    server.write("server.conf.py", f"{setting}\naccess_log_format = '%(m)s %(U)s'\n")
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN)
    (line,) = own(server, "gunicorn.error|INFO|Listening at: ")
    port = int(line.rpartition(":")[2].split()[0])
    with Client(("127.0.0.1", port)) as client:
        client.get("/hello")
    assert own(server, "gunicorn.access|INFO|GET /hello")


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("logconfig = 'none.ini'", "setting 'logconfig': 'none.ini' does not exist (from c.py)"),
        (
            "logconfig_json = 'none.json'",
            "setting 'logconfig_json': 'none.json' does not exist (from c.py)",
        ),
        (
            "logconfig_dict = {'version': 7}",
            "setting 'logconfig_dict': it is not a logging configuration",
        ),
        ("errorlog = '/no/such/dir/e.log'\nlogconfig_dict = {'version': 1}", "cannot write"),
    ],
)
def test_a_configuration_that_is_none_is_one_line(server, setting, complaint):
    server.write("c.py", setting + "\n")
    server.spawn("-c", "c.py", "-b", "127.0.0.1:0", PLAIN)
    assert server.wait() == 1
    assert complaint in server.log
    assert server.log.count("\n") == 1, server.log


def test_extra_sends_a_metric_and_nothing_is_logged_for_it(server):
    server.start(
        PLAIN,
        config="""
            def when_ready(server):
                server.log.info("", extra={"metric": "m", "value": 1, "mtype": "gauge"})
                server.log.info("told")
        """,
    )
    server.wait_for_log("[INFO] told")
    assert "[INFO] \n" not in server.log


def test_a_logger_that_a_package_offers_is_found_by_its_name(server):
    folder = server.folder / "shop_logs-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-logs\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[gunicorn.loggers]\nmain = shop_logs:Shop\n")
    server.write(
        "shop_logs.py",
        """
        from gunicorn.glogging import Logger
        class Shop(Logger):
            error_fmt = "SHOP|%(message)s"
            @classmethod
            def install(cls):
                print("installed", flush=True)
        """,
    )
    for count, name in enumerate(("egg:shop-logs#main", "main"), 1):
        server.spawn("-b", "127.0.0.1:0", "--logger-class", name, PLAIN, PYTHONPATH=".")
        server.wait_for_log("SHOP|Listening at: ", count)
        assert "installed" in server.log
        assert server.stop() == 0


@pytest.mark.parametrize("threads", ["1", "4"])
def test_every_request_is_told_once_whatever_the_class_of_worker(server, threads):
    server.write("server.conf.py", CLASS)
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", "--threads", threads, PLAIN)
    (line,) = own(server, "Listening at: ")
    port = int(line.rpartition(":")[2].split()[0])

    def ask():
        with Client(("127.0.0.1", port)) as client:
            for _ in range(20):
                client.get("/hello")

    askers = [threading.Thread(target=ask) for _ in range(5)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    server.stop()
    assert len(having(server, "access: ")) == 100


def test_a_logger_that_cannot_follow_a_reload_keeps_its_old_configuration(server):
    server.write(
        "server.conf.py",
        """
        from tricorn.glogging import Logger
        class Picky(Logger):
            def setup(self, cfg):
                if cfg.workers == 2:
                    raise ValueError("not two")
                super().setup(cfg)
        logger_class = Picky
        """,
    )
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN)
    server.wait_for_log("Listening at: ")
    config = (server.folder / "server.conf.py").read_text()
    server.write("server.conf.py", config + "\nworkers = 2\n")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("the logger cannot follow the new configuration, and keeps the old one")
    server.wait_for_log("ValueError: not two")
    eventually(lambda: len(server.workers()) == 2)
    assert server.get("/hello").status == 200


def test_what_is_said_does_not_wait_for_the_end_of_a_long_boot_or_request(server):
    server.write(
        "app.py",
        """
        import os, time
        while not os.path.exists("go"):
            time.sleep(0.02)
        def application(environ, start_response):
            environ["wsgi.errors"].write("half-way\\n")
            while not os.path.exists("on"):
                time.sleep(0.02)
            start_response("200 OK", [])
            return []
        """,
    )
    server.write("server.conf.py", CLASS)
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", "app:application")
    (line,) = own(server, "Listening at: ")
    own(server, "Booting worker")
    server.write("go", "")
    port = int(line.rpartition(":")[2].split()[0])
    with Client(("127.0.0.1", port)) as client:
        client.request("/")
        own(server, "error: half-way")
        server.write("on", "")
        assert client.reply().status == 200


def test_a_logger_that_logs_to_the_server_does_not_hear_itself(server):
    server.start(
        PLAIN,
        config="""
            from tricorn import _native, glogging

            class Echo(glogging.Logger):
                def info(self, msg, *args, **kwargs):
                    super().info(msg, *args, **kwargs)
                    _native.log(20, "echo of " + str(msg)[:9])

            logger_class = Echo
        """,
    )
    server.wait_for_log("echo of Listening")
    assert server.log.count("echo of Listening") == 1
    assert server.get("/hello").status == 200


def test_a_reload_does_not_double_the_handlers_of_a_logger(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        server.start(
            PLAIN,
            config=f"""
                from tricorn.glogging import Logger
                class Own(Logger):
                    pass
                logger_class = Own
                accesslog = "own.log"
                access_log_format = "%(U)s"
                syslog = True
                syslog_addr = "udp://127.0.0.1:{sock.getsockname()[1]}"
            """,
        )
        for count in (2, 3):
            server.send_signal(signal.SIGHUP)
            server.wait_for_log("Booting worker with pid", count)
        eventually(lambda: len(server.workers()) == 1)
        server.get("/hello")
        logged(server, name="own.log")
        server.stop()
    assert lines(server, "own.log") == ["/hello"]
    assert server.log.count("Shutting down") == 1


def test_the_json_preset_under_a_logger_in_python_is_the_same(server):
    server.start(
        PLAIN,
        config="""
            from tricorn.glogging import Logger
            class Own(Logger):
                pass
            logger_class = Own
            accesslog = "own.log"
            access_log_format = "json"
        """,
    )
    server.get("/env/caf%C3%A9?a", "User-Agent: x")
    told = json.loads(logged(server, name="own.log")[0])
    assert (told["path"], told["query"], told["status"]) == ("/env/caf\u00e9", "a", 200)
    assert (told["user_agent"], told["user"], told["end"]) == ("x", None, "complete")
    assert len(told) == 15


def test_a_subclass_of_the_statsd_logger_is_told_of_the_workers(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(20)
        server.start(
            PLAIN,
            config=f"""
                from gunicorn.instrument.statsd import Statsd
                class Own(Statsd):
                    pass
                logger_class = Own
                statsd_host = "127.0.0.1:{sock.getsockname()[1]}"
                statsd_prefix = "p"
            """,
        )
        server.get("/hello")
        found = set()
        while not {"p.gunicorn.workers:1|g", "p.gunicorn.requests:1|c|@1.0"} <= found:
            found.add(sock.recv(4096).decode())


@pytest.mark.parametrize("path", ["/raises", "/close"])
def test_a_logger_in_python_has_the_exception_of_a_request_beside_the_message(
    server, arguments, path
):
    server.write(
        "app.py",
        """
        class Body(list):
            def close(self):
                raise ValueError("on purpose")

        def application(environ, start_response):
            if environ["PATH_INFO"] == "/raises":
                raise ValueError("on purpose")
            start_response("200 OK", [])
            return Body([b"done"])
        """,
    )
    config = """
        import json, logging
        from gunicorn.glogging import Logger

        class AsJson(logging.Formatter):
            def format(self, record):
                raised = record.exc_info and [record.exc_info[0].__name__, str(record.exc_info[1])]
                frames = record.exc_info and record.exc_info[2].tb_frame.f_code.co_name
                return json.dumps([record.getMessage(), raised, bool(frames)])

        class Own(Logger):
            def setup(self, cfg):
                super().setup(cfg)
                for handler in self.error_log.handlers:
                    handler.setFormatter(AsJson())

        logger_class = Own
    """
    server.start("app:application", *arguments, config=config, PYTHONUNBUFFERED="1")
    server.get(path)
    server.wait_for_log("on purpose")
    (line,) = [line for line in server.log.splitlines() if "on purpose" in line]
    message, raised, has_frames = json.loads(line)
    assert message in {"Error handling request GET /raises", "The application's close() failed"}
    assert (raised, has_frames) == (["ValueError", "on purpose"], True)
