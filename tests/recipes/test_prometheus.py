"""prometheus_client's multiprocess mode."""

from __future__ import annotations

import importlib.util
import os
import signal

import pytest

from tests.harness import eventually
from tests.harness.deployment import free_port
from tests.recipes.cookbook import folder_of_metrics, write_recipe
from tests.recipes.prometheus import living, scraped, total


@pytest.fixture
def start(server):
    """Start the shop of a recipe, and return it."""

    def start(*titles, app="shop:application", arguments=(), **variables):
        write_recipe(server, *titles)
        folder = str(folder_of_metrics(server))
        return server.start(app, *arguments, PROMETHEUS_MULTIPROC_DIR=folder, **variables)

    return start


def order_from_each(server, workers=2):
    """Place orders until so many workers have taken one; how many orders, and by whom."""
    count, takers = 0, set()

    def order():
        nonlocal count
        takers.add(int(server.get("/").text.split()[-1]))
        count += 1
        return len(takers) >= workers

    eventually(order, f"orders are taken by {workers} workers")
    return count, takers


def living_workers(server):
    """Return the workers that have gauges; what is preloaded gives the arbiter some too."""
    return living(scraped(f"{server.url}/metrics"), "running") - {server.pid}


@pytest.mark.parametrize("arguments", [(), ("--preload",)], ids=["", "preloaded"])
def test_a_killed_workers_gauges_vanish_and_its_orders_stay_counted(start, arguments):
    server = start("Prometheus", arguments=arguments)
    count, takers = order_from_each(server)
    assert living_workers(server) == takers
    assert total(scraped(f"{server.url}/metrics"), "orders_total") == count

    killed = takers.pop()
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: killed not in living_workers(server), "the gauges of the dead vanish")
    assert takers <= living_workers(server)
    assert total(scraped(f"{server.url}/metrics"), "orders_total") == count


def test_the_gauges_of_recycled_workers_vanish_and_their_orders_stay_counted(start):
    server = start("Prometheus", arguments=("--max-requests", "10"))
    first = eventually(lambda: len(found := set(server.workers())) == 2 and found)
    count = 0

    def order_until_both_are_replaced():
        nonlocal count
        count += 1
        assert server.get("/").status == 200
        return not first & set(server.workers())

    eventually(order_until_both_are_replaced)
    eventually(
        lambda: living_workers(server) <= set(server.workers()), "only the living have gauges"
    )
    assert total(scraped(f"{server.url}/metrics"), "orders_total") == count


def test_metrics_have_an_address_of_their_own_whatever_the_workers_do(start):
    port = free_port()
    server = start("Prometheus", "Prometheus, at an address of its own", METRICS_PORT=str(port))
    url = f"http://127.0.0.1:{port}/"
    count, takers = order_from_each(server)
    for pid in takers:
        os.kill(pid, signal.SIGSTOP)
    samples = scraped(url)
    for pid in takers:
        os.kill(pid, signal.SIGCONT)
    assert total(samples, "orders_total") == count
    assert living(samples, "running") == takers

    server.send_signal(signal.SIGHUP)
    eventually(lambda: not takers & living(scraped(url), "running"), "the old ones' gauges vanish")
    assert total(scraped(url), "orders_total") == count


def test_flasks_exporter_counts_at_an_address_of_its_own_what_workers_served(start):
    port = free_port()
    server = start("Flask, with prometheus-flask-exporter", app="shop:app", METRICS_PORT=str(port))
    count, takers = order_from_each(server)
    os.kill(takers.pop(), signal.SIGKILL)
    server.wait_for_log("Booting worker", 3)
    assert server.get("/nowhere").status == 404
    samples = scraped(f"http://127.0.0.1:{port}/metrics")
    assert total(samples, "flask_http_request_total", method="GET", status="200") == count
    assert total(samples, "flask_http_request_total", method="GET", status="404") == 1


def test_djangos_exporter_counts_requests_and_queries_of_all_workers(start):
    server = start("Django, with django-prometheus", app="project.wsgi:application")
    count, takers = order_from_each(server)
    os.kill(takers.pop(), signal.SIGKILL)
    server.wait_for_log("Booting worker", 3)
    assert server.get("/nowhere").status == 404
    samples = scraped(f"{server.url}/metrics")
    responses = "django_http_responses_total_by_status_total"
    assert total(samples, responses, status="200") == count
    assert total(samples, responses, status="404") == 1
    assert total(samples, "django_db_execute_total", vendor="sqlite") == count


def test_gunicorn_itself_is_not_there():
    assert importlib.util.find_spec("gunicorn") is None
