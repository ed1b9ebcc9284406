"""How a GitRepository's remote is reached: its credentials, and the mirror that it is fetched into."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sluice.api.git_repository import GitRepository
from sluice.core.git_url import GitUrl, parse_url
from sluice.git.auth import NO_AUTH, GitAuth, auth_of_secret, proxy_url
from sluice.git.github_app import GitHubApp, github_app_of
from sluice.git.mirror import Mirror
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.secret_data import secret_data
from sluice.reconcilers.source_facts import source_id


@dataclass(slots=True)
class Access:
    """What is known of one source's remote: its Secrets are read again when spec or request say so, or `auth` goes."""

    auth: GitAuth | None = None
    auth_for: tuple[int, str] = (-1, "")
    app: GitHubApp | None = None
    remote: tuple[GitUrl, GitAuth] | None = None
    stored_from: tuple[GitUrl, GitAuth] | None = None


class SourceRemotes:
    """Opens mirrors of sources; what it learns of one is kept in the caller's Access."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator

    async def open(self, source: GitRepository, access: Access) -> Mirror:
        """The mirror of the source's URL under its credentials.

        Raises UserError for a Secret that can't be used, AuthenticationFailed when one is missing.
        """
        url = parse_url(source.spec.url)
        auth = await self._auth(source, url, access)
        access.remote = (url, auth)
        return self._op.mirrors.open(url, auth)

    def refused(self, access: Access) -> None:
        """The remote let nobody in: the Secret may have changed, so that the next try reads it again."""
        access.auth = None
        if access.app is not None and self._op.github_apps is not None:
            self._op.github_apps.forget(access.app)

    async def tidy(self, access: Access, everyone: Iterable[Access | None]) -> None:
        """Once every source has an artifact from where it points now, remove the mirrors that none of them uses."""
        if access.stored_from == access.remote:
            return
        access.stored_from = access.remote
        known = list(everyone)
        used = [a.stored_from for a in known if a is not None and a.stored_from == a.remote and a.stored_from]
        if len(used) == len(known):
            await self._op.mirrors.remove_unused(used)

    async def _auth(self, source: GitRepository, url: GitUrl, access: Access) -> GitAuth:
        spec, meta = source.spec, source.metadata
        asked = (meta.generation, meta.request)
        if access.auth is None or access.auth_for != asked:
            data = await self._secret(source, spec.secretRef.name, "secretRef") if spec.secretRef else None
            proxy = (
                await self._secret(source, spec.proxySecretRef.name, "proxySecretRef") if spec.proxySecretRef else None
            )
            if spec.provider == "github":
                access.app = await asyncio.to_thread(github_app_of, data or {})
                access.auth = GitAuth(proxy=proxy_url(proxy) if proxy else "")
            else:
                access.app = None
                access.auth = auth_of_secret(url, data or {}, proxy=proxy) if data or proxy else NO_AUTH
            access.auth_for = asked
        if access.app is None or self._op.github_apps is None:
            return access.auth
        return await self._op.github_apps.auth(access.app, self._op.now(), access.auth.proxy)

    async def _secret(self, source: GitRepository, name: str, field_name: str) -> Mapping[str, bytes]:
        meta = source.metadata
        subject, field = source_id(meta.key), f"spec.{field_name}"
        found = await secret_data(self._op.client, meta.namespace, name, subject=subject, field=field)
        return found.values
