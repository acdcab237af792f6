"""Connections in trouble: busy workers, clients that stop half-way, much data, little patience."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from tests.harness import Client, eventually
from tests.harness.waiting import pause

PLAIN = "tests.apps.plain:application"
CLASSES = pytest.mark.parametrize("worker_class", ["sync", "gthread"])


def memory(pid):
    """What the process has resident, in bytes."""
    with open(f"/proc/{pid}/statm") as sizes:
        return int(sizes.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def busy_for(server, seconds):
    """Keep a worker busy; return the connection that waits for it."""
    client = server.connect()
    client.request(f"/sleep/{seconds}")
    server.wait_until_asleep()
    return client


# What came in time counts, whatever the worker was doing.


def test_a_request_on_a_kept_connection_is_not_late_because_the_worker_is_busy(server):
    server.start(PLAIN, "--keep-alive", "1")
    with server.connect() as kept:
        kept.get("/hello")
        with busy_for(server, 2) as busy:
            assert kept.get("/hello").status == 200
            assert busy.reply().status == 200


def test_the_rest_of_a_head_is_not_late_because_the_worker_is_busy(server):
    server.start(PLAIN, "--header-timeout", "1")
    with server.connect() as client:
        client.send("GET /hello HTTP/1.1\r\nHost: x\r\n")
        pause(0.1)
        with busy_for(server, 2):
            client.send("\r\n")
            assert client.reply().status == 200


def test_the_rest_of_a_body_is_not_late_because_the_worker_is_busy(server):
    server.start(PLAIN, "--body-timeout", "1")
    with server.connect() as client:
        client.request("/length", "Content-Length: 10", method="POST").send("12345")
        pause(0.1)
        with busy_for(server, 2):
            client.send("67890")
            assert client.reply().body == b"10"


def test_a_reader_is_not_given_up_because_the_worker_is_busy(server):
    server.write("app.py", FILES)
    (server.folder / "big").write_bytes(b"x" * 20_000_000)
    server.start("app:application", "--write-timeout", "1")
    with server.connect() as client:
        client.request("/file")
        pause(0.1)
        with busy_for(server, 2):
            assert len(client.reply().body) == 20_000_000


@CLASSES
def test_keepalive_counts_from_the_end_of_the_answer(server, worker_class):
    server.start(PLAIN, "-k", worker_class, "--keep-alive", "1")
    with server.connect() as client:
        assert client.get("/sleep/1.5").status == 200
        pause(0.3)
        assert client.get("/hello").status == 200


def test_a_slow_application_leaves_the_reader_its_time(server):
    server.write("app.py", FILES)
    (server.folder / "big").write_bytes(b"x" * 20_000_000)
    server.start("app:application", "--write-timeout", "1")
    with server.connect() as client:
        client.request("/file/after/1.5")
        pause(1.7)
        assert len(client.reply().body) == 20_000_000


FILES = """
    import time
    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path.startswith("/sleep/"):
            time.sleep(float(path.rsplit("/", 1)[1]))
            start_response("200 OK", [("Content-Length", "0")])
            return []
        if path.startswith("/file/after/"):
            time.sleep(float(path.rsplit("/", 1)[1]))
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        if path == "/file/after-write":
            write(b"written first")
        return environ["wsgi.file_wrapper"](open("big", "rb"))
