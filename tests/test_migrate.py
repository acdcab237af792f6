"""`tricorn migrate`: what it says of a site, and that it starts nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from tests.harness.server import COMMAND, ROOT, environment, run


def migrate(folder, *arguments, config=None, **variables):
    """Run the verb, on a config file of this text if there is one; return what it says."""
    if config is not None:
        (folder / "gunicorn.conf.py").write_text(config)
    return run(folder, "migrate", *arguments, **variables)


def report(folder, *arguments, config=None, **variables):
    """Return the whole report as JSON has it."""
    done = migrate(folder, "--json", *arguments, config=config, **variables)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def verdicts(folder, *arguments, config=None, table="settings", **variables):
    """Return the verdict of each row of a table, by its name."""
    rows = report(folder, *arguments, config=config, **variables)[table]
    names = [row["name"] for row in rows]
    assert len(names) == len(set(names)), names
    return {row["name"]: row["verdict"] for row in rows}


def refused(folder, *arguments, config=None, **variables):
    """Return the one line with which a site is refused that cannot be read."""
    done = migrate(folder, *arguments, config=config, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def provide_package(folder, name, version):
    """Have a package installed, as far as anybody can tell who asks for its version."""
    package = folder / f"{name}-{version}.dist-info"
    package.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (package / "METADATA").write_text(metadata)


# What a site sets.


def test_every_setting_and_every_hook_of_a_site_has_its_line(tmp_path):
    done = migrate(
        tmp_path,
        config="""\
