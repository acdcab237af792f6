"""The plugins that come with the server, at work in it."""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import struct
import time
from importlib import metadata
from pathlib import Path

import bcrypt
import pytest
import tricorn
from tricorn import plugins

from tests.harness import eventually
from tests.harness.plugins import INCLUDE, ROOT
from tests.harness.server import run

PLAIN = "tests.apps.plain:application"
HEADER = INCLUDE / "tricorn.h"


@pytest.fixture(params=["sync", "gthread"])
def start(server, request):
    """Start a server with plugins of its package, under each worker class."""

    def start(*plugins, arguments=(), config=""):
        entries = [
            {"path": f"package:{plugin[0]}", "options": plugin[1]}
            if isinstance(plugin, tuple)
            else f"package:{plugin}"
            for plugin in plugins
        ]
        threads = ("--threads", "4") if request.param == "gthread" else ()
        text = f"plugins = {entries!r}\n{config}"
        return server.start(PLAIN, "-k", request.param, *threads, *arguments, config=text)

    return start


def basic(pair):
    return f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}"


def test_a_build_leaves_all_of_them_where_package_finds_them():
    folder = Path(tricorn.__file__).parent / "_plugins"
    offered = metadata.entry_points(group="tricorn.plugins")
    assert {entry.name for entry in offered} == {path.name for path in (ROOT / "plugins").iterdir()}
    for entry in offered:
        assert (folder / Path(entry.load()()).name).is_file(), f"{entry.name}: run make build"


def test_of_two_builds_of_a_plugin_the_later_is_taken(tmp_path, monkeypatch):
    files = [tmp_path / place / "libtricorn_plugin_health.so" for place in ("one", "two")]
    for age, file in enumerate(files):
        file.parent.mkdir()
        file.touch()
        os.utime(file, (1000 - age, 1000 - age))
    monkeypatch.setattr("tricorn.plugins._PLACES", [file.parent for file in files])
    assert plugins.health() == str(files[0])
    os.utime(files[1], (2000, 2000))
    assert plugins.health() == str(files[1])
    for file in files:
        file.unlink()
    with pytest.raises(FileNotFoundError, match="run make build"):
        plugins.health()


def test_request_id_is_in_environ_and_in_the_answer(start):
    server = start("request-id")
    reply = server.get("/env", "X-Request-ID: from-the-proxy")
    assert '"REQUEST_ID": "from-the-proxy"' in reply.text, "127.0.0.1 is believed"
    assert reply.header("X-Request-ID") == "from-the-proxy"
    ids = {server.get("/hello").header("X-Request-ID") for _ in range(20)}
    assert len(ids) == 20


def test_ids_of_many_workers_are_all_different(start):
    server = start("request-id", arguments=("-w", "4"))
    ids = [server.get("/hello").header("X-Request-ID") for _ in range(200)]
    assert len(set(ids)) == 200


def test_rate_limit_counts_over_all_workers(start):
    server = start(("rate-limit", {"rate": 0.5, "burst": 10}), arguments=("-w", "4"))
    eventually(lambda: len(server.workers()) == 4, "four workers")
    statuses = [server.get("/hello").status for _ in range(40)]
    assert statuses.count(200) in (10, 11)
    reply = server.get("/hello")
    assert reply.status == 429
    assert 1 <= int(reply.header("Retry-After")) <= 2


def test_rate_limit_counts_what_the_proxy_has_seen_and_not_what_a_client_says(start):
    options = {"rate": 0.01, "burst": 3, "key": "header:X-Forwarded-For"}
    server = start(("rate-limit", options))
    sent = [f"X-Forwarded-For: 10.0.0.{number}, 198.51.100.7" for number in range(5)]
    assert [server.get("/hello", header).status for header in sent] == [200, 200, 200, 429, 429]
    assert server.get("/hello", "X-Forwarded-For: 198.51.100.8").status == 200