"""


def test_a_reader_of_a_file_that_stops_reading_is_given_up(server):
    server.write("app.py", FILES)
    (server.folder / "big").write_bytes(b"x" * 50_000_000)
    server.start("app:application", "--write-timeout", "1")
    (pid,) = eventually(server.workers)
    with server.connect() as client:
        client.request("/file")
        eventually(lambda: client.head(), "the head")
        eventually(lambda: not holds(pid, "big"), "the file is let go of")


def holds(pid, name):
    links = (f"/proc/{pid}/fd/{number}" for number in os.listdir(f"/proc/{pid}/fd"))
    return any(os.path.realpath(link).endswith(f"/{name}") for link in links)


def test_a_file_that_follows_written_content_is_framed_like_it(server):
    server.write("app.py", FILES)
    (server.folder / "big").write_bytes(b"x" * 5000)
    server.start("app:application")
    with server.connect() as client:
        assert client.get("/file/after-write").body == b"written first" + b"x" * 5000
        assert client.get("/sleep/0").status == 200


def test_a_large_file_does_not_hold_the_others_up(server):
    server.write("app.py", FILES)
    with open(server.folder / "big", "wb") as big:
        # A hole: it takes no disk, and seconds to send.
        big.truncate(16 * 1024**3)
    server.start("app:application", "--threads", "2")
    with server.connect() as greedy:
        greedy.request("/file")
        greedy.head()
        stop = threading.Event()
        reader = threading.Thread(target=swallow, args=(greedy.sock, stop))
        reader.start()
        # More than the kernel holds for a reader: the file is on its way all the time.
        waits = [timed(lambda: server.get("/sleep/0")) for _ in range(20)]
        stop.set()
        reader.join()
    # In one go the file would keep somebody waiting for all of those seconds.
    assert max(waits) < 1.5, waits


def swallow(sock, stop):
    buffer = bytearray(1024 * 1024)
    while not stop.is_set() and sock.recv_into(buffer):
        pass


def timed(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


# The end of a connection does not destroy the answer before it.


@CLASSES
def test_bytes_that_come_during_the_last_answer_do_not_destroy_it(server, worker_class):
    server.write("app.py", SLOW_AND_BIG)
    server.start("app:application", "-k", worker_class)
    with server.connect() as client:
        client.request("/", "Connection: close")
        server.wait_until_asleep()
        client.send("\r\n")
        pause(0.6)
        assert len(client.reply().body) == 2_000_000


@CLASSES
def test_a_pipelined_request_does_not_destroy_the_last_answer(server, worker_class):
    server.write("app.py", SLOW_AND_BIG)
    server.start("app:application", "-k", worker_class, "--max-requests", "1")
    with server.connect() as client:
        client.request("/")
        server.wait_until_asleep()
        client.request("/")
        pause(0.6)
        assert len(client.reply().body) == 2_000_000


SLOW_AND_BIG = """
    import time
    def application(environ, start_response):
        time.sleep(0.4)
        start_response("200 OK", [("Content-Length", "2000000")])
        return [b"x" * 2_000_000]
"""


# Clients that go away.


def test_a_client_that_ends_its_body_early_while_the_worker_is_busy_is_noticed(server):
    server.start(PLAIN, "--body-timeout", "15")
    with server.connect() as client:
        client.get("/hello")
        with busy_for(server, 1):
            client.request("/length", "Content-Length: 1000", method="POST").send("x")
            client.sock.shutdown(socket.SHUT_WR)
            assert timed(lambda: client.reply().status == 400) < 10


def test_uploads_that_are_given_up_leave_nothing_behind(server):
    server.start(PLAIN, "--body-timeout", "60")
    server.get("/hello")
    (pid,) = server.workers()
    before = descriptors(pid)
    for _ in range(20):
        with server.connect() as client:
            client.request("/length", "Content-Length: 1000000", method="POST")
            client.send(b"x" * 300_000)
    eventually(lambda: descriptors(pid) <= before, "the connections are gone")


def test_a_body_that_waits_for_memory_goes_on_when_its_holder_is_gone(server):
    server.start(
        PLAIN, "--request-body-memory", "100000", "--request-body-buffer", "90000", "-t", "60"
    )
    holder = server.connect()
    holder.request("/length", "Content-Length: 80000", method="POST").send(b"x" * 40000)
    pause(0.1)
    with server.connect() as client:
        client.request("/length", "Content-Length: 80000", method="POST").send(b"x" * 80000)
        pause(0.2)
        # With a reset, and not a farewell.
        holder.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        holder.close()
        assert timed(lambda: client.reply()) < 1.5


# Much data takes little memory.


def test_a_streamed_answer_of_any_length_takes_no_memory_from_a_steady_reader(server):
    path = str(server.folder / "s")
    server.start(PLAIN, bind=f"unix:{path}")
    (pid,) = eventually(server.workers)
    with Client(path) as client:
        client.get("/hello")
        before = memory(pid)
        client.request("/stream/12800")
        client.head()
        most = 0
        buffer = bytearray(64 * 1024)
        received = 0
        while received < 200_000_000:
            received += client.sock.recv_into(buffer)
            pause(0.0005)
            most = max(most, memory(pid))
    assert most - before < 16 * 1024 * 1024


def test_a_body_read_by_lines_takes_no_memory(server):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            count = sum(1 for line in environ["wsgi.input"])
            start_response("200 OK", [])
            return [str(count).encode()]
        """,
    )
    server.start("app:application")
    (pid,) = eventually(server.workers)
    before = memory(pid)
    line = b"x" * 700 + b"\n"
    block = line * 1000
    with server.connect() as client:
        client.request("/", f"Content-Length: {len(block) * 80}", method="POST")
        most = 0
        for _ in range(80):
            client.send(block)
            most = max(most, memory(pid))
        assert client.reply().body == b"80000"
    assert most - before < 16 * 1024 * 1024


