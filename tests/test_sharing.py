"""How connections and requests are shared among workers, and how many a worker bears."""

from __future__ import annotations

import concurrent.futures
import resource
import select
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from tests.harness import Client, eventually
from tests.harness.client import Closed
from tests.harness.processes import switches
from tests.harness.waiting import pause

PLAIN = "tests.apps.plain:application"

READY = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
"""


def start(server, workers, *arguments):
    server.start(PLAIN, "-w", str(workers), *arguments, config=READY)
    server.wait_for_log("WORKER READY", workers)
    # Every worker has had its first turn when none moves any more.
    eventually(lambda: all_asleep(server), "all workers sleep")


def all_asleep(server):
    before = [switches(pid) for pid in server.workers()]
    pause(0.1)
    return before == [switches(pid) for pid in server.workers()]


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_a_connection_wakes_one_of_16_idle_workers(server, worker_class):
    start(server, 16, "-k", worker_class, "--timeout", "600")
    for _ in range(5):
        before = {pid: switches(pid) for pid in server.workers()}
        assert server.get("/hello").status == 200
        eventually(lambda: all_asleep(server), "all workers sleep")
        woken = [pid for pid in before if switches(pid) > before[pid]]
        assert len(woken) == 1


def test_4_slow_requests_on_4_workers_run_at_the_same_time(server):
    start(server, 4)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: server.get("/sleep/1"), range(4)))
    assert len({reply.body for reply in replies}) == 4
    assert time.monotonic() - began < 1.3


def test_gthread_runs_as_many_requests_at_a_time_as_it_has_threads(server):
    start(server, 1, "--threads", "4")
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: server.get("/sleep/1"), range(4)))
    assert [reply.status for reply in replies] == [200] * 4
    assert time.monotonic() - began < 1.3


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_400_kept_connections_are_spread_over_4_workers(server, worker_class):
    start(server, 4, "-k", worker_class)
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(400)]
        held = Counter(client.get("/pid").text for client in clients)
    assert sum(held.values()) == 400
    assert max(held.values()) <= 200, held


def test_2000_kept_connections_on_one_worker(server):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    start(server, 1, "--worker-connections", "3000", "--keep-alive", "60")
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(2000)]
        for _ in range(2):
            assert {client.get("/hello").status for client in clients} == {200}


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_worker_connections_bounds_what_a_worker_holds(server, worker_class):
    start(server, 1, "-k", worker_class, "--worker-connections", "3", "--keep-alive", "60")
    with ExitStack() as stack:
        held = [stack.enter_context(server.connect()) for _ in range(3)]
        for client in held:
            assert client.get("/hello").status == 200
        fourth = stack.enter_context(Client(server.address, timeout=0.3))
        fourth.request("/hello")
        with pytest.raises(TimeoutError):
            fourth.reply()
        held[0].close()
        fourth.sock.settimeout(10)
        assert fourth.reply().status == 200


def test_a_full_worker_leaves_connections_to_its_siblings(server):
    start(server, 2, "--worker-connections", "2", "--keep-alive", "60")
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(4)]
        held = Counter(client.get("/pid").text for client in clients)
    assert sorted(held.values()) == [2, 2]


def test_a_connection_waits_for_no_busy_worker_while_another_idles(server):
    start(server, 2)
    with server.connect() as slow:
        slow.request("/sleep/1")
        server.wait_until_asleep()
        for _ in range(20):
            began = time.monotonic()
            assert server.get("/hello").status == 200
            assert time.monotonic() - began < 0.5
        assert slow.reply().status == 200


def test_an_idle_server_uses_no_processor_time(server):
    start(server, 2, "--threads", "4")
    with server.connect() as client:
        client.get("/hello")
        # Threads look around for some milliseconds after a request.
        pause(0.2)
        before = {pid: switches(pid) for pid in server.workers()}
        pause(1.0)
        after = {pid: switches(pid) for pid in server.workers()}
    assert all(after[pid] - before[pid] <= 10 for pid in before), (before, after)


def test_a_slow_sender_does_not_hold_the_worker(server):
    start(server, 1)
    with server.connect() as slow:
        slow.request("/length", "Content-Length: 100000", method="POST")
        slow.send(b"x" * 50000)
        assert server.get("/hello").status == 200
        slow.send(b"x" * 50000)
        assert slow.reply().body == b"100000"


def test_a_slow_reader_does_not_hold_the_worker(server):
    start(server, 1)
    with server.connect() as slow:
        # Of 30 chunks of 16 KiB the kernel takes a part, and the server the rest.
        slow.request("/stream/30")
        slow.head()
        assert server.get("/hello").status == 200
        received = 0
        while chunk := slow.chunk():
            received += len(chunk)
        assert received == 30 * 16384


def test_bodies_beyond_the_memory_for_them_wait_their_turn(server):
    start(server, 1, "--request-body-buffer", "65536", "--request-body-memory", "131072")
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(8)]
        for client in clients:
            client.request("/length", "Content-Length: 60000", method="POST")
            client.send(b"x" * 59999)
        assert server.get("/hello").status == 200
        for client in clients:
            client.send(b"x")
        assert [client.reply().body for client in clients] == [b"60000"] * 8


# Limits of time.


def test_a_head_that_does_not_come_to_its_end_is_408(server):
    start(server, 1, "--header-timeout", "1")
    with server.connect() as client:
        client.send("GET /hello HTTP/1.1\r\nHost: x\r\n")
        assert client.reply().status == 408
        assert client.is_closed()


def test_a_head_that_drips_in_is_not_given_more_time(server):
    start(server, 1, "--header-timeout", "1")
    began = time.monotonic()
    with server.connect() as client:
        client.send("GET /hello HTTP/1.1\r\nHost: x\r\n")

        def is_answered():
            client.send("X-More: y\r\n")
            return select.select([client.sock], [], [], 0.1)[0]

        eventually(is_answered, "an answer while the head drips")
        assert client.reply().status == 408
        assert client.is_closed()
    assert time.monotonic() - began < 4


def test_a_connection_on_which_nothing_comes_is_closed(server):
    start(server, 1, "--header-timeout", "1")
    with server.connect() as client:
        assert client.is_closed()


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_a_body_that_does_not_come_is_408(server, worker_class):
    start(server, 1, "-k", worker_class, "--body-timeout", "1")
    with server.connect() as client:
        client.request("/length", "Content-Length: 10", method="POST")
        client.send("12345")
        assert client.reply().status == 408
        assert client.is_closed()


def test_a_chunked_body_that_does_not_come_is_408(server):
    start(server, 1, "--body-timeout", "1")
    with server.connect() as client:
        client.request("/length", "Transfer-Encoding: chunked", method="POST")
        client.send("5\r\n12")
        assert client.reply().status == 408
        assert client.is_closed()
    assert server.get("/hello").status == 200


def read_all_chunks(client):
    while client.chunk():
        pass


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_a_client_that_does_not_read_is_given_up(server, worker_class):
    start(server, 1, "-k", worker_class, "--write-timeout", "1")
    with server.connect() as client:
        client.request("/stream/2000")
        client.head()
        # Read nothing for longer than the limit; what the kernel has taken is still there.
        eventually(lambda: server.get("/hello").status == 200, "the worker is free again")
        with pytest.raises((Closed, ConnectionResetError)):
            read_all_chunks(client)


@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_an_idle_connection_is_closed_after_keepalive(server, worker_class):
    start(server, 1, "-k", worker_class, "--keep-alive", "1")
    with server.connect() as client:
        assert client.get("/hello").status == 200
        assert client.get("/hello").status == 200
        began = time.monotonic()
        assert client.is_closed()
        assert 0.5 < time.monotonic() - began < 5


def test_keepalive_of_0_closes_after_each_answer(server):
    start(server, 1, "--keep-alive", "0")
    with server.connect() as client:
        assert client.get("/hello").header("Connection") == "close"
        assert client.is_closed()
