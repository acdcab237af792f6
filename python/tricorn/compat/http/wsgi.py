"""Answers, and what an application finds in its ``environ``."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Any

from tricorn import _native
from tricorn._access import LoggedResponse
from tricorn._wsgi import FileWrapper
from tricorn.compat.http._open import opened
from tricorn.compat.package import SERVER, SERVER_SOFTWARE

#: The most that is given to ``sendfile`` at once.
BLKSIZE = 0x3FFFFFFF

log = logging.getLogger("gunicorn.http.wsgi")

#: An answer, as hooks and loggers get it.
Response = opened("Response", "gunicorn.http.wsgi", _native.Response, LoggedResponse)


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


_OWN_HEADERS = Response.default_headers
_OWN_RESPONSE = Response


def has_own_response() -> bool:
    """Say whether somebody has put other headers, or another class, in place of the server's."""
    return Response is not _OWN_RESPONSE or Response.default_headers is not _OWN_HEADERS


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
