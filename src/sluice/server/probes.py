"""/healthz and /readyz for the kubelet, /metrics for Prometheus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from sluice.runtime.scrape import CONTENT_TYPE, exposition

MAX_BODY = 1024
_NOT_YET = "not begun"


@dataclass(slots=True)
class Readiness:
    """What must be there before turns are served, in the order in which it comes; the text says what is missing."""

    _checks: dict[str, str] = field(default_factory=lambda: {"lease": "not asked for yet", "turns": _NOT_YET})

    def waits_for(self, holder: str) -> None:
        """Another process leads."""
        self._checks["lease"] = f"held by {holder}" if holder else "not to be had yet"

    def leads(self) -> None:
        """Every lease is ours; objects are read before the first turn."""
        self._checks["lease"] = ""
        self._checks["turns"] = "objects are being read"

    def serves(self) -> None:
        """Turns are being served."""
        self._checks["turns"] = ""

    @property
    def is_ready(self) -> bool:
        """True when nothing is missing."""
        return not any(self._checks.values())

    def report(self) -> str:
        """A line for each check, in the form of the API server's own /readyz?verbose."""
        lines = [f"[-]{name} failed: {why}" if why else f"[+]{name} ok" for name, why in self._checks.items()]
        return "\n".join((*lines, "readyz check passed" if self.is_ready else "readyz check failed", ""))


@asynccontextmanager
async def serving(*sites: tuple[str, web.Application]) -> AsyncIterator[None]:
    """Serve each on its address while inside; on an empty one, nowhere. Raises OSError when one can't be bound."""
    runners = []
    for address, app in sites:
        if not address:
            continue
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        host, _, port = address.rpartition(":")
        await web.TCPSite(runner, host.strip("[]") or None, int(port)).start()
        runners.append(runner)
    try:
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


def probes(ready: Readiness) -> web.Application:
    """/healthz says that the loop runs, /readyz that turns are served; with `?verbose`, what is missing."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        text = ready.report() if "verbose" in request.query else "ok\n" if ready.is_ready else "starting\n"
        return web.Response(text=text, status=200 if ready.is_ready else 503)

    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return app


def metrics() -> web.Application:
    """/metrics in Prometheus' text format."""

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=await exposition(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.get("/metrics", scrape)])
    return app
