"""Logins of GitHub Apps: asked for once, shared by all sources with the same app, and renewed before they run out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from yarl import URL

from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, RemoteError, SluiceError
from sluice.core.problem import Problem, printable
from sluice.git.auth import GitAuth
from sluice.git.github_app import GitHubApp, app_auth, app_proof, installation_paths, token_path
from sluice.registry.access import SYSTEM_TRUST, Trust
from sluice.registry.transport import Answer, Call, Transport

EARLY = timedelta(minutes=5)
MAX_ANSWER = 256 * 1024
_ACCEPT = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


class _Installation(msgspec.Struct):
    id: int


class _Token(msgspec.Struct):
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str
    until: datetime


class GitHubApps:
    """One for all sources. The way to GitHub's API is a checked one: its address comes from a Secret."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def auth(self, app: GitHubApp, now: datetime, proxy: str = "") -> GitAuth:
        """A login that is good for five minutes at the least.

        Raises AuthenticationFailed when GitHub refuses the app, RemoteError when it can't be asked.
        """
        name = app.digest()
        async with self._locks.setdefault(name, asyncio.Lock()):
            kept = self._kept.get(name)
            if kept is None or kept.until - EARLY <= now:
                kept = self._kept[name] = await self._exchange(app, now, proxy)
        return app_auth(app, kept.token, proxy)

    def forget(self, app: GitHubApp) -> None:
        """The host did not take the token: ask for another."""
        self._kept.pop(app.digest(), None)

    async def _exchange(self, app: GitHubApp, now: datetime, proxy: str) -> _Kept:
        installation = app.installation or await self._installation(app, now, proxy)
        answer = await self._send(app, "POST", token_path(app, installation), now, proxy)
        if answer.status != 201:
            raise _refused(app, answer, f"GitHub gives no token for installation {printable(installation)}")
        try:
            found = msgspec.json.decode(answer.body, type=_Token)
        except msgspec.MsgspecError:
            raise _unreadable() from None
        until = found.expires_at if found.expires_at.tzinfo else found.expires_at.replace(tzinfo=UTC)
        if not found.token.isascii() or not found.token.isprintable():
            raise _unreadable()
        return _Kept(found.token, until)

    async def _installation(self, app: GitHubApp, now: datetime, proxy: str) -> str:
        answer = Answer(404, {}, (), b"")
        for path in installation_paths(app):
            answer = await self._send(app, "GET", path, now, proxy)
            if answer.status != 404:
                break
        if answer.status != 200:
            raise _refused(app, answer, f"GitHub shows no installation of the app for {printable(app.owner)!r}")
        try:
            return str(msgspec.json.decode(answer.body, type=_Installation).id)
        except msgspec.MsgspecError:
            raise _unreadable() from None

    async def _send(self, app: GitHubApp, method: str, url: str, now: datetime, proxy: str) -> Answer:
        call = Call(
            what="GitHub's API",
            method=method,
            url=URL(url, encoded=True),
            headers={**_ACCEPT, "Authorization": f"Bearer {await asyncio.to_thread(app_proof, app, now)}"},
            body=json.dumps({}).encode() if method == "POST" else None,
            max_bytes=MAX_ANSWER,
            trust=Trust(ca=app.ca) if app.ca else SYSTEM_TRUST,
            proxy=proxy,
            follow=False,
        )
        try:
            return await self._transport.send(call)
        except SluiceError as error:
            why = error.problems[0]
            cause = f"{why.title}: {why.cause}" if why.cause else why.title
            title = "GitHub's API can't be asked for a token"
            raise RemoteError(Problem(codes.GITHUB_APP, title, field="spec.secretRef", cause=cause)) from None


def _refused(app: GitHubApp, answer: Answer, title: str) -> SluiceError:
    """By the status alone: the answer's sentences are not shown."""
    cause = f"it answers {answer.status}"
    if answer.status in {401, 403, 404, 422}:
        fix = "check the app's ID, private key, installation and permissions (Contents: read)"
        return AuthenticationFailed(Problem(codes.GITHUB_APP, title, field="spec.secretRef", cause=cause, fix=fix))
    return RemoteError(Problem(codes.GITHUB_APP, title, field="spec.secretRef", cause=cause, fix="it is tried again"))


def _unreadable() -> RemoteError:
    title = "the answer of GitHub's API can't be read"
    fix = "check 'githubAppBaseURL' in the Secret, and what stands between here and it"
    return RemoteError(Problem(codes.GITHUB_APP, title, field="spec.secretRef", fix=fix))
