"""Command lines: each is read as gunicorn reads it, or refused in one line."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.harness.server import run

APP = "tests.apps.plain:application"

#: Command lines, and what gunicorn 27 makes of them.
READ = {
    f"-w 4 {APP}": {"workers": 4},
    f"-w4 {APP}": {"workers": 4},
    f"-w=4 {APP}": {"workers": 4},
    f"--workers=4 {APP}": {"workers": 4},
    f"{APP} --workers 4": {"workers": 4},
    f"-w 1_000 {APP}": {"workers": 1000},
    f"-w 1 --workers 2 -w 3 {APP}": {"workers": 3},
    f"-m 022 {APP}": {"umask": 18},
    f"-m 0o22 {APP}": {"umask": 18},
    f"-m 18 {APP}": {"umask": 18},
    f"-b a:1 --bind b:2 {APP}": {"bind": ["a:1", "b:2"]},
    f"-ba:1 {APP}": {"bind": ["a:1"]},
    f"-b '' {APP}": {"bind": [""]},
    f"-k gthread --threads 2 {APP}": {"worker_class": "gthread", "threads": 2},
    f"-kgthread {APP}": {"worker_class": "gthread"},
    f"-Dw2 {APP}": {"daemon": True, "workers": 2},
    f"-DRw 2 {APP}": {"daemon": True, "enable_stdio_inheritance": True, "workers": 2},
    # Names cut short, among them some that begin as a flag of tricorn's own does.
    f"--access-logfo - {APP}": {"access_log_format": "-"},
    f"--log-l debug {APP}": {"loglevel": "debug"},
    f"--max-requests-j 5 {APP}": {"max_requests_jitter": 5},
    f"--keep 3 {APP}": {"keepalive": 3},
    f"--pre {APP}": {"preload_app": True},
    f"--prel {APP}": {"preload_app": True},
    f"--header refuse {APP}": {"header_map": "refuse"},
    f"--no-s {APP}": {"sendfile": False},
    f"--forwarded=* {APP}": {"forwarded_allow_ips": ["*"]},
    # Values that begin with a dash.
    f"--access-logfile - {APP}": {"accesslog": "-"},
    f"--access-logformat=-x {APP}": {"access_log_format": "-x"},
    f"--access-logformat '-x y' {APP}": {"access_log_format": "-x y"},
    f"--access-logformat '--%(h)s %(l)s' {APP}": {"access_log_format": "--%(h)s %(l)s"},
    f"-n '-x y' {APP}": {"proc_name": "-x y"},
    f"-n=-x {APP}": {"proc_name": "-x"},
    f"-n-x {APP}": {"proc_name": "-x"},
    # Flags that may be given twice, or stand alone.
    f"--preload --preload {APP}": {"preload_app": True},
    f"--log-file a.log --error-logfile b.log {APP}": {"errorlog": "b.log"},
    f"--limit-request-field_size 9 {APP}": {"limit_request_field_size": 9},
    f"{APP} --proxy-protocol": {"proxy_protocol": "auto"},
    f"--proxy-protocol v1 {APP}": {"proxy_protocol": "v1"},
    f"--proxy-protocol=v2 {APP}": {"proxy_protocol": "v2"},
    f"--proxy-protocol -w 2 {APP}": {"proxy_protocol": "auto", "workers": 2},
    f"--suppress-ragged-eofs {APP}": {"suppress_ragged_eofs": True},
    f"--http2-c both {APP}": {"http2_cleartext": "both"},
    f"--dirty-app a:B --dirty-app c:D {APP}": {"dirty_apps": ["a:B", "c:D"]},
    # Where the flags end.
    f"-w 2 -- {APP} -w 3": {"workers": 2},
    f"-- {APP}": {},
    f"{APP} other": {},
    # Where gunicorn would take the application for a mode, or refuses what is clear.
    f"--proxy-protocol {APP}": {"proxy_protocol": "auto"},
    f"-w 0x10 {APP}": {"workers": 16},
    f"--limit-request-field-size 9 {APP}": {"limit_request_field_size": 9},
}

#: Command lines that gunicorn refuses, and what is said of them here.
REFUSED = {
    f"--worker 4 {APP}": "--workers, --worker-class, --worker-connections, --worker-tmp-dir",
    f"--max-req 5 {APP}": "--max-requests, --max-requests-jitter",
    f"--re {APP}": "--reload, --reload-engine, --reload-extra-file, --reuse-port",
    f"--name -x {APP}": "--name is not followed by a value",
    f"-n --bind {APP}": "-n is not followed by a value",
    f"--timeout -0x5 {APP}": "--timeout=-0x5",
    f"-w {APP}": f"'{APP}' is not a whole number",
    "-w": "a value is required",
    f"-w '' {APP}": "'' is not a whole number",
    f"--reload=true {APP}": "--reload",
    f"--nonesuch {APP}": "'--nonesuch'",
    f"-x {APP}": "'-x'",
    f"--timeout -5 {APP}": "'-5' is negative",
    f"--workres 5 {APP}": "'--workers'",
}


@pytest.mark.parametrize("line", READ)
def test_a_command_line_is_read(tmp_path, line):
    # Formats and addresses need not make sense here: what is read is printed before they are tried.
    done = run(tmp_path, *shlex.split(line), GUNICORN_CMD_ARGS="--print-config=json")
    report = json.loads(done.stdout)
    settings = report["settings"].items()
    given = {name: row["value"] for name, row in settings if row["source"] == "command line"}
    assert given == READ[line]
    assert report["application"] == APP


@pytest.mark.parametrize("line", REFUSED)
def test_a_command_line_is_refused_in_one_line(tmp_path, line):
    done = run(tmp_path, *shlex.split(line))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert REFUSED[line] in done.stderr


@pytest.mark.parametrize("line", ["-v", "--version", "--vers", f"-v {APP}", f"-w 4 {APP} -v"])
def test_the_version_is_printed_whatever_else_is_there(tmp_path, line):
    done = run(tmp_path, *shlex.split(line))
    assert done.returncode == 0
    assert done.stdout.startswith("tricorn ")


def test_help_stands_under_gunicorns_headings_in_gunicorns_order(tmp_path):
    shown = run(tmp_path, "--help").stdout
    headings = [line[:-1] for line in shown.splitlines() if line.endswith(":") and line[0] != " "]
    known = [heading for heading in headings if heading in HEADINGS]
    assert known == HEADINGS
    assert set(headings) - set(HEADINGS) == {
        *("Commands", "Arguments", "Options"),
        *("Buffers and Time Limits", "Plugins", "Server Hooks"),
    }


HEADINGS = [
    "Config File",
    "Server Socket",
    "Worker Processes",
    "Security",
    "Debugging",
    "Server Mechanics",
    "Logging",
    "Process Naming",
    "SSL",
    "HTTP/2",
    "Dirty Arbiters",
    "Control",
]
