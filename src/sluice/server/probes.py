"""/healthz and /readyz for the kubelet, /metrics for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import generate_latest

MAX_BODY = 1024


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


def probes(is_ready: Callable[[], bool]) -> web.Application:
    """/healthz says that the loop runs, /readyz that turns are served."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if is_ready() else web.Response(status=503, text="starting\n")

    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return app


def metrics() -> web.Application:
    """/metrics in Prometheus' text format."""

    async def scrape(_: web.Request) -> web.Response:
        text = await asyncio.to_thread(generate_latest)  # many series take long to print: not on the loop
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.get("/metrics", scrape)])
    return app
