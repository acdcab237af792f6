"""What ``--check-config`` finds beside the values of single settings, without making anything."""

from __future__ import annotations

import json
import socket

import pytest

from tests.harness.plugins import ROOT, built, compiled
from tests.harness.server import run

PLAIN = "tests.apps.plain:application"

GOOD = {
    "version": 1,
    "formatters": {"brief": {"format": "%(message)s"}},
    "handlers": {
        "file": {
            "class": "logging.handlers.RotatingFileHandler",
            "filename": "made.log",
            "formatter": "brief",
        }
    },
    "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["file"]}},
    "root": {"level": "INFO", "handlers": ["file"]},
}


def changed(**parts):
    """Return the good configuration, with other parts."""
    return {**GOOD, **parts}


def check(folder, config):
    (folder / "given.conf.py").write_text(config)
    done = run(folder, "--check-config", "-c", "given.conf.py", PLAIN)
    return done.returncode, done.stdout + done.stderr


def test_a_configuration_of_loggers_is_tried_and_none_of_its_files_made(tmp_path):
    assert check(tmp_path, f"logconfig_dict = {GOOD!r}") == (0, "")
    assert not (tmp_path / "made.log").exists()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (changed(handlers={"file": {"class": "no.such.Handler"}}), "'file': Cannot resolve 'no."),
        (changed(handlers={"file": {"level": "INFO"}}), "Unable to configure handler 'file'"),
        (changed(formatters={"brief": {"class": "no.such"}}), "formatter 'brief': No module named"),
        (changed(root={"handlers": ["nowhere"]}), "root logger: Unable to add"),
        (changed(version=2), "Unsupported version: 2"),
    ],
)
@pytest.mark.parametrize("setting", ["logconfig_dict", "logconfig_json"])
def test_a_wrong_configuration_of_loggers_is_found(tmp_path, setting, given, what):
    (tmp_path / "logs.json").write_text(json.dumps(given))
    value = given if setting == "logconfig_dict" else "logs.json"
    code, said = check(tmp_path, f"{setting} = {value!r}")
    assert (code, len(said.splitlines())) == (1, 1)
    assert said.startswith(f"Error: setting '{setting}': it is not a logging configuration: ")
    assert what in said
    assert "(from given.conf.py)" in said


LOGGERS = """
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = brief
[logger_root]
level = INFO
handlers = file
[handler_file]
class = {handler}
formatter = brief
args = ("made.log",)
[formatter_brief]
format = {format}
"""


@pytest.mark.parametrize("handler", ["FileHandler", "handlers.WatchedFileHandler"])
def test_a_file_for_loggers_is_tried_and_none_of_its_files_made(tmp_path, handler):
    text = LOGGERS.format(handler=handler, format="%(asctime)s %(message)s")
    (tmp_path / "logs.ini").write_text(text)
    assert check(tmp_path, "logconfig = 'logs.ini'") == (0, "")
    assert not (tmp_path / "made.log").exists()


@pytest.mark.parametrize(
    ("handler", "what"), [("no.such.Handler", "Cannot resolve"), ("Handlers", "Cannot resolve")]
)
def test_a_wrong_file_for_loggers_is_found(tmp_path, handler, what):
    (tmp_path / "logs.ini").write_text(LOGGERS.format(handler=handler, format="%(message)s"))
    code, said = check(tmp_path, "logconfig = 'logs.ini'")
    assert (code, len(said.splitlines())) == (1, 1)
    assert f"setting 'logconfig': 'logs.ini' is not a logging configuration: {what}" in said


@pytest.mark.parametrize(
    ("line", "setting", "what"),
    [
        (
            "pidfile = '/no/such/place/pid'",
            "pidfile",
            "cannot write the pidfile /no/such/place/pid",
        ),
        ("bind = 'unix:/no/such/place/s'", "bind", "cannot listen on /no/such/place/s"),
    ],
)
def test_a_file_that_cannot_be_made_where_it_is_to_be_is_found(tmp_path, line, setting, what):
    code, said = check(tmp_path, line)
    assert (code, len(said.splitlines())) == (1, 1)
    assert f"setting '{setting}': {what}: " in said


@pytest.mark.parametrize("root", ["/run", "/var/run"])
def test_a_services_own_folder_need_not_be_there_before_it_starts(tmp_path, root):
    lines = f"pidfile = '{root}/no-such-site/pid'\nbind = 'unix:{root}/no-such-site/socket'\n"
    assert check(tmp_path, lines) == (0, "")


def test_places_are_looked_at_from_the_directory_that_the_server_changes_to(tmp_path):
    (tmp_path / "inner/run").mkdir(parents=True)
    lines = "chdir = 'inner'\npidfile = 'run/pid'\nbind = 'unix:run/socket'\n"
    assert check(tmp_path, lines) == (0, "")
    assert list((tmp_path / "inner/run").iterdir()) == []


@pytest.mark.parametrize(
    "handler",
    [
        "async def when_ready(server): pass",
        "class Ready:\n    async def __call__(self, server): pass\nwhen_ready = Ready()",
        "import functools\nasync def f(a, server): pass\nwhen_ready = functools.partial(f, 1)",
    ],
)
def test_a_handler_that_is_async_is_pointed_out(tmp_path, handler):
    code, said = check(tmp_path, handler)
    assert (code, len(said.splitlines())) == (0, 1)
    assert said.startswith("Warning: hook 'when_ready': given.conf.py:")
    assert "is async, and nobody awaits it: it does nothing (from given.conf.py)" in said


