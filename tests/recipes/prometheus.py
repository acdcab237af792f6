"""Reading what Prometheus would scrape."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

from tests.harness import eventually

Samples = dict[str, list[tuple[dict[str, str], float]]]


def scraped(url: str) -> Samples:
    """Return the samples at an address, by name."""
    samples: Samples = defaultdict(list)
    for family in text_string_to_metric_families(eventually(lambda: _page(url), url)):
        for sample in family.samples:
            samples[sample.name].append((sample.labels, sample.value))
    return samples


def _page(url: str) -> str | None:
    """Return the page; nothing where the package stumbles over a file that is just being made."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        if error.code != 500:
            raise
        return None


def total(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples of a name that have these labels."""
    chosen = [value for have, value in samples[name] if labels.items() <= have.items()]
    assert chosen, f"no {name} with {labels}"
    return sum(chosen)


def living(samples: Samples, name: str) -> set[int]:
    """Return the processes that a gauge is told of."""
    return {int(labels["pid"]) for labels, _ in samples[name]}
