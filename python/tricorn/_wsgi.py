"""What an application finds in its ``environ`` that is best written in Python."""

from __future__ import annotations

import socket
from typing import Any, cast


class FileWrapper:
    """PEP 3333's ``wsgi.file_wrapper``: a file, to be sent by the kernel where that can be done."""

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> bytes:
        data = self.filelike.read(self.blksize)
        if data:
            return cast("bytes", data)
        raise StopIteration

    def __getitem__(self, key: int) -> bytes:
        data = self.filelike.read(self.blksize)
        if data:
            return cast("bytes", data)
        raise IndexError(key)


class _ClientSocket(socket.socket):
    """A client's socket that gives out first what the server had received already."""

    _received: bytearray

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive data."""
        if not self._received:
            return super().recv(bufsize, flags)
        data = bytes(self._received[:bufsize])
        if not flags & socket.MSG_PEEK:
            del self._received[:bufsize]
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Receive data into a buffer."""
        if not self._received:
            return super().recv_into(buffer, nbytes, flags)
        view = memoryview(buffer).cast("B")
        data = self.recv(min(nbytes or len(view), len(view)), flags)
        view[: len(data)] = data
        return len(data)


class Unreader:
    """What a client sends after its head, as it comes: ``req.unreader``.

    First the request's body, without the framing of chunks. From the first byte on that is read
    behind it, the connection is the application's: as with ``environ["gunicorn.socket"]``.
    """

    def __init__(self, body: Any, sock: Any) -> None:
        self.body = body
        self.sock = sock
        self._waiting = b""

    def chunk(self) -> bytes:
        """Receive what there is; nothing at the end."""
        return cast("bytes", self.body.read(8192) or self.sock.recv(8192))

    def read(self, size: int | None = None) -> bytes:
        """Read so many bytes, fewer only at the end; without a size, what there is."""
        if size is None or size < 0:
            data, self._waiting = self._waiting or self.chunk(), b""
            return data
        while len(self._waiting) < size and (data := self.chunk()):
            self._waiting += data
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data

    def unread(self, data: bytes) -> None:
        """Give bytes back, to be read next."""
        self._waiting = data + self._waiting


def client_socket(fileno: int, received: bytes) -> socket.socket:
    """Make the socket of a client, from which `received` has been received already."""
    if not received:
        return socket.socket(fileno=fileno)
    sock = _ClientSocket(fileno=fileno)
    sock._received = bytearray(received)
    return sock
