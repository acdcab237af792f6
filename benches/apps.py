"""The applications that every server is asked to serve, one for each load."""

import itertools
import time

PAUSE = 0.5
HELLO = b"Hello, world!"
TEN = b"x" * 10_000
PIECE = b"x" * 65_536
TEN_HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", str(len(TEN))),
    ("Cache-Control", "private, max-age=0, must-revalidate"),
    ("Vary", "Accept-Encoding, Cookie"),
    ("ETag", '"5e0f-2b1c-9a77d0"'),
    ("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT"),
    ("Set-Cookie", "session=0123456789abcdef0123456789abcdef; Path=/; HttpOnly"),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
]


def hello(environ, start_response):
    """Give a few bytes."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [HELLO]


#: One request in so many of `mixed` is slow, and takes so many seconds.
SLOW_ONE_IN, SLOW_FOR = 100, 0.1
count = itertools.count(1)


def mixed(environ, start_response):
    """Give a few bytes, one time in a hundred after a wait."""
    if next(count) % SLOW_ONE_IN == 0:
        time.sleep(SLOW_FOR)
    return hello(environ, start_response)


def page(environ, start_response):
    """Give 10 KB under ten headers."""
    start_response("200 OK", TEN_HEADERS)
    return [TEN]


def upload(environ, start_response):
    """Read the body, and say how long it was."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    answer = str(len(body)).encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))]
    start_response("200 OK", headers)
    return [answer]


def stream(environ, start_response):
    """Give 1 MiB in 16 pieces, without saying how much it will be."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    pause = PAUSE if environ.get("QUERY_STRING") == "pause" else 0
    return pieces(pause)


def pieces(pause):
    """Give the pieces; with a pause after the first, it shows who sends it before the second."""
    yield PIECE
    if pause:
        time.sleep(pause)
    for _ in range(15):
        yield PIECE
