"""PEP 3333, over real sockets."""

from __future__ import annotations

import json
import re

import pytest

PLAIN = "tests.apps.plain:application"


@pytest.fixture(params=["sync", "gthread"])
def worker_class(request):
    return request.param


@pytest.fixture
def serve(server, worker_class):
    """Serve an application whose source is given, under each worker class."""

    def start(source, *arguments, config=None):
        server.write("app.py", source)
        arguments = ("-k", worker_class, *arguments)
        if worker_class == "gthread":
            arguments = (*arguments, "--threads", "2")
        return server.start("app:application", *arguments, config=config)

    return start


# --- the environment


def test_environ_has_the_keys_of_gunicorn(server):
    server.start(PLAIN, "-w", "2")
    reply = server.get("/env/a%20b?c=d", "X-Thing: one", "Content-Type: text/x", "X-Thing: two")
    environ = json.loads(reply.body)
    host, port = server.address
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["SCRIPT_NAME"] == ""
    assert environ["PATH_INFO"] == "/env/a b"
    assert environ["QUERY_STRING"] == "c=d"
    assert environ["RAW_URI"] == "/env/a%20b?c=d"
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert environ["SERVER_NAME"] == host
    assert environ["SERVER_PORT"] == str(port)
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["REMOTE_PORT"].isdigit()
    assert environ["HTTP_HOST"] == "test.example"
    assert environ["HTTP_X_THING"] == "one,two"
    assert environ["CONTENT_TYPE"] == "text/x"
    assert "HTTP_CONTENT_TYPE" not in environ
    assert environ["SERVER_SOFTWARE"].startswith("tricorn/")
    assert environ["wsgi.version"] == [1, 0]
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["wsgi.multithread"] is False
    assert environ["wsgi.multiprocess"] is True
    assert environ["wsgi.run_once"] is False
    assert environ["wsgi.input_terminated"] is True
    for key in ["wsgi.input", "wsgi.errors", "wsgi.file_wrapper", "wsgi.early_hints"]:
        assert key in environ
    assert environ["gunicorn.socket"] == "ClientSocket"


def test_environ_is_a_dict_of_the_requests_own(serve):
    server = serve(
        """
        def application(environ, start_response):
            assert type(environ) is dict
            body = str(environ.setdefault("mine", environ["PATH_INFO"])).encode()
            start_response("200 OK", [])
            return [body]
        """
    )
    with server.connect() as client:
        assert client.get("/1").body == b"/1"
        assert client.get("/2").body == b"/2", "nothing is left of the first request"


def test_script_name_is_taken_off_the_path(server):
    server.start(PLAIN, SCRIPT_NAME="/mount")
    environ = json.loads(server.get("/mount/env").body)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/mount", "/env")
    assert server.get("/elsewhere").status == 500


def test_a_trusted_proxy_tells_scheme_and_script_name(server):
    server.start(PLAIN)
    reply = server.get("/app/env", "X-Forwarded-Proto: https", "SCRIPT_NAME: /app")
    environ = json.loads(reply.body)
    assert environ["wsgi.url_scheme"] == "https"
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/app", "/env")


def test_a_stranger_tells_nothing(server):
    server.start(PLAIN, "--forwarded-allow-ips", "10.0.0.0/8")
    reply = server.get("/env", "X-Forwarded-Proto: https", "SCRIPT_NAME: /env")
    environ = json.loads(reply.body)
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["SCRIPT_NAME"] == ""


def test_the_address_of_a_proxy_header_holds_for_the_whole_connection(server):
    server.start(PLAIN, "--proxy-protocol")
    with server.connect() as client:
        client.send("PROXY TCP4 192.0.2.7 198.51.100.1 1234 443\r\n")
        for _ in range(2):
            environ = json.loads(client.get("/env").body)
            assert environ["REMOTE_ADDR"] == "192.0.2.7"
            assert environ["REMOTE_PORT"] == "1234"
            assert environ["PROXY_PROTOCOL"] == "TCP4"
            assert environ["PROXY_ADDR"] == "198.51.100.1"
            assert environ["PROXY_PORT"] == "443"


# --- the body


