"""A ServiceAccount of the cluster to a token of Google, by workload identity federation.

Google's Security Token Service takes Kubernetes' token for one of its own; where the account names a Google service
account that is then impersonated. In GKE the cluster is known to Google (its name is asked of the metadata server), in
another cluster an annotation names the workload identity provider. Google Cloud, "Security Token Service API: token"
and "Service Account Credentials API: generateAccessToken".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from sluice.registry.cloud.account import GOOGLE_ACCOUNT, GOOGLE_PROVIDER, CloudAccount
from sluice.registry.cloud.exchange import CloudClient, decoded, no_identity
from sluice.registry.cloud.google_metadata import metadata

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SECONDS = 3600


class _Federated(msgspec.Struct):
    access_token: str
    expires_in: float = 0.0


class _Impersonated(msgspec.Struct, rename="camel"):
    access_token: str


class GoogleFederation:
    """The tokens of one account. The endpoints are replaced in tests alone."""

    def __init__(
        self,
        client: CloudClient,
        environment: Mapping[str, str],
        account: CloudAccount,
        *,
        sts: str = "https://sts.googleapis.com",
        credentials: str = "https://iamcredentials.googleapis.com",
    ) -> None:
        self._client = client
        self._environment = environment
        self._account = account
        self._sts = sts
        self._credentials = credentials

    async def token(self) -> tuple[str, float]:
        """An access token, and for how many seconds it is good. Raises RegistryError, and as the account's token."""
        email = self._account.optional(GOOGLE_ACCOUNT)
        asked, audience = await self._audiences()
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": audience,
            "scope": SCOPE,
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "subject_token": await self._account.token(asked),
        }
        what = "Google's Security Token Service"
        found = decoded(what, await self._client.send(what, "POST", f"{self._sts}/v1/token", form=form), _Federated)
        return await self._impersonated(email, found.access_token) if email else (found.access_token, found.expires_in)

    async def _impersonated(self, email: str, token: str) -> tuple[str, float]:
        if not token.isprintable():
            raise no_identity("Google's Security Token Service gave no token", "check the workload identity provider")
        url = f"{self._credentials}/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = msgspec.json.encode({"scope": [SCOPE], "lifetime": f"{SECONDS}s"})
        what = "Google's Service Account Credentials API"
        answer = await self._client.send(what, "POST", url, headers=headers, body=body)
        return decoded(what, answer, _Impersonated).access_token, SECONDS

    async def _audiences(self) -> tuple[str, str]:
        """Whom Kubernetes' token is for, and whom Google's."""
        provider = self._account.optional(GOOGLE_PROVIDER)
        if provider:
            audience = f"//iam.googleapis.com/{provider}"
            return audience, audience
        project, place, name = [await self._metadata(path) for path in _GKE]
        pool = f"{project}.svc.id.goog"
        cluster = f"https://container.googleapis.com/v1/projects/{project}/locations/{place}/clusters/{name}"
        return pool, f"identitynamespace:{pool}:{cluster}"

    async def _metadata(self, path: str) -> str:
        text = (await metadata(self._client, self._environment, path)).decode("ascii", "replace").strip()
        if not re.fullmatch(r"[\w.:-]{1,200}", text, re.ASCII):
            fix = f"outside of GKE, annotate the account with {GOOGLE_PROVIDER}"
            raise no_identity(f"the Google metadata server has no {path}", fix)
        return text


_GKE = ("project/project-id", "instance/attributes/cluster-location", "instance/attributes/cluster-name")
