"""An ImageRepository's references to Secrets and a ServiceAccount → how its registry is reached."""

from __future__ import annotations

import msgspec

from sluice.api.image_repository import ImageRepository
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, ClusterError
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem
from sluice.kube.client import KubeClient
from sluice.kube.service_account_token import service_account_token
from sluice.kube.well_known import SERVICE_ACCOUNTS
from sluice.reconcilers.secret_data import secret_data
from sluice.registry.access import SYSTEM_TRUST, RegistryAccess, proxy_of_secret, trust_of_secret
from sluice.registry.cloud.account import CloudAccount
from sluice.registry.cloud.clouds import Clouds
from sluice.registry.cloud.exchange import no_identity
from sluice.registry.keyring import Keyring, join, keyring_of_secret


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


class _Annotated(msgspec.Struct, frozen=True):
    annotations: dict[str, str] = {}


class ServiceAccount(msgspec.Struct, frozen=True):
    """What is read of a ServiceAccount."""

    metadata: _Annotated = _Annotated()
    imagePullSecrets: tuple[_Named, ...] = ()  # noqa: N815


async def registry_access(
    client: KubeClient, clouds: Clouds, repository: ImageRepository, subject: ResourceId
) -> RegistryAccess:
    """Read what the spec names: the login of `secretRef` is tried before those of the service account.

    Where neither has one for the image's host, `provider` gives that of the operator in its cloud, or with a
    `serviceAccountName` that of the account.

    Raises AuthenticationFailed when a Secret or the ServiceAccount does not exist, UserError when one holds nothing
    that can be used; both name the field.
    """
    spec, namespace = repository.spec, repository.metadata.namespace

    async def values(name: str, field: str) -> dict[str, bytes]:
        return (await secret_data(client, namespace, name, subject=subject, field=f"spec.{field}")).values

    keyrings: list[Keyring] = []
    exchanges = clouds.of(spec.provider)
    if spec.serviceAccountName:
        named = spec.serviceAccountName
        account = await _account(client, namespace, named, subject)
        exchanges = clouds.of_account(spec.provider, _cloud_account(client, namespace, named, account))
        for name in (secret.name for secret in account.imagePullSecrets if secret.name):
            found = await values(name, "serviceAccountName")
            keyrings.append(keyring_of_secret(found, field="spec.serviceAccountName"))
    if spec.secretRef:
        keyrings.append(keyring_of_secret(await values(spec.secretRef.name, "secretRef")))
    trust = SYSTEM_TRUST
    if spec.certSecretRef:
        trust = trust_of_secret(await values(spec.certSecretRef.name, "certSecretRef"))
    proxy = proxy_of_secret(await values(spec.proxySecretRef.name, "proxySecretRef")) if spec.proxySecretRef else ""
    return RegistryAccess(join(keyrings), exchanges, trust, proxy, spec.insecure, namespace)


async def _account(client: KubeClient, namespace: str, name: str, subject: ResourceId) -> ServiceAccount:
    raw = await client.get(SERVICE_ACCOUNTS, namespace, name)
    if raw is None:
        raise AuthenticationFailed(
            Problem(
                codes.AUTH_REFUSED,
                f"ServiceAccount {namespace}/{name} does not exist",
                subject=subject,
                field="spec.serviceAccountName",
                cause=f"the {subject.kind} names it",
                fix="create it, or correct the name",
            )
        )
    return msgspec.json.decode(raw, type=ServiceAccount)


def _cloud_account(client: KubeClient, namespace: str, name: str, account: ServiceAccount) -> CloudAccount:
    async def token(audience: str) -> str:
        try:
            return await service_account_token(client, namespace, name, audience)
        except ClusterError as error:
            cause = (
                f"Kubernetes gives no token of ServiceAccount {namespace}/{name}: {error.problems[0].cause or error}"
            )
            raise no_identity(cause, "let the operator create serviceaccounts/token of it") from error

    return CloudAccount(namespace, name, account.metadata.annotations, token)
