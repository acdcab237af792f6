"""A client that sends exactly the bytes it is told to, and reads answers one by one."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field


@dataclass
class Reply:
    """An answer."""

    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """Return the value of the first header of this name."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[0] if found else None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Closed(Exception):
    """The server has closed the connection where an answer was expected."""


class Client:
    """A connection."""

    def __init__(self, address: tuple[str, int] | str, timeout: float = 20.0) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        if isinstance(address, tuple) and ":" in address[0]:
            family = socket.AF_INET6
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.prepare()
        self.sock.connect(address)
        self.buffer = b""

    def prepare(self) -> None:
        """Set what is to be set before the connection is opened; nothing here."""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def send(self, data: bytes | str) -> Client:
        """Send bytes."""
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def get(self, target: str = "/", *headers: str, method: str = "GET") -> Reply:
        """Send a plain request, and read its answer."""
        self.request(target, *headers, method=method)
        return self.reply(method)

    def request(self, target: str = "/", *headers: str, method: str = "GET") -> Client:
        """Send a plain request."""
        lines = [f"{method} {target} HTTP/1.1", "Host: test.example", *headers, "", ""]
        return self.send("\r\n".join(lines))

    def post(self, target: str, body: bytes, *headers: str) -> Reply:
        """Send a request with a body, and read its answer."""
        self.request(target, f"Content-Length: {len(body)}", *headers, method="POST")
        return self.send(body).reply("POST")

    def _receive(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Closed
        self.buffer += data

    def line(self) -> bytes:
        """Read a line, and return it without its end."""
        while b"\r\n" not in self.buffer:
            self._receive()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def exactly(self, count: int) -> bytes:
        """Read so many bytes."""
        while len(self.buffer) < count:
            self._receive()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def head(self) -> Reply:
        """Read the head of an answer."""
        version, status, reason = [*self.line().decode("latin-1").split(" ", 2), ""][:3]
        reply = Reply(int(status), reason, version, [])
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            reply.headers.append((name, value.strip()))
        return reply

    def reply(self, method: str = "GET") -> Reply:
        """Read an answer."""
        reply = self.head()
        if method == "HEAD" or reply.status in (204, 304) or reply.status < 200:
            return reply
        if (reply.header("Transfer-Encoding") or "").lower() == "chunked":
            while chunk := self.chunk():
                reply.body += chunk
            while line := self.line():
                name, _, value = line.decode("latin-1").partition(":")
                reply.trailers.append((name, value.strip()))
        elif (length := reply.header("Content-Length")) is not None:
            reply.body = self.exactly(int(length))
        else:
            reply.body = self.rest()
        return reply

    def chunk(self) -> bytes:
        """Read a chunk; empty at the end."""
        size = int(self.line(), 16)
        if size == 0:
            return b""
        data = self.exactly(size)
        assert self.exactly(2) == b"\r\n", "a chunk is not followed by CRLF"
        return data

    def rest(self) -> bytes:
        """Read until the server closes the connection."""
        try:
            while True:
                self._receive()
        except (Closed, ConnectionResetError):
            data, self.buffer = self.buffer, b""
            return data

    def is_closed(self) -> bool:
        """Whether the server closes the connection, without a further byte."""
        return self.rest() == b""