import multiprocessing
workers = 4
max_requests = 1000
sendfile = True
some_variable = 5
def helper(): pass
def when_ready(server): pass
def child_exit(server, worker): pass
""",
    )
    assert done.returncode == 0
    lines = [line.split(maxsplit=3) for line in done.stdout.splitlines() if line[:2] == "  "]
    assert [(line[0], line[1]) for line in lines] == [
        ("same", "workers"),
        ("better", "max_requests"),
        ("different", "sendfile"),
        ("same", "when_ready"),
        ("better", "child_exit"),
    ]
    assert "2 same, 2 better, 1 different" in done.stdout
    assert done.stdout.splitlines()[-1] == "Start it with: tricorn MODULE:NAME"


@pytest.mark.parametrize(
    ("config", "name", "verdict", "words"),
    [
        ("timeout = 30", "timeout", "better", "stacks"),
        ("timeout = '30'\nthreads = '4'", "timeout", "better", "left to run"),
        ("timeout = 30\nworker_class = 'gthread'", "timeout", "better", "left to run"),
        ("timeout = 0\nthreads = 4", "timeout", "same", "no limit"),
        ("keepalive = 5", "keepalive", "better", "sync"),
        ("keepalive = 5\nthreads = 2", "keepalive", "same", "as in gunicorn"),
        ("limit_request_line = 0", "limit_request_line", "different", "1 MiB"),
        ("limit_request_line = 4094", "limit_request_line", "same", "as in gunicorn"),
        ("limit_request_line = 9000", "limit_request_line", "different", "8190"),
        ("worker_connections = 50", "worker_connections", "different", "sync"),
        ("bind = ['fd://3', ':8000']", "bind", "different", "descriptors"),
        ("bind = 'unix:/run/s.sock'", "bind", "different", "takes it over"),
        ("bind = 'unix:@site'", "bind", "different", "is an abstract socket"),
        ("bind = ':8000'", "bind", "same", "as in gunicorn"),
        ("bind = (at for at in (':8000', ':8001'))", "bind", "same", "as in gunicorn"),
        ("bind = {':8000'}", "bind", "same", "as in gunicorn"),
        ("keyfile = 'k.pem'", "keyfile", "not yet", "TLS"),
        ("dirty_workers = 2", "dirty_workers", "not yet", "dirty"),
        ("dirty_workers = 0", "dirty_workers", "same", "default"),
        ("control_socket_disable = True", "control_socket_disable", "same", "no control socket"),
        ("control_socket = 'x'", "control_socket", "not yet", "control socket"),
        ("loglevel = 'loud'", "loglevel", "refused", "'loud' is not a level"),
        ("workers = 'many'", "workers", "refused", "whole number"),
        ("logger_class = 'simple'", "logger_class", "better", "native"),
        ("logger_class = 'no.such.Class'", "logger_class", "refused", "no.such"),
        ("class logger_class: pass", "logger_class", "same", "as it stands"),
        ("logconfig_json = 'no.json'", "logconfig_json", "refused", "gunicorn goes on"),
        ("max_surge = 2", "max_surge", "better", "tricorn's own"),
        ("write_timeout = '10s'", "write_timeout", "same", "left alone"),
        ("preload = True", "preload", "unknown", "preload_app"),
        ("log_level = 'debug'", "log_level", "unknown", "loglevel"),
        ("wrokers = 2", "wrokers", "unknown", "workers"),
        ("def after_fork(server, worker): pass", "after_fork", "unknown", "post_fork"),
        ("def when_readyy(server): pass", "when_readyy", "unknown", "when_ready"),
        ("worker_class = 'no.such.Class'", "worker_class", "refused", "no.such"),
        ("worker_class = 'uvicorn.workers.UvicornWorker'", "worker_class", "same", "own loop"),
        ("worker_class = 'eventlet'", "worker_class", "not yet", "gthread"),
    ],
)
def test_what_becomes_of_a_setting(tmp_path, config, name, verdict, words):
    rows = report(tmp_path, config=config + "\n")["settings"]
    (row,) = (row for row in rows if row["name"] == name)
    assert row["verdict"] == verdict
    assert words in row["sentence"]


@pytest.mark.parametrize(
    ("config", "name", "verdict", "words"),
    [
        ("def on_starting(server): pass", "on_starting", "same", "nothing bound"),
        ("def pre_fork(server, worker): pass", "pre_fork", "better", "tried again"),
        ("def pre_fork(server): pass", "pre_fork", "refused", "(server, worker)"),
        ("def post_request(worker, req): pass", "post_request", "same", "as in gunicorn"),
        ("async def post_fork(server, worker): pass", "post_fork", "same", "nobody awaits it"),
        ("post_fork = 'os.path.join.nothing'", "post_fork", "refused", "nothing"),
        ("post_fork = [lambda s, w: 0, lambda s, w: 1]", "post_fork", "better", "gunicorn refuses"),
        ("def ssl_context(config, factory): pass", "ssl_context", "not yet", "TLS"),
        ("def worker_init(worker): pass", "worker_init", "different", "no such hook"),
        ("def worker_ready(server, worker): pass", "worker_ready", "better", "tricorn's own"),
        ("def worker_ready(x): pass", "worker_ready", "same", "left alone"),
    ],
)
def test_what_becomes_of_a_hook(tmp_path, config, name, verdict, words):
    (row,) = report(tmp_path, config=config + "\n")["hooks"]
    assert (row["name"], row["verdict"]) == (name, verdict)
    assert words in row["sentence"]


def test_settings_that_do_not_go_together_are_found(tmp_path):
    (tmp_path / "logs.yaml").write_text("root: {level: info}\n")
    config = "syslog = True\nlogconfig = 'logs.yaml'\n"
    assert verdicts(tmp_path, config=config) == {
        "syslog": "same",
        "logconfig": "same",
        "all together": "refused",
    }


def test_every_setting_there_is_has_a_verdict(tmp_path):
    printed = run(tmp_path, "--print-config", "tests.apps.plain:application").stdout
    shown = re.findall(r"^(\w+) += (.*)  # ", printed, re.MULTILINE)
    config = "".join(f"{name} = {value}\n" for name, value in shown if name != "config")
    found = verdicts(tmp_path, config=config)
    assert [*found] == [name for name, _ in shown if name != "config"]
    assert "refused" not in found.values()


@pytest.mark.parametrize(
    "config",
    ["workers = 2", "workers = -1", "bind = 5", "post_fork = 5", "loglevel = 'loud'"]
    + [f"worker_class = {name!r}" for name in ("sync", "gthread", "gevent", "nonesuch", "tornado")],
)
def test_what_it_lets_pass_the_server_takes(tmp_path, config):
    done = migrate(tmp_path, config=config + "\n")
    checked = run(tmp_path, "--check-config", "tests.apps.plain:application")
    assert (done.returncode == 0) == (checked.returncode == 0), done.stdout + checked.stderr


def test_variables_are_named_and_their_values_kept_secret(tmp_path):
    done = migrate(tmp_path, config="raw_env = ['PASSWORD=hunter2']\n")
    assert "PASSWORD=***" in done.stdout
    assert "hunter2" not in done.stdout


# Where a site's settings stand.


@pytest.mark.parametrize("place", ["site.py", "file:site.py", "python:site_settings"])
def test_a_config_file_is_named_as_for_the_server(tmp_path, place):
    for name in ("site.py", "site_settings.py"):
        (tmp_path / name).write_text("workers = 3\n")
    found = report(tmp_path, place)
    assert [row["name"] for row in found["settings"] if row["name"] != "config"] == ["workers"]
    assert found["start"] == f"tricorn -c {place} MODULE:NAME"


def test_the_command_line_wins_over_the_variable_and_that_over_the_file(tmp_path):
    found = report(
        tmp_path,
        *["--", "-w", "3", "app:app"],
        config="workers = 1\ntimeout = 1\nbacklog = 1\n",
        GUNICORN_CMD_ARGS="--workers 2 --timeout 2",
    )
    rows = {row["name"]: (row["value"], row["source"]) for row in found["settings"]}
    assert rows == {
        "workers": ("'3'", "command line"),
        "timeout": ("'2'", "GUNICORN_CMD_ARGS"),
        "backlog": ("1", None),
    }
    assert found["application"] == "app:app"


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["-w", "4", "app:app"], "tricorn -w 4 app:app"),
        (["gunicorn", "-w", "4", "app:app"], "tricorn -w 4 app:app"),
        (["gunicorn -w 4 app:app"], "tricorn -w 4 app:app"),
        (["web: gunicorn -w 4 app:app"], "web: tricorn -w 4 app:app"),
        (["ExecStart=/srv/bin/gunicorn -w 4 app:app"], "ExecStart=/srv/bin/tricorn -w 4 app:app"),
        (["exec python -m gunicorn -w 4 app:app"], "exec python -m tricorn -w 4 app:app"),
        (["A=b gunicorn -w 4 app:app -n 'a b' &"], "A=b tricorn -w 4 app:app -n 'a b' &"),
        (["gunicorn -w 4 app:app > log && other -w 5"], "tricorn -w 4 app:app > log && other -w 5"),
    ],
)
def test_a_command_that_starts_gunicorn_is_understood(tmp_path, words, start):
    found = report(tmp_path, "--", *words)
    assert ("workers", "'4'") in [(row["name"], row["value"]) for row in found["settings"]]
    assert (found["application"], found["start"]) == ("app:app", start)


def test_what_the_shell_fills_in_is_left_to_it(tmp_path):
    done = migrate(tmp_path, "--", "web: gunicorn -b 0.0.0.0:$PORT app:app")
    assert done.returncode == 0
    assert "filled in by the shell" in done.stdout
    assert done.stdout.endswith("web: tricorn -b 0.0.0.0:$PORT app:app\n")


def test_the_command_names_the_file_where_tricorn_would_take_another(tmp_path):
    (tmp_path / "tricorn.conf.py").write_text("workers = 9\n")
    found = report(tmp_path, config="wsgi_app = 'app:app'\n")
    assert found["start"] == "tricorn -c ./gunicorn.conf.py"


def test_the_command_it_names_serves_the_site(server):
    server.write("gunicorn.conf.py", "wsgi_app = 'tests.apps.plain:application'\n")
    words = ["--", "gunicorn", "-b", "127.0.0.1:0"]
    start = report(server.folder, *words)["start"].split()
    assert start[0] == "tricorn"
    server.spawn(*start[1:])
    server.wait_for_log("Listening at: ")
    assert server.get("/hello").body == b"hello"


# Imports and packages.


def test_what_is_imported_of_gunicorn_is_looked_for(tmp_path):
    found = verdicts(
        tmp_path,
        table="imports",
        config="""\
