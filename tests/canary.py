"""What no output of any test may show.

The secrets that tests plant (in clusters, git, registries, files) hold the word `CANARY`. What the product says is
shown to `look` where tests catch it: log entries, HTTP answers, the command's streams, what a sink receives, and
events, statuses and ConfigMaps of a cluster at its end. `tests/conftest.py` lets the test fail in which a leak was
seen. A secret may stand in a Secret, in a request's headers, and in git; nobody looks there.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from aiohttp import web

from devcluster.cluster import Cluster
from sluice.api.crds import KINDS

CANARY = "hunter"
_BEFORE, _AFTER = 60, 40


def _encoded(word: str) -> Iterator[str]:
    """The word as base64, wherever it begins in what was encoded; only the letters that nothing beside it decides."""
    for before in range(3):
        first = -(-before * 8 // 6)
        last = (before + len(word)) * 8 // 6
        yield base64.b64encode(b"\0" * before + word.encode()).decode()[first:last]


# Beside the word: any private key, and any token of Kubernetes, OIDC or GitHub (a JWT begins so).
FORBIDDEN = re.compile("|".join([CANARY, *_encoded(CANARY), "PRIVATE KEY-----", "eyJhbGciOi"]))
_WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

_leaks: list[str] = []
_begun: list[tuple[float, str]] = []


def look(output: str, text: str | bytes) -> None:
    """Remember a leak if `text`, which `output` names, shows a secret. Safe from any thread."""
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    if found := FORBIDDEN.search(text):
        excerpt = text[max(0, found.start() - _BEFORE) : found.end() + _AFTER]
        _leaks.append(f"{output} shows a secret: …{excerpt}…")


def taken() -> list[str]:
    """The leaks since the last call."""
    found = _leaks[:]
    _leaks.clear()
    return found


def begins(test: str) -> None:
    """Remember when a test began, to name it for what a cluster shows at its end."""
    _begun.append((time.time(), test))


async def look_at_answer(request: web.Request, answer: web.StreamResponse) -> None:
    """Look at what a server answers: its headers, and its body where that is not a file."""
    output = f"the answer to {request.method} {request.path}"
    look(output, str(answer.headers))
    if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
        look(output, answer.body)


class WatchedRunner(web.AppRunner):
    """Serves an application, and looks at its answers if it is the product's and no test's that plays another."""

    def __init__(self, app: web.Application, **options: Any) -> None:
        if sys._getframe(1).f_globals["__name__"].startswith("sluice."):
            app.on_response_prepare.append(look_at_answer)
        super().__init__(app, **options)


def look_at_cluster(cluster: Cluster) -> None:
    """Look at everybody's events and ConfigMaps, and at what we said in the status and annotations of our kinds."""
    with suppress(OSError):  # a test may have broken it
        for what in ("events", "configmaps"):
            for item in _items(cluster, f"/api/v1/{what}"):
                _look_at(what, item, item)
        for definition, _ in KINDS:
            path = f"/apis/{definition.group}/{definition.version}/{definition.plural}"
            for item in _items(cluster, path):
                _look_at(definition.plural, item, [item.get("status"), item["metadata"].get("annotations")])


def _items(cluster: Cluster, path: str) -> list[dict[str, Any]]:
    return list((cluster.api.get(path) or {}).get("items", []))


def _look_at(what: str, item: dict[str, Any], shown: Any) -> None:
    text = json.dumps(shown)
    if FORBIDDEN.search(text):
        metadata = item["metadata"]
        when = max(_WHEN.findall(json.dumps(item)), default="")
        look(f"{what} {metadata['namespace']}/{metadata['name']} (written {_during(when)})", text)


def _during(when: str) -> str:
    """The test that ran then."""
    if not when:
        return "some time"
    at = datetime.fromisoformat(when).timestamp()
    ran = [test for began, test in _begun if began < at + 1]
    return f"{when}, during {ran[-1]}" if ran else when
