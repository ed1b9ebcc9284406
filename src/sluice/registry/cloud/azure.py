"""Azure Container Registry: an Entra ID token becomes a refresh token of the registry, by its `/oauth2/exchange`.

The Entra token comes from a workload identity (a projected service account token), or a managed identity by the
instance's metadata service. Where a cluster's `azure.json` names a service principal, as for fluxd, that is the login.
"AAD-OAuth" in the documentation of Azure Container Registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import msgspec

from sluice.registry.cloud.account import CLIENT_ID, TENANT_ID, CloudAccount
from sluice.registry.cloud.exchange import CloudClient, CloudLogin, decoded, no_identity, read_secret_file
from sluice.registry.errors import RegistryError
from sluice.registry.keyring import Login

DOMAINS = (".azurecr.io", ".azurecr.cn", ".azurecr.us", ".azurecr.de")
# Where fluxd looked for it: mounted from the node.
AZURE_JSON = "/etc/kubernetes/azure.json"
AUTHORITY = "https://login.microsoftonline.com"
METADATA = "http://169.254.169.254"
RESOURCE = "https://containerregistry.azure.net"
AUDIENCE = "api://AzureADTokenExchange"
# The user name that says "the password is a refresh token".
REFRESH_USER = "00000000-0000-0000-0000-000000000000"
# A registry's refresh token is good for 3 hours, and nothing in the answer says so.
SECONDS = 3600.0
PRINCIPAL_SECONDS = 12 * 3600.0


class _Entra(msgspec.Struct):
    access_token: str


class _Refresh(msgspec.Struct):
    refresh_token: str


class AzurePrincipal(msgspec.Struct, frozen=True, rename="camel"):
    """What fluxd reads of a node's `/etc/kubernetes/azure.json`."""

    aad_client_id: str = ""
    aad_client_secret: str = ""

    def __repr__(self) -> str:
        return f"AzurePrincipal({self.aad_client_id!r})"


async def azure_principal(path: str = AZURE_JSON) -> AzurePrincipal | None:
    """The service principal of a node's `azure.json`; None where there is no such file, or none in it."""
    try:
        found = msgspec.json.decode(await read_secret_file(path), type=AzurePrincipal)
    except (RegistryError, msgspec.MsgspecError):
        return None
    return found if found.aad_client_id and found.aad_client_secret else None


class Azure:
    """The registries `NAME.azurecr.io` and those of its other clouds. The endpoints are replaced in tests alone."""

    name = "azure"

    def __init__(
        self,
        client: CloudClient,
        environment: Mapping[str, str],
        *,
        principal: AzurePrincipal | None = None,
        account: CloudAccount | None = None,
        metadata: str = METADATA,
        registry: str = "https://{host}",
    ) -> None:
        self._client = client
        self._environment = environment
        self._principal = principal
        self._account = account
        self._metadata = metadata
        self._registry = registry

    def serves(self, host: str) -> bool:
        """True for Azure's registries."""
        return host.endswith(DOMAINS)

    def realm(self, host: str) -> str:
        """A refresh token is good for one registry."""
        return host

    async def exchange(self, host: str) -> CloudLogin:
        """Ask Entra ID and then the registry. Raises RegistryError."""
        principal = self._principal
        if principal is not None and principal.aad_client_id and principal.aad_client_secret:
            return CloudLogin(Login(principal.aad_client_id, principal.aad_client_secret), PRINCIPAL_SECONDS)
        token = await self._entra_token()
        form = {"grant_type": "access_token", "service": host, "access_token": token}
        what = f"the token exchange of {host}"
        url = f"{self._registry.format(host=host)}/oauth2/exchange"
        refresh = decoded(what, await self._client.send(what, "POST", url, form=form), _Refresh).refresh_token
        if not refresh or not refresh.isprintable():
            raise no_identity(f"{what} gave no token", "give the identity the role AcrPull on the registry")
        return CloudLogin(Login(REFRESH_USER, refresh), SECONDS)

    async def _entra_token(self) -> str:
        env, account = self._environment, self._account
        if account is not None:
            client, tenant = account.required(CLIENT_ID), account.required(TENANT_ID)
            return await self._workload_identity(client, tenant, await account.token(AUDIENCE))
        if env.get("AZURE_FEDERATED_TOKEN_FILE") and env.get("AZURE_CLIENT_ID") and env.get("AZURE_TENANT_ID"):
            token = await read_secret_file(env["AZURE_FEDERATED_TOKEN_FILE"])
            return await self._workload_identity(env["AZURE_CLIENT_ID"], env["AZURE_TENANT_ID"], token)
        query = {"api-version": "2018-02-01", "resource": RESOURCE}
        if env.get("AZURE_CLIENT_ID"):
            query["client_id"] = env["AZURE_CLIENT_ID"]
        url = f"{self._metadata}/metadata/identity/oauth2/token?{urlencode(query)}"
        what = "the Azure metadata service"
        return decoded(
            what, await self._client.send(what, "GET", url, headers={"Metadata": "true"}), _Entra
        ).access_token

    async def _workload_identity(self, client: str, tenant: str, token: str) -> str:
        authority = (self._environment.get("AZURE_AUTHORITY_HOST") or AUTHORITY).rstrip("/")
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": token,
            "scope": f"{RESOURCE}/.default",
        }
        url = f"{authority}/{quote(tenant, safe='')}/oauth2/v2.0/token"
        return decoded("Entra ID", await self._client.send("Entra ID", "POST", url, form=form), _Entra).access_token
