"""What Python code is told of a request that has ended."""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

#: What stands for characters that would end a line or a field, or steer a terminal.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_ESCAPES |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029)}
_ESCAPES[ord('"')] = '\\"'
_ESCAPES[ord("\\")] = "\\\\"

#: A line has one end, and it is not the formatter's.
_LINE_ENDS = {code: _ESCAPES[code] for code in (0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029)}


class SafeAtoms(dict[str, Any]):
    """Atoms for a %-format: what is not there is a dash, what could break a line is escaped."""

    def __init__(self, atoms: dict[str, Any]) -> None:
        super().__init__(
            (name, value.translate(_ESCAPES) if isinstance(value, str) else value)
            for name, value in atoms.items()
        )

    def __getitem__(self, name: str) -> Any:
        if name.startswith("{"):
            name = name.lower()
        return super().__getitem__(name) if name in self else "-"


class LoggedResponse:
    """An answer that has ended, as loggers see it."""

    #: What the server calls itself.
    version: ClassVar[str] = "tricorn"
    upgrade = False

    def __init__(
        self, status: str, headers: list[tuple[str, str]], sent: int, length: int | None, end: str
    ) -> None:
        self.status = status
        if status:
            self.status_code = int(status[:3])
        self.headers = headers
        self.headers_sent = bool(status)
        self.sent = sent
        self.response_length = length
        #: How it ended: ``complete``, ``client gone``, …
        self.end = end
        self.req: Any = None

    @property
    def cfg(self) -> Any:
        """The configuration."""
        return self.req.cfg


def user_name(environ: dict[str, Any]) -> str | None:
    """Return the user name of Basic authentication (RFC 7617)."""
    scheme, _, encoded = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return None
    name, colon, _ = pair.partition(":")
    return name if colon and name else None


def atoms(
    resp: Any, req: Any, environ: dict[str, Any], request_time: Any, now: str
) -> dict[str, Any]:
    """Return the atoms of a request, by gunicorn's names."""
    status = resp.status
    if isinstance(status, str):
        status = status.partition(" ")[0]
    headers = getattr(req, "headers", None) or []
    seconds, micros = request_time.seconds + _days(request_time), request_time.microseconds
    length = getattr(resp, "sent", None)
    found = {
        "h": environ.get("REMOTE_ADDR", "-"),
        "l": "-",
        "u": user_name(environ) or "-",
        "t": now,
        "r": " ".join(
            str(environ.get(key, "-")) for key in ("REQUEST_METHOD", "RAW_URI", "SERVER_PROTOCOL")
        ),
        "s": status or "-",
        "m": environ.get("REQUEST_METHOD"),
        "U": environ.get("PATH_INFO"),
        "q": environ.get("QUERY_STRING"),
        "H": environ.get("SERVER_PROTOCOL"),
        "b": "-" if length is None else str(length),
        "B": length,
        "f": environ.get("HTTP_REFERER", "-"),
        "a": environ.get("HTTP_USER_AGENT", "-"),
        "T": seconds,
        "D": seconds * 1_000_000 + micros,
        "M": seconds * 1000 + micros // 1000,
        "L": f"{seconds}.{micros:06d}",
        "p": f"<{os.getpid()}>",
    }
    found.update(_named("i", headers))
    found.update(_named("o", getattr(resp, "headers", None) or []))
    found.update((f"{{{name.lower()}}}e", value) for name, value in environ.items())
    return found


def _days(request_time: Any) -> int:
    return getattr(request_time, "days", 0) * 86400


def _named(kind: str, headers: Any) -> dict[str, Any]:
    pairs: Iterable[tuple[str, Any]] = headers.items() if hasattr(headers, "items") else headers
    return {f"{{{name.lower()}}}{kind}": value for name, value in pairs}


def as_json(resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> str:
    """Return the line of the preset ``json``, as the native log has it."""
    found = atoms(resp, req, environ, request_time, "")
    method = environ.get("REQUEST_METHOD") or None
    status = str(found["s"])
    moment = time.time()
    zone = time.strftime("%z", time.localtime(moment))
    told = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment))
        + f".{int(moment * 1000) % 1000:03d}{zone[:3]}:{zone[3:]}",
        "client": found["h"] or None,
        "user": user_name(environ),
        "request": _utf8(found["r"]).strip() or None,
        "method": method,
        "path": _utf8(found["U"]) if method else None,
        "query": _utf8(found["q"]) if method else None,
        "protocol": found["H"] if method else None,
        "status": int(status) if status.isdigit() else None,
        "bytes": found["B"],
        "duration_us": found["D"],
        "referer": _utf8(environ.get("HTTP_REFERER")),
        "user_agent": _utf8(environ.get("HTTP_USER_AGENT")),
        "pid": os.getpid(),
        "end": getattr(resp, "end", None),
    }
    return json.dumps(told).replace("\x7f", "\\u007f")


def _utf8(text: Any) -> Any:
    """Return what WSGI has as Latin-1 as the text it is."""
    if not isinstance(text, str):
        return text
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def now() -> str:
    """Return the time as the common log format has it."""
    return time.strftime("[%d/%b/%Y:%H:%M:%S %z]")


def formatted(
    formatter: Callable[[Any], str],
    resp: Any,
    req: Any,
    environ: dict[str, Any],
    request_time: Any,
) -> str:
    """Return the line that an operator's own formatter makes of a request."""
    line = formatter(SafeAtoms(atoms(resp, req, environ, request_time, now())))
    if not isinstance(line, str):
        raise TypeError(f"the formatter must return a str, not {type(line).__name__}")
    return line.translate(_LINE_ENDS)
