"""Listening sockets, as handlers and workers of one's own see them."""

from __future__ import annotations

import os
import socket
from typing import Any


class Listener:
    """One socket of ``server.LISTENERS`` and ``worker.sockets``.

    It has the attributes of a socket object, and is taken for one by event loops.
    """

    def __init__(self, url: str, fd: int) -> None:
        self.url = url
        self.fd = fd
        self._opened: tuple[int, socket.socket] | None = None

    @property
    def sock(self) -> socket.socket:
        """A socket object over a copy of the descriptor, of this process's own."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), socket.socket(fileno=os.dup(self.fd)))
        return self._opened[1]

    def fileno(self) -> int:
        """Return the descriptor: the server's, until somebody has asked for a socket object."""
        is_own = self._opened is not None and self._opened[0] == os.getpid()
        return self.sock.fileno() if is_own else self.fd

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.sock, name)

    def __str__(self) -> str:
        return self.url
