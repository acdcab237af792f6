"""Where the server listens: TCP of both versions, unix sockets, inherited descriptors."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from contextlib import ExitStack

import pytest

from tests.harness import Client
from tests.harness.server import COMMAND, environment

PLAIN = "tests.apps.plain:application"


def test_ipv6(server):
    server.start(PLAIN, bind="[::1]:0")
    reply = server.get("/env")
    assert reply.status == 200
    assert '"REMOTE_ADDR": "::1"' in reply.text
    assert '"SERVER_NAME": "::1"' in reply.text


def test_a_unix_socket(server):
    path = server.folder / "site.sock"
    server.start(PLAIN, bind=f"unix:{path}")
    with Client(str(path)) as client:
        assert client.get("/hello").body == b"hello"
    server.stop()
    assert not path.exists()


def test_the_umask_decides_who_may_use_a_unix_socket(server):
    path = server.folder / "site.sock"
    server.start(PLAIN, "-m", "0o027", bind=f"unix:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_a_unix_socket_left_behind_is_replaced(server):
    path = server.folder / "site.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    server.start(PLAIN, bind=f"unix:{path}")
    with Client(str(path)) as client:
        assert client.get("/hello").status == 200


def test_a_file_that_is_no_socket_is_left_alone(server):
    path = server.write("precious", "data")
    server.spawn("-b", f"unix:{path}", PLAIN)
    assert server.wait() == 1
    assert path.read_text() == "data"
    assert str(path) in server.log


def test_several_addresses_at_once(server):
    path = server.folder / "site.sock"
    server.start(PLAIN, "-b", f"unix:{path}", "-b", "[::1]:0", "-w", "2")
    assert server.get("/hello").status == 200
    with Client(str(path)) as client:
        assert client.get("/hello").status == 200
    assert server.log.count("http://") == 2


def test_an_inherited_descriptor(server):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        os.set_inheritable(number, True)
        with open(server.log_path, "ab") as log:
            server.process = subprocess.Popen(
                [*COMMAND, "-b", f"fd://{number}", PLAIN],
                pass_fds=[number],
                env=environment(),
                stdout=log,
                stderr=log,
            )
        server.wait_for_log("Listening at: ")
        with Client(listening.getsockname()) as client:
            assert client.get("/hello").status == 200


def test_a_descriptor_that_is_not_open_is_one_clear_line(server):
    server.spawn("-b", "fd://250", PLAIN)
    assert server.wait() == 1
    assert "fd://250" in server.log
    assert "Traceback" not in server.log


def test_a_port_in_use_is_one_clear_line(server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server.spawn("-b", address, PLAIN)
        assert server.wait() == 1
    complaints = [line for line in server.log.splitlines() if "in use" in line]
    assert len(complaints) == 1
    assert address in complaints[0]
    assert "Traceback" not in server.log


def test_a_port_that_becomes_free_is_waited_for(server):
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    server.spawn("-b", f"127.0.0.1:{port}", "--log-level", "debug", PLAIN)
    server.wait_for_log("in use")
    taken.close()
    server.wait_for_log("Listening at: ")
    assert server.get("/hello").status == 200


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("127.0.0.1:99999", 2),
        ("127.0.0.1:port", 2),
        ("unix:", 2),
        ("fd://x", 2),
        ("no.such.host.invalid:80", 1),
    ],
)
def test_an_address_that_cannot_be_is_one_clear_line(server, address, code):
    server.spawn("-b", address, PLAIN)
    assert server.wait() == code
    assert address in server.log
    assert "Traceback" not in server.log


def test_a_connection_that_waits_in_the_queue_survives_a_slow_start(server):
    server.write(
        "app.py",
        """
        import os, time
        while not os.path.exists("go"):
            time.sleep(0.01)
        def application(environ, start_response):
            start_response("200 OK", [])
            return [b"here"]
        """,
    )
    server.start()
    with server.connect() as client:
        client.request("/")
        (server.folder / "go").touch()
        assert client.reply().body == b"here"


def test_the_backlog_is_what_was_asked_for(server):
    server.start(PLAIN, "--backlog", "3", "--worker-connections", "1", config="keepalive = 60\n")
    with ExitStack() as stack:
        held = stack.enter_context(server.connect())
        assert held.get("/hello").status == 200
        # The worker accepts no more; the kernel takes as many as the backlog, and one.
        for _ in range(4):
            stack.enter_context(server.connect())
        with pytest.raises(TimeoutError):
            Client(server.address, timeout=0.5)
