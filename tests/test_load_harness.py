"""The load notices what a server does wrong: here it meets one that does, on purpose."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from itertools import count

import pytest

from tests.apps.loaded import answer
from tests.harness import eventually
from tests.harness.client import Client, Closed
from tests.harness.load import (
    EVERY_KIND,
    KeepAlive,
    Load,
    NewConnections,
    Pipelined,
    SlowReaders,
    SlowSenders,
)
from tests.harness.processes import alive, client_ports, end_all_in, freeze, working_in
from tests.harness.server import running
from tests.harness.tally import AGAIN, LOST, REFUSED, STALE, Tally, Where

KEEPING = (KeepAlive, Pipelined, SlowSenders, SlowReaders)


class Peer(Client):
    """The server's end of a connection: it reads requests with what reads answers elsewhere."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""
        # An answer that still waits to be sent would go with a reset.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def question(self):
        """Read a request, and return the body of the right answer."""
        target = self.line().split()[1].decode()
        length = 0
        while line := self.line():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return answer(target, self.exactly(length))

    def respond(self, body, *headers, status="200 OK"):
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(lines).encode() + body)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# What a server does with a connection, and with the requests on it.


def behave(peer, turn):
    """Answer properly."""
    peer.respond(peer.question())


def close_at_once(peer, turn):
    raise Closed


def close_unanswered(peer, turn):
    peer.question()
    raise Closed


def reset_unanswered(peer, turn):
    peer.question()
    peer.reset()
    raise Closed


