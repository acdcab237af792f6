"""OpenTelemetry, set up in post_fork: what it exports with has threads."""

from __future__ import annotations

from collections import Counter

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.harness import eventually
from tests.recipes.cookbook import write_recipe
from tests.recipes.receivers import receiver


@pytest.fixture
def collector():
    with receiver() as it:
        yield it


@pytest.fixture
def shop(collector, server):
    write_recipe(server, "OpenTelemetry")

    def start(*arguments, **variables):
        endpoint = f"http://{collector.address}"
        return server.start(
            "shop:application", *arguments, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **variables
        )

    return start


def instance(resource):
    """Return the process that a resource is of."""
    names = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    assert names["service.name"] == "shop"
    return int(names["service.instance.id"])


def spans(collector):
    """Return how many spans each process has exported."""
    count = Counter()
    for body in collector.bodies("/v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                assert {span.name for span in scope.spans} == {"order"}
                count[instance(resource.resource)] += len(scope.spans)
    return count


def orders(collector):
    """Return how many orders each process has told of last."""
    found = Counter()
    for body in collector.bodies("/v1/metrics"):
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    (point,) = metric.sum.data_points
                    found[instance(resource.resource)] = point.as_int
    return found


def order_from_each(server):
    """Place orders until both workers have taken some; how many each of them has."""
    taken = Counter()

    def order():
        taken[int(server.get("/").text.split()[-1])] += 1
        return len(taken) == 2

    eventually(order, "both workers take orders")
    return taken


def test_each_worker_exports_its_spans_and_metrics_while_it_serves(shop, collector):
    server = shop(OTEL_BSP_SCHEDULE_DELAY="50", OTEL_METRIC_EXPORT_INTERVAL="50")
    taken = order_from_each(server)
    eventually(lambda: spans(collector) == taken, "all spans arrive")
    eventually(lambda: orders(collector) == taken, "all orders are told of")
    assert set(taken) == set(server.workers())


@pytest.mark.parametrize("how", ["a stop", "a recycling"])
def test_what_a_worker_still_has_is_exported_when_it_leaves(shop, collector, how):
    server = shop(*(("--max-requests", "10") if how == "a recycling" else ()))
    taken = order_from_each(server)
    if how == "a stop":
        assert server.stop() == 0
        assert spans(collector) == orders(collector) == taken
        return
    first = set(taken)

    def order_until_both_are_replaced():
        taken[int(server.get("/").text.split()[-1])] += 1
        return not first & set(server.workers())

    eventually(order_until_both_are_replaced)
    gone = {pid: count for pid, count in taken.items() if pid in first}
    assert {pid: spans(collector)[pid] for pid in first} == gone
    assert {pid: orders(collector)[pid] for pid in first} == gone
