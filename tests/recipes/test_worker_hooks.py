"""What hooks of workers do in the wild: wrap the application, show stacks, patch."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.recipes.cookbook import write_recipe

SLEEPING = """
import time

def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        fall_asleep()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"awake\\n"]

def fall_asleep():
    time.sleep(60)
"""


@pytest.fixture
def sleeper(server, arguments):
    """Start a server whose hooks show stacks, and have a request sleep in it."""
    write_recipe(server, "The stacks of all threads")
    server.write("app.py", SLEEPING)
    clients = []

    def start(*more):
        server.start("app:application", *arguments, *more)
        clients.append(server.connect())
        clients[0].request("/slow")
        server.wait_until_asleep()
        return server

    yield start
    for client in clients:
        client.close()


@pytest.mark.parametrize("arguments", [(), ("--preload",)], ids=["", "preloaded"])
def test_an_application_is_wrapped_in_each_worker(server, arguments):
    write_recipe(server, "Wrapping the application")
    server.start("tests.apps.plain:application", *arguments)
    forwarded = "X-Forwarded-For: 192.0.2.7"
    assert '"REMOTE_ADDR": "192.0.2.7"' in server.get("/env", forwarded).text
    assert '192.0.2.7 "GET /env HTTP/1.1" 200' in server.wait_for_log("GET /env")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Worker exiting")
    assert '"REMOTE_ADDR": "192.0.2.7"' in server.get("/env", forwarded).text


def test_worker_abort_shows_where_a_request_is_stuck(sleeper, arguments):
    # A pool is stuck when each of its threads is; its requests are waited for then.
    one = ("--threads", "1", "--graceful-timeout", "1") if "gthread" in arguments else ()
    server = sleeper("--timeout", "1", *one)
    server.wait_for_log("aborted in")
    server.wait_for_log("in fall_asleep", 2)
    _, _, shown = server.log.partition("aborted in")
    assert "thread MainThread:" in shown
    assert "in fall_asleep" in shown
    assert server.get("/").text == "awake\n"


def test_worker_int_shows_what_a_quick_stop_interrupts(sleeper):
    server = sleeper("--graceful-timeout", "1")
    assert server.stop(signal.SIGQUIT) == 0
    _, _, shown = server.log.partition("interrupted in")
    assert "thread MainThread:" in shown
    assert "in fall_asleep" in shown


def test_faulthandler_shows_the_stacks_of_a_worker_that_serves_on(sleeper, arguments):
    server = sleeper("--graceful-timeout", "1")
    (pid,) = server.workers()
    os.kill(pid, signal.SIGUSR2)
    server.wait_for_log("in fall_asleep")
    if "gthread" in arguments:
        assert server.get("/").text == "awake\n"
    assert server.workers() == [pid]
    assert server.stop(signal.SIGQUIT) == 0


GREEN = """
import json
import time

import gevent
import psycopg2.extensions


def application(environ, start_response):
    steps = []

    def walk(name):
        for step in range(2):
            steps.append(f"{name}{step}")
            time.sleep(0.01)

    gevent.joinall([gevent.spawn(walk, name) for name in "ab"])
    start_response("200 OK", [("Content-Type", "application/json")])
    waits = psycopg2.extensions.get_wait_callback()
    return [json.dumps([steps, f"{waits.__module__}.{waits.__name__}"]).encode()]
"""


def test_what_post_fork_patches_is_patched_for_requests(server, arguments):
    write_recipe(server, "gevent and psycogreen")
    server.write("app.py", GREEN)
    server.start("app:application", *arguments)
    server.wait_for_log("psycopg2 waits with gevent", 2)
    for _ in range(8):
        steps, waits = json.loads(server.get("/").text)
        assert steps == ["a0", "b0", "a1", "b1"]
        assert waits == "psycogreen.gevent.gevent_wait_callback"
    assert server.stop() == 0
