"""Servers that packages report to, as far as the tests need them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """Takes whatever is posted, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        #: What has arrived, in this order: the path, and the body as it was sent.
        self.posts: list[tuple[str, bytes]] = []

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.server_port}"

    def bodies(self, path: str) -> list[bytes]:
        """Return what was posted there so far."""
        return [body for target, body in list(self.posts) if target == path]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Give a receiver that runs."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def datagrams() -> Iterator[tuple[str, list[str]]]:
    """Give the address of a UDP socket, and the lines that arrive there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        lines: list[str] = []

        def receive() -> None:
            while data := sock.recv(65536):
                lines.extend(data.decode().splitlines())

        thread = threading.Thread(target=receive)
        thread.start()
        host, port = sock.getsockname()
        try:
            yield f"{host}:{port}", lines
        finally:
            sock.sendto(b"", (host, port))
            thread.join()
