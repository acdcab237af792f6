"""Fields that a request has more than once: how they are shown, and what they cost."""

from __future__ import annotations

import json
import os

import pytest

from tests.test_logs import PLAIN, logged

COOKIES = ("Cookie: session=abc", "X-Between: 1", "cookie: theme=dark; csrf=x")
WHOLE = "session=abc; theme=dark; csrf=x"

#: What a handler of `pre_request` sees is written to the access log by way of a header.
SHOWS_HEADERS = """
def pre_request(worker, req):
    with open("seen.json", "a") as file:
        print(__import__("json").dumps(req.headers), file=file)
"""

#: One that adds a second cookie.
ADDS_COOKIE = """
def pre_request(worker, req):
    req.headers.append(("COOKIE", "added=1"))
"""


def processor_time(pid):
    """Return the processor time that a process has used, in seconds."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environ(server, *headers):
    return json.loads(server.get("/env", *headers).body)


def test_cookies_are_one_list_wherever_they_are_shown(server):
    server.start(
        PLAIN,
        *("--access-logfile", "access.log", "--access-logformat"),
        "%({cookie}i)s|%({HTTP_COOKIE}e)s",
        config=SHOWS_HEADERS,
    )
    assert environ(server, *COOKIES)["HTTP_COOKIE"] == WHOLE
    assert logged(server) == [f"{WHOLE}|{WHOLE}"]
    seen = json.loads((server.folder / "seen.json").read_text())
    assert [value for name, value in seen if name == "COOKIE"] == [WHOLE]


def test_flask_and_django_find_the_cookies_of_every_field(server):
    server.write(
        "app.py",
        """
        import django
        from django.conf import settings
        from django.core.handlers.wsgi import WSGIRequest
        from flask import Flask, request
        settings.configure()
        django.setup()
        flask = Flask(__name__)

        @flask.get("/flask")
        def flask_cookies():
            return dict(request.cookies)

        def application(environ, start_response):
            if environ["PATH_INFO"] == "/flask":
                return flask(environ, start_response)
            start_response("200 OK", [])
            return [__import__("json").dumps(WSGIRequest(environ).COOKIES).encode()]
        """,
    )
    server.start()
    expected = {"session": "abc", "theme": "dark", "csrf": "x"}
    for path in ("/flask", "/django"):
        assert json.loads(server.get(path, *COOKIES).body) == expected


def test_empty_cookie_fields_leave_nothing_behind(server):
    server.start(PLAIN)
    assert environ(server, "Cookie:", "Cookie: a=1", "Cookie: ")["HTTP_COOKIE"] == "a=1"
    assert environ(server, "Cookie:", "Cookie:")["HTTP_COOKIE"] == ""


def test_a_cookie_that_a_handler_adds_is_in_the_list(server):
    server.start(PLAIN, config=ADDS_COOKIE)
    assert environ(server, "Cookie: a=1")["HTTP_COOKIE"] == "a=1; added=1"


def test_other_fields_are_joined_with_commas_in_their_order(server):
    server.start(PLAIN)
    shown = environ(server, "X-A: 1", "X-B: ä", "x-a: 2, 3", "Accept: a", "X-A:", "ACCEPT: b")
    assert (shown["HTTP_X_A"], shown["HTTP_ACCEPT"]) == ("1,2, 3,", "a,b")


@pytest.mark.parametrize("logger", ["", "from gunicorn.glogging import Logger as logger_class\n"])
def test_an_access_line_shows_repeats_as_gunicorn_does(server, logger):
    """An `i` or `o` atom has the last, what comes from `environ` all of them."""
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            start_response("200 OK", [("X-Out", "1"), ("Content-Length", "0"), ("x-out", "2")])
            return []
        """,
    )
    form = "%({x-in}i)s %({x-out}o)s %({http_x_in}e)s %(f)s %(a)s"
    server.start(
        "app:application",
        *("--access-logfile", "access.log", "--access-logformat", form),
        config=logger,
    )
    server.get("/", "X-In: 1", "Referer: r1", "User-Agent: u1", "x-in: 2", "Referer: r2")
    assert logged(server) == ["2 2 1,2 r1,r2 u1"]


@pytest.mark.parametrize("letter", ["a", "ä"])
def test_thirty_thousand_fields_of_one_name_cost_no_more_than_of_many(server, letter):
    server.start(PLAIN, "--limit-request-fields", "32000")
    worker = int(server.get("/pid").text)

    def cost(*headers):
        before = processor_time(worker)
        assert server.get("/hello", *headers).status == 200
        return processor_time(worker) - before

    count = 31_000
    twin = cost(*(f"X-{number}: {letter}" for number in range(count)))
    for name in ("X-Same", "Cookie", "Accept"):
        assert cost(*[f"{name}: {letter}"] * count) < 0.3 + 2 * twin, name


def test_a_handler_that_copies_thirty_thousand_fields_costs_no_more(server):
    copies = "def pre_request(worker, req):\n    req.headers = list(req.headers)\n"
    server.start(PLAIN, "--limit-request-fields", "32000", config=copies)
    worker = int(server.get("/pid").text)
    before = processor_time(worker)
    assert server.get("/hello", *["X-Same: ä"] * 31_000).status == 200
    assert processor_time(worker) - before < 1


def test_a_plugin_that_reads_all_fields_by_their_places_costs_no_more(probe):
    server = probe("--limit-request-fields", "32000")
    worker = int(server.get("/pid").text)
    before = processor_time(worker)
    assert server.get("/count-fields", *["X-Same: 1"] * 31_000).text == "31001"
    assert processor_time(worker) - before < 1