# Workers that leave, and workers that idle.


def test_a_worker_that_leaves_takes_no_connection_from_one_that_idles(server):
    server.start(
        PLAIN,
        *["-w", "2", "--keep-alive", "30", "--header-timeout", "30"],
        config="""
            def worker_ready(server, worker):
                server.log.info("WORKER READY %s", worker.pid)
        """,
    )
    server.wait_for_log("WORKER READY", 2)
    with ExitStack() as stack:
        # Half a head keeps both workers from leaving.
        held = set()
        while len(held) < 2:
            client = stack.enter_context(server.connect())
            held.add(client.get("/pid").text)
            client.send("GET / HTTP/1.1\r\n")
        server.send_signal(signal.SIGHUP)
        server.wait_for_log("WORKER READY", 4)
        late = [waited for _ in range(60) if (waited := nudged(server)) > 0.2]
    assert not late, late


def nudged(server):
    """How long a request waits that comes together with one that keeps a worker busy."""
    with server.connect() as kept:
        kept.get("/hello")
        began = time.monotonic()
        with server.connect() as other:
            other.request("/hello")
            kept.request("/sleep/0.3")
            assert other.reply().status == 200
            waited = time.monotonic() - began
        kept.reply()
    return waited


# Small things.


def test_early_hints_are_not_sent_to_http_1_0(server):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        """,
    )
    server.start()
    with server.connect() as client:
        client.request("/")
        assert client.head().status == 103
        assert client.reply().body == b"ok"
    with server.connect() as client:
        client.send("GET / HTTP/1.0\r\n\r\n")
        assert client.reply().status == 200


def test_headers_may_be_pairs_of_any_kind(server):
    server.write(
        "app.py",
        """
        import json
        def application(environ, start_response):
            start_response("200 OK", json.loads('[["X-From", "json"], ["Content-Length", "2"]]'))
            return [b"ok"]
        """,
    )
    server.start()
    assert server.get("/").header("X-From") == "json"


def test_a_final_status_below_200_ends_the_connection(server):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            start_response("103 Early", [])
            return []
        """,
    )
    server.start()
    with server.connect() as client:
        client.request("/")
        assert client.head().status == 103
        assert client.is_closed()


# What an application holds on to is not the client's affair.


@pytest.mark.parametrize("held", ["environ", "environ['wsgi.input']"])
def test_a_connection_ends_though_the_application_holds_on_to_its_request(server, arguments, held):
    server.write(
        "app.py",
        f"""
        kept = []
        def application(environ, start_response):
            kept.append({held})
            environ["wsgi.input"].read()
            start_response("200 OK", [])
            return [b"done"]
        """,
    )
    server.start("app:application", *arguments)
    with server.connect() as client:
        reply = client.post("/", b"abc", "Connection: close")
        assert reply.body == b"done"
        assert client.is_closed()


def test_a_connection_ends_though_its_request_is_logged_by_python(server, arguments):
    config = """
        import copy
        from gunicorn.glogging import CONFIG_DEFAULTS
        accesslog = "-"
        logconfig_dict = copy.deepcopy(CONFIG_DEFAULTS)
    """
    server.start(PLAIN, *arguments, config=config)
    for _ in range(3):
        with server.connect() as client:
            assert client.post("/hello", b"abc", "Connection: close").status == 200
            assert client.is_closed()
