"""Who we are to AWS: access keys from the places where AWS' SDKs look, in their order.

Environment; a web identity (IAM roles for service accounts); the container's credential endpoint (EKS Pod Identity,
ECS); the instance's metadata service, version 2. AWS SDKs and Tools Reference Guide, "Credential providers".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from sluice.registry.cloud.account import ROLE_ARN, CloudAccount
from sluice.registry.cloud.exchange import CloudClient, decoded, no_identity, read_secret_file
from sluice.registry.cloud.sigv4 import AwsKeys

CONTAINER_HOST = "http://169.254.170.2"
METADATA = "http://169.254.169.254"
# Besides https and this machine: the only hosts that AWS' SDKs send a container's authorization to.
CONTAINER_HOSTS = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "127.0.0.1", "::1", "localhost"}
SESSION = "sluice"
STS = "https://sts.{region}.{domain}"
AUDIENCE = "sts.amazonaws.com"
MAX_SESSION = 64


class _Container(msgspec.Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str = ""


class AwsIdentity:
    """Finds access keys. `environment` is the operator's; the endpoints are replaced in tests alone."""

    def __init__(
        self,
        client: CloudClient,
        environment: Mapping[str, str],
        *,
        sts: str = STS,
        metadata: str = METADATA,
    ) -> None:
        self._client = client
        self._environment = environment
        self._sts = sts
        self._metadata = metadata

    async def keys(self, region: str, domain: str) -> AwsKeys:
        """The keys to use in `region`. Raises RegistryError (CloudToken) when there are none."""
        env = self._environment
        if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
            session = env.get("AWS_SESSION_TOKEN", "")
            return AwsKeys(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], session)
        if env.get("AWS_ROLE_ARN") and env.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return await self._web_identity(self._sts.format(region=region, domain=domain))
        if env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
            return await self._container()
        if env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            raise no_identity("no AWS identity in the environment", "give the operator's service account an IAM role")
        return await self._instance()

    async def _web_identity(self, sts: str) -> AwsKeys:
        env = self._environment
        token = await read_secret_file(env["AWS_WEB_IDENTITY_TOKEN_FILE"])
        return await assume_role(
            self._client, sts, env["AWS_ROLE_ARN"], env.get("AWS_ROLE_SESSION_NAME") or SESSION, token
        )

    async def _container(self) -> AwsKeys:
        env = self._environment
        url = env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or (
            CONTAINER_HOST + env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
        )
        parts = urlsplit(url)
        if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in CONTAINER_HOSTS):
            fix = "set it to the address of the Pod Identity agent"
            raise no_identity("AWS_CONTAINER_CREDENTIALS_FULL_URI is not an address that may be asked", fix)
        token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        if env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            token = await read_secret_file(env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
        headers = {"Authorization": token} if token else {}
        return _keys(await self._client.send("the container's AWS credentials", "GET", url, headers=headers))

    async def _instance(self) -> AwsKeys:
        what = "the AWS metadata service"
        root = f"{self._metadata}/latest"
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        token = (await self._client.send(what, "PUT", f"{root}/api/token", headers=lifetime)).decode("ascii", "replace")
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise no_identity(f"{what} gave no session", "give the operator's service account an IAM role")
        headers = {"X-aws-ec2-metadata-token": token}
        place = f"{root}/meta-data/iam/security-credentials/"
        role = (await self._client.send(what, "GET", place, headers=headers)).decode("ascii", "replace").strip()
        if not re.fullmatch(r"[\w+=,.@-]+", role, re.ASCII):
            raise no_identity("the instance has no IAM role", "give the operator's service account one")
        return _keys(await self._client.send(what, "GET", place + role, headers=headers))


class AwsRole:
    """The keys of the role that a ServiceAccount names (IAM roles for service accounts)."""

    def __init__(self, client: CloudClient, account: CloudAccount, *, sts: str = STS) -> None:
        self._client = client
        self._account = account
        self._sts = sts

    async def keys(self, region: str, domain: str) -> AwsKeys:
        """The keys to use in `region`. Raises RegistryError (CloudToken), and as the token of the account does."""
        account = self._account
        role = account.required(ROLE_ARN)
        session = f"{account.name}.{account.namespace}"[:MAX_SESSION]
        sts = self._sts.format(region=region, domain=domain)
        return await assume_role(self._client, sts, role, session, await account.token(AUDIENCE))


async def assume_role(client: CloudClient, sts: str, role: str, session: str, token: str) -> AwsKeys:
    """AssumeRoleWithWebIdentity of AWS STS: the keys of a role. Raises RegistryError (CloudToken)."""
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": session,
        "WebIdentityToken": token,
    }
    body = await client.send("AWS STS", "POST", f"{sts}/", form=form)
    found = {name: _element(body, name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
    if not all(found.values()):
        raise no_identity("the answer of AWS STS holds no credentials", "check the role's trust policy")
    return AwsKeys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def _keys(body: bytes) -> AwsKeys:
    found = decoded("AWS", body, _Container)
    return AwsKeys(found.access_key_id, found.secret_access_key, found.token)


def _element(body: bytes, name: str) -> str:
    """The text of an XML element that occurs once and holds a key: letters, digits and a few signs."""
    match = re.search(rb"<%s>\s*([A-Za-z0-9+/=_.-]+)\s*</%s>" % (name.encode(), name.encode()), body)
    return match[1].decode("ascii") if match else ""
