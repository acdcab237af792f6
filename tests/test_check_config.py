"""What ``--check-config`` finds beside the values of single settings, without making anything."""

from __future__ import annotations

import json

import pytest

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
