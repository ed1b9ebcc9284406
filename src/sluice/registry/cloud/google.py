"""Google Container Registry and Artifact Registry: an access token, as user `oauth2accesstoken`.

It is that of the pod's or machine's service account, from the metadata server (which GKE's Workload Identity answers
per pod); or that of a ServiceAccount of the cluster, by Google's Security Token Service (`google_federation`). Google
Cloud, "Artifact Registry: access token".
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sluice.registry.cloud.exchange import CloudClient, CloudLogin, decoded, no_identity
from sluice.registry.cloud.google_federation import GoogleFederation
from sluice.registry.cloud.google_metadata import metadata
from sluice.registry.keyring import Login

DEFAULT_ACCOUNT = "instance/service-accounts/default"
USER = "oauth2accesstoken"


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 0.0


class Google:
    """The registries `gcr.io`, `*.gcr.io` and `*-docker.pkg.dev`. GCE_METADATA_HOST replaces the server's name."""

    name = "gcp"

    def __init__(
        self, client: CloudClient, environment: Mapping[str, str], *, federation: GoogleFederation | None = None
    ) -> None:
        self._client = client
        self._environment = environment
        self._federation = federation

    def serves(self, host: str) -> bool:
        """True for Google's registries."""
        return host == "gcr.io" or host.endswith((".gcr.io", "-docker.pkg.dev"))

    def realm(self, host: str) -> str:
        """One token is good for all of them."""
        _ = host
        return self.name

    async def exchange(self, host: str) -> CloudLogin:
        """Ask the metadata server, or the Security Token Service, for a token. Raises SluiceError."""
        _ = host
        if self._federation is not None:
            text, seconds = await self._federation.token()
        else:
            what = "the Google metadata server"
            found = decoded(what, await metadata(self._client, self._environment, f"{DEFAULT_ACCOUNT}/token"), _Token)
            text, seconds = found.access_token, found.expires_in
        if not text.isprintable() or not text:
            raise no_identity("Google gave no token", "bind the operator's service account to a Google one")
        return CloudLogin(Login(USER, text), max(seconds, 60.0))