INPUT = """
    import json

    def application(environ, start_response):
        stream = environ["wsgi.input"]
        calls = json.loads(environ["HTTP_X_CALLS"])
        results = []
        for name, *args in calls:
            if name == "iterate":
                results.append([line.decode() for line in stream])
            else:
                result = getattr(stream, name)(*args)
                several = isinstance(result, list)
                results.append([r.decode() for r in result] if several else result.decode())
        body = json.dumps(results).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
"""


@pytest.mark.parametrize(
    ("body", "calls", "expected"),
    [
        (b"hello", [["read"]], ["hello"]),
        (b"hello", [["read", 2], ["read", 2], ["read", 2], ["read", 2]], ["he", "ll", "o", ""]),
        (b"hello", [["read", 0], ["read", -1]], ["", "hello"]),
        (b"hello", [["read", None]], ["hello"]),
        (
            b"a\nb\nc",
            [["readline"], ["readline"], ["readline"], ["readline"]],
            ["a\n", "b\n", "c", ""],
        ),
        (b"abcdef\ng", [["readline", 3], ["readline", 10], ["readline"]], ["abc", "def\n", "g"]),
        (b"a\nb\nc\n", [["readlines"]], [["a\n", "b\n", "c\n"]]),
        (b"a\nb\nc\n", [["readlines", 3], ["readlines"]], [["a\n", "b\n"], ["c\n"]]),
        (b"a\nb", [["iterate"]], [["a\n", "b"]]),
        (
            b"a\nbcd\ne",
            [["readline"], ["read", 2], ["readline"], ["read"]],
            ["a\n", "bc", "d\n", "e"],
        ),
        (b"", [["read"], ["readline"], ["readlines"], ["iterate"]], ["", "", [], []]),
    ],
)
def test_the_input_reads_as_a_file_does(server, body, calls, expected):
    server.write("app.py", INPUT)
    server.start("app:application")
    header = f"X-Calls: {json.dumps(calls)}"
    assert json.loads(server.connect().post("/", body, header).body) == expected
    chunks = "".join(f"1\r\n{chr(byte)}\r\n" for byte in body) + "0\r\n\r\n"
    with server.connect() as client:
        client.request("/", header, "Transfer-Encoding: chunked", method="POST").send(chunks)
        assert json.loads(client.reply().body) == expected, "in chunks of one byte"


def test_a_long_line_is_read_whole(server):
    server.write("app.py", INPUT)
    server.start("app:application")
    body = b"x" * 300_000 + b"\ny"
    reply = server.connect().post("/", body, 'X-Calls: [["readline"], ["readline"]]')
    first, second = json.loads(reply.body)
    assert (len(first), second) == (300_001, "y")


def test_an_unread_body_does_not_become_the_next_request(serve, worker_class):
    server = serve(
        """
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        """
    )
    with server.connect() as client:
        for size in (10, 60_000):
            assert client.post("/", b"GET /smuggled HTTP/1.1\r\n\r\n".ljust(size)).body == b"ok"
        client.request("/", "Transfer-Encoding: chunked", method="POST")
        client.send("5\r\nhello\r\n0\r\n\r\n")
        assert client.reply().body == b"ok"
        assert client.get().body == b"ok"


