"""Listening sockets, as handlers and workers of one's own see them, and making some."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl


class Listener:
    """One socket of ``server.LISTENERS`` and ``worker.sockets``.

    It has the attributes of a socket object, and is taken for one by event loops.
    """

    def __new__(cls, url: str, fd: int) -> Listener:
        """Make one of the class that the address asks for."""
        if cls is not Listener:
            return super().__new__(cls)
        if url.startswith("unix:"):
            return super().__new__(UnixSocket)
        return super().__new__(TCP6Socket if "://[" in url else TCPSocket)

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


#: What it is called in gunicorn.
BaseSocket = Listener


class TCPSocket(Listener):
    """One with an address of IPv4."""

    FAMILY = socket.AF_INET


class TCP6Socket(TCPSocket):
    """One with an address of IPv6."""

    FAMILY = socket.AF_INET6


class UnixSocket(Listener):
    """One with a path, or an abstract name."""

    FAMILY = socket.AF_UNIX


def create_sockets(conf: Any, log: Any, fds: Iterable[int] | None = None) -> list[Listener]:
    """Listen on the addresses of a configuration, or take sockets that listen already.

    The server makes its own: this is for programs that listen beside it.
    """
    given = list(fds or ())
    made = [_shown(socket.socket(fileno=fd)) for fd in given or ()]
    for address in () if given else conf.address:
        sock = socket.socket(fileno=address) if isinstance(address, int) else _bound(address, conf)
        made.append(_shown(sock))
        log.debug("%s is listened on", made[-1])
    return made


def _bound(address: Any, conf: Any) -> socket.socket:
    """Make a socket that listens on an address."""
    if isinstance(address, tuple):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    else:
        family = socket.AF_UNIX
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if conf.reuse_port and family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        former = os.umask(conf.umask) if family == socket.AF_UNIX else None
        try:
            sock.bind(address)
        finally:
            if former is not None:
                os.umask(former)
        sock.setblocking(False)
        sock.listen(conf.backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _shown(sock: socket.socket) -> Listener:
    """Make the object of a socket that is a program's own."""
    name = sock.getsockname()
    if not isinstance(name, tuple):
        # An abstract name begins with a zero byte, and comes as bytes.
        url = f"unix:{os.fsdecode(name).replace(chr(0), '@')}"
    else:
        url = f"http://[{name[0]}]:{name[1]}" if ":" in name[0] else f"http://{name[0]}:{name[1]}"
    made = Listener(url, sock.fileno())
    made._opened = (os.getpid(), sock)
    return made


def close_sockets(listeners: Iterable[Listener], unlink: bool = True) -> None:
    """Close sockets, and remove the files of those that have one."""
    for listener in listeners:
        sock = listener.sock
        name = sock.getsockname()
        sock.close()
        has_file = isinstance(name, str) and sock.family == socket.AF_UNIX
        if unlink and has_file:
            with contextlib.suppress(OSError):
                os.unlink(name)


def ssl_context(conf: Any) -> ssl.SSLContext:
    """Make what the settings of TLS, and the hook ``ssl_context``, ask for."""
    import ssl

    def default_factory() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=conf.ca_certs)
        context.load_cert_chain(conf.certfile, conf.keyfile)
        context.verify_mode = ssl.VerifyMode(conf.cert_reqs)
        if conf.ciphers:
            context.set_ciphers(conf.ciphers)
        return context

    made: ssl.SSLContext | None = conf.ssl_context(conf, default_factory)
    return made or default_factory()


def ssl_wrap_socket(sock: socket.socket, conf: Any) -> ssl.SSLSocket:
    """Speak TLS with a client."""
    return ssl_context(conf).wrap_socket(
        sock,
        server_side=True,
        suppress_ragged_eofs=conf.suppress_ragged_eofs,
        do_handshake_on_connect=conf.do_handshake_on_connect,
    )
