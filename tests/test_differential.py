"""Requests of a seeded grammar, read by gunicorn and by tricorn: each difference has its reason.

`TRICORN_MATRIX=1` draws many more, from a seed of the day; TRICORN_SEED repeats one.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.harness.mutations import Mutant, drawn, singles
from tests.harness.server import ROOT, Server, running
from tests.test_beside_gunicorn import BESIDE

LONG = bool(os.environ.get("TRICORN_MATRIX"))
SEED = int(os.environ.get("TRICORN_SEED", int(time.time()) // 86400 if LONG else 1))
DRAWN = 20_000 if LONG else 400

APPLICATION = """
    import json

    def application(environ, start_response):
        try:
            body = environ["wsgi.input"].read().decode("latin-1")
        except Exception:
            body = None
        shown = {
            key: value
            for key, value in environ.items()
            if key.startswith(("HTTP_", "CONTENT_")) or key in (
                "REQUEST_METHOD", "RAW_URI", "PATH_INFO", "QUERY_STRING", "SCRIPT_NAME",
                "SERVER_PROTOCOL", "wsgi.url_scheme", "REMOTE_ADDR",
            )
        }
        data = json.dumps([shown, body]).encode()
        start_response("200 OK", [("Content-Length", str(len(data)))])
        return [data]
"""

#: Configurations that decide what is accepted.
SETTINGS = {
    "defaults": "",
    "lenient": """
permit_obsolete_folding = True
strip_header_spaces = True
permit_unconventional_http_method = True
permit_unconventional_http_version = True
header_map = "dangerous"
""",
    "trusting": """
forwarded_allow_ips = "*"
forwarder_headers = "SCRIPT_NAME,PATH_INFO,REMOTE_USER"
header_map = "refuse"
proxy_protocol = True
""",
    "narrow": """
