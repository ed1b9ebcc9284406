"""The SSH key that git is read and written with, in its Secret: made when there is none, shown, made anew when asked.

fluxd's Secret and keys: `flux-git-deploy`, `identity`, and `identity.pub` beside it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from typing import Any, TypeGuard

import msgspec
import structlog

from sluice.api.git_repository import GitRepository
from sluice.core.codes import DEPLOY_KEY
from sluice.core.errors import ClusterError, SluiceError, UserError
from sluice.core.fluxd_api.key_kind import KeyKind
from sluice.core.fluxd_api.public_key import PublicKey
from sluice.core.git_url import parse_url
from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem
from sluice.kube.client import KubeClient
from sluice.kube.well_known import SECRETS

IDENTITY, PUBLIC, PASSWORD = "identity", "identity.pub", "password"
MANAGER = "sluice"
COMMENT = "flux@sluice"
log = structlog.get_logger()


Secret = dict[str, Any]


class DeployKey:
    """The key in one Secret. Only an `is_ours` one is ever written."""

    def __init__(self, client: KubeClient, secret: NamespacedName, kind: KeyKind, *, is_ours: bool) -> None:
        self._client = client
        self._secret = secret
        self._kind = kind
        self._is_ours = is_ours

    async def public(self) -> PublicKey | None:
        """What may be shown of it; None while there is none. Raises UserError (DeployKey) when it can't be read."""
        found = await self._read()
        return _public(found) if _has_key(found) else None

    async def ensure(self) -> bool:
        """Make the key if the Secret, or the key in it, is missing. Returns True when it was made now."""
        found = await self._read()
        if _has_key(found):
            return False
        return await self._write(found)

    async def regenerate(self) -> None:
        """Put a new key in the place of the old one. Raises UserError (DeployKey) when it is not ours."""
        if not self._is_ours:
            title = f"Secret {self._secret} is not the operator's to change"
            fix = "make the key with ssh-keygen and put it into the Secret yourself"
            raise UserError(Problem(DEPLOY_KEY, title, cause="a GitRepository names it", fix=fix))
        found = await self._read()
        if not await self._write(found):
            raise UserError(Problem(DEPLOY_KEY, f"Secret {self._secret} was written meanwhile", fix="ask again"))

    async def _read(self) -> Secret | None:
        raw = await self._client.get(SECRETS, self._secret.namespace, self._secret.name)
        return None if raw is None else msgspec.json.decode(raw, type=Secret)

    async def _write(self, found: Secret | None) -> bool:
        """True when this key is the one that is there now: another process may have been before us."""
        from sluice.git.ssh_key import make_key, public_key_of  # what it needs takes 9 MB, and few sources use ssh

        identity = await asyncio.to_thread(make_key, self._kind)
        public = public_key_of(identity, "", code=DEPLOY_KEY, comment=COMMENT)
        pair = {IDENTITY: identity, PUBLIC: f"{public.line}\n".encode()}
        data = {key: base64.b64encode(value).decode() for key, value in pair.items()}
        try:
            await self._send(found, data)
        except ClusterError as error:
            if error.status == 409:
                return False
            raise
        log.info("a deploy key was made", secret=str(self._secret), public=public.line)
        return True

    async def _send(self, found: Secret | None, data: dict[str, str]) -> None:
        namespace, name = self._secret.namespace, self._secret.name
        if found is None:
            metadata = {"name": name, "namespace": namespace}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
            await self._client.create(SECRETS, namespace, msgspec.json.encode(body), manager=MANAGER)
            return
        # Its resourceVersion goes back with it: whoever wrote meanwhile goes before us.
        kept = {key: value for key, value in (found.get("data") or {}).items() if key != PASSWORD}
        changed = msgspec.json.encode({**found, "data": {**kept, **data}})
        await self._client.replace(SECRETS, namespace, name, changed, manager=MANAGER)


def _has_key(found: Secret | None) -> TypeGuard[Secret]:
    return found is not None and bool(_value(found, IDENTITY).strip())


def _value(found: Secret, key: str) -> bytes:
    return base64.b64decode((found.get("data") or {}).get(key, ""))


def _public(found: Secret) -> PublicKey:
    from sluice.git.ssh_key import public_key_of

    password = _value(found, PASSWORD).decode("utf-8", "replace").rstrip("\r\n")
    return public_key_of(_value(found, IDENTITY), password, code=DEPLOY_KEY, comment=COMMENT)


def deploy_key_of(
    client: KubeClient, source: GitRepository | None, kind: KeyKind, *, is_ours: bool
) -> DeployKey | None:
    """The key of a source that is read over ssh with one; else None."""
    if source is None or source.spec.secretRef is None or not is_ssh(source.spec.url):
        return None
    secret = NamespacedName(source.metadata.namespace, source.spec.secretRef.name)
    return DeployKey(client, secret, kind, is_ours=is_ours)


def is_ssh(url: str) -> bool:
    """True for `ssh://…` and `git@host:path`."""
    try:
        return not parse_url(url, scp=True).is_http
    except UserError:
        return False


async def ensure_deploy_keys(client: KubeClient, sources: Iterable[GitRepository], kind: KeyKind) -> None:
    """Make the keys that sources over ssh lack. Only for flag mode: with CRDs their Secrets are not ours."""
    for source in sources:
        key = deploy_key_of(client, source, kind, is_ours=True)
        try:
            if key is not None:
                await key.ensure()
        except SluiceError as error:
            log.warning("no deploy key could be made", error=str(error))
