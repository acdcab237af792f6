"""Loggers and formats that are compiled plugins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.harness import eventually
from tests.harness.client import Client
from tests.harness.plugins import built, compiled
from tests.harness.server import run
from tests.test_logs import PLAIN, lines, logged

ID = "tricorn.json-log"
LOG = ("--access-logfile", "access.log")
FORMATTER = f"access_log_formatter = 'plugin:{ID}'\n"


def plugins(**options):
    path = str(built("tricorn-plugin-json-log"))
    return f"plugins = [{{'path': {path!r}, 'options': {options!r}}}]\n"


def test_a_format_makes_the_lines_that_the_server_writes(server):
    server.start(PLAIN, *LOG, config=plugins(fields={"service": "shop"}) + FORMATTER)
    server.get("/hello?a=b", 'User-Agent: "quoted"\\')
    (line,) = logged(server)
    told = json.loads(line)
    assert told["path"] == "/hello"
    assert told["query"] == "a=b"
    assert told["status"] == 200
    assert told["bytes"] == 5
    assert told["user_agent"] == '"quoted"\\'
    assert told["service"] == "shop"
    assert told["end"] == "complete"


def test_a_formats_own_language_stands_in_access_log_format(server):
    config = plugins(headers=["X-Id"]) + FORMATTER + "access_log_format = 'method,path'\n"
    server.start(PLAIN, *LOG, config=config)
    server.get("/hello", "x-id: 7")
    assert logged(server) == ['{"method":"GET","path":"/hello","x-id":"7"}']


def test_a_format_sees_refused_requests_too(server):
    server.start(PLAIN, *LOG, config=plugins() + FORMATTER)
    with server.connect() as client:
        assert client.send("NONSENSE\r\n\r\n").reply().status == 400
    told = json.loads(logged(server)[0])
    assert (told["request"], told["method"], told["status"]) == ("NONSENSE", None, 400)


def test_a_format_has_no_address_for_the_client_of_a_unix_socket(server):
    path = str(server.folder / "site.sock")
    config = plugins() + FORMATTER + "access_log_format = 'client,path'\n"
    server.start(PLAIN, *LOG, config=config, bind=f"unix:{path}")
    with Client(path) as client:
        client.get("/hello")
    assert logged(server) == ['{"client":null,"path":"/hello"}']


def start_with_logger(server, *arguments, **options):
    """Start a server whose logs a plugin has; the address it listens at."""
    config = plugins(errors="errors.json", access="requests.json", **options)
    server.write("server.conf.py", config + f"logger_class = 'plugin:{ID}'\n")
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", *arguments, PLAIN)
    (first,) = messages(server, "Listening at: ")
    return ("127.0.0.1", int(first["message"].rpartition(":")[2].split()[0]))


def messages(server, text, count=1):
    def found():
        told = [json.loads(line) for line in lines(server, "errors.json")]
        having = [record for record in told if text in record["message"]]
        return having if len(having) >= count else None

    return eventually(found, f"{text!r} in {lines(server, 'errors.json')}")


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_logger_has_what_the_server_and_python_code_log(server, threads):
    server.write(
        "app.py",
        """
        import logging
        def application(environ, start_response):
            logging.getLogger("gunicorn.error").warning("from the application")
            environ["wsgi.errors"].write("a complaint\\n")
            start_response("200 OK", [])
            return [b"1234"]
        """,
    )
    address = start_with_logger(server, "--threads", threads, fields={"service": "shop"})
    with Client(address) as client:
        client.get("/pid?q")
        client.send("NONSENSE\r\n\r\n").reply()
    requests = [json.loads(line) for line in logged(server, 2, "requests.json")]
    assert [(r["request"], r["status"]) for r in requests] == [
        ("GET /pid?q HTTP/1.1", 200),
        ("NONSENSE", 400),
    ]
    (booting,) = messages(server, "Booting worker")
    assert (booting["level"], booting["service"]) == ("INFO", "shop")
    assert booting["pid"] in server.workers()
    (refused,) = messages(server, "Invalid request from 127.0.0.1")
    assert refused["level"] == "WARNING"
    assert server.log == ""


def test_a_logger_of_a_plugin_hears_python_code(server):
    server.write("hooks.py", "def init(worker):\n    worker.log.error('from %s', 'a hook')\n")
    start_with_logger(server, "--hook", "post_worker_init=hooks.init")
    (heard,) = messages(server, "from a hook")
    assert heard["level"] == "ERROR"


def test_what_goes_to_the_stdlibs_loggers_reaches_a_plugins_logger(server):
    server.write(
        "hooks.py",
        """
        import logging
        def init(worker):
            logging.getLogger("gunicorn.error").warning("to the errors")
            logging.getLogger("gunicorn.access").info("to the requests")
        """,
    )
    start_with_logger(server, "--hook", "post_worker_init=hooks.init")
    assert messages(server, "to the errors")[0]["level"] == "WARNING"
    assert messages(server, "to the requests")[0]["target"] == "gunicorn.access"


def test_lines_of_several_workers_are_whole_and_survive_rotation(server):
    address = start_with_logger(server, "-w", "3")
    asked = 0
    for number in range(4):
        for _ in range(30):
            with Client(address) as client:
                client.get("/hello")
                asked += 1
        os.rename(server.folder / "requests.json", server.folder / f"requests.json.{number}")
        server.send_signal(signal.SIGUSR1)
        eventually(lambda: (server.folder / "requests.json").exists())
    server.stop()
    names = [f"requests.json.{number}" for number in range(4)] + ["requests.json"]
    found = [json.loads(line) for name in names for line in lines(server, name)]
    assert len(found) == asked


def test_hup_opens_the_logger_anew_with_its_new_options(server):
    address = start_with_logger(server, fields={"release": 1})
    config = (server.folder / "server.conf.py").read_text()
    server.write("server.conf.py", config.replace("'release': 1", "'release': 2"))
    server.send_signal(signal.SIGHUP)
    messages(server, "Booting worker", 2)

    def served():
        with Client(address) as client:
            client.get("/hello")
        return any(json.loads(line)["release"] == 2 for line in lines(server, "requests.json"))

    eventually(served)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (FORMATTER, f"no plugin with the id '{ID}' is loaded, but none at all"),
        (plugins() + FORMATTER + "access_log_format = 'path,colour'\n", "no field 'colour'"),
        ("logger_class = 'plugin:'\n", "'plugin:' names no plugin"),
        (
            f"plugins = [{str(built('tricorn-plugin-request-id'))!r}]\n"
            "logger_class = 'plugin:tricorn.request-id'\n",
            "the plugin tricorn.request-id offers no logger",
        ),
        (
            f"plugins = [{str(built('tricorn-plugin-request-id'))!r}]\n"
            "access_log_formatter = 'plugin:tricorn.request-id'\n",
            "the plugin tricorn.request-id offers no format",
        ),
        (
            plugins(errors="/no/such/folder/x") + f"logger_class = 'plugin:{ID}'\n",
            "cannot be opened: /no/such/folder/x",
        ),
    ],
)
def test_what_no_plugin_offers_is_refused_in_one_line(tmp_path, config, complaint):
    (tmp_path / "c.py").write_text(config)
    done = run(tmp_path, "-c", "c.py", "-b", "127.0.0.1:0", PLAIN)
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_format_in_c_that_fails_falls_back_and_one_that_breaks_its_line_cannot(server):
    server.start(
        *(PLAIN, *LOG, "--plugin", str(compiled("logs"))),
        *("--access-log-formatter", "plugin:org.example.fixture"),
        *("--access-logformat", "built-in %(U)s"),
    )
    server.get("/hello", "X-In: here")
    server.get("/pid")
    server.get("/id")
    assert logged(server, 3) == [
        "/hello here text/plain none",
        "built-in /pid",
        "one\\x0aforged \\x1b[31m",
    ]
    server.wait_for_log("access_log_formatter has failed 1 times in this worker")


def test_the_validator_tries_what_a_plugin_offers_for_the_logs(tmp_path):
    done = run(tmp_path, "plugin", "check", str(compiled("logs")))
    assert done.returncode == 0, done.stdout
    assert "what it offers for the logs is whole" in done.stdout


def test_a_format_that_crashes_is_named(server):
    server.start(
        *(PLAIN, *LOG, "--plugin", str(compiled("logs"))),
        *("--access-log-formatter", "plugin:org.example.fixture"),
    )
    server.get("/env")
    server.wait_for_log("inside org.example.fixture/access_format")
    eventually(lambda: server.get("/hello").status == 200)


def test_a_logger_on_a_pipe_tears_no_line_and_waits_for_nobody(server):
    read, write = os.pipe()
    config = plugins(errors="errors.json") + f"logger_class = 'plugin:{ID}'\n"
    server.write("server.conf.py", config)
    process = subprocess.Popen(
        [sys.executable, "-m", "tricorn", "-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN],
        stdout=write,
        cwd=server.folder,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    os.close(write)
    try:
        (first,) = messages(server, "Listening at: ")
        port = int(first["message"].rpartition(":")[2].split()[0])
        for _ in range(100):
            with Client(("127.0.0.1", port)) as client:
                assert client.get("/hello", "User-Agent: " + "x" * 3000).status == 200
    finally:
        process.terminate()
        process.wait(20)
    text = b""
    while piece := os.read(read, 65536):
        text += piece
    os.close(read)
    assert 0 < len(text.splitlines()) < 100, "what nobody read is lost"
    for line in text.splitlines():
        json.loads(line)


def test_reloads_leave_no_descriptors_of_former_loggers_behind(server):
    start_with_logger(server)
    (pid,) = {server.pid}

    def descriptors():
        return len(os.listdir(f"/proc/{pid}/fd"))

    messages(server, "Booting worker")
    before = descriptors()
    for count in range(2, 5):
        server.send_signal(signal.SIGHUP)
        messages(server, "Booting worker", count)
    eventually(lambda: len(server.workers()) == 1)
    eventually(lambda: descriptors() <= before)