from gunicorn.glogging import Logger
import gunicorn.instrument.statsd
import json
try:
    from gunicorn.no_such_module import Nothing
except ImportError:
    pass
""",
    )
    assert found == {
        "from gunicorn.glogging import Logger": "same",
        "import gunicorn.instrument.statsd": "same",
        "from gunicorn.no_such_module import Nothing": "not yet",
    }


def test_a_gunicorn_that_is_installed_is_not_needed_and_not_in_the_way(tmp_path):
    provide_package(tmp_path, "gunicorn", "99.1")
    (tmp_path / "gunicorn.py").write_text("raise AssertionError('it was asked')\n")
    found = report(tmp_path, config="from gunicorn.glogging import Logger\n")
    (package,) = found["packages"]
    assert package["sentence"] == "not needed by the config file, and not in the way"
    assert found["imports"][0]["sentence"] == "answered by tricorn"


def test_a_gunicorn_that_is_asked_for_is_to_be_kept(tmp_path):
    provide_package(tmp_path, "gunicorn", "99.1")
    config = "import gunicorn.glogging\ngunicorn_compat = False\n"
    (package,) = report(tmp_path, config=config)["packages"]
    assert "keep it installed" in package["sentence"]


def test_the_package_of_a_worker_class_is_named(tmp_path):
    provide_package(tmp_path, "eventlet", "9.9")
    config = "worker_class = 'eventlet'\n"
    assert verdicts(tmp_path, config=config, table="packages") == {"eventlet 9.9": "not yet"}


# What it does not do.


def test_it_runs_the_config_file_and_nothing_else(tmp_path):
    (tmp_path / "app.py").write_text("open('loaded', 'w').close()\n")
    config = """\
