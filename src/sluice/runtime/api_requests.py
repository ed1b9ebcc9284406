"""What clients have asked of the API server, under client-go's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from prometheus_client.core import CounterMetricFamily, Metric

from sluice.kube.client import KubeClient


def api_requests(*clients: KubeClient) -> Iterator[Metric]:
    """Requests by method and answer (`<error>`: none came), and the seconds waited because the server said so."""
    requests = CounterMetricFamily(
        "rest_client_requests_total", "Requests to the API server.", labels=("code", "host", "method")
    )
    answered: Counter[tuple[str, str, str]] = Counter()
    for client in clients:
        host = urlsplit(client.access.server).netloc
        for (method, code), number in client.usage.answered.items():
            answered[code, host, method] += number
    for labels, number in answered.items():
        requests.add_metric(labels, number)
    throttled = CounterMetricFamily(
        "sluice_api_throttled_seconds_total", "Seconds waited because the API server asked for patience."
    )
    throttled.add_metric((), sum(client.usage.throttled for client in clients))
    yield requests
    yield throttled
