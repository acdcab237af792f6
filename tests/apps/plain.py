"""A WSGI application that does what the path says."""

from __future__ import annotations

import json
import os
import threading
import time


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/").split("/")[0] or "hello"
    return globals()[f"do_{name}"](environ, start_response)


def text(start_response, body, status="200 OK", headers=()):
    data = body if isinstance(body, bytes) else str(body).encode()
    fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(data))), *headers]
    start_response(status, fields)
    return [data]


def argument(environ):
    return environ["PATH_INFO"].strip("/").split("/")[1]


def do_hello(environ, start_response):
    return text(start_response, "hello")


def do_pid(environ, start_response):
    return text(start_response, os.getpid())


def do_id(environ, start_response):
    return text(start_response, os.environ["TRICORN_WORKER_ID"])


def do_thread(environ, start_response):
    return text(start_response, threading.current_thread().name)


def do_env(environ, start_response):
    """Show the environ: strings as they are, of everything else its type."""
    shown = {
        key: value if isinstance(value, str | bool | int | tuple) else type(value).__name__
        for key, value in environ.items()
    }
    return text(start_response, json.dumps(shown))


def do_echo(environ, start_response):
    return text(start_response, environ["wsgi.input"].read())


def do_length(environ, start_response):
    """Read the body in pieces, and say how long it was."""
    total = 0
    while piece := environ["wsgi.input"].read(65536):
        total += len(piece)
    return text(start_response, total)


def do_sleep(environ, start_response):
    time.sleep(float(argument(environ)))
    return text(start_response, os.getpid())


def do_status(environ, start_response):
    return text(start_response, "body", status=f"{argument(environ)} As Asked")


def do_raise(environ, start_response):
    raise RuntimeError("raised before the head")


def do_raise_late(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    raise RuntimeError("raised after the head")


def do_stream(environ, start_response):
    """Give so many chunks of 16 KiB."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    piece = b"x" * 16384
    return (piece for _ in range(int(argument(environ))))
