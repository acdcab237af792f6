"""Nothing is lost on the way: whatever happens to the server, its clients get their answers.

`make test` runs a few rounds with pairs of settings, `make matrix` more, with all of them.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from contextlib import suppress

import pytest

from tests.harness import eventually
from tests.harness.load import EVERY_KIND, Load, NewConnections
from tests.harness.processes import client_ports, freeze
from tests.harness.waiting import pause

LOADED = "tests.apps.loaded:application"

#: The whole product of settings, and more rounds of everything.
AT_LENGTH = bool(os.environ.get("TRICORN_MATRIX"))

CLASSES = {"sync": ("-k", "sync"), "gthread": ("-k", "gthread", "--threads", "4")}
PRELOAD = {"": (), "preload": ("--preload",)}
REUSE_PORT = {"": (), "reuse_port": ("--reuse-port",)}

#: Every two of the settings meet in these.
PAIRS = (
    ("sync", "", ""),
    ("sync", "preload", "reuse_port"),
    ("gthread", "", "reuse_port"),
    ("gthread", "preload", ""),
)

READY = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s for %s", worker.pid, server.pid)
    def nworkers_changed(server, new_value, old_value):
        server.log.info("WORKERS WANTED %s", new_value)
"""


def rounds(few, many):
    """Return how often something is to happen."""
    return many if AT_LENGTH else few


def settings():
    """Return the settings that everything is tried with, as arguments of the command."""
    product = itertools.product(CLASSES, PRELOAD, REUSE_PORT)
    return [
        pytest.param(
            (*CLASSES[worker], *PRELOAD[preload], *REUSE_PORT[reuse_port]),
            id="-".join(filter(None, (worker, preload, reuse_port))),
        )
        for worker, preload, reuse_port in (product if AT_LENGTH else PAIRS)
    ]


def numbers_of_workers():
    """Return each of the settings with a number of workers; at length, with every one."""
    if AT_LENGTH:
        return [
            pytest.param(*param.values, count, id=f"{param.id}-{count}")
            for param in settings()
            for count in (2, 3, 4)
        ]
    counts = itertools.cycle((2, 3, 4))
    return [
        pytest.param(*param.values, count, id=f"{param.id}-{count}")
        for param, count in zip(settings(), counts, strict=False)
    ]


everywhere = pytest.mark.parametrize("given", settings())


def start(server, *arguments, **options):
    """Start a server, and wait until its two workers serve."""
    server.start(LOADED, "-w", "2", *arguments, config=READY, **options)
    server.wait_for_log("WORKER READY", 2)
    return server


def reload_often(server, load, times):
    """Send HUP, and again as soon as the new workers serve, or each client has had an answer."""
    booted = server.log.count("WORKER READY")
    for number in range(1, times + 1):
        server.send_signal(signal.SIGHUP)
        server.wait_for_log("WORKER READY", booted + 2 * number)
        if number % 2:
            load.wait_for_answers(1)


# Reloading.


@everywhere
def test_hup_loses_no_request(server, given):
    start(server, *given)
    with Load(server.address) as load:
        reload_often(server, load, rounds(5, 20))
        load.wait_for_answers()
    load.check()


@pytest.mark.parametrize("given", CLASSES.values(), ids=CLASSES)
def test_hup_loses_no_request_on_a_unix_socket(server, given):
    path = str(server.folder / "site.sock")
    start(server, *given, bind=f"unix:{path}")
    with Load(path) as load:
        reload_often(server, load, rounds(5, 20))
        load.wait_for_answers()
    load.check()


# The number of workers.


def last_wanted(server):
    """Return the number of workers that the arbiter has said last that it wants."""
    return int(server.log.rpartition("WORKERS WANTED ")[2].split()[0])


@everywhere
def test_a_storm_of_ttin_and_ttou_loses_no_request(server, given):
    chance = random.Random("a storm")
    start(server, *given)
    with Load(server.address) as load:
        for _ in range(rounds(30, 120)):
            server.send_signal(chance.choice((signal.SIGTTIN, signal.SIGTTOU)))
            pause(chance.uniform(0, 0.03))
        eventually(lambda: len(server.workers()) == last_wanted(server), "as many as are wanted")
        load.wait_for_answers()
    load.check()


