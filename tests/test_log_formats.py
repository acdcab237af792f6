"""The access log's formats: presets, spared paths, and what no client can do to a line."""

from __future__ import annotations

import json
import re

import pytest

from tests.harness.client import Client
from tests.harness.server import run
from tests.test_logs import PLAIN, logged

LOG = ("--access-logfile", "access.log")

#: A logger in Python that changes nothing.
LOGGER = "from gunicorn.glogging import Logger\nclass Same(Logger): pass\nlogger_class = Same\n"

#: What a client might send to break a line: ends, terminal sequences, quotes, backslashes.
NASTY = "%0D%0A%1B%5B31m%00%22%5C%22%E2%80%A8"

ATOMS = [
    "h",
    "l",
    "u",
    "t",
    "r",
    "m",
    "U",
    "q",
    "H",
    "s",
    "B",
    "b",
    "f",
    "a",
    "T",
    "D",
    "M",
    "L",
    "p",
    "{x-nasty}i",
    "{referer}i",
    "{content-type}o",
    "{raw_uri}e",
    "{path_info}e",
    "{http_x_nasty}e",
]


def test_the_common_preset(server):
    server.start(PLAIN, *LOG, "--access-logformat", "common")
    server.get("/hello", "User-Agent: probe/1")
    (line,) = logged(server)
    assert re.fullmatch(r'127\.0\.0\.1 - - \[[^]]+\] "GET /hello HTTP/1\.1" 200 5', line)


def test_the_combined_preset(server):
    server.start(PLAIN, *LOG, "--access-logformat", "combined")
    server.get("/hello", "User-Agent: probe/1")
    (line,) = logged(server)
    assert line.endswith('"GET /hello HTTP/1.1" 200 5 "-" "probe/1"')


def test_the_json_preset_tells_all_of_a_request(server):
    server.start(PLAIN, *LOG, "--access-logformat", "json")
    server.get("/env/he%20llo?a=b", "User-Agent: probe", "Authorization: Basic dXNlcjpwdw==")
    (line,) = logged(server)
    told = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", told.pop("time"))
    assert 0 < told.pop("duration_us") < 60_000_000
    assert told.pop("bytes") > 100
    assert told.pop("pid") in server.workers()
    assert told == {
        "client": "127.0.0.1",
        "user": "user",
        "request": "GET /env/he%20llo?a=b HTTP/1.1",
        "method": "GET",
        "path": "/env/he llo",
        "query": "a=b",
        "protocol": "HTTP/1.1",
        "status": 200,
        "referer": None,
        "user_agent": "probe",
        "end": "complete",
    }


def test_a_refused_request_has_its_json_too(server):
    server.start(PLAIN, *LOG, "--access-logformat", "json")
    with server.connect() as client:
        assert client.send('GARB"AGE\\\x1b\r\n\r\n').reply().status == 400
    (line,) = logged(server)
    told = json.loads(line)
    assert told["status"] == 400
    assert told["method"] is None
    assert told["path"] is None
    assert told["request"].startswith('GARB"AGE\\')


@pytest.fixture(params=["", LOGGER], ids=["native", "in Python"])
def log_over_a_unix_socket(server, request):
    """Have a request over a unix socket logged, natively and by a logger in Python."""

    def log(form):
        path = str(server.folder / "site.sock")
        arguments = (*LOG, "--access-logformat", form)
        server.start(PLAIN, *arguments, bind=f"unix:{path}", config=request.param)
        with Client(path) as client:
            client.get("/hello", "Referer:")
        (line,) = logged(server)
        return line

    return log


def test_what_is_there_and_empty_is_no_dash(log_over_a_unix_socket):
    form = "[%(h)s] [%({REMOTE_ADDR}e)s] [%(q)s] [%(f)s] [%({REMOTE_PORT}e)s]"
    assert log_over_a_unix_socket(form) == "[] [] [] [] [-]"


def test_json_has_no_address_for_the_client_of_a_unix_socket(log_over_a_unix_socket):
    told = json.loads(log_over_a_unix_socket("json"))
    assert told["client"] is None
    assert (told["query"], told["referer"]) == ("", "")


