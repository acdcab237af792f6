"""Answers, and what an application finds in its ``environ``."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Iterable
from typing import Any

from tricorn import _native
from tricorn._access import LoggedResponse
from tricorn._wsgi import FileWrapper
from tricorn.compat.http._open import opened
from tricorn.compat.package import SERVER, SERVER_SOFTWARE
from tricorn.compat.util import http_date

#: The most that is given to ``sendfile`` at once.
BLKSIZE = 0x3FFFFFFF

log = logging.getLogger("gunicorn.http.wsgi")


class Response(opened("Response", "gunicorn.http.wsgi", _native.Response)):  # type: ignore[misc]
    """An answer, as hooks and loggers get it: the server makes those.

    A class of one's own is asked once, of a sample, what fields answers begin with.
    """

    status: Any = None
    status_code: Any = None
    headers: Any = None

    def __init__(self, req: Any, sock: Any, cfg: Any) -> None:
        if not isinstance(req, Sample):
            super().__init__()
        self.req, self.sock, self.cfg = req, sock, cfg
        self.version: Any = req.server
        self.status, self.status_code = "200 OK", 200
        self.headers = []
        self.sent = 0
        self.response_length: int | None = None
        self.chunked = self.must_close = self.headers_sent = self.upgrade = False

    def should_close(self) -> bool:
        """Say whether the connection is closed after the answer."""
        return isinstance(self, _native.Response) and _native.Response.should_close(self)

    def is_chunked(self) -> bool:
        """Say whether the content is sent in chunks."""
        return isinstance(self, _native.Response) and _native.Response.is_chunked(self)

    def default_headers(self) -> list[str]:
        """Return the lines that the server itself puts before the application's headers."""
        if isinstance(self, _native.Response):
            return _native.Response.default_headers(self)
        own = [f"Server: {self.version}", f"Date: {http_date()}", "Connection: keep-alive"]
        return [f"{line}\r\n" for line in (f"HTTP/1.1 {self.status}", *own)]


Response.register(_native.Response)
Response.register(LoggedResponse)


class Sample:
    """A request that nobody has sent."""

    method, uri, path, query, fragment = "GET", "/", "/", "", ""
    version = (1, 1)
    scheme = "http"
    must_close = False

    def __init__(self, server: str) -> None:
        self.server = server
        self.headers: list[tuple[str, str]] = []
        self.trailers: list[tuple[str, str]] = []

    def should_close(self) -> bool:
        """Say whether the client wants the connection closed: it does not."""
        return False


class WSGIErrorsWrapper(opened("ErrorStream", "gunicorn.http.wsgi", _native.ErrorStream)):  # type: ignore[misc]
    """What is written goes to the error log: ``environ["wsgi.errors"]`` of workers of one's own."""

    def __init__(self, cfg: Any = None) -> None:
        self.cfg = cfg

    def write(self, data: str | bytes) -> int:
        """Log text, a line for each of its own."""
        text = data if isinstance(data, str) else bytes(data).decode("utf-8", "replace")
        for line in text.splitlines():
            _native.log(logging.ERROR, line)
        return len(data)

    def writelines(self, lines: Iterable[str]) -> None:
        """Log lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: what is written is logged at once."""


WSGIErrorsWrapper.register(_native.ErrorStream)


#: The class as it is made here, and its methods.
_OWN_RESPONSE = Response
_OWN_METHODS = {
    name: inspect.getattr_static(Response, name)
    for name in ("__init__", *vars(_native.Response))
    if name == "__init__" or (name[:2] != "__" and callable(getattr(Response, name)))
}


def other_methods() -> list[str]:
    """Return the methods that somebody has put in place of the server's, by patches or a class."""
    methods = _OWN_METHODS.items()
    return [name for name, own in methods if inspect.getattr_static(Response, name, own) is not own]


def base_environ(cfg: Any) -> dict[str, Any]:
    """Return the part of ``environ`` that is the same for all requests to one's own worker."""
    return {
        "wsgi.errors": WSGIErrorsWrapper(cfg),
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": cfg.workers > 1,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        "SERVER_SOFTWARE": SERVER_SOFTWARE,
        **({"SCRIPT_NAME": os.environ["SCRIPT_NAME"]} if "SCRIPT_NAME" in os.environ else {}),
    }


__all__ = [
    "BLKSIZE",
    "SERVER",
    "SERVER_SOFTWARE",
    "FileWrapper",
    "Response",
    "WSGIErrorsWrapper",
    "base_environ",
    "log",
]
