"""Loggers that subclass gunicorn's, and configurations of Python's logging."""

from __future__ import annotations

import re

import pytest

from tests.harness import eventually
from tests.recipes.cookbook import write_recipe
from tests.recipes.receivers import datagrams

PLAIN = "tests.apps.plain:application"


@pytest.fixture
def statsd():
    """Give a statsd: its address, and what it is told."""
    with datagrams() as it:
        yield it


def test_a_subclass_of_the_statsd_logger_sends_its_metrics_and_the_servers(server, statsd):
    address, told = statsd
    write_recipe(server, "statsd")
    server.start(PLAIN, "--statsd-host", address, "--statsd-prefix", "shop")
    server.get("/hello")
    server.get("/nowhere")
    with server.connect() as client:
        assert client.send("NONSENSE\r\n\r\n").reply().status == 400
    wanted = {
        "shop.forks:1|c|@1.0",
        "shop.gunicorn.log.warning:1|c|@1.0",
        "shop.gunicorn.request.status.200:1|c|@1.0",
        "shop.gunicorn.request.status.400:1|c|@1.0",
        "shop.gunicorn.request.status.500:1|c|@1.0",
        "shop.gunicorn.requests:1|c|@1.0",
        "shop.gunicorn.workers:1|g",
        "shop.page.bytes:5|h",
        "shop.page.hello:1|c|@1.0",
        "shop.page.nowhere:1|c|@1.0",
    }
    eventually(lambda: wanted <= set(told), "all metrics arrive")
    assert server.stop() == 0
    assert told.count("shop.gunicorn.requests:1|c|@1.0") == 3
    durations = [line for line in told if line.startswith("shop.gunicorn.request.duration:")]
    assert len(durations) == 3
    assert all(re.fullmatch(r"\S+:\d+\.\d+\|ms", line) for line in durations)
