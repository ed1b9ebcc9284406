"""fluxd's HTTP API, versions 6 to 11, below /api/flux: what fluxctl calls. Shapes and statuses are fluxd's.

It is answered by the process that leads; another one says that it is starting. Size and time of a request are bounded
before it is read, and what it may do is what its sender may do: see `fluxd_guard`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog
from aiohttp import web

from sluice.core.errors import SluiceError
from sluice.core.fluxd_api.change import read_change
from sluice.core.fluxd_api.fault import JSON, ApiFault, fault_of, malformed, rendered
from sluice.core.fluxd_api.image_list import read_fields
from sluice.core.fluxd_api.legacy import update_images, update_spec
from sluice.core.fluxd_api.public_key import NO_KEY
from sluice.core.problem import clip, printable
from sluice.kube.caller_access import CallerAccess
from sluice.reconcilers.fluxd_service import FluxdService
from sluice.server.fluxd_guard import Guard, read_token
from sluice.server.front_door import FrontDoor, serving_strangers

PREFIX = "/api/flux"
MAX_BODY = 1 << 20
READ_SECONDS, ANSWER_SECONDS = 10.0, 120.0
MAX_NAMES = 1000
ALL = "<all>"
_RELEASES = "https://github.com/fluxcd/flux/releases"
_OLD = f"This version of the API is no longer served, so your fluxctl is too old. Newer ones: {_RELEASES}"
log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FluxdApi:
    """The routes. Nothing is answered before `service` is there: then this process leads."""

    def __init__(self, token: str = "", access: CallerAccess | None = None) -> None:
        self.service: FluxdService | None = None
        self._guard = Guard(token, access)

    @asynccontextmanager
    async def serving(self, address: str, door: FrontDoor | None = None) -> AsyncIterator[None]:
        """Answer at that address while inside; at an empty one, nowhere. Raises OSError when it can't be bound."""
        door = door or FrontDoor()
        app = web.Application(client_max_size=MAX_BODY, middlewares=[door.middleware, self._closed, self._answered])
        app.add_routes(self._routes())
        async with serving_strangers(address, app, door):
            yield

    def _routes(self) -> list[web.RouteDef]:
        get, post = _get, web.post
        return [
            get(f"{PREFIX}/v11/ping", self._ping),
            get(f"{PREFIX}/v11/version", self._version),
            post(f"{PREFIX}/v11/notify", self._notify),
            get(f"{PREFIX}/v6/services", self._services),
            get(f"{PREFIX}/v11/services", self._services),
            get(f"{PREFIX}/v6/images", self._images),
            get(f"{PREFIX}/v10/images", self._images),
            post(f"{PREFIX}/v9/update-manifests", self._update),
            get(f"{PREFIX}/v6/jobs", self._job),
            get(f"{PREFIX}/v6/sync", self._sync),
            web.get(f"{PREFIX}/v6/export", self._export),
            post(f"{PREFIX}/v9/git-repo-config", self._git_config),
            post(f"{PREFIX}/v6/update-images", self._update_images),
            web.patch(f"{PREFIX}/v6/policies", self._policies),
            get(f"{PREFIX}/v6/identity.pub", self._identity),
            post(f"{PREFIX}/v6/identity.pub", self._new_identity),
            web.route("*", PREFIX + "/{version:v[1-5]}/{rest:.*}", _deprecated),
        ]

    @web.middleware
    async def _closed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """One request a connection: nobody may keep one that others wait for."""
        answer = await handler(request)
        answer.force_close()
        return answer

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check who calls, bound the time, and say every failure in the form that the client reads."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._guard.check(request)
                return await handler(request)
        except ApiFault as fault:
            return _failed(request, fault)
        except SluiceError as error:
            log.warning("fluxd's API could not answer", path=printable(request.path[:200]), error=str(error))
            return _failed(request, fault_of(error))
        except TimeoutError:
            return _failed(request, ApiFault("server", "it took too long", status=504))
        except web.HTTPException as error:
            return _failed(request, _http_fault(request, error))
        except Exception:
            log.exception("bug", path=printable(request.path[:200]))
            return _failed(request, ApiFault("server", "a bug; the operator's log has more"))

    @property
    def _ready(self) -> FluxdService:
        if self.service is None:
            raise ApiFault("server", "the operator is starting; ask again", status=503)
        return self.service

    async def _ping(self, _: web.Request) -> web.Response:
        self._ready.version()
        return web.Response(status=204)

    async def _version(self, _: web.Request) -> web.Response:
        return _json(self._ready.version())

    async def _notify(self, request: web.Request) -> web.Response:
        change = read_change(await _body(request))
        await self._ready.notify(change)
        return web.Response(status=202)

    async def _services(self, request: web.Request) -> web.Response:
        names = _names(request.query.get("services", "")) if request.path.startswith(f"{PREFIX}/v11/") else []
        return _json(await self._ready.services(_short(request, "namespace"), names))

    async def _images(self, request: web.Request) -> web.Response:
        service = _short(request, "service")
        names = [] if service in {"", ALL} else [service]
        fields = read_fields(_short(request, "containerFields"))
        return _json(await self._ready.images(_short(request, "namespace"), names, fields))

    async def _update(self, request: web.Request) -> web.Response:
        return _json(await self._ready.update(await _body(request)))

    async def _job(self, request: web.Request) -> web.Response:
        if "id" not in request.query:
            raise _no_route(request)
        return _json(await self._ready.job(_short(request, "id")))

    async def _sync(self, request: web.Request) -> web.Response:
        if "ref" not in request.query:
            raise _no_route(request)
        return _json(await self._ready.pending(_short(request, "ref")))

    async def _export(self, request: web.Request) -> web.Response:
        exported = await self._ready.export()
        return _json(base64.b64encode(exported).decode("ascii"))

    async def _git_config(self, request: web.Request) -> web.Response:
        regenerate = await _body(request)
        if not isinstance(regenerate, bool):
            raise malformed("the body is neither true nor false")
        return _json(await self._ready.git_config(regenerate=regenerate))

    async def _identity(self, _: web.Request) -> web.Response:
        key = await self._ready.public_key(regenerate=False)
        return _json(key.shape() if key is not None else NO_KEY)

    async def _new_identity(self, _: web.Request) -> web.Response:
        await self._ready.public_key(regenerate=True)
        return web.Response(status=204)

    async def _update_images(self, request: web.Request) -> web.Response:
        query = request.query
        if not {"service", "image", "kind"} <= set(query):
            raise _no_route(request)
        wanted = query.getall("service")
        spec = update_images(wanted, query["image"], query["kind"], query.getall("exclude", []))
        return _json(await self._ready.update(update_spec("image", spec, *_cause(request))))

    async def _policies(self, request: web.Request) -> web.Response:
        spec = await _body(request)
        return _json(await self._ready.update(update_spec("policy", spec, *_cause(request))))