limit_request_line = 60
limit_request_fields = 5
limit_request_field_size = 100
""",
    "without trust": "forwarded_allow_ips = '192.0.2.1'\nheader_map = 'drop'\n",
}


@dataclass
class Outcome:
    """What a server made of a request: the first final status, and what the application saw."""

    status: int | None
    environ: dict[str, str] | None = None
    body: str | None = None

    @property
    def is_refused(self) -> bool:
        return self.status is None or self.status >= 400


def outcome(address: tuple[str, int], data: bytes) -> Outcome:
    """Send a request and the end of the connection, and read what comes."""
    received = b""
    with socket.create_connection(address, timeout=20) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(65536):
                received += piece
        except (BrokenPipeError, ConnectionResetError):
            pass
    while received.startswith(b"HTTP/1.1 100 "):
        received = received.partition(b"\r\n\r\n")[2]
    if not received:
        return Outcome(None)
    head, _, body = received.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    if status != 200 or not body.startswith(b"["):
        return Outcome(status)
    environ, content = json.JSONDecoder().raw_decode(body.decode())[0]
    return Outcome(status, environ, content)


def is_host(mutant: Mutant) -> bool:
    """Say whether the Host field is one (RFC 9112 section 3.2), a fold behind it being of it."""
    host = mutant.host
    if host is None or mutant.fields[:1] == (b" X: 1",):
        return False
    wrong = b" /@?#\\<>\t\x00\xe9"
    others = (b"h:x", b"[::1", b"::1", b"h:80:80", b"h:+1")
    return host not in others and not any(byte in host for byte in wrong)


def is_cut_short(mutant: Mutant) -> bool:
    """Say whether there is less of a body than its Content-Length announces."""
    if mutant.fields == (b"Content-Length : 3",):
        return len(mutant.body) < 3
    digits = (mutant.length or b"").strip()
    return digits.isdigit() and len(mutant.body) < int(digits)


def reason(mutant: Mutant, theirs: Outcome, ours: Outcome) -> str | None:
    """Return why tricorn differs from gunicorn on purpose; None if it does for no reason."""
    if theirs.is_refused and ours.is_refused:
        return reason_for_status(mutant, ours)
    if ours.is_refused:
        return reason_to_refuse(mutant, theirs)
    if theirs.is_refused:
        return reason_to_accept(mutant, theirs)
    return reason_for_content(mutant, theirs, ours)


def reason_for_status(mutant: Mutant, ours: Outcome) -> str | None:
    """Return why another status refuses a request."""
    if ours.status is None and b"\r\n\r\n" not in mutant.data:
        return "a head that never ends is not answered once its client has gone"
    if mutant.coding == b"chunked,":
        return "an empty coding behind chunked is a fault, and no unknown coding"
    return "two faults, and each names one" if len(mutant.changes()) > 1 else None


def reason_to_refuse(mutant: Mutant, theirs: Outcome) -> str | None:
    """Return why what gunicorn accepts is refused."""
    if not is_host(mutant):
        return "HTTP/1.1 wants a Host that is one (RFC 9112 section 3.2)"
    if mutant.method == b"CONNECT":
        return "CONNECT names a host and a port (RFC 9112 section 3.2.3)"
    if mutant.target == b"http://":
        return "an absolute target names a host"
    if is_cut_short(mutant):
        return "a body that is cut short never looks complete"
    if theirs.body is None:
        return "a chunked body that cannot be read is refused before the application runs"
    return None


def reason_to_accept(mutant: Mutant, theirs: Outcome) -> str | None:
    """Return why what gunicorn refuses is accepted."""
    if theirs.status == 417 and mutant.version == b"HTTP/1.0":
        return "HTTP/1.0 knows no expectations: they are ignored (RFC 9110 section 10.1.1)"
    if mutant.prefix == b"PROXY UNKNOWN\r\n":
        return "a proxy's own checks come so; the connection's address is used"
    return None


def reason_for_content(mutant: Mutant, theirs: Outcome, ours: Outcome) -> str | None:
    """Return why the application sees something else."""
    if ours.body is None and is_cut_short(mutant):
        return "a body that is cut short never looks complete"
    if theirs.body != ours.body:
        return None
    before, after = theirs.environ or {}, ours.environ or {}
    keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    if mutant.method == b"CONNECT" and keys == {"PATH_INFO"}:
        return "an authority is no path"
    if mutant.coding is not None:
        keys -= {"CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"}
    if not keys:
        return "a chunked body that was read before has a length"
    if keys == {"HTTP_X"} and before["HTTP_X"].strip() == after["HTTP_X"]:
        return "the white space around a folded value is no part of it (RFC 9110 section 5.5)"
    return None


@pytest.fixture(scope="module", params=SETTINGS.values(), ids=SETTINGS)
def both(request, tmp_path_factory):
    """Serve the same application and config file with both; give their addresses."""
    folders = [tmp_path_factory.mktemp(name) for name in ("gunicorn", "tricorn")]
    with running(folders[0]) as theirs, running(folders[1]) as ours:
        for server, module in ((theirs, "gunicorn"), (ours, "tricorn")):
            server.write("app.py", APPLICATION)
            server.write("server.conf.py", request.param)
            spawn(server, module)
        yield theirs.address, ours.address


def spawn(server: Server, module: str) -> None:
    """Start one of the two."""
    path = f"{BESIDE}:{ROOT}:{server.folder}" if module == "gunicorn" else str(ROOT)
    command = ("-m", module, "-b", "127.0.0.1:0", "-c", "server.conf.py", "app:application")
    server.spawn_program(*command, PYTHONPATH=path)
    server.wait_for_log("Listening at: ")


def unexplained(both, mutants) -> list[Any]:
    """Return the requests that the two read differently for no reason, with both outcomes."""
    found = []
    for mutant in mutants:
        theirs, ours = (outcome(address, mutant.data) for address in both)
        if theirs != ours and reason(mutant, theirs, ours) is None:
            found.append((mutant.changes(), theirs, ours))
    return found


def test_one_unusual_part_is_read_as_gunicorn_reads_it(both):
    assert unexplained(both, singles()) == []


def test_several_unusual_parts_are_read_as_gunicorn_reads_them(both):
    print(f"TRICORN_SEED={SEED}", file=sys.stderr)
    assert unexplained(both, drawn(DRAWN, SEED)) == []
