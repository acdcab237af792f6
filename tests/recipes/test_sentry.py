"""Sentry, set up in post_fork, with a stand-in for its server."""

from __future__ import annotations

import gzip
import itertools
import json

import pytest

from tests.harness import eventually
from tests.recipes.cookbook import write_recipe
from tests.recipes.receivers import receiver


@pytest.fixture
def sentry():
    with receiver() as it:
        yield it


@pytest.fixture
def shop(sentry, server):
    write_recipe(server, "Sentry")

    def start(*arguments, more=""):
        recipe = (server.folder / "gunicorn.conf.py").read_text()
        server.write("gunicorn.conf.py", recipe + more)
        dsn = f"http://key@{sentry.address}/1"
        return server.start("shop:application", *arguments, SENTRY_DSN=dsn)

    return start


def events(sentry):
    """Return the events of all envelopes: lines of JSON, each event behind a line that says so."""
    found = []
    for body in sentry.bodies("/api/1/envelope/"):
        lines = [json.loads(line) for line in gzip.decompress(body).splitlines()]
        pairs = itertools.pairwise(lines)
        found += [event for head, event in pairs if head.get("type") == "event"]
    return found


@pytest.mark.parametrize("arguments", [(), ("--preload",)], ids=["", "preloaded"])
def test_an_exception_arrives_with_its_request_and_its_worker(shop, sentry, arguments):
    server = shop(*arguments)
    assert server.get("/7").text == "table 7 is served\n"
    assert server.get("/window?seats=2").status == 500
    (event,) = eventually(lambda: events(sentry))
    (exception,) = event["exception"]["values"]
    assert exception["type"] == "ValueError"
    assert "window" in exception["value"]
    assert event["request"]["url"] == "http://test.example/window"
    assert event["request"]["query_string"] == "seats=2"
    assert int(event["tags"]["worker"]) in server.workers()


def test_what_a_hook_logs_arrives_though_the_worker_dies_of_its_time_out(shop, sentry):
    server = shop("--timeout", "1")
    with server.connect() as client:
        client.request("/slow")
        server.wait_for_log("an order took too long")
    found = eventually(lambda: [event for event in events(sentry) if "logentry" in event])
    assert [event["logentry"]["message"] for event in found] == ["an order took too long"]
    assert found[0]["logger"] == "gunicorn.error"


def test_an_exception_that_nobody_wrapped_arrives(shop, sentry):
    server = shop(more="del post_worker_init")
    assert server.get("/window").status == 500
    (event,) = eventually(lambda: events(sentry))
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert event["logger"] == "gunicorn.error"
    assert event["logentry"]["message"].startswith("Error handling request GET /window")
