"""Bytes that are read as they come, and can be given back."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from tricorn import _wsgi


class Unreader(_wsgi.Unreader):
    """Reads from what ``chunk()`` gives: to be derived from."""

    def __init__(self) -> None:
        super().__init__(None, None)

    def chunk(self) -> bytes:
        """Receive what there is; nothing at the end."""
        raise NotImplementedError(f"{type(self).__name__}.chunk() is not there")


class SocketUnreader(Unreader):
    """Reads from a socket."""

    def __init__(self, sock: socket.socket, max_chunk: int = 8192) -> None:
        super().__init__()
        self.sock: socket.socket = sock
        self.mxchunk = max_chunk

    def chunk(self) -> bytes:
        """Receive what there is; nothing at the end."""
        return self.sock.recv(self.mxchunk)


class IterUnreader(Unreader):
    """Reads what an iterable gives."""

    def __init__(self, iterable: Iterable[bytes]) -> None:
        super().__init__()
        self.iter = iter(iterable)

    def chunk(self) -> bytes:
        """Take what comes next; nothing at the end."""
        return next(self.iter, b"")
