"""Helpers that programs and worker classes of one's own import as ``gunicorn.util``.

Not here, for nothing outside gunicorn has a use for it: what names its processes, and the form of
patterns of files.
"""

from __future__ import annotations

import contextlib
import email.utils
import fcntl
import html
import importlib.metadata
import inspect
import os
import pwd
import random
import re
import socket
import sys
import textwrap
import time
import urllib.parse
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

from tricorn import _classes, _loading, _native
from tricorn.compat.errors import AppImportError, AppModuleNotFoundError
from tricorn.workers import SUPPORTED_WORKERS

#: Where a daemon's streams lead.
REDIRECT_TO = os.devnull

#: The kinds of parameters that a hook's are counted among.
positionals = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

#: Fields of an answer that are the server's own affair.
hop_headers = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
    *("te", "trailers", "transfer-encoding", "upgrade", "server", "date"),
}

# Names and objects.


def load_class(
    uri: Any, default: Any = "sync", section: str = _classes.GROUPS["worker_class"]
) -> Any:
    """Return the class that a setting of a class names or is."""
    if not isinstance(uri, str):
        return uri
    given = default if uri == default else uri
    given = SUPPORTED_WORKERS.get(given, given)
    settings = [setting for setting, group in _classes.GROUPS.items() if group == section]
    try:
        return _classes.find_class((settings or ["worker_class"])[0], given)
    except _loading.Mistake as mistake:
        raise RuntimeError(str(mistake)) from mistake


def load_entry_point(distribution: str, group: str, name: str) -> Any:
    """Return what a package offers under a name."""
    offered = importlib.metadata.distribution(distribution).entry_points
    found = [entry for entry in offered if (entry.group, entry.name) == (group, name)]
    if not found:
        raise ImportError(f"{distribution} offers no {name} in {group}")
    return found[0].load()


def import_app(module: str) -> Callable[..., Any]:
    """Import the application that ``MODULE``, ``MODULE:NAME`` or ``MODULE:NAME(ARGS)`` names."""
    try:
        return _loading.load_application(module)
    except _loading.NoModule as missing:
        raise AppModuleNotFoundError(missing.what, missing.mend) from missing
    except _loading.AppNotFound as missing:
        raise AppImportError(missing.what, missing.mend) from missing


def get_arity(f: Callable[..., Any]) -> int:
    """Count a function's positional parameters."""
    return sum(each.kind in positionals for each in inspect.signature(f).parameters.values())


def reraise(
    tp: type[BaseException], value: BaseException | None, tb: TracebackType | None = None
) -> NoReturn:
    """Raise an exception as it was raised before."""
    raise (tp() if value is None else value).with_traceback(tb)


def make_fail_app(msg: str | bytes) -> Callable[..., Any]:
    """Make an application that answers 500 with a text."""
    body = to_bytestring(msg)

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        fields = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        start_response("500 Internal Server Error", fields)
        return [body]

    return application


def warn(msg: str) -> None:
    """Print a warning that is not overlooked."""
    lines = textwrap.wrap(f"WARNING: {msg}") or [""]
    print("!!!", *(f"!!! {line}" for line in lines), "!!!\n", sep="\n", file=sys.stderr)


# Users and files.


def get_username(uid: int) -> str:
    """Return a user's name."""
    return pwd.getpwuid(uid).pw_name


def set_owner_process(uid: int, gid: int, initgroups: bool = False) -> None:
    """Become another user, with that user's groups if told so."""
    if gid:
        if initgroups and uid:
            with contextlib.suppress(KeyError):
                os.initgroups(get_username(uid), gid)
        if gid != os.getgid():
            os.setgid(gid)
    if uid and uid != os.getuid():
        os.setuid(uid)


def chown(path: str, uid: int, gid: int) -> None:
    """Give a file to another user."""
    os.chown(path, uid, gid)