print('said by the config file')
wsgi_app = 'app:app'
pidfile = 'server.pid'
def on_starting(server): open('started', 'w').close()
"""
    done = migrate(tmp_path, "--json", config=config)
    assert json.loads(done.stdout)["application"] == "app:app"
    assert "said by the config file" in done.stderr
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"app.py", "gunicorn.conf.py"}


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text("workers = 2\n")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "migrate"],
        cwd=tmp_path,
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=20,
        check=False,
    )
    os.close(writing)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


# What cannot be read.


@pytest.mark.parametrize(
    ("arguments", "config", "words"),
    [
        ([], None, "there is no ./gunicorn.conf.py here"),
        (["missing.py"], None, "missing.py cannot be read"),
        (["python:no_such_module_"], None, "no_such_module_"),
        ([], "workers = = 1\n", "syntax error"),
        ([], "workers = 1\0\n", "source code string cannot contain null bytes; mend it"),
        ([], "raise SystemExit('no database')\n", "ends the program (no database)"),
        ([], "import sys\nsys.exit(3)\n", "ends the program (3)"),
        ([], "raise ValueError('by the author')\n", "by the author"),
        (["one.py", "two.py"], None, "two.py"),
        (["--no-such"], None, "--no-such"),
        (["--", "gunicorn", "--no-such", "app:app"], None, "--no-such"),
        (["--", "gunicorn 'app:app"], None, "cannot be split"),
        (["one.py", "--", "gunicorn", "-c", "two.py"], None, "one.py and two.py"),
    ],
)
def test_a_site_that_cannot_be_read_is_one_line(tmp_path, arguments, config, words):
    assert words in refused(tmp_path, *arguments, config=config)


def test_the_guide_shows_what_is_said(tmp_path):
    guide = (ROOT / "docs" / "moving-from-gunicorn.md").read_text()
    config = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    (command, said) = re.search(
        r"```text\n\$ tricorn migrate (.*?)\n(.*?)```", guide, re.DOTALL
    ).groups()
    done = migrate(tmp_path, *command.split(), config=config[1])
    assert done.stdout == said


def test_help_says_how(tmp_path):
    done = migrate(tmp_path, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "tricorn migrate" in done.stdout
    assert "tricorn migrate" in run(tmp_path, "--help").stdout
