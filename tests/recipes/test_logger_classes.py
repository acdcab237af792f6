"""Loggers that subclass gunicorn's, and configurations of Python's logging."""

from __future__ import annotations

import json
import re
import signal

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


def told(server, text, count=1, **wanted):
    """Wait for so many lines that say this, and return what they tell; all lines are JSON."""

    def find():
        # The last one may be on its way.
        lines = [json.loads(line) for line in server.log.split("\n")[:-1]]
        found = [
            line
            for line in lines
            if text in line.get("message", line.get("event")) and wanted.items() <= line.items()
        ]
        return found if len(found) >= count else None

    return eventually(find, f"{count} lines with {text!r}")


def test_every_line_is_json_under_a_subclass_with_json_formatters(server):
    write_recipe(server, "JSON, by a logger class")
    server.start(PLAIN, "-w", "2")
    server.get("/hello?a=b", 'User-Agent: "x"')
    (line,) = told(server, "GET /hello?a=b HTTP/1.1")
    assert line["process"] in server.workers()
    assert line["microseconds"] > 0
    assert (line["method"], line["path"], line["status"]) == ("GET", "/hello", "200")
    assert line["bytes"] == 5
    server.get("/nowhere")
    assert told(server, "GET /nowhere HTTP/1.1")[0]["status"] == "500"
    (error,) = told(server, "Error handling request")
    assert error["levelname"] == "ERROR"
    server.send_signal(signal.SIGHUP)
    told(server, "Worker exiting", 2)
    server.send_signal(signal.SIGUSR1)
    assert server.stop() == 0
    (last,) = told(server, "Shutting down")
    assert (last["levelname"], last["process"]) == ("INFO", server.pid)


def test_every_line_is_json_under_logconfig_dict_with_the_atoms_as_arguments(server):
    write_recipe(server, "JSON, by logconfig_dict")
    server.write(
        "app.py",
        """
        import logging
        from tests.apps.plain import application
        logging.getLogger("shop").warning("loaded")
        """,
    )
    server.start()
    server.get("/hello")
    (line,) = told(server, "GET /hello HTTP/1.1")
    assert line["name"] == "gunicorn.access"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/hello", "200")
    assert told(server, "loaded")[0]["name"] == "shop"
    server.get("/nowhere")
    assert told(server, "Error handling request")[0]["name"] == "gunicorn.error"
    server.send_signal(signal.SIGHUP)
    told(server, "Worker exiting", 1)
    assert server.stop() == 0
    assert len(told(server, "Shutting down")) == 1


def test_a_filter_on_the_access_log_is_asked_before_and_after_a_reload(server):
    write_recipe(server, "A filter on the access log")
    server.start(PLAIN)
    for round_ in (1, 2):
        server.get("/hello")
        server.get("/nowhere")
        server.wait_for_log('"GET /nowhere HTTP/1.1" 500', round_)
        server.send_signal(signal.SIGHUP)
        server.wait_for_log("Worker exiting", round_)
    assert "GET /hello" not in server.log


def test_the_server_the_hooks_and_the_application_log_through_structlog(server, arguments):
    write_recipe(server, "structlog")
    server.start("shop:application", "-w", "2", *arguments)
    for number in range(20):
        server.get(f"/{number}")
    orders = told(server, "order", 20, source="shop")
    requests = told(server, "request", 20, source="access")
    assert len(orders) == len(requests) == 20
    assert {line["request_id"]: line["table"] for line in orders} == {
        line["request_id"]: line["path"] for line in requests
    }
    assert {line["status"] for line in requests} == {"200 OK"}

    server.send_signal(signal.SIGHUP)
    told(server, "Worker exiting", 2)
    server.send_signal(signal.SIGUSR1)
    assert server.stop() == 0
    (last,) = told(server, "Shutting down", source="server")
    assert last["level"] == "info"
