"""What answers say of the server, where a program has set that by the names it has in gunicorn.

It is asked for once, when a worker begins to serve: nothing is asked while answers are sent.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

from tricorn import _native
from tricorn._access import LoggedResponse
from tricorn.compat import package

#: What of a class for answers is heard: the fields that answers begin with.
HEARD = {"__init__", "default_headers"}

#: Fields that are the affair of each answer, and not of a sample.
_EACH = {"connection", "content-length", "date", "keep-alive", "transfer-encoding"}

_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")


def own_fields(cfg: Any) -> list[tuple[bytes, bytes]] | None:
    """Return the fields of the server's own in every answer; None where nothing has been set."""
    name = _name()
    fields = None if name is None else [("Server", name)]
    if HEARD & set(_methods()):
        try:
            fields = _sampled("tricorn" if name is None else name, cfg)
        except Exception as error:
            what = f"gunicorn.http.wsgi.Response is without an effect: {type(error).__name__}"
            _native.log(logging.WARNING, f"{what}: {error}, when a sample of it was made")
    if fields is None:
        return None
    sent = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in fields]
    own = [value for key, value in fields if key.lower() == "server"]
    LoggedResponse.version = own[0] if own else ""
    return sent


def complaints() -> list[str]:
    """Return a line for each thing that has been set and is without an effect."""
    told = []
    for given in package.changed("SERVER")[:1]:
        if not _is_sendable(given):
            what = f"gunicorn.SERVER is {str(given)!r}, which cannot stand in an answer"
            told.append(f"{what}: give it a name without control characters, in Latin-1")
    for name in _methods():
        if name not in HEARD:
            what = f"gunicorn.http.wsgi.Response.{name} is set, without an effect"
            told.append(
                f"{what}: answers are sent by the compiled core; use the hook response_start"
            )
    return told


def _name() -> str | None:
    """Return what the server is to call itself, if somebody has set that."""
    given = package.changed("SERVER")[:1]
    return next((_text(value) for value in given if _is_sendable(value)), None)


def _text(given: Any) -> str:
    return "" if given is None else str(given)


def _is_sendable(given: Any) -> bool:
    return not _UNSENDABLE.search(_text(given))


def _methods() -> list[str]:
    wsgi = sys.modules.get("tricorn.compat.http.wsgi")
    return wsgi.other_methods() if wsgi else []


def _sampled(server: str, cfg: Any) -> list[tuple[str, str]]:
    """Ask the class for answers, of a sample, which fields they begin with."""
    from tricorn.compat.http import wsgi

    made = wsgi.Response(wsgi.Sample(server), None, cfg)
    lines = [str(line) for line in made.default_headers()]
    fields = []
    for line in "".join(lines).splitlines():
        name, colon, value = line.partition(":")
        if line.startswith("HTTP/") or not line or name.lower() in _EACH:
            continue
        if not colon or not _is_sendable(line):
            raise ValueError(f"{line!r} is no line of an answer")
        fields.append((name, value.strip()))
    return fields
