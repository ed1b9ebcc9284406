"""Amazon ECR: an AWS identity becomes a login by GetAuthorizationToken (Amazon ECR API Reference).

The login is good for all registries of a region that the identity may read, for 12 hours.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from sluice.registry.cloud.aws_identity import AwsIdentity, AwsRole
from sluice.registry.cloud.exchange import CloudClient, CloudLogin, decoded, no_identity
from sluice.registry.cloud.sigv4 import signed_headers
from sluice.registry.keyring import Login

TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
# The accounts of EKS' own images, which fluxd leaves out: nobody's identity may read them so.
SYSTEM_ACCOUNTS = frozenset({"602401143452", "918309763551"})
_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]{4,32})\.(?P<domain>amazonaws\.com(?:\.cn)?)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class EcrFilter:
    """Which registries logins are asked for; empty takes all. fluxd's `--registry-ecr-…` flags."""

    regions: frozenset[str] = frozenset()
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = SYSTEM_ACCOUNTS


class _Data(msgspec.Struct, rename="camel"):
    authorization_token: str
    expires_at: float = 0.0


class _Answer(msgspec.Struct, rename="camel"):
    authorization_data: list[_Data] = []


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Ecr:
    """The registries `ACCOUNT.dkr.ecr.REGION.amazonaws.com`. `endpoint` is replaced in tests alone."""

    name = "aws"

    def __init__(
        self,
        client: CloudClient,
        identity: AwsIdentity | AwsRole,
        *,
        only: EcrFilter | None = None,
        endpoint: str = "https://{service}.{region}.{domain}/",
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._client = client
        self._identity = identity
        self._only = only or EcrFilter()
        self._endpoint = endpoint
        self._now = now

    def serves(self, host: str) -> bool:
        """True for an ECR registry that the filter lets through."""
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        only, account = self._only, match["account"]
        return (
            (not only.regions or match["region"] in only.regions)
            and (not only.include or account in only.include)
            and account not in only.exclude
        )

    def realm(self, host: str) -> str:
        """A login is good for one region."""
        return _parts(host)["region"]

    async def exchange(self, host: str) -> CloudLogin:
        """Ask ECR for a login. Raises RegistryError."""
        parts = _parts(host)
        region, domain = parts["region"], parts["domain"]
        keys = await self._identity.keys(region, domain)
        service = "ecr-fips" if parts["fips"] else "api.ecr"
        url = self._endpoint.format(service=service, region=region, domain=domain)
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": TARGET}
        body = b"{}"
        now = self._now()
        sent = signed_headers(keys, url=url, headers=headers, body=body, region=region, service="ecr", now=now)
        answer = decoded(
            "Amazon ECR", await self._client.send("Amazon ECR", "POST", url, headers=sent, body=body), _Answer
        )
        if not answer.authorization_data:
            raise no_identity("the answer of Amazon ECR holds no login", "check the role's permissions")
        data = answer.authorization_data[0]
        return CloudLogin(_login(data.authorization_token), max(data.expires_at - now.timestamp(), 60.0))


def _parts(host: str) -> dict[str, str]:
    match = _HOST.fullmatch(host)
    if match is None:
        raise ValueError(f"not a registry of ECR: {host}")
    return {name: value or "" for name, value in match.groupdict().items()}


def _login(token: str) -> Login:
    try:
        user, _, password = base64.b64decode(token).decode("ascii").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user = password = ""
    if not user or not password.isprintable() or not password:
        raise no_identity("the answer of Amazon ECR holds no usable login", "check what stands between here and it")
    return Login(user, password)
