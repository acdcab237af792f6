"""Mutated requests before nginx and tricorn behind it: no answer belongs to another request."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.harness import Client
from tests.harness.deployment import free_port, require
from tests.harness.mutations import Mutant, drawn, singles
from tests.harness.waiting import eventually
from tests.test_differential import DRAWN, SEED

APPLICATION = """
    def application(environ, start_response):
        with_body = environ["PATH_INFO"].startswith("/stamp")
        body = environ["PATH_INFO"].encode("latin-1") if with_body else b"x" * 10
        if not environ["RAW_URI"].endswith("unread"):
            try:
                environ["wsgi.input"].read()
            except OSError:
                pass
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
"""

#: One connection to tricorn, which all clients' requests travel on.
NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    upstream app {{ server {host}:{port}; keepalive 1; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{front};
        ignore_invalid_headers {invalid};
        underscores_in_headers on;
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering {buffering};
            proxy_next_upstream off;
            proxy_read_timeout 5s;
        }}
    }}
}}
"""


@pytest.fixture(params=[("on", "on"), ("off", "off")], ids=["buffered", "streamed"])
def front(request, server):
    """Serve behind nginx; give nginx's address."""
    require("nginx")
    buffering, invalid = request.param
    server.write("app.py", APPLICATION)
    server.start("app:application", "--threads", "2", "--keep-alive", "60")
    host, port = server.address
    address = ("127.0.0.1", free_port())
    names = {"folder": server.folder, "host": host, "port": port, "front": address[1]}
    text = NGINX.format(**names, buffering=buffering, invalid=invalid)
    config = server.write("nginx.conf", text)
    command = ["/usr/sbin/nginx", "-c", str(config), "-p", str(server.folder)]
    nginx = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        eventually((server.folder / "nginx.pid").exists, "nginx listens")
        yield address
    finally:
        nginx.terminate()
        nginx.wait(20)


def send(address: tuple[str, int], mutant: Mutant) -> None:
    """Send a request, the end of the connection, and leave with the first bytes of an answer."""
    data = mutant.data.replace(b"/a?b=c", b"/a?unread") if len(mutant.body) % 2 else mutant.data
    with socket.create_connection(address, timeout=20) as sock, suppress(OSError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(65536)


def test_each_answer_is_its_own_requests_whatever_was_sent_before_it(front):
    print(f"TRICORN_SEED={SEED}", file=sys.stderr)
    mutants = [*singles(), *drawn(DRAWN, SEED)]
    for number, mutant in enumerate(mutants):
        send(front, mutant)
        if number % 5:
            continue
        with Client(front) as client:
            reply = client.get(f"/stamp/{number}")
        assert (reply.status, reply.text) == (200, f"/stamp/{number}"), mutant.changes()
