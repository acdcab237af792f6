"""Access lines show what the application has made of its environ, as gunicorn's do."""

from __future__ import annotations

import json

import pytest

from tests.harness.client import Client
from tests.test_logs import PLAIN, lines, logged

LOG = ("--access-logfile", "access.log", "--access-logformat")


def changing(server, key, value):
    """Write an application that changes an entry of its environ."""
    server.write(
        "app.py",
        f"""
        from tests.apps.plain import application as plain
        def application(environ, start_response):
            answer = plain(environ, start_response)
            environ[{key!r}] = {value!r}
            return answer
        """,
    )


@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize(
    ("form", "key", "value", "line"),
    [
        ("%(h)s", "REMOTE_ADDR", "192.0.2.7", "192.0.2.7"),
        ("%(m)s %(r)s", "REQUEST_METHOD", "PUT", "PUT PUT /hello?q=1 HTTP/1.1"),
        ("%(r)s", "RAW_URI", "/other", "GET /other HTTP/1.1"),
        ("%(H)s %(r)s", "SERVER_PROTOCOL", "HTTP/9", "HTTP/9 GET /hello?q=1 HTTP/9"),
        ("%(U)s", "PATH_INFO", "/caf\u00c3\u00a9\n", "/caf\u00c3\u00a9\\x0a"),
        ("%(q)s", "QUERY_STRING", "", ""),
        ("%(u)s", "HTTP_AUTHORIZATION", "Basic dXNlcjpwdw==", "user"),
        ("%(f)s", "HTTP_REFERER", 'a"b', 'a\\"b'),
        ("%(a)s", "HTTP_USER_AGENT", "probe/2", "probe/2"),
        ("%(h)s %({remote_addr}e)s", "REMOTE_ADDR", "192.0.2.7", "192.0.2.7 192.0.2.7"),
        ("%(h)s", "REMOTE_ADDR", None, "None"),
        ("%(h)s %(m)s %(U)s", "mine", "x", "127.0.0.1 GET /hello"),
    ],
)
def test_an_atom_shows_what_the_application_has_made_of_its_entry(
    server, threads, form, key, value, line
):
    changing(server, key, value)
    server.start("app:application", *LOG, form, "--threads", threads)
    with server.connect() as client:
        client.get("/hello?q=1", "User-Agent: probe/1")
        client.get("/hello?q=1")
    assert logged(server, 2) == [line, line]


def test_what_an_application_removes_is_a_dash(server):
    server.write(
        "app.py",
        """
        from tests.apps.plain import application as plain
        def application(environ, start_response):
            for key in ("HTTP_AUTHORIZATION", "HTTP_USER_AGENT", "REMOTE_ADDR"):
                del environ[key]
            return plain(environ, start_response)
        """,
    )
    server.start("app:application", *LOG, "%(h)s %(u)s %(a)s")
    server.get("/hello", "Authorization: Basic dXNlcjpwdw==", "User-Agent: probe/1")
    assert logged(server) == ["- - -"]


def test_the_next_request_of_a_connection_shows_its_own(server):
    server.write(
        "app.py",
        """
        from tests.apps.plain import application as plain
        def application(environ, start_response):
            if environ["QUERY_STRING"]:
                environ["REMOTE_ADDR"] = environ["QUERY_STRING"]
            return plain(environ, start_response)
        """,
    )
    server.start("app:application", *LOG, "%(h)s")
    with server.connect() as client:
        for target in ("/hello", "/hello?192.0.2.1", "/hello", "/hello?192.0.2.2"):
            client.get(target)
    assert logged(server, 4) == ["127.0.0.1", "192.0.2.1", "127.0.0.1", "192.0.2.2"]


def test_the_address_that_a_proxy_tells_of_over_a_unix_socket_is_shown(server):
    server.write(
        "app.py",
        """
        from werkzeug.middleware.proxy_fix import ProxyFix
        from tests.apps.plain import application as plain
        application = ProxyFix(plain)
        """,
    )
    path = str(server.folder / "s")
    server.start("app:application", *LOG, "combined", bind=f"unix:{path}")
    with Client(path) as client:
        client.get("/hello", "X-Forwarded-For: 192.0.2.9")
        client.get("/hello")
    first, second = logged(server, 2)
    assert first.startswith("192.0.2.9 - - [")
    assert second.startswith(" - - [")


def test_json_shows_it_too(server):
    changing(server, "REMOTE_ADDR", "192.0.2.7")
    server.start("app:application", *LOG, "json")
    server.get("/hello?q=1")
    told = json.loads(logged(server)[0])
    assert (told["client"], told["path"], told["query"]) == ("192.0.2.7", "/hello", "q=1")


def test_a_path_is_shown_without_the_script_name(server):
    server.start(PLAIN, *LOG, "%(U)s %(r)s", SCRIPT_NAME="/shop")
    server.get("/shop/hello")
    assert logged(server) == ["/hello GET /shop/hello HTTP/1.1"]


@pytest.mark.parametrize("head", ["GET /he%6Clo?a=%41 HTTP/1.0", "POST /hello HTTP/1.1"])
def test_what_the_application_leaves_as_it_is_stays_as_it_was_sent(server, head):
    server.start(PLAIN, *LOG, "%(h)s|%(m)s|%(U)s|%(q)s|%(H)s|%(r)s|%(u)s|%(f)s|%(a)s")
    with server.connect() as client:
        client.send(f"{head}\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").reply()
    server.stop()
    method, target, protocol = head.split()
    query = target.partition("?")[2]
    assert lines(server) == [f"127.0.0.1|{method}|/hello|{query}|{protocol}|{head}|-|-|-"]