def test_100_continue_is_sent_when_the_application_first_reads(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.request("/echo", "Content-Length: 2", "Expect: 100-continue", method="POST")
        assert client.reply().status == 100
        assert client.send("hi").reply().body == b"hi"


def test_100_continue_is_not_sent_if_the_application_does_not_read(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.request("/hello", "Content-Length: 2", "Expect: 100-continue", method="POST")
        reply = client.reply()
        assert reply.status == 200
        assert reply.header("Connection") == "close", "the client may send the body or not"


def test_100_continue_is_not_sent_if_the_body_has_come_already(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.send(
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi"
        )
        assert client.reply().status == 200


def test_a_body_cut_short_is_an_error_and_never_a_short_read(server):
    server.write(
        "app.py",
        """
        import sys

        def application(environ, start_response):
            try:
                body = environ["wsgi.input"].read()
            except OSError as error:
                print("read failed:", type(error).__name__, error, file=sys.stderr, flush=True)
                raise
            print("read gave", len(body), file=sys.stderr, flush=True)
            start_response("200 OK", [])
            return [b""]
        """,
    )
    server.start("app:application", "--request-body-buffer", "10")
    with server.connect() as client:
        client.request("/", "Content-Length: 100", method="POST").send(b"x" * 50)
        client.sock.shutdown(1)
        assert client.reply().status == 400
    server.wait_for_log("read failed: ConnectionError")
    assert "read gave" not in server.log


def test_a_short_body_cut_short_never_reaches_the_application(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.request("/echo", "Content-Length: 100", method="POST").send(b"x" * 50)
        client.sock.shutdown(1)
        assert client.reply().status == 400
    server.wait_for_log("Invalid request from 127.0.0.1: the connection ended before the body was")


def test_a_chunk_that_breaks_the_rules_is_answered_400(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.request("/echo", "Transfer-Encoding: chunked", method="POST").send("zz\r\n")
        reply = client.reply()
        assert (reply.status, reply.reason) == (400, "Bad Request")
        assert client.is_closed()


# --- start_response


def test_start_response_can_be_called_again_with_exc_info_before_the_head_is_sent(serve):
    server = serve(
        """
        import sys

        def application(environ, start_response):
            start_response("200 OK", [("X-First", "1")])
            try:
                raise ValueError("oops")
            except ValueError:
                start_response("500 Oops", [("X-Second", "2")], sys.exc_info())
            return [b"replaced"]
        """
    )
    reply = server.get()
    assert (reply.status, reply.reason, reply.body) == (500, "Oops", b"replaced")
    assert reply.header("X-First") is None
    assert reply.header("X-Second") == "2"


def test_start_response_raises_exc_info_again_once_the_head_is_sent(serve):
    server = serve(
        """
        import sys

        def application(environ, start_response):
            start_response("200 OK", [])
            yield b"sent"
            try:
                raise ValueError("the original error")
            except ValueError:
                start_response("500 Oops", [], sys.exc_info())
            yield b"never sent"
        """
    )
    with server.connect() as client:
        client.request()
        head = client.head()
        assert head.status == 200
        assert client.chunk() == b"sent"
        assert client.is_closed(), "the client can tell that the answer is not whole"
    server.wait_for_log("ValueError: the original error")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('start_response("200 OK", []); start_response("200 OK", [])', "called already"),
        ('start_response("2000 OK", [])', "not a three-digit number"),
        ('start_response("OK", [])', "not a three-digit number"),
        ("start_response(200, [])", "the status must be a str, not int"),
        ('start_response("200 OK", [("A b", "c")])', "is not a token"),
        ('start_response("200 OK", [("A", "b\\r\\nC: d")])', "control character"),
        ('start_response("200 OK", [("A", 1)])', "a header value must be a str, not int"),
        ('start_response("200 OK", [("A", "b", "c")])', "tuple of two strings"),
        ('start_response("200 OK", [("A", "\\u20ac")])', "latin-1"),
        ('start_response("200 OK", [("Content-Length", "-1")])', "is not one number"),
        ("pass", "did not call start_response()"),
    ],
)
def test_what_breaks_the_rules_is_a_500_that_names_the_rule(server, call, message):
    server.write(
        "app.py",
        f"""
        def application(environ, start_response):
            {call}
            return [b"body"]
        """,
    )
    server.start("app:application")
    reply = server.get()
    assert (reply.status, reply.reason) == (500, "Internal Server Error")
    assert message in server.wait_for_log("Error handling request GET /")
    assert server.get().status == 500, "the worker lives"


def test_the_write_callable_sends_at_once(serve):
    server = serve(
        """
        import threading
        gate = threading.Event()

        def application(environ, start_response):
            write = start_response("200 OK", [("Content-Type", "text/plain")])
            write(b"one")
            write(b"two")
            return [b"three"]
        """
    )
    reply = server.get()
    assert reply.body == b"onetwothree"
    assert reply.header("Transfer-Encoding") == "chunked"


def test_fields_of_the_connection_are_the_servers(serve):
    server = serve(
        """
        def application(environ, start_response):
            start_response("200 OK", [
                ("Server", "mine"), ("Date", "yesterday"), ("Keep-Alive", "x"),
                ("Transfer-Encoding", "gzip"), ("X-Mine", "kept"), ("Content-Length", "2"),
            ])
            return [b"ok"]
        """
    )
    reply = server.get()
    assert reply.header("Server") == "tricorn"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", reply.header("Date"))
    assert [name for name, _ in reply.headers].count("Date") == 1
    assert reply.header("Transfer-Encoding") is None
    assert reply.header("X-Mine") == "kept"


def test_early_hints_precede_the_answer(serve):
    server = serve(
        """
        def application(environ, start_response):
            environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        """
    )
    with server.connect() as client:
        client.request()
        hints = client.reply()
        assert (hints.status, hints.header("Link")) == (103, "</a.css>; rel=preload")
        assert client.reply().body == b"ok"


# --- the iterable


def test_a_known_length_is_added_and_an_unknown_one_chunked(serve):
    server = serve(
        """
        def application(environ, start_response):
            start_response("200 OK", [])
            kind = environ["PATH_INFO"]
            if kind == "/list": return [b"ab", b"", b"cd"]
            if kind == "/tuple": return (b"abcd",)
            if kind == "/empty": return []
            if kind == "/nothing": return iter([])
            return (piece for piece in [b"ab", b"", b"cd"])
        """
    )
    with server.connect() as client:
        for kind in ("list", "tuple"):
            reply = client.get(f"/{kind}")
            assert (reply.body, reply.header("Content-Length")) == (b"abcd", "4")
        for kind in ("empty", "nothing"):
            reply = client.get(f"/{kind}")
            assert (reply.body, reply.header("Content-Length")) == (b"", "0")
        reply = client.get("/generator")
        assert (reply.body, reply.header("Transfer-Encoding")) == (b"abcd", "chunked")


def test_http_10_gets_no_chunks(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.send("GET /stream/2 HTTP/1.0\r\n\r\n")
        head = client.head()
        assert (head.version, head.header("Transfer-Encoding")) == ("HTTP/1.0", None)
        assert len(client.rest()) == 32768


def test_each_piece_is_sent_before_the_next_is_asked_for(serve):
    server = serve(
        """
        import os

        def application(environ, start_response):
            start_response("200 OK", [])
            yield b"first"
            while not os.path.exists("go"):
                pass
            yield b"second"
        """
    )
    with server.connect() as client:
        client.request()
        client.head()
        assert client.chunk() == b"first"
        server.write("go", "")
        assert client.chunk() == b"second"


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("Body([b'a', b'b'])", "closed after 2"),
        ("Body([b'a', 1])", "closed after 2"),
        ("Body([b'a', RuntimeError()])", "closed after 2"),
        ("Body([RuntimeError()])", "closed after 1"),
        ("Body([])", "closed after 0"),
    ],
)
def test_the_iterable_is_always_closed_and_once(serve, returned, expected):
    server = serve(
        f"""
        import sys

        class Body:
            def __init__(self, items):
                self.items, self.given = items, 0
            def __iter__(self):
                for item in self.items:
                    self.given += 1
                    if isinstance(item, Exception):
                        raise item
                    yield item
            def close(self):
                print("closed after", self.given, file=sys.stderr, flush=True)

        def application(environ, start_response):
            start_response("200 OK", [])
            return {returned}
        """
    )
    with server.connect() as client:
        client.request().rest() if "Error" in returned or "1]" in returned else client.get()
    server.wait_for_log(expected)
    server.stop()
    assert server.log.count("closed after") == 1


def test_a_close_that_raises_does_not_spoil_the_answer(serve):
    server = serve(
        """
        class Body(list):
            def close(self):
                raise RuntimeError("in close")

        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "1")])
            return Body([b"a"])
        """
    )
    with server.connect() as client:
        assert client.get().body == b"a"
        assert client.get().body == b"a", "the connection is kept"
    server.wait_for_log("RuntimeError: in close")


def test_a_205_of_an_application_is_sent_as_it_is_given(serve):
    server = serve(
        """
        def application(environ, start_response):
            start_response("205 Reset Content", [])
            return [environ["PATH_INFO"][1:].encode()]
        """
    )
    with server.connect() as client:
        reply = client.get("/hello")
        assert (reply.status, reply.body) == (205, b"hello"), "as gunicorn does"
        reply = client.get("/")
        assert (reply.status, reply.body) == (205, b"")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_that_have_no_body_end_after_the_head(server, status):
    server.start(PLAIN)
    with server.connect() as client:
        reply = client.get(f"/status/{status}")
        assert (reply.status, reply.reason) == (status, "As Asked")
        assert (reply.header("Content-Length") is None) == (status == 204)
        assert client.get("/hello").body == b"hello", "nothing of a body is on the wire"


def test_head_is_answered_like_get_without_the_body(server):
    server.start(PLAIN)
    with server.connect() as client:
        reply = client.get("/hello", method="HEAD")
        assert reply.header("Content-Length") == "5"
        assert client.get("/stream/1", method="HEAD").header("Transfer-Encoding") is None
        assert client.get("/hello").body == b"hello"


def test_more_than_the_length_is_cut_off(serve):
    server = serve(
        """
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "2")])
            return [b"toolong"] if environ["PATH_INFO"] == "/1" else iter([b"to", b"olong"])
        """
    )
    with server.connect() as client:
        assert client.get("/1").body == b"to"
        assert client.get("/2").body == b"to"


def test_less_than_the_length_ends_the_connection(serve):
    server = serve(
        """
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "9")])
            return [b"short"]
        """
    )
    with server.connect() as client:
        client.request()
        assert client.head().header("Content-Length") == "9"
        assert client.rest() == b"short"
    server.wait_for_log("gave 4 bytes less than its Content-Length")


# --- failures


def test_an_application_that_raises_gets_a_500_and_a_traceback_and_the_worker_lives(server):
    server.start(PLAIN)
    pid = server.get("/pid").body
    with server.connect() as client:
        reply = client.get("/raise")
        assert (reply.status, reply.reason) == (500, "Internal Server Error")
        assert "<h1>Internal Server Error</h1>" in reply.text
        assert client.is_closed()
    assert 'raise RuntimeError("raised before the head")' in server.wait_for_log("RuntimeError")
    assert server.get("/pid").body == pid


def test_an_application_that_raises_after_the_head_cuts_the_connection(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.request("/raise_late")
        client.head()
        assert client.chunk() == b"first"
        assert client.rest() == b"", "no last chunk: the client can tell"
    server.wait_for_log("RuntimeError: raised after the head")
    assert server.get("/hello").status == 200


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt()", "GeneratorExit()"])
def test_no_exception_of_an_application_ends_a_worker(serve, error):
    server = serve(
        f"""
        import os

        def application(environ, start_response):
            if environ["PATH_INFO"] == "/raise":
                raise {error}
            start_response("200 OK", [])
            return [str(os.getpid()).encode()]
        """
    )
    pid = server.get("/").body
    assert server.get("/raise").status == 500
    assert server.get("/").body == pid


def test_what_is_written_to_wsgi_errors_is_logged_line_by_line(serve):
    server = serve(
        """
        def application(environ, start_response):
            errors = environ["wsgi.errors"]
            errors.write("half a line, ")
            errors.write("the other half\\nand ")
            errors.writelines(["another", "\\n", "unfinished"])
            errors.flush()
            start_response("200 OK", [])
            return []
        """
    )
    server.get()
    for line in ("half a line, the other half", "and another", "unfinished"):
        server.wait_for_log(f"[ERROR] {line}\n")


# --- files


def test_a_file_is_sent_from_where_it_stands(serve):
    server = serve(
        """
        def application(environ, start_response):
            file = open("data", "rb")
            file.seek(int(environ["QUERY_STRING"] or 0))
            headers = [("Content-Length", "4")] if environ["PATH_INFO"] == "/four" else []
            start_response("200 OK", headers)
            return environ["wsgi.file_wrapper"](file, 1024)
        """
    )
    (server.folder / "data").write_bytes(b"0123456789" * 100_000)
    with server.connect() as client:
        reply = client.get("/")
        assert len(reply.body) == 1_000_000
        assert reply.header("Content-Length") == "1000000"
        assert client.get("/?999995").body == b"56789"
        assert client.get("/four?3").body == b"3456"
        assert client.get("/", method="HEAD").status == 200
        assert client.get("/?1000000").body == b""


@pytest.mark.parametrize("option", [[], ["--no-sendfile"]])
def test_what_is_no_file_is_sent_too(server, option):
    server.write(
        "app.py",
        """
        import io

        def application(environ, start_response):
            start_response("200 OK", [])
            return environ["wsgi.file_wrapper"](io.BytesIO(b"x" * 20000), 4096)
        """,
    )
    server.start("app:application", *option)
    assert server.get().body == b"x" * 20000


# --- the client's socket


def test_the_socket_is_handed_over_when_it_is_asked_for(serve):
    server = serve(
        """
        def application(environ, start_response):
            sock = environ["gunicorn.socket"]
            sock.sendall(b"raw " + sock.recv(100))
            sock.close()
            raise StopIteration
        """
    )
    with server.connect() as client:
        client.request().send("bytes")
        assert client.rest() == b"raw bytes"
    server.stop()
    assert "Traceback" not in server.log


def test_an_application_that_only_looks_at_the_socket_answers_as_usual(serve):
    server = serve(
        """
        def application(environ, start_response):
            peer = environ["gunicorn.socket"].getpeername()
            start_response("200 OK", [("Content-Length", "9")])
            return [peer[0].encode()]
        """
    )
    with server.connect() as client:
        assert client.get().body == b"127.0.0.1"
        assert client.get().body == b"127.0.0.1"


# --- the validator


def test_the_standard_validator_finds_nothing_wrong(serve):
    server = serve(
        """
        from wsgiref.validate import validator

        @validator
        def application(environ, start_response):
            body = environ["wsgi.input"].read(10)
            rest = environ["wsgi.input"].readline() + b"".join(environ["wsgi.input"])
            environ["wsgi.errors"].write("noted\\n")
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [body + rest]
        """
    )
    with server.connect() as client:
        assert client.get("/a?b").body == b""
        assert client.post("/", b"0123456789abc\nd").body == b"0123456789abc\nd"
        client.request("/", "Transfer-Encoding: chunked", method="POST").send(
            "2\r\nhi\r\n0\r\n\r\n"
        )
        assert client.reply().body == b"hi"
        assert client.get("/", method="HEAD").status == 200
    server.stop()
    assert "AssertionError" not in server.log


# --- what other servers let applications do


def test_arguments_may_be_named(serve):
    server = serve(
        """
        import sys
        def application(environ, start_response):
            data = environ["wsgi.input"].read(size=3)
            start_response(status="200 OK", headers=[])
            try:
                raise ValueError
            except ValueError:
                start_response("500 No", [], exc_info=sys.exc_info())
            return [data]
        """
    )
    with server.connect() as client:
        reply = client.post("/", b"abcdef")
        assert (reply.status, reply.text) == (500, "abc")


def test_a_line_of_wsgi_errors_that_is_not_ended_is_logged_with_its_request(serve):
    server = serve(
        """
        def application(environ, start_response):
            environ["wsgi.errors"].write("no newline in " + environ["PATH_INFO"])
            start_response("200 OK", [])
            return []
        """
    )
    server.get("/one")
    server.get("/two")
    for name in ("/one", "/two"):
        log = server.wait_for_log(f"no newline in {name}")
        assert log.split(f"no newline in {name}")[1].startswith("\n")


def test_many_lines_of_wsgi_errors_cost_no_more_than_they_are_long(serve):
    server = serve(
        """
        import time
        def application(environ, start_response):
            took = []
            for count in (5_000, 40_000):
                began = time.perf_counter()
                environ["wsgi.errors"].write("a line too\\n" * count)
                took.append(time.perf_counter() - began)
            start_response("200 OK", [])
            return [str(took[1] < 40 * took[0]).encode()]
        """
    )
    assert server.get("/").text == "True"


def test_the_clients_socket_is_a_socket_to_whoever_asks(serve):
    server = serve(
        """
        import socket
        def application(environ, start_response):
            start_response("200 OK", [])
            return [str(isinstance(environ["gunicorn.socket"], socket.socket)).encode()]
        """
    )
    assert server.get("/").text == "True"


def test_a_field_with_an_underscore_does_not_pass_for_the_length_of_the_body(serve):
    server = serve(
        """
        def application(environ, start_response):
            keys = ["CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"]
            start_response("200 OK", [])
            return [" ".join(environ.get(key, "-") for key in keys).encode()]
        """,
        config="header_map = 'dangerous'",
    )
    with server.connect() as client:
        reply = client.post(
            "/", b"a", "Content_Length: 9", "Content-Type: a/b", "Content_Type: c/d"
        )
        assert reply.text == "1 a/b 9 c/d"


def test_multithread_is_what_the_class_is(serve, worker_class):
    server = serve(
        """
        def application(environ, start_response):
            start_response("200 OK", [])
            return [str(environ["wsgi.multithread"]).encode()]
        """,
    )
    assert server.get("/").text == str(worker_class == "gthread")
