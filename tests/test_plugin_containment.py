"""Compiled plugins that misbehave: what that costs, and whom it is told of."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import pytest

from tests.harness import eventually
from tests.harness.client import Closed
from tests.harness.plugins import built, compiled
from tests.harness.server import run

PLAIN = "tests.apps.plain:application"


def test_a_panic_costs_its_own_request_and_the_instance_is_made_anew(probe):
    server = probe("--workers", "1")
    pid = server.get("/pid").text
    before = int(server.get("/calls").text)
    assert before >= 1
    assert server.get("/panic").status == 500
    assert "panicked at" in server.log
    assert "asked to, by the path" in server.log
    assert server.get("/calls").text == "0", "another instance"
    assert server.get("/pid").text == pid


@pytest.mark.parametrize(("required", "status"), [(False, 500), (True, 503)])
def test_three_panics_in_a_minute_set_a_plugin_aside(server, arguments, required, status):
    path = str(built("fixture-probe"))
    config = f"plugins = [{{'path': {path!r}, 'required': {required}}}]\n"
    server.start(PLAIN, *arguments, config=config)
    for _ in range(3):
        assert server.get("/panic").status == 500
    log = server.wait_for_log("is set aside: three panics within a minute")
    assert "Plugin test.probe is set aside" in log
    assert ("requests pass unguarded by it" in log) != required
    assert server.get("/panic").status == status, "the application's own, or 503"
    assert server.get("/hello").status == (503 if required else 200)


@pytest.mark.parametrize("event", ["conn_open", "request_head", "pre_request", "response_start"])
def test_a_guard_that_is_set_aside_lets_nobody_in(server, event):
    path = str(compiled("guard", f"-DEVENT=TRICORN_EVENT_{event.upper()}"))
    server.start(PLAIN, config=f"plugins = [{path!r}]\n")
    for _ in range(3):
        with server.connect() as client, contextlib.suppress(Closed, ConnectionError):
            client.get("/hello")
    log = server.wait_for_log("is set aside: three panics within a minute")
    assert "until a reload requests are answered with 503" in log
    assert server.get("/hello").status == 503


def test_the_operator_has_the_last_word_on_what_is_required(server):
    path = str(compiled("guard"))
    server.start(PLAIN, config=f"plugins = [{{'path': {path!r}, 'required': False}}]\n")
    for _ in range(3):
        assert server.get("/hello").status == 500
    server.wait_for_log("requests pass unguarded by it")
    assert server.get("/hello").status == 200


GUARDS = {"auth-basic": True, "rate-limit": True, "health": False}


@pytest.mark.parametrize(("name", "guards"), GUARDS.items())
def test_plugins_that_keep_requests_out_are_required_by_themselves(tmp_path, name, guards):
    done = run(tmp_path, "plugin", "inspect", str(built(f"tricorn-plugin-{name}")))
    assert ("required: without it requests are answered with 503" in done.stdout) == guards


EVENTS = {
    "request_head": 500,
    "pre_request": 500,
    "response_start": 200,
    "post_request": 200,
    "access": 200,
    "conn_close": 200,
    "request_error": 200,
    "log_reopen": 200,
}


@pytest.mark.parametrize("event", EVENTS)
def test_a_panic_in_an_event_means_what_a_failure_there_means(server, event):
    path = str(built("fixture-probe"))
    server.start(
        PLAIN, config=f"plugins = [{{'path': {path!r}, 'options': {{'panic_at': {event!r}}}}}]\n"
    )
    pid = server.workers()[0] if server.workers() else eventually(server.workers, "a worker")[0]
    assert server.get("/hello").status == EVENTS[event]
    if event == "request_error":
        with server.connect() as client:
            client.send("nonsense\r\n\r\n").rest()
    if event == "log_reopen":
        server.send_signal(signal.SIGUSR1)
    server.wait_for_log(f"{event} handler test.probe/")
    assert server.workers() == [pid], "the worker lives"


def test_a_panic_when_a_connection_opens_closes_it(server):
    path = str(built("fixture-probe"))
    server.start(
        PLAIN, config=f"plugins = [{{'path': {path!r}, 'options': {{'panic_at': 'conn_open'}}}}]\n"
    )
    with server.connect() as client:
        assert client.is_closed()


@pytest.mark.parametrize("event", ["post_fork", "worker_init", "post_worker_init", "start"])
def test_a_panic_that_keeps_a_worker_from_booting_ends_the_server_with_3(server, event):
    path = str(built("fixture-probe"))
    server.start(
        PLAIN, config=f"plugins = [{{'path': {path!r}, 'options': {{'panic_at': {event!r}}}}}]\n"
    )
    assert server.wait() == 3


@pytest.mark.parametrize("event", ["on_starting", "when_ready"])
def test_a_panic_at_the_start_refuses_it(tmp_path, event):
    option = f"fixture_probe.panic_at={event}"
    plugin = str(built("fixture-probe"))
    done = run(tmp_path, "--plugin", plugin, "--plugin-option", option, "-b", "127.0.0.1:0", PLAIN)
    assert done.returncode == 1
    assert f"{event} handler test.probe/" in done.stderr


def test_a_worker_that_dies_inside_a_plugin_is_attributed(server, arguments):
    server.start(PLAIN, *arguments, "-w", "2", "--plugin", str(compiled("segfault")))
    eventually(lambda: len(server.workers()) == 2, "two workers")
    with server.connect() as client, pytest.raises((Closed, ConnectionResetError)):
        client.get("/crash")
    log = server.wait_for_log("died of SIGSEGV inside org.example.fixture/pre_request")
    line = next(line for line in log.splitlines() if "SIGSEGV inside" in line)
    assert "Worker " in line
    assert "(pid " in line
    assert server.get("/hello").text == "hello"


def test_a_worker_that_ends_or_hangs_inside_a_plugin_is_attributed_too(server, arguments):
    server.start(PLAIN, *arguments, "--timeout", "1", "--plugin", str(compiled("segfault")))
    with server.connect() as client, pytest.raises((Closed, ConnectionResetError)):
        client.get("/exit")
    server.wait_for_log("exited with code 9 inside org.example.fixture/pre_request")
    eventually(lambda: server.get("/hello").text == "hello", "another worker serves")
    with server.connect() as client:
        client.send("GET /hold HTTP/1.1\r\nHost: test\r\n\r\n")
        server.wait_for_log("it is inside org.example.fixture/pre_request")


#: What a handler does instead of coming back, and how its worker is seen to end.
WAYS = {
    "exit(0)": "exited with code 0",
    "exit(7)": "exited with code 7",
    "_exit(0)": "exited with code 0",
    "pthread_exit(0)": "died of SIGABRT",
    "throw_it()": "died of SIGABRT",
}


def leaver(how, *flags):
    return str(compiled("leaves", f"-DHOW={how}", *flags))


@pytest.mark.parametrize("how", WAYS)
def test_a_worker_that_a_handler_leaves_is_attributed(server, arguments, how):
    path = leaver(how)
    config = f"plugins = [{{'path': {path!r}, 'on_crash': 'disable'}}]\n"
    server.start(PLAIN, *arguments, config=config)
    for count in range(1, 4):
        with server.connect() as client, pytest.raises((Closed, ConnectionResetError, OSError)):
            client.get("/leave")
        server.wait_for_log(f"{WAYS[how]} inside org.example.fixture/pre_request", count=count)
    server.wait_for_log("is set aside: three workers died in it within a minute")
    eventually(lambda: server.get("/leave").status == 500, "the application's own")


@pytest.mark.parametrize("event", ["request_head", "response_start", "access", "worker_exit"])
def test_whichever_event_it_is_left_in(server, event):
    flag = f"-DEVENT=TRICORN_EVENT_{event.upper()}"
    always = ["-DALWAYS"] if event == "worker_exit" else []
    server.start(PLAIN, "--plugin", leaver("throw_it()", flag, *always))
    if always:
        server.send_signal(signal.SIGTERM)
    else:
        with server.connect() as client, contextlib.suppress(Closed, ConnectionError):
            client.get("/leave")
    server.wait_for_log(f"died of SIGABRT inside org.example.fixture/{event}")
    assert f"org.example.fixture/{event} was left by a C++ exception or pthread_exit" in server.log


CRASHES = {
    "raise(SIGSEGV)": "died of SIGSEGV",
    "__builtin_trap()": "died of SIGILL",
    "touch_nothing()": "died of SIGSEGV",
}


@pytest.mark.parametrize("how", CRASHES)
@pytest.mark.parametrize("faulthandler", ["", "1"])
def test_a_thread_of_a_plugins_own_that_crashes_is_attributed(server, how, faulthandler):
    server.start(PLAIN, "--plugin", leaver(how, "-DTHREAD"), PYTHONFAULTHANDLER=faulthandler)
    with server.connect() as client, contextlib.suppress(Closed, ConnectionError):
        client.get("/leave")
    server.wait_for_log(f"{CRASHES[how]} inside org.example.fixture/a thread of its own")
    assert ("Fatal Python error: " in server.log) == bool(faulthandler)


def test_a_crash_beside_a_plugins_thread_is_not_the_plugins(server):
    entry = {"path": str(built("fixture-probe")), "options": {"decider": True}}
    server.start(PLAIN, config=f"plugins = [{entry!r}]\n")
    os.kill(int(server.get("/pid").text), signal.SIGSEGV)
    server.wait_for_log("was killed by SIGSEGV (crash)")
    assert "inside test.probe" not in server.log


@pytest.mark.parametrize("how", WAYS)
def test_a_thread_of_a_plugins_own_that_ends_the_worker_is_attributed(server, how):
    server.start(PLAIN, "--plugin", leaver(how, "-DTHREAD"))
    if how == "_exit(0)":
        # Nobody can see which thread it was.
        words = "Booting worker"
    else:
        words = f"{WAYS[how]} inside org.example.fixture/a thread of its own"
    with server.connect() as client, contextlib.suppress(Closed, ConnectionError):
        client.get("/leave")
    server.wait_for_log(words, count=2 if how == "_exit(0)" else 1)


def test_workers_that_hang_in_a_plugin_again_and_again_count_too(server, arguments):
    path = str(compiled("segfault"))
    server.start(
        PLAIN,
        *arguments,
        "-w",
        "3",
        "--threads",
        "1",
        "--timeout",
        "1",
        "--graceful-timeout",
        "1",
        config=f"plugins = [{{'path': {path!r}, 'on_crash': 'disable'}}]\nabort_grace = 1\n",
    )
    clients = [server.connect().request("/hold") for _ in range(3)]
    server.wait_for_log("is set aside: three workers died in it within a minute")
    for client in clients:
        client.close()
    eventually(lambda: server.get("/hello").text == "hello", "it serves on")


def test_a_deciding_thread_that_panics_costs_its_own_request(server, arguments):
    entry = {"path": str(built("fixture-probe")), "options": {"decider": True}}
    server.start(PLAIN, *arguments, config=f"plugins = [{entry!r}]\n")
    pid = server.get("/pid").text
    assert server.get("/decide").text == "decided"
    assert server.get("/decide/panic").status == 500
    assert server.get("/decide").text == "decided", "another thread decides already"
    log = server.wait_for_log("its thread 'decider' has panicked; the instance is made anew")
    assert "asked to, in the decider" in log
    assert server.get("/pid").text == pid
    for count in (2, 3):
        assert server.get("/decide").text == "decided", "another thread decides"
        assert server.get("/decide/panic").status == 500
        server.wait_for_log("its thread 'decider' has panicked", count=count)
    server.wait_for_log("Plugin test.probe is set aside: three panics within a minute")
    assert server.get("/hello").text == "hello"


def test_deaths_before_a_reload_are_not_held_against_what_it_has_brought(server):
    path = str(compiled("segfault"))
    server.start(PLAIN, config=f"plugins = [{{'path': {path!r}, 'on_crash': 'disable'}}]\n")

    def crash(count):
        with server.connect() as client, pytest.raises((Closed, ConnectionResetError, OSError)):
            client.get("/crash")
        server.wait_for_log("died of SIGSEGV", count=count)

    crash(1)
    crash(2)
    former = eventually(server.workers, "a worker")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: not {*former} & {*server.workers()}, "the former worker is gone")
    crash(3)
    crash(4)
    assert "three workers died" not in server.log
    crash(5)
    server.wait_for_log("three workers died in it within a minute")


def test_workers_that_die_when_a_plugin_is_made_are_attributed_and_counted(tmp_path):
    path = str(compiled("segfault", "-DIN_CREATE"))
    config = tmp_path / "server.conf.py"
    config.write_text(f"plugins = [{{'path': {path!r}, 'on_crash': 'halt'}}]\n")
    done = run(tmp_path, "-c", str(config), "-b", "127.0.0.1:0", PLAIN)
    assert done.returncode == 1
    assert done.stderr.count("died of SIGSEGV inside org.example.fixture/worker_create") == 3


@pytest.mark.parametrize("policy", ["continue", "disable", "halt"])
def test_what_follows_when_workers_die_inside_a_plugin_again_and_again(server, policy):
    path = str(compiled("segfault"))
    server.start(PLAIN, config=f"plugins = [{{'path': {path!r}, 'on_crash': {policy!r}}}]\n")
    for count in range(1, 4):
        with server.connect() as client, pytest.raises((Closed, ConnectionResetError, OSError)):
            client.get("/crash")
        server.wait_for_log("died of SIGSEGV", count=count)
    if policy == "halt":
        assert server.wait() == 1
        return
    eventually(lambda: server.get("/hello").text == "hello", "it serves on")
    if policy == "disable":
        assert "three workers died in it within a minute" in server.log
        assert server.get("/crash").status == 500, "the application's own"


def test_verdicts_that_mean_nothing_are_failures_and_told_once(server, arguments):
    server.start(PLAIN, *arguments, "--plugin", str(compiled("misbehave")))
    for target in ("/unknown", "/unknown", "/respond", "/pending"):
        assert server.get(target).status == 500
    assert server.log.count("this is not told again") == 1
    assert server.get("/error").status == 500
    with server.connect() as client, pytest.raises(Closed):
        client.get("/close")
    assert server.get("/twice").text == "first"
    assert server.get("/forgotten").status == 500, "the application runs: there is no such page"
    assert "do_forgotten" in server.log


def test_a_verdict_that_an_event_does_not_allow_is_a_failure(server):
    server.start(PLAIN, "--plugin", str(compiled("misbehave")))
    assert server.get("/late").status == 500
    assert "which this event does not allow" in server.log


def test_what_cannot_be_done_is_a_code_and_never_reaches_the_wire(server, arguments):
    server.start(PLAIN, *arguments, "--plugin", str(compiled("codes")))
    server.get("/retain")
    reply = server.get("/codes")
    codes = dict(pair.split("=") for pair in reply.text.split())
    assert codes == {
        "kind": "-4",
        "spawn": "-8",
        "stale": "-5",
        "split": "-4",
        "frame": "-4",
        "name": "-4",
        "none": "-12",
        "frozen": "-7",
        "early": "-10",
        "unknown": "1",
        "answer": "-4",
        "headers": "-4",
    }
    assert reply.header("X-Late") == "set=-10 answer=-10 split=-4 length=-4"
    assert reply.header("X-B") is None


def test_a_message_of_a_plugin_cannot_look_like_another_line_of_the_log(server):
    server.start(PLAIN, "--plugin", str(compiled("codes")))
    server.get("/retain")
    log = server.wait_for_log("all is well")
    assert "[org.example.fixture] no user a\\r\n    [1] [INFO] all is well\\u{1b}[2J\n" in log


def test_a_205_of_a_plugin_has_no_content(server, arguments):
    server.start(PLAIN, *arguments, "--plugin", str(compiled("reset")))
    with server.connect() as client:
        reply = client.get("/plain")
        assert (reply.status, reply.header("Content-Length"), reply.body) == (205, "0", b"")
        for target in ("/content", "/length"):
            reply = client.get(target)
            assert (reply.status, reply.text) == (200, "invalid"), target
        reply = client.get("/hello")
        assert (reply.status, reply.header("X-Code"), reply.text) == (200, "-4", "hello")


def test_a_plugin_that_is_not_safe_on_threads_is_called_one_at_a_time(server):
    server.start(PLAIN, "--threads", "8", "--plugin", str(compiled("one_at_a_time")))
    replies = []

    def ask():
        with server.connect() as client:
            replies.extend(client.get().text for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(replies) == {"alone"}
    assert len(replies) == 160


def test_on_error_says_whether_a_failure_counts(server):
    path = str(compiled("misbehave"))
    config = f"plugins = [{{'path': {path!r}, 'on_error': {{'pre_request': 'log'}}}}]\n"
    server.start(PLAIN, config=config)
    assert server.get("/error").status == 500
    assert "do_error" in server.wait_for_log("do_error"), "the application has run"


def test_what_a_stuck_thread_is_inside_of_is_not_taken_down(server):
    plugin = f"[{{'path': {str(built('fixture-probe'))!r}, 'options': {{'tell': True}}}}]"
    server.write(
        "app.py",
        """
        import time

        def application(environ, start_response):
            time.sleep(30)
        """,
    )
    config = f"plugins = {plugin}\nabort_grace = 1\n"
    limits = ["--timeout", "1", "--graceful-timeout", "1"]
    server.start("app:application", "-k", "gthread", *limits, config=config)
    with server.connect() as client:
        client.request("/")
        server.wait_for_log("WORKER TIMEOUT")
        server.wait_for_log("Worker exiting")
        server.wait_for_log("Booting worker", count=2)
    assert "EVENT instance_drop" not in server.log