def test_metrics_are_summed_over_workers_and_survive_them(start):
    server = start("metrics", arguments=("-w", "3"))
    for _ in range(30):
        server.get("/hello")
    server.get("/nowhere")

    def shown():
        return server.get("/metrics").text

    eventually(lambda: 'tricorn_requests_total{code="5xx"} 1' in shown(), "the failure is counted")
    assert "tricorn_workers 3\n" in shown()
    assert "tricorn_requests_in_flight 0\n" in shown()
    counted = int(shown().split('tricorn_requests_total{code="2xx"} ')[1].split("\n")[0])
    assert counted >= 30
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: 'tricorn_worker_exits_total{cause="crash"} 3' in shown(), "the deaths are counted"
    )
    after = int(shown().split('tricorn_requests_total{code="2xx"} ')[1].split("\n")[0])
    assert after >= counted
    assert "# TYPE tricorn_request_duration_seconds histogram" in shown()


def test_metrics_count_every_worker_that_is_gone_under_its_cause(start):
    server = start("metrics", arguments=("--max-requests", "1"))
    counter = re.compile(r'tricorn_worker_exits_total\{cause="(\w+)"\} (\d+)')

    def shown():
        return {cause: int(count) for cause, count in counter.findall(server.get("/metrics").text)}

    causes = set(re.findall(r'#define TRICORN_CAUSE_\w+ "(\w+)"', HEADER.read_text()))
    assert len(causes) >= 11
    assert set(shown()) == causes | {"other"}, "each is there before it happens"
    server.get("/hello")
    eventually(lambda: shown()["max_requests"] >= 1, "a worker that was replaced is counted")
    assert shown()["other"] == 0


def test_what_a_dead_worker_had_in_flight_is_taken_back(start):
    server = start("metrics", arguments=("-w", "2"))
    eventually(lambda: len(server.workers()) == 2, "two workers")
    with server.connect() as client:
        client.request("/sleep/30")
        eventually(
            lambda: "tricorn_requests_in_flight 1\n" in server.get("/metrics").text, "one runs"
        )
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: "tricorn_requests_in_flight 0\n" in server.get("/metrics").text,
            "its worker is gone",
        )
    eventually(
        lambda: 'tricorn_worker_exits_total{cause="crash"} 2' in server.get("/metrics").text,
        "their ends are counted",
    )


def test_health_tells_of_maintenance_and_of_stopping(start, server):
    file = server.folder / "down"
    start(("health", {"maintenance_file": str(file)}))
    assert server.get("/livez").text == "alive\n"
    assert server.get("/readyz").status == 200
    file.touch()
    assert server.get("/readyz").text == "maintenance\n"
    file.unlink()
    with server.connect() as kept, server.connect() as busy:
        kept.get("/hello")
        busy.request("/sleep/1")
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        busy.reply()


def test_auth_basic_lets_in_who_knows_the_password(start, server):
    (server.folder / "users").write_text(hashed("ada", "sesame"))
    options = {"file": str(server.folder / "users"), "open": ["/hello"]}
    start(("auth-basic", options))
    assert server.get("/hello").text == "hello"
    refused = server.get("/env")
    assert refused.status == 401
    assert refused.header("WWW-Authenticate") == 'Basic realm="restricted", charset="UTF-8"'
    for _ in range(3):
        assert '"REMOTE_USER": "ada"' in server.get("/env", basic("ada:sesame")).text
    assert server.get("/env", basic("ada:wrong")).status == 401
    assert server.get("/env", basic("bob:sesame")).status == 401
    assert server.get("/env", "Authorization: Basic ???").status == 401


def test_a_log_in_does_not_hold_up_others(start, server):
    (server.folder / "users").write_text(hashed("ada", "sesame", cost=12))
    start(("auth-basic", {"file": str(server.folder / "users"), "open": ["/hello"]}))
    with server.connect() as slow, server.connect() as quick:
        slow.request("/env", basic("ada:sesame"))
        began = time.monotonic()
        assert quick.get("/hello").text == "hello"
        quick_took = time.monotonic() - began
        assert slow.reply().status == 200
        assert quick_took < time.monotonic() - began