def answer_half(peer, turn):
    body = peer.question()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    peer.send(head + body[: len(body) // 2])
    raise Closed


def answer_half_a_head(peer, turn):
    peer.question()
    peer.send("HTTP/1.1 200 OK\r\nContent-Le")
    raise Closed


def answer_wrongly(peer, turn):
    body = peer.question()
    peer.respond(b"?" + body[1:])


def answer_with_more(peer, turn):
    peer.respond(peer.question() + b"more")


def fail(peer, turn):
    peer.question()
    peer.respond(b"no", status="503 Busy")


def never_answer(peer, turn):
    peer.question()
    peer.exactly(1 << 30)


def say_close(peer, turn):
    peer.respond(peer.question(), "Connection: close")
    peer.sock.shutdown(socket.SHUT_WR)
    peer.rest()
    raise Closed


def behave_until(turns, then):
    """Answer so many requests on each connection properly, and do something else with the next."""

    def mixed(peer, turn):
        (behave if turn < turns else then)(peer, turn)

    return mixed


class Misbehaving:
    """A server in this process that does the same with every connection."""

    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.turns = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        """Stop listening."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        peer = Peer(sock)
        with sock, suppress(Closed, OSError):
            for turn in count():
                self.behaviour(peer, turn)
                self.turns.append(turn)


@pytest.fixture(autouse=True)
def restless(monkeypatch):
    """Let clients hurry: no server is worn out here."""
    monkeypatch.setattr("tests.harness.load.PIECE_PAUSE", 0.0002)
    for kind in EVERY_KIND:
        monkeypatch.setattr(kind, "rest", kind.rest / 20)


def meet(behaviour, kind, until=lambda load: load.tally.failures):
    """Let one client of a kind meet a server that behaves so, until something has come of it."""
    with Misbehaving(behaviour) as server:
        load = Load(server.address, [kind], clients=1)
        load.start()
        eventually(lambda: until(load), "something came of it")
        load.stop()
    return load


def fates(load):
    return {failure.fate for failure in load.tally.failures}


# Servers that do what they should.


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_proper_answers_are_counted_one_by_one(kind):
    with Misbehaving(behave) as server:
        with Load(server.address, [kind]) as load:
            load.wait_for_answers(10)
        load.check(fewest=10)
        # The server notes an answer a moment after it has sent it.
        answered = load.tally.answered[kind.label]
        eventually(lambda: len(server.turns) >= answered, "the server has noted its answers")
        assert len(server.turns) == answered
        assert not load.tally.failures


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_connections_that_end_as_announced_are_no_loss(kind):
    def busy(load):
        return load.tally.answered[kind.label] >= 10

    load = meet(behave_until(1, say_close), kind, busy)
    load.check()
    assert not load.tally.failures
    assert bool(load.tally.others[AGAIN]) == (kind is Pipelined)


def test_refusals_are_an_end_only_where_they_are_expected():
    for is_expected in (True, False):
        with Misbehaving(behave_until(2, say_close)) as server:
            load = Load(server.address, [KeepAlive], clients=1)
            if is_expected:
                load.expect_refusals()
            with load:
                server.close()
                eventually(lambda load=load: load.tally.failures or load.tally.others[REFUSED])
        assert fates(load) == (set() if is_expected else {LOST})


# Servers that do not.


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize(
    "behaviour",
    [
        close_at_once,
        close_unanswered,
        reset_unanswered,
        answer_half,
        answer_half_a_head,
        answer_wrongly,
        answer_with_more,
        fail,
    ],
)
def test_a_request_that_fails_on_a_connection_of_its_own_is_lost(behaviour, kind):
    load = meet(behaviour, kind)
    assert load.tally.failures[0].fate == LOST
    with pytest.raises(AssertionError, match=f"lost at .*{kind.label}, request 1 of"):
        load.check(fewest=0)


@pytest.mark.parametrize("kind", KEEPING)
@pytest.mark.parametrize("turns", [1, 6])
@pytest.mark.parametrize("behaviour", [close_at_once, close_unanswered, reset_unanswered])
def test_a_request_that_fails_unanswered_on_a_kept_connection_is_stale(behaviour, turns, kind):
    load = meet(behave_until(turns, behaviour), kind, lambda load: len(load.tally.failures) > 1)
    first = load.tally.failures[0]
    assert (first.fate, first.number) == (STALE, turns + 1)
    with pytest.raises(AssertionError, match="requests were stale, and 1 may be"):
        load.check(fewest=0)


@pytest.mark.parametrize("kind", KEEPING)
@pytest.mark.parametrize(
    "behaviour", [answer_half, answer_half_a_head, answer_wrongly, answer_with_more, fail]
)
def test_a_wrong_answer_on_a_kept_connection_is_lost(behaviour, kind):
    load = meet(behave_until(2, behaviour), kind)
    first = load.tally.failures[0]
    assert (first.fate, first.number) == (LOST, 3)
    with pytest.raises(AssertionError, match="requests were lost"):
        load.check(fewest=0)


@pytest.mark.parametrize("turns", [0, 2])
def test_an_answer_that_never_comes_is_lost(monkeypatch, turns):
    monkeypatch.setattr("tests.harness.load.PATIENCE", 0.3)
    load = meet(behave_until(turns, never_answer), KeepAlive)
    assert load.tally.failures[0].fate == LOST
    assert "TimeoutError" in load.tally.failures[0].what


def test_nobody_at_the_address_is_a_loss():
    with Misbehaving(behave) as server:
        pass
    load = Load(server.address, [NewConnections], clients=1)
    load.start()
    eventually(lambda: load.tally.failures, "it is noticed")
    load.stop()
    with pytest.raises(AssertionError, match="not connected: ConnectionRefusedError"):
        load.check(fewest=0)


def test_a_client_that_fails_itself_does_not_go_unnoticed():
    class Broken(NewConnections):
        def ask(self, token):
            raise KeyError(token)

    load = meet(behave, Broken)
    with pytest.raises(AssertionError, match="the client itself failed: KeyError"):
        load.check(fewest=0)


def test_a_kind_of_client_that_hardly_got_answers_is_a_fault():
    load = meet(behave, KeepAlive, lambda load: load.tally.answered["keep-alive"])
    with pytest.raises(AssertionError, match=r"keep-alive: .* answers, 1000 are the fewest"):
        load.check(fewest=1000)


# The tally.


def tally_of(answered, *fates_, opened=1.0):
    tally = Tally()
    tally.answered["keep-alive"] = answered
    for fate in fates_:
        tally.take_failure(fate, Where("keep-alive", 4000, opened), 2, "closed")
    return tally


@pytest.mark.parametrize(
    ("answered", "found", "is_fine"),
    [
        (10, [], True),
        (10, [STALE], True),
        (10, [STALE] * 2, False),
        (19_997, [STALE] * 2, False),
        (19_998, [STALE] * 2, True),
        (1_000_000, [LOST], False),
    ],
)
def test_one_request_in_ten_thousand_may_be_stale_and_none_may_be_lost(answered, found, is_fine):
    faults = tally_of(answered, *found).faults(["keep-alive"], 1, {})
    assert (not faults) == is_fine


@pytest.mark.parametrize(
    ("forgiven", "is_fine"), [({4000: 2.0}, True), ({4000: 0.5}, False), ({4001: 2.0}, False)]
)
def test_only_connections_that_were_open_at_the_time_are_forgiven(forgiven, is_fine):
    faults = tally_of(10, LOST, STALE, STALE).faults(["keep-alive"], 1, forgiven)
    assert (not faults) == is_fine


# Processes.


def test_the_ports_of_clients_are_those_of_the_connections_a_process_holds():
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, Client(listener.getsockname()) as client:
        port = client.sock.getsockname()[1]
        accepted, _ = listener.accept()
        with accepted:
            assert port in client_ports(os.getpid())
        assert port not in client_ports(os.getpid())


def test_a_frozen_process_stands_still_until_it_is_struck(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"], cwd=tmp_path)
    try:
        freeze(process.pid)
        os.kill(process.pid, signal.SIGSEGV)
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(20) == -signal.SIGSEGV
    finally:
        end_all_in(tmp_path)


STRAY = """
import os, time
if os.fork() == 0:
    os.setsid()
    with open("stray", "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)
"""


def test_nothing_is_left_of_a_server_that_has_put_another_in_its_place(tmp_path):
    with running(tmp_path) as server:
        server.process = subprocess.Popen([sys.executable, "-c", STRAY], cwd=tmp_path)
        assert server.process.wait(20) == 0
        stray = eventually(lambda: server.named_in("stray"), "the stray process runs")
        assert working_in(tmp_path) == [stray]
    assert not alive(stray)
