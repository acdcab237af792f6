"""Signal handlers of the application's own: what they end, and what they leave alone.

With TRICORN_MATRIX set, by every signal that means something to a worker.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest

from tests.harness import eventually
from tests.harness.processes import alive

TOLD = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
    def child_exit(server, worker):
        server.log.info("GONE %s %s", worker.pid, worker.exitcode)
"""

APP = """
    import os, signal, sys, time

    HOW = os.environ["HOW"]
    FORMER = {}

    def handler(number, frame):
        os.write(2, b"HANDLED\\n")
        if HOW == "raises":
            raise RuntimeError("raised by the handler")
        if HOW == "interrupts":
            raise KeyboardInterrupt
        if HOW == "exits":
            sys.exit(5)
        if HOW == "chains" and callable(FORMER[number]):
            FORMER[number](number, frame)

    for name in ("TERM", "INT", "QUIT", "USR1", "ABRT", "HUP"):
        number = getattr(signal, "SIG" + name)
        FORMER[number] = signal.signal(number, handler)

    from tests.apps.plain import application
"""

QUICK = [signal.SIGTERM, signal.SIGQUIT]
EVERY = [*QUICK, signal.SIGINT, signal.SIGUSR1, signal.SIGABRT, signal.SIGHUP]

#: The signals that end a worker by the server's own handlers, and those at which it does not wait
#: for what runs on the main thread.
ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT}
INTERRUPTING = ENDING - {signal.SIGTERM}


def expected(worker_class, how, number):
    """Return what becomes of a running request, and whether its worker serves on."""
    runs_on_main_thread = worker_class == "sync"
    if how == "returns":
        return 200, True
    if how == "chains":
        is_hit = runs_on_main_thread and number in INTERRUPTING
        return 500 if is_hit else 200, number not in ENDING
    # The application is where it is raised, or else nobody is whom it would not end.
    return (500, True) if runs_on_main_thread else (200, False)


def start(server, arguments, how):
    server.write("app.py", APP)
    server.start("app:application", *arguments, config=TOLD, HOW=how)
    server.wait_for_log("WORKER READY")


def try_out(server, arguments, number):
    """Send a signal to a worker with requests; what becomes of these, and of the worker."""
    worker = int(server.get("/pid").text)
    count = 1 if "sync" in arguments else 2
    ready = server.log.count("WORKER READY")
    handled = server.log.count("HANDLED")
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(count)]
        for client in clients:
            client.request("/sleep/0.4", "Connection: close")
        server.wait_until_asleep(count)
        os.kill(worker, number)
        statuses = {client.reply().status for client in clients}
    server.wait_for_log("HANDLED", handled + 1)
    (status,) = statuses
    serves_on = server.get("/pid").text == str(worker)
    if not serves_on:
        eventually(lambda: not alive(worker), "the worker is gone")
        server.wait_for_log("WORKER READY", ready + 1)
    return status, serves_on


@pytest.mark.parametrize("how", ["returns", "raises", "interrupts", "exits", "chains"])
def test_a_handler_of_the_applications_cuts_nothing_that_it_does_not_run_in(server, arguments, how):
    start(server, arguments, how)
    numbers = EVERY if os.environ.get("TRICORN_MATRIX") else QUICK
    worker_class = arguments[1]
    outcomes = {number: try_out(server, arguments, number) for number in numbers}
    assert outcomes == {number: expected(worker_class, how, number) for number in numbers}


@pytest.mark.parametrize(("how", "code"), [("exits", 5), ("raises", 1)])
def test_a_handler_that_is_left_by_an_exception_ends_a_worker_that_idles(
    server, arguments, how, code
):
    start(server, arguments, how)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGTERM)
    server.wait_for_log(f"GONE {worker} {code}")
    server.wait_for_log("WORKER READY", 2)
    assert ("raised by the handler" in server.log) is (how == "raises")


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT, signal.SIGABRT])
def test_requests_in_threads_are_finished_whatever_ends_their_worker(server, number):
    server.start("tests.apps.plain:application", "--threads", "2", config=TOLD)
    server.wait_for_log("WORKER READY")
    (worker,) = server.workers()
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(3)]
        for client in clients:
            # The third waits for a thread.
            client.request("/sleep/0.8", "Connection: close")
        server.wait_until_asleep(2)
        os.kill(worker, number)
        assert [client.reply().status for client in clients] == [200] * 3
    server.wait_for_log(f"GONE {worker} {1 if number == signal.SIGABRT else 0}")


def test_a_request_without_end_holds_a_worker_that_is_to_quit_for_a_while_only(server):
    config = (
        TOLD
        + """
    def worker_exit(server, worker):
        print("WORKER EXIT", flush=True)
    """
    )
    arguments = ["--threads", "2", "--graceful-timeout", "4"]
    server.start("tests.apps.plain:application", *arguments, config=config)
    server.wait_for_log("WORKER READY")
    with server.connect() as client:
        client.request("/sleep/600")
        server.wait_until_asleep()
        assert server.stop(signal.SIGQUIT) == 0
    assert "WORKER EXIT" in server.log
    assert "was killed" not in server.log
