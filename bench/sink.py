"""A receiver of notifications in a process of its own: counts how often it was told what. `python -m bench.sink`.

It prints its port. `GET /` answers with the number of calls and of different bodies, and forgets them.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web


@contextmanager
def running_sink() -> Iterator[str]:
    """Its address while it runs."""
    with subprocess.Popen([sys.executable, "-m", "bench.sink"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def main() -> None:
    """Serve until SIGTERM."""
    calls, bodies = 0, set[bytes]()

    async def take(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        bodies.add(hashlib.sha256(await request.read()).digest())
        return web.Response()

    async def told(_: web.Request) -> web.Response:
        nonlocal calls
        answer = web.json_response({"calls": calls, "bodies": len(bodies)})
        calls = 0
        bodies.clear()
        return answer

    async def serve() -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/{path:.*}", take), web.get("/", told)])
        return app

    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listening.getsockname()[1], flush=True)
    web.run_app(serve(), sock=listening, print=None, access_log=None)


if __name__ == "__main__":
    main()
