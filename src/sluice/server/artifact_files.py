"""The folder of artifacts over plain HTTP, read only: the URL that a source's status shows leads here.

As with Flux, whoever reaches the port may read every artifact; the shipped NetworkPolicy lets in the operator's own
namespace alone.
"""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

MAX_BODY = 1024
# What `store.artifacts` writes and nothing else: no dot files, no way up, no half-written tarball.
_ARTIFACT = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.-]*/[a-z0-9][a-z0-9.-]*/[0-9a-f]{40,64}\.tar\.gz")


def artifact_files(root: Path) -> web.Application:
    """Serves `<kind>/<namespace>/<name>/<commit>.tar.gz` below `root`; 404 for any other path."""

    async def artifact(request: web.Request) -> web.FileResponse:
        path = request.match_info["path"]
        file = root / path
        if not _ARTIFACT.fullmatch(path) or not file.is_file():
            raise web.HTTPNotFound(text="no such artifact\n")
        return web.FileResponse(file, headers={"Content-Type": "application/gzip"})

    app = web.Application(client_max_size=MAX_BODY)
    app.add_routes([web.get("/{path:.*}", artifact)])
    return app