@pytest.mark.parametrize(("given", "workers"), numbers_of_workers())
def test_workers_that_have_served_their_time_lose_no_request(server, given, workers):
    replaced = workers * rounds(1, 3)
    start(server, *given, "-w", str(workers), "--max-requests", "100")
    with Load(server.address) as load:
        server.wait_for_log("WORKER READY", workers + replaced)
        load.wait_for_answers()
    load.check()


@everywhere
def test_winch_and_then_hup_loses_no_request(server, given):
    """A daemon takes WINCH for an order to let all workers go; whoever comes meanwhile waits."""
    daemon = ("-D", "-p", "server.pid", "--error-logfile", "server.log", "-w", "2")
    server.write("server.conf.py", READY)
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", *daemon, *given, LOADED)
    assert server.wait() == 0
    server.follow()
    server.wait_for_log("WORKER READY", 2)
    with Load(server.address) as load:
        for number in range(1, rounds(2, 10) + 1):
            server.send_signal(signal.SIGWINCH)
            eventually(lambda: not server.workers(), "all workers go")
            server.send_signal(signal.SIGHUP)
            server.wait_for_log("WORKER READY", 2 + 2 * number)
            load.wait_for_answers()
    load.check()


@pytest.mark.parametrize("given", CLASSES.values(), ids=CLASSES)
def test_winch_in_a_terminal_loses_no_request(server, given):
    start(server, *given)
    with Load(server.address) as load:
        server.send_signal(signal.SIGWINCH)
        reload_often(server, load, 1)
        load.wait_for_answers()
    load.check()


# Another program in the place of this one.


@everywhere
def test_upgrades_lose_no_request(server, given):
    start(server, *given, "-p", "server.pid")
    with Load(server.address) as load:
        for _ in range(rounds(2, 5)):
            successor = server.call_successor()
            eventually(
                lambda pid=successor: len(ready_for(server, pid)) >= 2, "the successor serves"
            )
            server.give_way(successor)
        load.wait_for_answers()
    load.check()


def ready_for(server, arbiter):
    """Return the lines of the log that say that a worker of this arbiter serves."""
    ending = f" for {arbiter}"
    lines = server.log.splitlines()
    return [line for line in lines if "WORKER READY" in line and line.endswith(ending)]


# Workers that are struck down.


def strike(worker, number):
    """End a worker with a signal; return the ports of the clients whose connections it held."""
    freeze(worker)
    ports = client_ports(worker)
    os.kill(worker, number)
    with suppress(ProcessLookupError):  # KILL does not wait until the process goes on
        os.kill(worker, signal.SIGCONT)
    return ports


@everywhere
def test_a_worker_that_is_struck_down_takes_only_its_own_connections_along(server, given):
    chance = random.Random("lightning")
    start(server, *given)
    taken_along = {}
    with Load(server.address) as load:
        for number in range(1, rounds(4, 30) + 1):
            victim = chance.choice(server.workers())
            ports = strike(victim, (signal.SIGKILL, signal.SIGSEGV)[number % 2])
            struck_at = time.monotonic()
            assert server.get("/fresh/0/0").status == 200
            assert time.monotonic() - struck_at < 1, "the service was not back within a second"
            taken_along.update(dict.fromkeys(ports, struck_at))
            server.wait_for_log("WORKER READY", 2 + number)
        load.wait_for_answers()
    load.check(forgiven=taken_along)


# The end.


class Newcomers(NewConnections):
    """New connections without a rest, to come in the moment in which the listener is closed."""

    label = "newcomers"
    rest = 0.002


@everywhere
def test_term_leaves_no_request_unanswered(make_server, given):
    kinds = (*EVERY_KIND, Newcomers) if AT_LENGTH else EVERY_KIND
    for _ in range(rounds(1, 10)):
        server = start(make_server(), *given)
        with Load(server.address, kinds) as load:
            load.wait_for_answers(5)
            load.expect_refusals()
            server.send_signal(signal.SIGTERM)
            load.wait_until_refused()
        assert server.wait() == 0
        load.check()
