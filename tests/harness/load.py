"""A continuous load on a server that serves `tests.apps.loaded`: clients of every kind at once.

Each client is a thread that asks at a leisurely pace, checks every answer to the last byte, and
tells the tally what became of each request. All of them together ask some two hundred times a
second: they are here to be on the way whenever something happens to the server, and not to wear it
out.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from tests.apps.loaded import answer
from tests.harness.client import Client, Closed, Reply
from tests.harness.tally import AGAIN, LOST, REFUSED, STALE, Tally, Where
from tests.harness.waiting import eventually, pause

Address = tuple[str, int] | str

#: What may come of a connection: an end, a reset, silence, or an answer that makes no sense.
TROUBLE = (Closed, OSError, ValueError, AssertionError)

#: How long an answer may take, in seconds.
PATIENCE = 10.0

#: What a slow client waits between two pieces, in seconds.
PIECE_PAUSE = 0.003


@dataclass(frozen=True)
class Question:
    """A request, in the pieces in which it is sent, and the answer it must get."""

    pieces: tuple[bytes, ...]
    expected: bytes

    def fault(self, reply: Reply) -> str:
        """Say what is wrong with an answer; nothing if it is right."""
        if reply.status != 200:
            return f"the answer was {reply.status} {reply.reason}"
        if reply.body != self.expected:
            return f"a wrong body of {len(reply.body)} bytes, {self.expected[:40]!r} was expected"
        return ""


def question(token: str, size: int = 0, delay: int = 0, body: bytes | None = None) -> Question:
    """Return a request, whole; its answer takes so many milliseconds."""
    target = f"/{token}/{size}/{delay}"
    lines = [f"{'GET' if body is None else 'POST'} {target} HTTP/1.1", "Host: test.example"]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    data = "\r\n".join([*lines, "", ""]).encode() + (body or b"")
    return Question((data,), answer(target, body or b""))


def in_pieces(whole: Question, pieces: int) -> Question:
    """Return the same request, cut into so many pieces."""
    (data,) = whole.pieces
    step = -(-len(data) // pieces)
    cut = tuple(data[start : start + step] for start in range(0, len(data), step))
    return Question(cut, whole.expected)


class Line(Client):
    """A connection that knows how many requests it took, and whether an answer has begun."""

    def __init__(self, address: Address, kind: Kind) -> None:
        self.kind = kind
        self.requests = 0
        self.begun = False
        opened = time.monotonic()
        super().__init__(address, PATIENCE)
        self.where = Where(kind.label, self._port(), opened)

    def _port(self) -> int:
        name = self.sock.getsockname()
        return name[1] if isinstance(name, tuple) else 0

    def prepare(self) -> None:
        if self.kind.reads_pieces_of:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.kind.reads_pieces_of)

    def _receive(self) -> None:
        if not self.kind.reads_pieces_of:
            super()._receive()
        else:
            pause(PIECE_PAUSE)
            data = self.sock.recv(self.kind.reads_pieces_of)
            if not data:
                raise Closed
            self.buffer += data
        self.begun = True

    def next_reply(self) -> Reply:
        """Read an answer, and note when it begins."""
        self.begun = bool(self.buffer)
        return self.reply()


class Kind(threading.Thread):
    """A client of one kind."""

    label = "a client"
    #: Seconds from one turn to the next, on average.
    rest = 0.05
    #: Bytes read at once; 0 for as many as there are.
    reads_pieces_of = 0
    #: Requests written at once.
    batch = 1
    #: Whether a connection takes more than one turn.
    keeps = True

    def __init__(self, load: Load, number: int) -> None:
        super().__init__(daemon=True)
        self.load, self.tally = load, load.tally
        self.random = random.Random(f"{self.label} {number}")
        self.tokens = (f"{self.label.replace(' ', '-')}.{number}.{serial}" for serial in count())

    def ask(self, token: str) -> Question:
        """Return the next request: some need a little longer than others."""
        return question(token, delay=self.random.choice((0, 0, 0, 10)))

    def run(self) -> None:
        try:
            while not self.load.stopping.is_set() and self._visit():
                self._have_a_rest()
        except BaseException as error:  # a client that ends unnoticed would be no load
            self._lost_on_the_way(f"the client itself failed: {error!r}")

    def _visit(self) -> bool:
        """Open a connection, and use it for as long as it lasts; return whether to go on."""
        try:
            line = Line(self.load.address, self)
        except OSError as error:
            # A reset: the listener was closed in the middle of the handshake.
            is_refused = isinstance(error, ConnectionError | FileNotFoundError)
            if is_refused and self.load.may_be_refused.is_set():
                self.tally.take_other(REFUSED)
                return False
            self._lost_on_the_way(f"not connected: {error!r}")
        else:
            with line:
                while self._turn(line) and self.keeps and not self.load.stopping.is_set():
                    self._have_a_rest()
        return True

    def _lost_on_the_way(self, what: str) -> None:
        self.tally.take_failure(LOST, Where(self.label, 0, time.monotonic()), 1, what)

    def _have_a_rest(self) -> None:
        self.load.stopping.wait(self.rest * self.random.uniform(0.5, 1.5))

    def _turn(self, line: Line) -> bool:
        """Ask, and read all answers; return whether the connection is kept."""
        questions = [self.ask(next(self.tokens)) for _ in range(self.batch)]
        began = time.monotonic()
        hitch = self._send(line, questions)
        for index, asked in enumerate(questions):
            line.requests += 1
            reply = self._read(line, asked, hitch)
            if reply is None:
                self._give_up(line, len(questions) - index - 1)
                return False
            self.tally.take_answer(self.label, time.monotonic() - began)
            if (reply.header("Connection") or "").lower() == "close":
                for _ in questions[index + 1 :]:
                    self.tally.take_other(AGAIN)
                return False
        return True

    def _send(self, line: Line, questions: Sequence[Question]) -> str:
        """Send requests; return what came in between: an answer may stand there all the same."""
        if len(questions) > 1:
            questions = [Question((b"".join(q.pieces[0] for q in questions),), b"")]
        try:
            for number, piece in enumerate(questions[0].pieces):
                if number:
                    pause(PIECE_PAUSE)
                line.send(piece)
        except OSError as error:
            return f"{error!r} while it was sent, then "
        return ""

    def _read(self, line: Line, asked: Question, hitch: str) -> Reply | None:
        """Read an answer that is as it should be; otherwise tell the tally."""
        try:
            reply = line.next_reply()
        except TROUBLE as error:
            ended = isinstance(error, Closed | ConnectionError)
            stale = ended and line.requests > 1 and not line.begun
            what = f"{hitch}{error!r}{' within its answer' if line.begun else ''}"
            self.tally.take_failure(STALE if stale else LOST, line.where, line.requests, what)
            return None
        if fault := asked.fault(reply):
            self.tally.take_failure(LOST, line.where, line.requests, fault)
            return None
        return reply

    def _give_up(self, line: Line, behind: int) -> None:
        """Count the requests behind one that failed: nobody told that they would not be heard."""
        for _ in range(behind):
            line.requests += 1
            self.tally.take_failure(STALE, line.where, line.requests, "the one before it failed")


class NewConnections(Kind):
    """A new connection for each request."""

    label = "new connections"
    rest = 0.04
    keeps = False


class KeepAlive(Kind):
    """One request after the other, until the server says that it will close the connection."""

    label = "keep-alive"
    rest = 0.03


class Pipelined(Kind):
    """Several requests in one write."""

    label = "pipelined"
    rest = 0.1
    batch = 4


class SlowSenders(Kind):
    """Heads and bodies in pieces."""

    label = "slow senders"
    rest = 0.1

    def ask(self, token: str) -> Question:
        body = self.random.randbytes(200) if self.random.random() < 0.5 else None
        return in_pieces(question(token, body=body), 6)


class SlowReaders(Kind):
    """Large answers that are read in small pieces."""

    label = "slow readers"
    rest = 0.1
    reads_pieces_of = 16384

    def ask(self, token: str) -> Question:
        return question(token, size=400_000)


EVERY_KIND = (NewConnections, KeepAlive, Pipelined, SlowSenders, SlowReaders)


class Load:
    """Clients of all these kinds, at work from the moment it is entered until it is stopped."""

    def __init__(
        self, address: Address, kinds: Sequence[type[Kind]] = EVERY_KIND, clients: int = 2
    ) -> None:
        self.address = address
        self.tally = Tally()
        self.kinds = [kind.label for kind in kinds]
        self.stopping = threading.Event()
        self.may_be_refused = threading.Event()
        self.clients = [kind(self, number) for number in range(clients) for kind in kinds]

    def start(self) -> None:
        """Start the clients, and do not wait for anything."""
        for client in self.clients:
            client.start()

    def __enter__(self) -> Load:
        self.start()
        try:
            self.wait_for_answers(1)
        except AssertionError:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def wait_for_answers(self, more: int = 3) -> None:
        """Wait until each kind of client has had so many further answers."""
        answered = self.tally.answered
        goals = {kind: answered[kind] + more for kind in self.kinds}

        def reached() -> bool:
            return all(answered[kind] >= goal for kind, goal in goals.items())

        try:
            eventually(reached, f"each kind of client has had {more} more answers")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tally.summary()}") from None

    def expect_refusals(self) -> None:
        """From now on, a client whose connection is refused has come to its end."""
        self.may_be_refused.set()

    def wait_until_refused(self) -> None:
        """Wait until every client has been refused."""
        eventually(lambda: not self._at_work(), "every client is refused")

    def _at_work(self) -> list[Kind]:
        return [client for client in self.clients if client.is_alive()]

    def stop(self) -> None:
        """Let every client finish its request, and wait until all have gone."""
        self.stopping.set()
        for client in self.clients:
            with suppress(RuntimeError):  # one that was never started
                client.join(2 * PATIENCE)
        assert not self._at_work(), "a client of the load does not come to its end"

    def check(self, fewest: int = 5, forgiven: Mapping[int, float] | None = None) -> None:
        """Assert that nothing was lost, that next to nothing was stale, that every kind was busy.

        Forgiven are connections from these ports that were opened before these moments.
        """
        summary = self.tally.summary(forgiven)
        print(summary)
        faults = self.tally.faults(self.kinds, fewest, forgiven or {})
        assert not faults, "\n".join([*faults, summary])
