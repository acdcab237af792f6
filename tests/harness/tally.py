"""What became of the requests of a load: it counts, judges, and says what was wrong.

It opens no connection and knows no kind of client but by its name.

* lost: it failed on a connection of its own, or was answered in part, wrongly, or never.
* stale: the kept connection it was sent on ended without a byte of an answer to it. HTTP lets a
  server do that, and the client may not always send the request again.
* again: it stood behind an answer that said `Connection: close`, and is simply sent again.
* refused: nobody listened any more, where that was expected.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

ANSWERED, LOST, STALE, AGAIN, REFUSED = "answered", "lost", "stale", "again", "refused"

#: So many requests may have one stale among them.
REQUESTS_FOR_ONE_STALE = 10_000

#: So many failures are shown.
SHOWN = 20


@dataclass(frozen=True)
class Where:
    """A connection, as a failure on it is told."""

    kind: str
    port: int
    opened: float


@dataclass(frozen=True)
class Failure:
    """A request that was not answered as it should."""

    fate: str
    where: Where
    number: int
    what: str
    at: float

    def told(self, began: float) -> str:
        """Say what happened, in a line."""
        return (
            f"{self.fate} at {self.at - began:.3f} s: {self.where.kind}, request {self.number} of "
            f"the connection from port {self.where.port} (opened at "
            f"{self.where.opened - began:.3f} s): {self.what}"
        )


class Tally:
    """The outcomes of all requests of a load."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.answered: Counter[str] = Counter()
        self.others: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.slowest = 0.0
        self._lock = Lock()

    def take_answer(self, kind: str, seconds: float) -> None:
        """Count a request that was answered as it should."""
        with self._lock:
            self.answered[kind] += 1
            self.slowest = max(self.slowest, seconds)

    def take_other(self, fate: str) -> None:
        """Count a request that is to be sent again, or was refused at the end."""
        with self._lock:
            self.others[fate] += 1

    def take_failure(self, fate: str, where: Where, number: int, what: str) -> None:
        """Count a request that was lost or stale, and keep what is known of it."""
        with self._lock:
            self.failures.append(Failure(fate, where, number, what, time.monotonic()))

    @property
    def total(self) -> int:
        """The number of requests that were answered, lost or stale."""
        return sum(self.answered.values()) + len(self.failures)

    def of(self, fate: str, forgiven: Mapping[int, float] | None = None) -> list[Failure]:
        """Return the failures of this kind, without those that are forgiven.

        Forgiven are connections from these ports that were opened before these moments.
        """
        moments = forgiven or {}
        return [
            failure
            for failure in self.failures
            if failure.fate == fate
            and failure.where.opened > moments.get(failure.where.port, float("-inf"))
        ]

    def faults(self, kinds: list[str], fewest: int, forgiven: Mapping[int, float]) -> list[str]:
        """Return what is wrong with these outcomes, in words; empty if nothing is."""
        found = []
        lost, stale = self.of(LOST, forgiven), self.of(STALE, forgiven)
        allowed = max(1, self.total // REQUESTS_FOR_ONE_STALE)
        if lost:
            found.append(f"{len(lost)} requests were lost")
        if len(stale) > allowed:
            found.append(f"{len(stale)} requests were stale, and {allowed} may be")
        for kind in kinds:
            if self.answered[kind] < fewest:
                found.append(f"{kind}: {self.answered[kind]} answers, {fewest} are the fewest")
        return found

    def summary(self, forgiven: Mapping[int, float] | None = None) -> str:
        """Say how many requests there were, and what became of those that failed."""
        counts = [f"{kind} {count}" for kind, count in sorted(self.answered.items())]
        lost, stale = self.of(LOST, forgiven), self.of(STALE, forgiven)
        fates = [f"{LOST} {len(lost)}", f"{STALE} {len(stale)}"]
        fates += [f"{fate} {count}" for fate, count in sorted(self.others.items())]
        if spared := len(self.failures) - len(lost) - len(stale):
            forgone = len(self.of(LOST)) - len(lost)
            fates.append(f"forgiven {spared}, of which {forgone} {LOST}")
        lines = [
            f"{self.total} requests in {time.monotonic() - self.began:.1f} s, "
            f"the slowest took {self.slowest:.2f} s",
            f"answered: {', '.join(counts)}",
            f"else: {', '.join(fates)}",
            *(failure.told(self.began) for failure in (lost + stale)[:SHOWN]),
        ]
        if len(lost + stale) > SHOWN:
            lines.append(f"and {len(lost + stale) - SHOWN} more")
        return "\n".join(lines)