@asynccontextmanager
async def serving_api(
    address: str, token_file: Path | None, access: CallerAccess | None = None
) -> AsyncIterator[FluxdApi]:
    """Answer at that address while inside, who has the file's token if there is one, or one that `access` allows.

    Raises UserError (ApiToken) for a file that can't be used, OSError when the address can't be bound.
    """
    api = FluxdApi(read_token(token_file) if token_file is not None else "", access)
    async with api.serving(address):
        yield api


def _get(path: str, handler: Handler) -> web.RouteDef:
    return web.get(path, handler, allow_head=False)


def _cause(request: web.Request) -> tuple[str, str]:
    return request.query.get("user", ""), request.query.get("message", "")


def _short(request: web.Request, name: str) -> str:
    text = request.query.get(name, "")
    if len(text) > 1024:
        raise malformed(f"{name} is longer than 1024 characters")
    return text


def _names(text: str) -> list[str]:
    names = text.split(",") if text else []
    if len(names) > MAX_NAMES:
        raise malformed(f"more than {MAX_NAMES} workloads are named")
    return names


async def _body(request: web.Request) -> Any:
    """The JSON of the body. fluxctl sends no content type, so none is asked for."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise ApiFault("user", "compressed bodies are not accepted", status=415)
    try:
        async with asyncio.timeout(READ_SECONDS):
            data = await request.read()
    except TimeoutError:
        raise ApiFault("user", "the body came too slowly", status=408) from None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise malformed(f"the body is no JSON: {clip(str(error), 200)}") from None


async def _deprecated(_: web.Request) -> web.Response:
    raise ApiFault("missing", "API endpoint deprecated", _OLD, status=410)


def _no_route(request: web.Request) -> ApiFault:
    path = clip(printable(request.path), 200)
    why = f"This server does not have {path}. fluxctl 1.17 to 1.25 need nothing that it lacks: {_RELEASES}"
    return ApiFault("missing", "API endpoint not found", why)


def _http_fault(request: web.Request, error: web.HTTPException) -> ApiFault:
    if error.status == 404:
        return _no_route(request)
    return ApiFault("user" if error.status < 500 else "server", error.reason, status=error.status)


def _failed(request: web.Request, fault: ApiFault) -> web.Response:
    form = rendered(fault, request.headers.getall("Accept", []))
    if form.content_type == JSON:
        return _json(form.body, fault.status)
    return web.Response(text=str(form.body), status=fault.status, content_type=form.content_type, charset="utf-8")


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), status=status, headers={"Content-Type": f"{JSON}; charset=utf-8"}
    )
