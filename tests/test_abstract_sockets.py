r"""Unix sockets with abstract names, for which there is no file: `unix:@name`, `unix:\0name`."""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest

from tests.harness.client import Client
from tests.harness.waiting import eventually

PLAIN = "tests.apps.plain:application"


@pytest.fixture
def name(tmp_path):
    """A name that nobody else has."""
    return f"tricorn-{os.getpid()}-{tmp_path.name}"


def connect(name: str) -> Client:
    return Client(f"\0{name}")


@pytest.mark.parametrize("mark", ["@", "//@", "\\0"])
def test_an_abstract_name_is_listened_on_in_each_of_its_forms(server, arguments, name, mark):
    server.start(PLAIN, *arguments, bind=f"unix:{mark}{name}")
    with connect(name) as client:
        environ = json.loads(client.get("/env").text)
    assert f"Listening at: unix:@{name} (" in server.log
    assert environ["REMOTE_ADDR"] == ""
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("test.example", "80")
    assert sorted(path.name for path in server.folder.iterdir()) == ["server.log"]
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        connect(name)


def test_a_config_file_may_have_the_zero_byte_itself(server, name):
    server.start(PLAIN, config=f"bind = 'unix:\\0{name}'\n", bind="")
    with connect(name) as client:
        assert client.get("/hello").body == b"hello"
    assert f"Listening at: unix:@{name} (" in server.log


def test_a_request_without_host_has_a_server_name_all_the_same(server, name):
    server.start(PLAIN, bind=f"unix:@{name}")
    with connect(name) as client:
        environ = json.loads(client.send("GET /env HTTP/1.0\r\n\r\n").reply().text)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, "80")


def test_a_name_in_use_is_one_clear_line(server, name):
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(f"\0{name}")
        taken.listen()
        server.spawn("-b", f"unix:@{name}", PLAIN)
        assert server.wait() == 1
    assert f"cannot listen on unix:@{name}: the address is in use" in server.log


def test_a_name_that_is_too_long_is_one_clear_line(server):
    server.spawn("-b", f"unix:@{'x' * 200}", PLAIN)
    assert server.wait() == 1
    assert server.log.count("cannot listen on unix:@xxx") == 1
    assert "Traceback" not in server.log


def test_a_path_with_the_mark_further_on_is_a_file(server):
    server.start(PLAIN, bind="unix:./@site")
    assert (server.folder / "@site").is_socket()
    server.stop()
    assert not (server.folder / "@site").exists()


SITE = """
    import os
    def application(environ, start_response):
        start_response("200 OK", [])
        return [str(os.getppid()).encode()]
"""


def test_a_reload_keeps_the_socket_and_takes_a_new_name(server, arguments, name):
    config = f"bind = ['unix:@{name}']\n"
    server.write("app.py", SITE)
    server.start("app:application", *arguments, config=config, bind="")
    with connect(name) as client:
        client.get()
    server.write("server.conf.py", config.replace("@", "\\0") + f"bind += ['unix:@{name}-2']\n")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: answers(f"{name}-2"), "the new name answers")
    assert answers(name)
    server.write("server.conf.py", f"bind = ['unix:@{name}-2']\n")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: not answers(name), "the old name is gone")
    assert answers(f"{name}-2")
    server.stop()


def test_a_successor_takes_the_socket_over(server, name):
    server.write("app.py", SITE)
    server.start("app:application", "-p", "server.pid", bind=f"unix:@{name}")
    successor = server.call_successor()
    server.give_way(successor)
    eventually(lambda: answers(name) == str(successor).encode(), "the successor answers alone")
    listening = [line for line in server.log.splitlines() if "Listening at" in line]
    assert len(listening) == 2
    assert all(f"unix:@{name}" in line for line in listening)
    server.stop()
    assert not answers(name)


def answers(name: str) -> bytes | None:
    """Return what a server under this name answers, if there is one."""
    try:
        with connect(name) as client:
            return client.get().body
    except ConnectionRefusedError:
        return None


def test_objects_of_the_listeners_name_it_as_sockets_do(server, name):
    server.start(
        PLAIN,
        config="""
            def when_ready(server):
                listener = server.LISTENERS[0]
                print("LISTENER", listener, type(listener).__name__, listener.getsockname())
                print("ADDRESS", ascii(server.cfg.address), flush=True)
        """,
        bind=f"unix:@{name}",
    )
    server.wait_for_log(f"LISTENER unix:@{name} UnixSocket")
    server.wait_for_log(f"ADDRESS ['\\x00{name}']")


def test_a_program_that_listens_beside_the_server_closes_it_without_a_file(server, name):
    server.start(
        PLAIN,
        config=f"""
            import types
            def when_ready(server):
                from tricorn import sock
                conf = types.SimpleNamespace(address=['\\0{name}'], umask=0, backlog=5)
                conf.reuse_port = False
                made = sock.create_sockets(conf, server.log)
                print("MADE", *made)
                sock.close_sockets(made)
                print("CLOSED", flush=True)
        """,
    )
    server.wait_for_log(f"MADE unix:@{name}")
    server.wait_for_log("CLOSED")


@pytest.mark.parametrize("mark", ["@", "\\0"])
@pytest.mark.parametrize("logger", ["native", "python"])
def test_a_syslog_and_a_statsd_are_found_under_abstract_names(server, name, mark, logger):
    with heard(f"{name}-log") as syslog, heard(f"{name}-statsd") as statsd:
        classes = {"native": (), "python": ("--logger-class", "own.Own")}[logger]
        server.write("own.py", "from gunicorn.instrument.statsd import Statsd as Own\n")
        server.start(
            *(PLAIN, *classes, "--log-syslog", "--statsd-host", f"unix://{mark}{name}-statsd"),
            *("--log-syslog-to", f"unix://{mark}{name}-log#dgram"),
        )
        text = ""
        while "Listening at" not in text:
            text += syslog.recv(4096).decode()
        server.get("/hello")
        while "gunicorn.requests:1" not in text:
            text += statsd.recv(4096).decode()


def heard(name: str) -> socket.socket:
    """Listen for datagrams under an abstract name."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(f"\0{name}")
    sock.settimeout(20)
    return sock