JSON_LOG = {"path": "package:json-log", "options": {"errors": "/no/such/folder/x"}}
PANICS = {"path": str(ROOT / "target/debug/libfixture_probe.so"), "options": {"panic_at": "start"}}
ODD = "plugins = ['{odd}']\n"
FIXTURE = "'plugin:org.example.fixture'"

#: What a start is refused for that no setting says by itself, and words of the answer.
REFUSALS = {
    "a logger that cannot be opened": (
        f"plugins = [{JSON_LOG!r}]\nlogger_class = 'plugin:tricorn.json-log'",
        "the logger of plugin tricorn.json-log cannot be opened: /no/such/folder/x",
    ),
    "a format that no worker can compile": (
        f"{ODD}access_log_formatter = {FIXTURE}",
        "the plugin org.example.fixture refuses the format: not in a worker",
    ),
    "an instance that panics": (
        f"plugins = [{PANICS!r}]",
        "the worker cannot boot: plugin test.probe: ",
    ),
    "an instance that crashes": (
        "plugins = ['{crash}']",
        "died of SIGSEGV when it was tried out, inside org.example.fixture/worker_create",
    ),
    "a host that there is not": (
        "bind = 'no-such-host.invalid:8000'",
        "the host 'no-such-host.invalid' is not known",
    ),
    "an address given twice": (
        "bind = ['127.0.0.1:18000', 'localhost:18000']",
        "cannot listen on localhost:18000 and on 127.0.0.1:18000 at once",
    ),
    "an address that another one covers": (
        "bind = ['0.0.0.0:18000', '127.0.0.1:18000']",
        "cannot listen on 127.0.0.1:18000 and on 0.0.0.0:18000 at once",
    ),
    "a link that leads nowhere in a log's place": ("errorlog = 'link'", "cannot write the log "),
    "a file in a socket's place": ("bind = 'unix:plain'", "the file is there and is not a socket"),
    "a socket's path that is too long": (f"bind = 'unix:{'x' * 120}'", "cannot listen on unix:"),
    "a standard stream as a socket": ("bind = 'fd://1'", "0, 1 and 2 are standard"),
    "a folder in a log's place": ("errorlog = '{folder}'", "cannot write the log {folder}: "),
    "a folder in the pidfile's place": ("pidfile = '{folder}'", "the pidfile {folder}: "),
    "a syslog that nobody knows": (
        "syslog = True\nsyslog_addr = 'udp://no-such-host.invalid:514'",
        "the host 'no-such-host.invalid' is not known",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_start_is_refused_for_is_found(tmp_path, case):
    line, words = REFUSALS[case]
    places = {"odd": compiled("odd_logs"), "crash": compiled("segfault", "-DIN_CREATE")}
    (tmp_path / "plain").write_text("")
    (tmp_path / "link").symlink_to("/no/such/folder/log")
    for name, place in {**places, "folder": tmp_path / "folder"}.items():
        line, words = (text.replace(f"{{{name}}}", str(place)) for text in (line, words))
    (tmp_path / "folder").mkdir()
    code, said = check(tmp_path, line)
    assert code == 1, said
    assert words in said
    assert said.splitlines()[-1].startswith("Error: ")
    config = line if "bind" in line else f"{line}\nbind = '127.0.0.1:0'"
    (tmp_path / "given.conf.py").write_text(config)
    started = run(tmp_path, "-c", "given.conf.py", PLAIN)
    assert started.returncode != 0, "nor does the server start"


LOGGER = """
import logging
from gunicorn import glogging

class Site(glogging.Logger):
    def setup(self, cfg):
        super().setup(cfg)
        self.error_log.addHandler(logging.FileHandler("made.log"))
        {last}

logger_class = Site
errorlog = "errors.log"
"""


def test_a_logger_of_the_sites_own_is_made_without_its_files(tmp_path):
    assert check(tmp_path, LOGGER.format(last="pass")) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} <= {"given.conf.py", "__pycache__"}


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("import os; os._exit(0) if cfg is None else os._exit(7)", "ended with 7"),
    ],
)
def test_a_logger_of_the_sites_own_that_cannot_be_made_is_found(tmp_path, last, words):
    code, said = check(tmp_path, LOGGER.format(last=last))
    assert code == 1
    assert words in said
    assert "Error: setting 'logger_class': the logger cannot be made" in said


def test_what_takes_too_long_is_found(tmp_path):
    path = str(compiled("odd_logs", "-DHANGS"))
    lines = f"plugins = [{path!r}]\nplugin_timeout = 1\nlogger_class = {FIXTURE}"
    code, said = check(tmp_path, lines)
    assert code == 1
    assert "it did not come to an end within 1 seconds" in said


def test_what_may_be_other_at_the_start_is_let_pass(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert check(tmp_path, f"bind = '127.0.0.1:{port}'") == (0, "")
    assert check(tmp_path, "bind = '192.0.2.1:8000'") == (0, ""), "the machine's own there"


def test_plugins_that_are_in_order_pass(tmp_path):
    entries = [
        str(built("plugin-hello")),
        {"path": str(built("fixture-probe")), "options": {"decider": True}},
        {"path": str(compiled("odd_logs")), "id": "org.example.fixture"},
    ]
    assert check(tmp_path, f"plugins = {entries!r}\nlogger_class = {FIXTURE}") == (0, "")
