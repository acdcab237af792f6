"""A WSGI application whose every answer is told by its request, so that a client can check it."""

from __future__ import annotations

import time


def answer(target: str, posted: bytes = b"") -> bytes:
    """Return the answer to `/TOKEN/SIZE/DELAY`: the token over and over, then what was posted."""
    token, size, _ = target.strip("/").split("/")
    line = f"{token}\n".encode()
    return line * max(1, int(size) // len(line)) + posted


def application(environ, start_response):
    """Answer, after a delay in milliseconds."""
    target = environ["PATH_INFO"]
    body = answer(target, environ["wsgi.input"].read())
    time.sleep(int(target.rpartition("/")[2]) / 1000)
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", fields)
    return [body]
