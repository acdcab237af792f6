"""What answers say of the server, where a config file sets that as for gunicorn."""

from __future__ import annotations

import pytest

from tests.harness import eventually

PLAIN = "tests.apps.plain:application"

#: The ways in which sites rid themselves of the field, or change it.
WITHOUT = {
    "a class of one's own": """
        from gunicorn.http import wsgi

        class Response(wsgi.Response):
            def default_headers(self, *args, **kwargs):
                lines = super().default_headers(*args, **kwargs)
                return [line for line in lines if not line.startswith("Server:")]

        wsgi.Response = Response
    """,
    "a patch of the method": """
        from gunicorn.http.wsgi import Response
        inner = Response.default_headers
        Response.default_headers = lambda self: [
            line for line in inner(self) if not line.startswith("Server:")
        ]
    """,
    "lines that are written anew": """
        import gunicorn.http.wsgi
        from gunicorn.util import http_date

        def default_headers(self):
            connection = "close" if self.should_close() else "keep-alive"
            version = ".".join(map(str, self.req.version))
            lines = [f"HTTP/{version} {self.status}\\r\\n", f"Date: {http_date()}\\r\\n"]
            lines.append(f"Connection: {connection}\\r\\n")
            return lines + (["Transfer-Encoding: chunked\\r\\n"] if self.chunked else [])

        gunicorn.http.wsgi.Response.default_headers = default_headers
    """,
    "a name that is empty": "import gunicorn; gunicorn.SERVER = ''",
    "no name": "import gunicorn; gunicorn.SERVER = None",
}
NAMED = {
    "gunicorn.SERVER": "import gunicorn; gunicorn.SERVER = 'nobody/1 (x)'",
    "gunicorn.http.wsgi.SERVER": "from gunicorn.http import wsgi; wsgi.SERVER = 'nobody/1 (x)'",
    "in a hook": """
        def post_worker_init(worker):
            import gunicorn.http.wsgi
            gunicorn.http.wsgi.SERVER = 'nobody/1 (x)'
    """,
    "by a class": """
        from gunicorn.http import wsgi

        class Response(wsgi.Response):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                assert self.cfg.workers == 1
                self.version = "nobody/1 (x)"

        wsgi.Response = Response
    """,
    "by a patch of the constructor": """
        from gunicorn.http.wsgi import Response
        inner = Response.__init__

        def init(self, req, sock, cfg):
            inner(self, req, sock, cfg)
            self.version = "nobody/1 (x)"

        Response.__init__ = init
    """,
}


def names(reply):
    """Return the names of an answer's fields."""
    return [name for name, _ in reply.headers]


@pytest.fixture
def answer(server, arguments):
    """Start a server with a config file, and return an answer and one to what is no request."""

    def ask(config):
        server.start(PLAIN, *arguments, config=config)
        with server.connect() as client:
            refused = client.send(b"nonsense\r\n\r\n").reply()
        assert refused.status == 400
        return server.get("/hello"), refused

    return ask


@pytest.mark.parametrize("way", WITHOUT)
def test_a_server_without_a_name_has_no_such_field_in_its_answers(server, answer, way):
    for reply in answer(WITHOUT[way]):
        assert reply.header("Server") is None
        assert names(reply).count("Date") == 1
    assert "Warning" not in server.log
    assert "[WARNING] gunicorn" not in server.log


@pytest.mark.parametrize("way", NAMED)
def test_a_server_has_the_name_that_it_is_given(server, answer, way):
    for reply in answer(NAMED[way]):
        assert [value for name, value in reply.headers if name == "Server"] == ["nobody/1 (x)"]
    assert "Warning" not in server.log
    assert "[WARNING] gunicorn" not in server.log