def unlink(filename: str) -> None:
    """Remove a file, unless it is gone already."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(filename)


def check_is_writable(path: str) -> None:
    """Raise RuntimeError unless a file can be opened to be written to."""
    try:
        with open(path, "a"):
            pass
    except OSError as error:
        raise RuntimeError(f"{path!r} cannot be written: {error.strerror}") from error


def getcwd() -> str:
    """Return the working directory, by the name the shell has for it."""
    here = os.getcwd()
    named = os.environ.get("PWD", here)
    with contextlib.suppress(OSError):
        if os.path.samestat(os.stat(named), os.stat(here)):
            return named
    return here


def is_glob_pattern(value: str) -> bool:
    """Say whether a path stands for many."""
    return re.search(r"[*?[]", value) is not None


def has_fileno(obj: Any) -> bool:
    """Say whether an object is over a descriptor."""
    try:
        obj.fileno()
    except (AttributeError, OSError):
        return False
    return True


def close_on_exec(fd: int) -> None:
    """Keep what is executed from inheriting a descriptor."""
    os.set_inheritable(fd, False)


def set_non_blocking(fd: int) -> None:
    """Have calls on a descriptor return at once."""
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)


def daemonize(enable_stdio_inheritance: bool = False) -> None:
    """Go on in the background, in a session of its own."""
    for lead in (os.setsid, lambda: os.umask(0o22)):
        if os.fork():
            os._exit(0)
        lead()
    with open(REDIRECT_TO, "r+b", buffering=0) as nothing:
        for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
            is_kept = enable_stdio_inheritance and number and stream and not stream.isatty()
            if not is_kept:
                os.dup2(nothing.fileno(), number)


def seed() -> None:
    """Begin another sequence of random numbers."""
    random.seed(os.urandom(64))


# Addresses and sockets.


def is_ipv6(addr: str) -> bool:
    """Say whether an address is one of IPv6."""
    try:
        socket.inet_pton(socket.AF_INET6, addr)
    except OSError:
        return False
    return True


def parse_address(netloc: str, default_port: str = "8000") -> Any:
    """Return what an address of ``bind`` stands for: (host, port), a path, or a descriptor."""
    place = netloc.removeprefix("tcp://")
    has_port = place.startswith(("unix:", "fd://")) or re.search(r":[^\]]*$", place)
    try:
        return _native.parse_addresses([place if has_port else f"{place}:{default_port}"])[0]
    except ValueError as error:
        raise RuntimeError(str(error)) from error


def close(sock: socket.socket) -> None:
    """Close a socket, whatever state it is in."""
    with contextlib.suppress(OSError):
        sock.close()


def close_graceful(sock: socket.socket, timeout: float = 2.0, max_drain: int = 65536) -> None:
    """Close a socket so that its peer can read to the end what was sent to it."""
    end, left = time.monotonic() + timeout, max_drain
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while left > 0 and (rest := end - time.monotonic()) > 0:
            sock.settimeout(rest)
            received = len(sock.recv(min(left, 8192)))
            if not received:
                break
            left -= received
    close(sock)


def write_chunk(sock: socket.socket, data: str | bytes) -> None:
    """Send data as one chunk."""
    content = to_bytestring(data)
    sock.sendall(b"%X\r\n%b\r\n" % (len(content), content))


def write(sock: socket.socket, data: str | bytes, chunked: bool = False) -> None:
    """Send data, as it is or as one chunk."""
    if chunked:
        write_chunk(sock, data)
    else:
        sock.sendall(to_bytestring(data))


def write_nonblock(sock: socket.socket, data: str | bytes, chunked: bool = False) -> None:
    """Send data without waiting."""
    timeout = sock.gettimeout()
    sock.setblocking(False)
    try:
        write(sock, data, chunked)
    finally:
        sock.settimeout(timeout)


def write_error(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    """Answer with a small page that tells of an error, and announce the end of the connection."""
    title, text = html.escape(reason), html.escape(mesg)
    body = f"<!doctype html>\n<title>{title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n".encode()
    lines = (
        f"HTTP/1.1 {status_int} {reason}",
        "Connection: close",
        "Content-Type: text/html",
        f"Content-Length: {len(body)}",
        "\r\n",
    )
    write_nonblock(sock, "\r\n".join(lines).encode("latin-1") + body)


# Text.


def http_date(timestamp: float | None = None) -> str:
    """Return a time, or this moment, as HTTP has it."""
    return email.utils.formatdate(timestamp, usegmt=True)


def is_hoppish(header: str) -> bool:
    """Say whether a field of an answer is the server's own affair."""
    return header.lower().strip() in hop_headers


def to_bytestring(value: str | bytes, encoding: str = "utf8") -> bytes:
    """Return text as bytes, and bytes as they are."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is neither text nor bytes")
    return value.encode(encoding)


def bytes_to_str(b: str | bytes) -> str:
    """Return bytes as the text they are in Latin-1, and text as it is."""
    return b if isinstance(b, str) else str(b, "latin-1")


def unquote_to_wsgi_str(string: str) -> str:
    """Return a quoted path as WSGI has it."""
    return urllib.parse.unquote_to_bytes(string).decode("latin-1")


def split_request_uri(uri: str) -> urllib.parse.SplitResult:
    """Split a request's target; one that begins with two slashes names no host."""
    if not uri.startswith("//"):
        return urllib.parse.urlsplit(uri)
    split = urllib.parse.urlsplit(f".{uri}")
    return split._replace(path=split.path[1:])
