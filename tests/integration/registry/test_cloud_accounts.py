"""ServiceAccounts' logins in their clouds, against a local imitation of each documented exchange."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from sluice.core.codes import OBJECT_IDENTITY_OFF
from sluice.core.errors import UserError
from sluice.registry.cloud.account import CloudAccount
from sluice.registry.cloud.aws_identity import AwsRole
from sluice.registry.cloud.azure import Azure
from sluice.registry.cloud.clouds import Clouds
from sluice.registry.cloud.ecr import Ecr
from sluice.registry.cloud.exchange import CloudClient
from sluice.registry.cloud.google import Google
from sluice.registry.cloud.google_federation import GoogleFederation
from sluice.registry.errors import RegistryError
from sluice.registry.keyring import Login
from sluice.registry.limits import DEFAULT_POLICY
from sluice.registry.transport import Transport
from tests.integration.registry.test_clouds import ACR_HOST, ECR_HOST, aws, azure
from tests.registries import FAST, START, HostileRegistry, Reply, Seen

ROLE = "arn:aws:iam::1:role/x"
PROVIDER = "projects/42/locations/global/workloadIdentityPools/pool/providers/cluster"
EMAIL = "images@shop.iam.gserviceaccount.com"
POOL = "shop.svc.id.goog"


@pytest.fixture
async def client() -> AsyncIterator[CloudClient]:
    async with Transport(DEFAULT_POLICY, FAST, "sluice", any_address=True) as transport:
        yield CloudClient(transport)


class Kubernetes:
    """Gives tokens, and notes for whom they are."""

    def __init__(self) -> None:
        self.audiences: list[str] = []

    async def token(self, audience: str) -> str:
        self.audiences.append(audience)
        return "projected"


def annotated(kubernetes: Kubernetes, **said: str) -> CloudAccount:
    keys = {
        "role": "eks.amazonaws.com/role-arn",
        "client": "azure.workload.identity/client-id",
        "tenant": "azure.workload.identity/tenant-id",
        "email": "iam.gke.io/gcp-service-account",
        "provider": "gcp.auth.fluxcd.io/workload-identity-provider",
    }
    return CloudAccount("shop", "images", {keys[key]: value for key, value in said.items()}, kubernetes.token)


async def test_an_account_s_role_becomes_a_login_of_ecr(client: CloudClient) -> None:
    kubernetes = Kubernetes()
    async with HostileRegistry(aws) as server:
        role = AwsRole(client, annotated(kubernetes, role=ROLE), sts=server.url)
        found = await Ecr(client, role, endpoint=f"{server.url}/", now=lambda: START).exchange(ECR_HOST)
        assumed = parse_qs(server.seen[0].body.decode())
    assert found.login == Login("AWS", "ecr-password")
    assert kubernetes.audiences == ["sts.amazonaws.com"]
    assert assumed["RoleSessionName"] == ["images.shop"]


async def test_an_account_s_client_becomes_a_registry_s_refresh_token(client: CloudClient) -> None:
    kubernetes = Kubernetes()
    async with HostileRegistry(azure) as server:
        account = annotated(kubernetes, client="client-1", tenant="tenant-1")
        # The operator's own identity is there, and is not used.
        environment = {"AZURE_AUTHORITY_HOST": server.url, "AZURE_CLIENT_ID": "own", "AZURE_TENANT_ID": "own"}
        cloud = Azure(client, environment, account=account, registry=server.url)
        found = await cloud.exchange(ACR_HOST)
    assert found.login == Login("00000000-0000-0000-0000-000000000000", "acr-refresh")
    assert kubernetes.audiences == ["api://AzureADTokenExchange"]


def google(seen: Seen) -> Reply:
    """Google's metadata server, Security Token Service and Service Account Credentials API."""
    path = urlsplit(seen.path).path
    if path == "/v1/token":
        form = {key: value[0] for key, value in parse_qs(seen.body.decode()).items()}
        cluster = "https://container.googleapis.com/v1/projects/shop/locations/europe-west1/clusters/prod"
        audiences = {f"//iam.googleapis.com/{PROVIDER}", f"identitynamespace:{POOL}:{cluster}"}
        right = form == {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": form["audience"],
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "subject_token": "projected",
        }
        if not right or form["audience"] not in audiences:
            return Reply({"error": "invalid_grant", "error_description": "canary"}, 400)
        return Reply({"access_token": "federated", "expires_in": 3599, "token_type": "Bearer"})
    if path == f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken":
        right = seen.headers.get("Authorization") == "Bearer federated" and json.loads(seen.body)["scope"]
        return Reply({"accessToken": "impersonated", "expireTime": "2026-11-30T13:00:00Z"} if right else {}, 200)
    if seen.headers.get("Metadata-Flavor") == "Google":
        known = {"project-id": b"shop", "cluster-location": b"europe-west1", "cluster-name": b"prod"}
        return Reply(known.get(path.rpartition("/")[2], b""), 200)
    return Reply(status=404)


