"""One scrape: what was counted as it happened, and what running parts say of themselves at that moment.

A part offers its families with `scraped` for as long as it runs. They are collected on the event loop, so that
nothing changes meanwhile, and printed beside it: many series take long to print.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Source = Callable[[], Iterable[Metric]]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_sources: list[Source] = []


@contextmanager
def scraped(source: Source) -> Iterator[None]:
    """Ask `source` at every scrape while inside. It is called on the loop and must return quickly."""
    _sources.append(source)
    try:
        yield
    finally:
        _sources.remove(source)


async def exposition() -> bytes:
    """Everything, in Prometheus' text format 0.0.4. Call it on the loop that the sources belong to."""
    return await asyncio.to_thread(generate_latest, _Everything(collected()))


def collected() -> tuple[Metric, ...]:
    """What running parts say now. This part of a scrape holds the loop."""
    return merged(family for source in tuple(_sources) for family in source())


def merged(families: Iterable[Metric]) -> tuple[Metric, ...]:
    """One family a name, as the format demands, with the samples of all that have it."""
    found: dict[str, Metric] = {}
    for family in families:
        first = found.setdefault(family.name, family)
        if first is not family:
            first.samples.extend(family.samples)
    return tuple(found.values())


def gauge(name: str, about: str, labels: dict[str, str], value: float) -> Metric:
    """A family of one gauge with one sample."""
    family = GaugeMetricFamily(name, about, labels=tuple(labels))
    family.add_metric(tuple(labels.values()), value)
    return family


class _Everything(Collector):
    def __init__(self, families: tuple[Metric, ...]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
        yield from self._families
