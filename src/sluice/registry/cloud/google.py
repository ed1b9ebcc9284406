"""Google Container Registry and Artifact Registry: the access token of the pod's or machine's service account.

From the metadata server (which GKE's Workload Identity answers per pod), as user `oauth2accesstoken`; Google Cloud,
"Artifact Registry: access token".
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sluice.registry.cloud.exchange import CloudClient, CloudLogin, decoded, no_identity
from sluice.registry.keyring import Login

METADATA_HOST = "metadata.google.internal"
METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
USER = "oauth2accesstoken"


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 0.0


class Google:
    """The registries `gcr.io`, `*.gcr.io` and `*-docker.pkg.dev`. GCE_METADATA_HOST replaces the server's name."""

    name = "gcp"

    def __init__(self, client: CloudClient, environment: Mapping[str, str]) -> None:
        self._client = client
        self._host = environment.get("GCE_METADATA_HOST") or METADATA_HOST

    def serves(self, host: str) -> bool:
        """True for Google's registries."""
        return host == "gcr.io" or host.endswith((".gcr.io", "-docker.pkg.dev"))

    def realm(self, host: str) -> str:
        """One token is good for all of them."""
        _ = host
        return self.name

    async def exchange(self, host: str) -> CloudLogin:
        """Ask the metadata server for a token. Raises RegistryError."""
        _ = host
        what, url = "the Google metadata server", f"http://{self._host}{METADATA_PATH}"
        body = await self._client.send(what, "GET", url, headers={"Metadata-Flavor": "Google"})
        token = decoded(what, body, _Token)
        if not token.access_token.isprintable() or not token.access_token:
            raise no_identity(f"{what} gave no token", "bind the operator's service account to a Google one")
        return CloudLogin(Login(USER, token.access_token), max(token.expires_in, 60.0))