@pytest.mark.parametrize(
    ("said", "audience", "token"),
    [
        ({}, POOL, "federated"),
        ({"email": EMAIL}, POOL, "impersonated"),
        ({"provider": PROVIDER}, f"//iam.googleapis.com/{PROVIDER}", "federated"),
        ({"provider": PROVIDER, "email": EMAIL}, f"//iam.googleapis.com/{PROVIDER}", "impersonated"),
    ],
    ids=["GKE", "GKE, impersonating", "elsewhere", "elsewhere, impersonating"],
)
async def test_an_account_becomes_a_token_of_google(
    client: CloudClient, said: dict[str, str], audience: str, token: str
) -> None:
    kubernetes = Kubernetes()
    async with HostileRegistry(google) as server:
        environment = {"GCE_METADATA_HOST": server.host}
        account = annotated(kubernetes, **said)
        federation = GoogleFederation(client, environment, account, sts=server.url, credentials=server.url)
        found = await Google(client, environment, federation=federation).exchange("gcr.io")
    assert found.login == Login("oauth2accesstoken", token)
    assert kubernetes.audiences == [audience]


@pytest.mark.parametrize(
    ("provider", "said", "missing"),
    [
        ("aws", {}, "eks.amazonaws.com/role-arn"),
        ("aws", {"role": "arn:aws:iam::1:user/x"}, "eks.amazonaws.com/role-arn"),
        ("azure", {"tenant": "tenant-1"}, "azure.workload.identity/client-id"),
        ("azure", {"client": "client-1"}, "azure.workload.identity/tenant-id"),
        ("azure", {"client": "client-1", "tenant": "../common"}, "azure.workload.identity/tenant-id"),
        ("gcp", {"email": "x@y.example/../../z"}, "iam.gke.io/gcp-service-account"),
        ("gcp", {"provider": "projects/1/x"}, "gcp.auth.fluxcd.io/workload-identity-provider"),
    ],
)
async def test_an_annotation_that_is_missing_or_hostile_is_named_and_no_token_is_asked_for(
    provider: str, said: dict[str, str], missing: str
) -> None:
    kubernetes = Kubernetes()
    hosts = {"aws": ECR_HOST, "azure": ACR_HOST, "gcp": "gcr.io"}
    async with Clouds({"GCE_METADATA_HOST": "127.0.0.1:1"}, of_objects=True) as clouds:
        (logins,) = clouds.of_account(provider, annotated(kubernetes, **said))
        with pytest.raises(RegistryError) as caught:
            await logins.login(hosts[provider])
    assert missing in str(caught.value)
    assert "shop/images" in str(caught.value)
    assert kubernetes.audiences == []


async def test_accounts_do_not_share_logins_and_an_edited_annotation_is_another() -> None:
    kubernetes = Kubernetes()
    async with Clouds({}, of_objects=True) as clouds:
        (one,) = clouds.of_account("aws", annotated(kubernetes, role=ROLE))
        assert clouds.of_account("aws", annotated(kubernetes, role=ROLE)) == (one,)
        others = [
            clouds.of_account(
                "aws", CloudAccount("blog", "images", {"eks.amazonaws.com/role-arn": ROLE}, kubernetes.token)
            ),
            clouds.of_account("aws", annotated(kubernetes, role=f"{ROLE}2")),
            clouds.of("aws"),
        ]
        assert one not in [each for found in others for each in found]
        assert len({one.name, *(found[0].name for found in others)}) == 4
        assert clouds.of_account("generic", annotated(kubernetes, role=ROLE)) == ()


async def test_where_the_operator_may_not_its_own_identity_is_no_substitute() -> None:
    async with Clouds({}) as clouds:
        with pytest.raises(UserError) as caught:
            clouds.of_account("gcp", annotated(Kubernetes()))
        assert caught.value.problems[0].code is OBJECT_IDENTITY_OFF
        assert clouds.of_account("generic", annotated(Kubernetes())) == (), "then it is for its imagePullSecrets"