@pytest.mark.parametrize("atom", ATOMS)
def test_no_atom_lets_a_client_forge_a_line_or_leave_its_field(server, atom):
    server.start(PLAIN, *LOG, "--access-logformat", f'"%({atom})s"')
    nasty = 'x\t"\\"y\\'
    headers = (f"X-Nasty: {nasty}", f"Referer: {nasty}", f"User-Agent: {nasty}")
    server.get(f'/env/{NASTY}?{NASTY}"\\', *headers)
    server.get("/hello", "Authorization: Basic IgpcGzpwdw==")
    found = logged(server, 2)
    assert len(found) == 2
    for line in found:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line), line
        inside = re.sub(r"\\.", "", line)
        assert inside.count('"') == 2, line


def test_json_holds_whatever_a_client_sends(server):
    server.start(PLAIN, *LOG, "--access-logformat", "json")
    server.get(f'/env/{NASTY}?"\\', 'Referer: x\t"\\"y\\', "Authorization: Basic IgpcGzpwdw==")
    (line,) = logged(server)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line), line
    told = json.loads(line)
    assert told["path"] == '/env/\r\n\x1b[31m\0"\\"\u2028'
    assert told["referer"] == 'x\t"\\"y\\'
    assert told["user"] == '"\n\\\x1b'


def test_paths_that_are_spared_have_no_line(server):
    server.start(PLAIN, *LOG, config="access_log_exclude = ['/health', '/static/*']")
    for target in ("/health", "/static/a/b.css", "/health?x", "/hello", "/healthy"):
        server.get(target)
    found = logged(server, 2)
    assert [line.split()[6] for line in found] == ["/hello", "/healthy"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--access-logformat", "%(h)s %(asctime)s"), "there is no atom %(asctime)s"),
        (("--access-logformat", "%(h)s %(x"), "character 6"),
        (("--access-logformat", "%(h)d"), "%(h)d cannot be rendered"),
        (("--access-log-exclude", "/[a"), "access_log_exclude"),
        (("--access-log-formatter", "no.such.thing"), "'no.such.thing' cannot be imported"),
        (
            ("--access-log-formatter", "os.sep"),
            "setting 'access_log_formatter': 'os.sep' is not callable",
        ),
        (
            ("--logger-class", "no.such.Logger"),
            "setting 'logger_class': 'no.such.Logger' cannot be imported",
        ),
        (("--logger-class", "unheard"), "neither a dotted name nor offered by a package"),
        (("--logger-class", "os.sep"), "logger_class"),
        (
            ("--access-logfile", "/no/such/folder/a.log"),
            "cannot write the log /no/such/folder/a.log",
        ),
        (
            ("--error-logfile", "/no/such/folder/e.log"),
            "cannot write the log /no/such/folder/e.log",
        ),
        (("--log-syslog", "--log-syslog-to", "nowhere"), "begins with none of udp://"),
        (("--log-syslog", "--log-syslog-facility", "loud"), "'loud' is not a facility"),
        (("--statsd-host", "host:port"), "'port' is not a port"),
    ],
)
@pytest.mark.parametrize("how", [(), ("--check-config",)])
def test_what_is_wrong_is_refused_at_the_start_and_by_check_config(
    tmp_path, arguments, complaint, how
):
    done = run(tmp_path, *arguments, *how, "-b", "127.0.0.1:0", PLAIN)
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "command line" in done.stderr or "check" in done.stderr or "give" in done.stderr


def test_a_precision_does_not_cut_an_escape_in_half(server):
    server.start(PLAIN, *LOG, "--access-logformat", '"%(a).5s" "%(f)s"')
    server.get("/hello", 'User-Agent: abcd"', "Referer: 999 forged")
    assert logged(server) == ['"abcd" "999 forged"']


def test_what_the_application_has_noted_in_environ_is_logged_of_a_request_that_fails(
    server, arguments
):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            environ["REMOTE_USER"] = "eve"
            raise ValueError("on purpose")
        """,
    )
    form = "%(s)s %({REQUEST_METHOD}e)s %({REMOTE_USER}e)s"
    server.start("app:application", *arguments, *LOG, "--access-logformat", form)
    assert server.get("/").status == 500
    assert logged(server, 1) == ["500 GET eve"]
