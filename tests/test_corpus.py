"""The corpus, sent to a running server: whole, and byte by byte."""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from pathlib import Path

import pytest

from tests.harness import Client, eventually
from tests.harness.server import running

CORPUS = Path(__file__).parent / "corpus"


def cases(folder):
    paths = sorted((CORPUS / folder).glob("*.http"))
    return [(path, json.loads(path.with_suffix(".json").read_text())) for path in paths]


def flags(settings):
    """Return the settings of a case as a config file."""
    return "".join(f"{name} = {value!r}\n" for name, value in sorted(settings.items()))


def by_settings(folder):
    """Group the cases that one server can be sent."""
    groups = defaultdict(list)
    for path, expected in cases(folder):
        groups[flags(expected.get("settings", {}))].append((path, expected))
    return sorted(groups.items())


GROUPS = {folder: by_settings(folder) for folder in ("accepted", "refused")}


def names(folder):
    return [config.replace("\n", " ").strip() or "defaults" for config, _ in GROUPS[folder]]


def pieces(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


def send_case(server, data, size):
    """Send the bytes in pieces; a server that has heard enough may close before the last."""
    client = server.connect()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        for piece in pieces(data, size):
            client.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return client


def sizes(data):
    """Say in pieces of which sizes to send: a long one byte by byte would take all day."""
    return [len(data), 1] if len(data) < 600 else [len(data), 1000]


def assert_seen(expected, seen, path):
    """Compare what the application saw with what the case says."""
    for key in ("method", "target", "query", "body"):
        assert seen[key] == expected[key], f"{path.stem}: {key}"
    major, minor = expected["version"]
    assert seen["version"] == f"HTTP/{major}.{minor}", path.stem
    environ = seen["environ"]
    if "%" not in expected["path"] and "SCRIPT_NAME" not in dict(expected["headers"]):
        assert seen["decoded"] == expected.get("decoded", expected["path"]), path.stem
    if "client" in expected:
        host, _, port = expected["client"].rpartition(":")
        assert seen["client"] == f"{host.strip('[]')}:{port}", path.stem
    assert seen["scheme"] == expected.get("scheme", "http"), path.stem
    joined = defaultdict(list)
    for name, value in expected["headers"]:
        key = name.upper().replace("-", "_")
        joined[key if key.startswith("CONTENT_") else f"HTTP_{key}"].append(value)
    if joined.pop("HTTP_TRANSFER_ENCODING", None):
        assert environ["CONTENT_LENGTH"] == str(len(expected["body"])), f"{path.stem}: length"
    for key, values in joined.items():
        assert environ[key] == ",".join(values), f"{path.stem}: {key}"


@pytest.mark.parametrize(("config", "group"), GROUPS["accepted"], ids=names("accepted"))
def test_what_must_be_accepted_reaches_the_application(tmp_path, config, group):
    with running(tmp_path) as server:
        server.start("tests.apps.mirror:application", config=config)
        for path, expected in group:
            data = path.read_bytes()
            for size in sizes(data):
                with send_case(server, data, size) as client:
                    for request in expected["requests"]:
                        reply = read_answer(client, request)
                        if request["method"] != "HEAD":
                            assert_seen(request, json.loads(reply.body), path)
                    if not request["keep_alive"]:
                        assert client.is_closed(), f"{path.stem}: the connection is kept"


def read_answer(client: Client, request):
    reply = client.reply(request["method"])
    while reply.status == 100:
        reply = client.reply(request["method"])
    assert reply.status == 200, (request, reply)
    return reply


@pytest.mark.parametrize(("config", "group"), GROUPS["refused"], ids=names("refused"))
def test_what_must_be_refused_is_answered_logged_and_survived(tmp_path, config, group):
    with running(tmp_path) as server:
        server.start("tests.apps.mirror:application", config=config)
        pid = eventually(server.workers)
        for path, expected in group:
            data = path.read_bytes()
            for size in sizes(data):
                before = server.log.count("Invalid ")
                with send_case(server, data, size) as client:
                    reply = client.reply()
                    assert reply.status == expected["status"], path.stem
                    assert reply.reason in REASONS[expected["status"]], path.stem
                    assert reply.header("Connection") == "close", path.stem
                    assert client.rest() == b"", f"{path.stem}: more than one answer"
                server.wait_for_log("Invalid ", before + 1)
        assert server.workers() == pid, "a worker has died"
        assert "Traceback" not in server.log


REASONS = {
    400: ["Bad Request"],
    403: ["Forbidden"],
    414: ["URI Too Long"],
    417: ["Expectation Failed"],
    431: ["Request Header Fields Too Large"],
    501: ["Not Implemented"],
}