def test_further_fields_of_a_class_for_answers_are_in_all_of_them(answer):
    config = """
        from gunicorn.http import wsgi

        class Response(wsgi.Response):
            def default_headers(self):
                return [*super().default_headers(), "X-Site: north\\r\\n", "X-Colour: blue\\r\\n"]

        wsgi.Response = Response
    """
    for reply in answer(config):
        assert reply.header("X-Site") == "north"
        assert reply.header("X-Colour") == "blue"
        assert reply.header("Server") == "tricorn"
        assert names(reply).count("Connection") <= 1


def test_hooks_and_loggers_see_the_name(server):
    server.start(
        PLAIN,
        config="""
            import gunicorn
            from gunicorn.glogging import Logger
            gunicorn.SERVER = "nobody"

            class Own(Logger):
                def access(self, resp, req, environ, request_time):
                    self.info("LOGGED %s", resp.version)

            logger_class = Own

            def post_request(worker, req, environ, resp):
                lines = [line for line in resp.default_headers() if line.startswith("Server")]
                worker.log.info("SEEN %s %s", resp.version, lines)
        """,
    )
    assert server.get("/hello").header("Server") == "nobody"
    server.wait_for_log("LOGGED nobody")
    server.wait_for_log("SEEN nobody ['Server: nobody\\r\\n']")


@pytest.mark.parametrize("name", [r"a\r\nX-Evil: 1", r"a\n", r"a\0b", "\u20ac"])
def test_a_name_that_would_split_answers_is_pointed_out_and_not_sent(server, answer, name):
    for reply in answer(f"import gunicorn\ngunicorn.SERVER = '{name}'\n"):
        assert reply.header("Server") == "tricorn"
        assert reply.header("X-Evil") is None
    assert server.log.count("Warning: gunicorn.SERVER is ") == 1
    assert "which cannot stand in an answer: give it a name without control" in server.log


def test_a_class_for_answers_that_cannot_be_asked_is_pointed_out_and_the_server_serves(server):
    server.start(
        PLAIN,
        config="""
            from gunicorn.http import wsgi

            class Response:
                def __init__(self, req, sock, cfg):
                    raise RuntimeError("on purpose")

            wsgi.Response = Response
        """,
    )
    assert server.get("/hello").header("Server") == "tricorn"
    assert (
        "gunicorn.http.wsgi.Response is without an effect: RuntimeError: on purpose" in server.log
    )


def test_other_methods_of_a_class_for_answers_are_pointed_out(server):
    server.start(
        PLAIN,
        config="""
            from gunicorn.http.wsgi import Response
            Response.send_headers = lambda self: None
        """,
    )
    line = "Warning: gunicorn.http.wsgi.Response.send_headers is set, without an effect: "
    assert server.log.count(line) == 1
    assert server.get("/hello").status == 200


def test_what_a_config_file_calls_the_software_is_in_environ_wherever_it_sets_it(make_server):
    for config in (
        "import gunicorn; gunicorn.SERVER_SOFTWARE = 'mine'",
        "import gunicorn.http.wsgi as wsgi; wsgi.SERVER_SOFTWARE = 'mine'",
    ):
        server = make_server()
        server.write(
            "app.py",
            """
            def application(environ, start_response):
                start_response("200 OK", [])
                return [environ["SERVER_SOFTWARE"].encode()]
            """,
        )
        server.start("app:application", config=config)
        assert server.get("/").body == b"mine"
        assert server.get("/").header("Server") == "tricorn"


def test_programs_that_look_whether_they_run_under_gunicorn_find_that_they_do(make_server):
    app = """
        import os
        found = os.environ.get("SERVER_SOFTWARE", "")
        def application(environ, start_response):
            start_response("200 OK", [])
            return [found.encode()]
    """
    for config, found in [
        ("", "gunicorn/27.0.1"),
        ("preload_app = True", "gunicorn/27.0.1"),
        ("raw_env = ['SERVER_SOFTWARE=mine']", "mine"),
        ("gunicorn_compat = False", ""),
    ]:
        server = make_server()
        server.write("app.py", app)
        server.start("app:application", config=config)
        eventually(lambda server=server: server.get("/").status == 200, "it serves")
        assert server.get("/").text == found
