"""The tables, and how the figures stand to what is aimed at."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benches.loads import Load
from benches.measure import Result, middle

#: For each load, the results of each server, in the order of the rounds.
Results = dict[str, list[Result]]


def table(load: Load, results: Results, failed: dict[str, str]) -> str:
    """Lay out the results of a load, quickest first."""
    lines = [f"{load.name}: {load.what}"]
    columns = ("server", "answers/s", "CPU us", "user us", "busy", "MiB", "50% ms", "99% ms")
    heading = (*columns, "x rate", "x CPU")
    lines.append("  {:18} {:>10} {:>8} {:>8} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7}".format(*heading))
    for name in sorted(results, key=lambda name: -middle(results[name]).rate):
        m = middle(results[name])
        remark = "  collects the answer first" if m.collects else ""
        rate, cpu = ratios(next(iter(results.values())), results[name])
        lines.append(
            f"  {name:18} {m.rate:10.0f} {m.cpu:8.2f} {m.user:8.2f} {m.busy:6.2f} {m.memory:7.1f}"
            f" {m.half:7.2f} {m.most:7.2f} {rate:7.2f} {cpu:7.2f}{remark}"
        )
    lines += [f"  {name:18} fails: {reason}" for name, reason in sorted(failed.items())]
    return "\n".join(lines)


def ratios(ours: list[Result], theirs: list[Result]) -> tuple[float, float]:
    """Our rate to theirs, and their processor time to ours: medians of the rounds' ratios."""
    pairs = list(zip(ours, theirs, strict=False))
    rate = statistics.median(o.rate / t.rate for o, t in pairs)
    cpu = statistics.median(t.cpu / o.cpu if o.cpu else 0.0 for o, t in pairs)
    return rate, cpu


def targets(load: Load, results: Results) -> Iterator[str]:
    """Say how a load's results stand to what is aimed at."""
    if load.several:
        yield from _tails(results, "tricorn 2 x 4", "granian 2 x 4", 1.0)
    ours = results.get("tricorn")
    if not ours:
        return
    peers = {
        name: given
        for name, given in results.items()
        if not name.startswith(("tricorn", "bare")) and not middle(given).collects
    }
    if load.variants:
        rivals = {name: peers[name] for name in ("fastwsgi", "bjoern") if name in peers}
        yield from _against("the better of fastwsgi and bjoern", ours, rivals, 1.15)
        for name, aim in (("freastal", 1.0), ("gunicorn", 30.0)):
            yield from _against(name, ours, {name: peers[name]} if name in peers else {}, aim)
        for name, aim in (
            ("tricorn gthread", 0.7),
            ("tricorn hooks", 1 / 1.25),
            ("tricorn log", 0.90),
            ("tricorn json log", 0.85),
            ("tricorn native", 1 / 1.03),
            ("tricorn ten natives", 1 / 1.10),
        ):
            if given := results.get(name):
                yield _line(f"{name} to tricorn", *ratios(given, ours), aim)
        pools = [name for name in results if name.startswith("tricorn gthread")]
        for pool in pools:
            yield from _tails(results, pool, "tricorn", 2.0)
        built_in, plugin = results.get("tricorn json log"), results.get("tricorn plugin log")
        if built_in and plugin:
            yield _line("tricorn plugin log to tricorn json log", *ratios(plugin, built_in), 0.95)
        if python := results.get("tricorn python log"):
            rate, cpu = ratios(python, ours)
            yield f"  tricorn python log to tricorn: {rate:.2f} by rate, {cpu:.2f} by CPU"
        answer, bare = results.get("tricorn answer"), results.get("bare loop")
        if answer and bare:
            yield _line("tricorn answer to the bare loop", *ratios(answer, bare), 0.85)
        if answer:
            share = statistics.median(
                a.user / o.user for a, o in zip(answer, ours, strict=False) if o.user
            )
            verdict = "met" if share <= 0.5 else "MISSED"
            yield f"  tricorn answer to tricorn: {share:.2f} of its user time; aim 0.50: {verdict}"
    else:
        yield from _against("the best peer", ours, peers, 1.0)


def _tails(results: Results, ours: str, rival: str, aim: float) -> Iterator[str]:
    """Say how many times as long 99 in 100 answers take: the median of the rounds' ratios."""
    pairs = list(zip(results.get(ours, []), results.get(rival, []), strict=False))
    if pairs:
        times = statistics.median(o.most / r.most for o, r in pairs)
        verdict = "met" if times <= aim else "MISSED"
        yield f"  {ours} to {rival}: {times:.2f} times its 99 %; aim {aim:.2f}: {verdict}"


def _against(what: str, ours: list[Result], rivals: Results, aim: float) -> Iterator[str]:
    if rivals:
        best = max(rivals, key=lambda name: middle(rivals[name]).rate)
        yield _line(f"tricorn to {what} ({best})", *ratios(ours, rivals[best]), aim)


def _line(what: str, rate: float, cpu: float, aim: float) -> str:
    verdict = "met" if rate >= aim else "met by CPU" if cpu >= aim else "MISSED"
    return f"  {what}: {rate:.2f} by rate, {cpu:.2f} by CPU; aim {aim:.2f}: {verdict}"