def test_passwords_of_clients_that_are_gone_are_not_checked(start, server):
    (server.folder / "users").write_text(hashed("ada", "sesame", cost=10))
    options = {"file": str(server.folder / "users")}
    start(("auth-basic", options), arguments=("--log-level", "debug"))
    clients = [server.connect().request("/env", basic("bob:open")) for _ in range(6)]
    server.wait_for_log("no user", count=6)
    for client in clients:
        linger = struct.pack("ii", 1, 0)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.sock.close()
    assert server.get("/env", basic("bob:shut")).status == 401
    assert server.log.count("a wrong password") < 6


def hashed(name, password, cost=4):
    return f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()}\n"


def test_static_files_are_sent_in_whole_and_in_part(start, server):
    root = server.folder / "files"
    root.mkdir()
    content = bytes(range(256)) * 20_000
    (root / "big.bin").write_bytes(content)
    (server.folder / "secret").write_text("secret")
    start(("static", {"root": str(root), "max_age": 60}))
    with server.connect() as client:
        reply = client.get("/static/big.bin")
        assert reply.body == content
        assert reply.header("Cache-Control") == "public, max-age=60"
        part = client.get("/static/big.bin", "Range: bytes=1000-1999")
        assert (part.status, part.body) == (206, content[1000:2000])
        etag = reply.header("ETag")
        assert client.get("/static/big.bin", f"If-None-Match: {etag}").status == 304
        assert client.get("/static/../secret").status == 404
        assert client.get("/static/%2e%2e/secret").status == 404
        head = client.get("/static/big.bin", method="HEAD")
        assert (head.status, head.header("Content-Length")) == (200, str(len(content)))
        assert client.get("/hello").text == "hello"


def test_static_files_heed_conditions_and_folders_have_their_slash(start, server):
    root = server.folder / "files"
    (root / "docs").mkdir(parents=True)
    (root / "docs" / "index.html").write_text("<p>")
    start(("static", {"root": str(root), "index": "index.html"}))
    with server.connect() as client:
        reply = client.get("/static/docs?v=1")
        assert (reply.status, reply.header("Location")) == (301, "/static/docs/?v=1")
        reply = client.get("/static/docs/")
        assert reply.text == "<p>"
        etag = reply.header("ETag")
        assert client.get("/static/docs/", f"If-Match: {etag}").status == 200
        failed = client.get("/static/docs/", 'If-Match: "other"')
        assert (failed.status, failed.header("Content-Length")) == (412, "0")
        old = "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT"
        assert client.get("/static/docs/", old).status == 412
        assert client.get("/static/docs/").status == 200, "the connection goes on"


def test_a_line_that_nobody_can_log_in_by_stops_the_start(server):
    users = server.folder / "users"
    users.write_text(hashed("ada", "sesame") + hashed("bob", "sesame").replace("$04$", "$03$"))
    plugins = [{"path": "package:auth-basic", "options": {"file": str(users)}}]
    server.write("server.conf.py", f"plugins = {plugins!r}\n")
    done = run(server.folder, "-c", "server.conf.py", "--check-config", PLAIN)
    assert done.returncode == 1
    assert f"file: {users}, line 2: no password can match this hash" in done.stderr


def test_all_of_them_together(start, server):
    (server.folder / "files").mkdir()
    (server.folder / "files" / "a.txt").write_text("a")
    (server.folder / "users").write_text(hashed("ada", "sesame"))
    start(
        "request-id",
        ("rate-limit", {"rate": 1000, "burst": 1000}),
        "metrics",
        "health",
        ("auth-basic", {"file": str(server.folder / "users"), "paths": ["/env"]}),
        ("static", {"root": str(server.folder / "files")}),
    )
    for target, status in (("/hello", 200), ("/livez", 200), ("/static/a.txt", 200), ("/env", 401)):
        reply = server.get(target)
        assert reply.status == status
        assert (reply.header("X-Request-ID") is None) == (target == "/livez"), target
    assert "tricorn_requests_total" in server.get("/metrics").text
