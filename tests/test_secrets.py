"""What may be a secret in a configuration, and everything that shows configurations."""

from __future__ import annotations

import pytest

from tests.conftest import PLAIN
from tests.harness import eventually
from tests.harness.server import run

#: Texts with a secret in them, each of them `hunter2`.
TEXTS = [
    "postgres://site:hunter2@db/site",
    "redis://:hunter2@cache/0",
    "https://hunter2@sentry.example/1",
    "host=db user=site password=hunter2 port=5432",
    "site --db-password hunter2 --name x",
    "make(api_key='hunter2')",
    "env:x,token:hunter2",
    "Authorization: Bearer hunter2",
    '{"client_secret": "hunter2"}',
]

#: A configuration that is full of them, with which the server starts.
CONFIG = f"""
raw_env = ["DATABASE=postgres://site:hunter2@db", "PLAIN=hunter2"]
secure_scheme_headers = {{"X-PROXY-KEY": "hunter2", "X-SSL": "on"}}
dogstatsd_tags = "env:x,token:hunter2"
proc_name = {" ".join(TEXTS[:3])!r}
write_timeout = {TEXTS[0]!r}
plugins = [{{"path": "package:request-id", "options": {{"header": "hunter2"}}}}]
plugin_options = ["request-id.header=hunter2"]
logconfig_dict = {{"version": 1, "site": {{
    "texts": {TEXTS!r}, "credentials": ("u", "hunter2"), "dsn": "hunter2",
    "headers": [("X-Key", "hunter2")], "flags": ["--token", "hunter2"],
    "secrets": {{"a": ["hunter2"]}},
}}}}
"""


@pytest.fixture
def secretive(tmp_path):
    """A folder with that configuration."""
    (tmp_path / "gunicorn.conf.py").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ("--print-config", PLAIN),
        ("--print-config=json", PLAIN),
        ("--check-config", PLAIN),
        ("--check-config", "--plugin-option", "no=hunter2", PLAIN),
        ("--check-config", "--bind", "site:hunter2@localhost", PLAIN),
        ("--check-config", "--statsd-host", "site:hunter2@localhost", PLAIN),
        ("--check-config", "--log-syslog-to", "udp://site:hunter2@localhost", PLAIN),
        ("--check-config", "--env", "KEY hunter2", PLAIN),
        ("migrate",),
        ("hooks", "list"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_no_command_shows_a_secret(secretive, command):
    done = run(secretive, *command)
    assert done.stdout + done.stderr or command[0] == "--check-config"
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


CFG = """
def on_starting(server):
    print("SHOWN", server.cfg, *server.cfg.settings.values(), flush=True)
"""


def test_no_log_and_no_cfg_shows_a_secret(server):
    # With a configuration of Python's, the settings are not logged.
    native = CONFIG.partition("logconfig_dict")[0]
    server.start(PLAIN, "--log-level", "debug", config=native + CFG)
    eventually(lambda: "SHOWN" in server.log, "the cfg is shown")
    assert "Setting: raw_env = ['DATABASE=***', 'PLAIN=***']" in server.log
    assert "hunter2" not in server.log
    assert server.stop() == 0


def test_the_cfg_of_a_server_with_a_configuration_of_its_logs_shows_none(server):
    server.start(PLAIN, config=CONFIG + CFG)
    eventually(lambda: "SHOWN" in server.log, "the cfg is shown")
    assert "hunter2" not in server.log


def test_what_is_no_secret_is_shown_as_it_is(tmp_path):
    given = {
        "accesslog": "/dev/null",
        "access_log_format": '%(h)s "%(r)s" %({authorization}i)s token=%({x-token}i)s',
        "bind": ["127.0.0.1:0", "unix:/run/user@1000/site.sock"],
        "secure_scheme_headers": {"X-FORWARDED-SSL": "on"},
        "statsd_prefix": "site.keys",
    }
    text = "".join(f"{name} = {value!r}\n" for name, value in given.items())
    (tmp_path / "gunicorn.conf.py").write_text(text)
    shown = run(tmp_path, "--print-config", PLAIN).stdout
    for value in given.values():
        assert f"= {value!r}  # ./gunicorn.conf.py" in shown
    assert "***" not in shown
