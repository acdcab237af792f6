"""What is asked of the servers, and how a right answer is told from a wrong one."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass, field

from benches import apps


@dataclass(frozen=True)
class Load:
    """One load."""

    name: str
    what: str
    #: The function of ``benches.apps``.
    app: str
    #: Further arguments of wrk.
    wrk: tuple[str, ...] = ()
    connections: int = 64
    body: bytes | None = None
    answer: bytes = b""
    headers: int = 0
    request_headers: dict[str, str] = field(default_factory=dict)
    #: The first piece must be on its way before the last is made.
    streams: bool = False
    #: Variants of our own server that only this load measures.
    variants: bool = False
    #: For servers with several workers and threads, and no others.
    several: bool = False

    def collects(self, port: int) -> bool:
        """Whether the server keeps a streamed answer back until it is whole."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/?pause")
            connection.getresponse().read(1)
        finally:
            connection.close()
        return time.monotonic() - began > apps.PAUSE / 2

    def check(self, port: int) -> str | None:
        """Ask twice; return what is wrong with the answers, if anything is."""
        try:
            for _ in range(2):
                if wrong := self._check_once(port):
                    return wrong
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _check_once(self, port: int) -> str | None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            method = "GET" if self.body is None else "POST"
            connection.request(method, "/", self.body, self.request_headers)
            reply = connection.getresponse()
            body = reply.read()
        finally:
            connection.close()
        if reply.status != 200:
            return f"status {reply.status}"
        if body != self.answer:
            return f"{len(body)} bytes that are not the answer"
        given = {name.lower() for name, _ in reply.getheaders()}
        lost = [name for name, _ in apps.TEN_HEADERS if name.lower() not in given]
        return f"lost {lost}" if self.headers and lost else None


CLOSE = ("-H", "Connection: close")
LOADS = [
    Load("hello", "hello, keep-alive", "hello", answer=apps.HELLO, variants=True),
    Load("mixed", "hello, one in 100 after 100 ms", "mixed", answer=apps.HELLO, several=True),
    Load("close", "hello, Connection: close", "hello", wrk=CLOSE, answer=apps.HELLO),
    Load("page", "10 KB under ten headers", "page", answer=apps.TEN, headers=10),
    Load(
        "upload",
        "64 KiB posted, read by the application",
        "upload",
        wrk=("-s", "benches/upload.lua"),
        body=b"x" * 65536,
        answer=b"65536",
    ),
    Load(
        "stream",
        "1 MiB streamed in 16 pieces",
        "stream",
        connections=16,
        answer=apps.PIECE * 16,
        streams=True,
    ),
]
