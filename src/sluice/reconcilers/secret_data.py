"""Secrets that a spec names, by name: credentials, certificates, keys. Never listed, never watched, never logged."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import msgspec

from sluice.core import codes
from sluice.core.errors import AuthenticationFailed
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem
from sluice.kube.client import KubeClient
from sluice.kube.well_known import SECRETS


class _Secret(msgspec.Struct, frozen=True):
    type: str = ""
    data: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class SecretData:
    """A Secret's type and its values. It is no text: nothing prints the values by accident."""

    type: str
    values: dict[str, bytes]

    def __repr__(self) -> str:
        return f"SecretData({self.type!r}, {len(self.values)} values)"


async def secret_data(client: KubeClient, namespace: str, name: str, *, subject: ResourceId, field: str) -> SecretData:
    """Read it. Raises AuthenticationFailed (AuthRefused) when it does not exist, at `field` of `subject`."""
    raw = await client.get(SECRETS, namespace, name)
    if raw is None:
        raise AuthenticationFailed(
            Problem(
                codes.AUTH_REFUSED,
                f"Secret {namespace}/{name} does not exist",
                subject=subject,
                field=field,
                cause=f"the {subject.kind} names it",
                fix="create it, or correct the name",
            )
        )
    return decode_secret(raw)


def decode_secret(raw: bytes) -> SecretData:
    """A Secret as the API server sends it."""
    found = msgspec.json.decode(raw, type=_Secret)
    return SecretData(found.type, {k: base64.b64decode(v) for k, v in found.data.items()})
