"""Clouds' logins against a local imitation of each documented exchange, and to whom they are sent."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from devcluster.certificates import Authority
from devcluster.registry import basic
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, SluiceError, UserError
from sluice.core.image import parse
from sluice.registry.access import RegistryAccess, Trust
from sluice.registry.cloud.aws_identity import AwsIdentity
from sluice.registry.cloud.azure import Azure, AzurePrincipal, azure_principal
from sluice.registry.cloud.clouds import Clouds
from sluice.registry.cloud.ecr import Ecr, EcrFilter
from sluice.registry.cloud.exchange import EMBARGO_SECONDS, CloudClient, CloudLogins
from sluice.registry.cloud.google import Google
from sluice.registry.cloud.sigv4 import AwsKeys, signed_headers
from sluice.registry.errors import RegistryError
from sluice.registry.keyring import Login
from sluice.registry.limits import DEFAULT_POLICY
from sluice.registry.proxy_rules import proxy_rules
from sluice.registry.registries import Registries
from sluice.registry.transport import Transport
from tests.registries import FAST, LOOPBACK, START, ConnectProxy, HostileRegistry, Reply, Seen, login, registries

__all__ = ["registries"]

ECR_HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ACR_HOST = "shop.azurecr.io"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


@pytest.fixture
async def client() -> AsyncIterator[CloudClient]:
    async with Transport(DEFAULT_POLICY, FAST, "sluice", any_address=True) as transport:
        yield CloudClient(transport)


class Time:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- AWS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session", "signature"),
    [
        ("", "c9140cbd3134d2c2fa128adb7737adbdc515acd81de04977da7acb86d60c265a"),
        ("session/token+1=", "127054e8432b1332b44460035900add82c7ad386855df5b9602418464724460f"),
    ],
)
def test_a_request_to_ecr_is_signed_as_awss_own_library_signs_it(session: str, signature: str) -> None:
    keys = AwsKeys(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], session)
    target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
    headers = signed_headers(
        keys,
        url="https://api.ecr.eu-west-1.amazonaws.com/",
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target},
        body=b"{}",
        region="eu-west-1",
        service="ecr",
        now=datetime(2026, 11, 30, 12, tzinfo=UTC),
    )
    assert headers["Authorization"].endswith(f", Signature={signature}")


def aws(seen: Seen) -> Reply:
    """AWS' services: ECR, STS, the metadata service and a container's endpoint."""
    path = urlsplit(seen.path).path
    given = {"AccessKeyId": "AKID2", "SecretAccessKey": "sk", "Token": "st", "Expiration": "2026-11-30T18:00:00Z"}
    if "X-Amz-Target" in seen.headers:
        wanted = "AKID2" if "X-Amz-Security-Token" in seen.headers else "AKIDEXAMPLE"
        if f"Credential={wanted}/20261130/eu-west-1/ecr/aws4_request" not in seen.headers["Authorization"]:
            return Reply({"__type": "InvalidSignatureException", "message": "canary"}, 400)
        token = base64.b64encode(b"AWS:ecr-password").decode()
        expires = (START + timedelta(hours=12)).timestamp()
        return Reply({"authorizationData": [{"authorizationToken": token, "expiresAt": expires}]})
    form = parse_qs(seen.body.decode())
    if form.get("Action") == ["AssumeRoleWithWebIdentity"]:
        if form["WebIdentityToken"] != ["projected"] or form["RoleArn"] != ["arn:aws:iam::1:role/x"]:
            return Reply(b"<ErrorResponse/>", 403)
        return Reply(
            b"<R><Credentials><AccessKeyId>AKID2</AccessKeyId><SecretAccessKey>sk/+=</SecretAccessKey>"
            b"<SessionToken>\n  st/+=\n</SessionToken></Credentials></R>"
        )
    if path == "/latest/api/token" and seen.method == "PUT":
        return Reply(b"imds-session==")
    if path.startswith("/latest/meta-data") and seen.headers.get("X-aws-ec2-metadata-token") != "imds-session==":
        return Reply(status=401)
    if path == "/latest/meta-data/iam/security-credentials/":
        return Reply(b"node-role")
    if path == "/latest/meta-data/iam/security-credentials/node-role":
        return Reply(given)
    if path == "/v1/credentials" and seen.headers.get("Authorization") == "pod-token":
        return Reply(given)
    return Reply(status=404)


def ecr(client: CloudClient, server: HostileRegistry, environment: dict[str, str], **more: EcrFilter) -> Ecr:
    identity = AwsIdentity(client, environment, sts=server.url, metadata=server.url)
    return Ecr(client, identity, endpoint=f"{server.url}/", now=lambda: START, **more)


def environment_of(kind: str, folder: Path, url: str) -> dict[str, str]:
    """What a pod's environment holds for each way to an AWS identity."""
    file = folder / "token"
    file.write_text("projected\n" if kind == "web identity" else "pod-token\n")
    return {
        "keys": KEYS,
        "web identity": {"AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)},
        "pod identity": {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
        },
        "instance": {},
    }[kind]


@pytest.mark.parametrize("kind", ["keys", "web identity", "pod identity", "instance"])
async def test_an_aws_identity_of_each_kind_becomes_a_login_for_ecr(
    client: CloudClient, tmp_path: Path, kind: str
) -> None:
    async with HostileRegistry(aws) as server:
        cloud = ecr(client, server, environment_of(kind, tmp_path, server.url))
        found = await cloud.exchange(ECR_HOST)
        assert found.login == Login("AWS", "ecr-password")
        assert found.seconds == 12 * 3600


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"AWS_EC2_METADATA_DISABLED": "true"}, "no AWS identity"),
        ({"AWS_ROLE_ARN": "x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"}, "/nowhere/token can't be read"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/x"}, "not an address that may be asked"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "file:///etc/passwd"}, "not an address that may be asked"),
        ({**KEYS, "AWS_ACCESS_KEY_ID": "WRONG"}, "Amazon ECR answers 400 (InvalidSignatureException)"),
    ],
)
async def test_an_identity_that_aws_does_not_take_is_told_without_secrets(
    client: CloudClient, environment: dict[str, str], told: str
) -> None:
    async with HostileRegistry(aws) as server:
        with pytest.raises(RegistryError) as error:
            await CloudLogins(ecr(client, server, environment)).login(ECR_HOST)
    assert error.value.code is codes.CLOUD_TOKEN
    assert told in str(error.value)
    assert "canary" not in str(error.value)
    assert "wJalr" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "served"),
    [
        (ECR_HOST, True),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", True),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", True),
        (f"{ECR_HOST}.evil.example", False),
        ("evil.example", False),
        ("123456789012.dkr.ecr.eu-west-1.evil.com", False),
        ("1234.dkr.ecr.eu-west-1.amazonaws.com", False),
        ("123456789012.dkr.ecr.eu/evil.amazonaws.com", False),
        ("public.ecr.aws", False),
        ("602401143452.dkr.ecr.eu-west-1.amazonaws.com", False),
    ],
)
def test_only_ecrs_own_hosts_are_served_and_never_eks_system_account(
    client: CloudClient, host: str, served: bool
) -> None:
    assert Ecr(client, AwsIdentity(client, {})).serves(host) is served


@pytest.mark.parametrize(
    ("only", "served"),
    [
        (EcrFilter(regions=frozenset({"eu-west-1"})), True),
        (EcrFilter(regions=frozenset({"eu-west-2"})), False),
        (EcrFilter(include=frozenset({"123456789012"})), True),
        (EcrFilter(include=frozenset({"000000000000"})), False),
        (EcrFilter(exclude=frozenset({"123456789012"})), False),
    ],
)
def test_fluxds_filters_of_regions_and_accounts_are_kept(client: CloudClient, only: EcrFilter, served: bool) -> None:
    assert Ecr(client, AwsIdentity(client, {}), only=only).serves(ECR_HOST) is served


# --- Google ----------------------------------------------------------------------------------------------------------


async def test_the_metadata_servers_token_is_the_login_for_googles_registries(client: CloudClient) -> None:
    def metadata(seen: Seen) -> Reply:
        right = seen.path == "/computeMetadata/v1/instance/service-accounts/default/token"
        if not right or seen.headers.get("Metadata-Flavor") != "Google":
            return Reply(status=403)
        return Reply({"access_token": "ya29.token", "expires_in": 3599, "token_type": "Bearer"})

    async with HostileRegistry(metadata) as server:
        found = await Google(client, {"GCE_METADATA_HOST": server.host}).exchange("eu.gcr.io")
    assert (found.login, found.seconds) == (Login("oauth2accesstoken", "ya29.token"), 3599)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"access_token": ""}', b'{"access_token": "a\\nb"}'])
async def test_an_answer_without_a_token_is_an_error(client: CloudClient, body: bytes) -> None:
    async with HostileRegistry(lambda _: Reply(body)) as server:
        with pytest.raises(RegistryError) as error:
            await CloudLogins(Google(client, {"GCE_METADATA_HOST": server.host})).login("gcr.io")
    assert error.value.code is codes.CLOUD_TOKEN


@pytest.mark.parametrize(
    ("host", "served"),
    [("gcr.io", True), ("eu.gcr.io", True), ("europe-west1-docker.pkg.dev", True), ("evilgcr.io", False),
     ("gcr.io.evil.example", False), ("docker.pkg.dev.evil.example", False), ("go.pkg.dev", False)],
)  # fmt: skip
def test_only_googles_own_hosts_are_served(client: CloudClient, host: str, served: bool) -> None:
    assert Google(client, {}).serves(host) is served


# --- Azure -----------------------------------------------------------------------------------------------------------


def azure(seen: Seen) -> Reply:
    """Entra ID, the metadata service and a registry's exchange."""
    parts, form = urlsplit(seen.path), parse_qs(seen.body.decode())
    if parts.path == "/tenant-1/oauth2/v2.0/token":
        right = form["client_assertion"] == ["projected"] and form["client_id"] == ["client-1"]
        right = right and form["scope"] == ["https://containerregistry.azure.net/.default"]
        return Reply({"access_token": "entra"}) if right else Reply({"error": "invalid_client"}, 401)
    if parts.path == "/metadata/identity/oauth2/token" and seen.headers.get("Metadata") == "true":
        right = parse_qs(parts.query).get("resource") == ["https://containerregistry.azure.net"]
        return Reply({"access_token": "entra"}) if right else Reply(status=400)
    if parts.path == "/oauth2/exchange":
        right = form == {"grant_type": ["access_token"], "service": [ACR_HOST], "access_token": ["entra"]}
        return Reply({"refresh_token": "acr-refresh"}) if right else Reply(status=401)
    return Reply(status=404)


@pytest.mark.parametrize("kind", ["workload identity", "managed identity"])
async def test_an_azure_identity_of_each_kind_becomes_a_registrys_refresh_token(
    client: CloudClient, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "token").write_text("projected")
    async with HostileRegistry(azure) as server:
        environment = {
            "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
            "AZURE_CLIENT_ID": "client-1",
            "AZURE_TENANT_ID": "tenant-1",
            "AZURE_AUTHORITY_HOST": f"{server.url}/",
        }
        cloud = Azure(
            client, environment if kind == "workload identity" else {}, metadata=server.url, registry=server.url
        )
        found = await cloud.exchange(ACR_HOST)
    assert found.login == Login("00000000-0000-0000-0000-000000000000", "acr-refresh")


async def test_the_service_principal_of_azure_json_is_the_login_as_for_fluxd(client: CloudClient) -> None:
    principal = AzurePrincipal("id", "secret-canary")
    found = await Azure(client, {}, principal=principal).exchange(ACR_HOST)
    assert found.login == Login("id", "secret-canary")
    assert "canary" not in repr(principal)


@pytest.mark.parametrize(
    ("host", "served"),
    [(ACR_HOST, True), ("shop.azurecr.cn", True), ("shop.azurecr.us", True), ("shop.azurecr.de", True),
     ("azurecr.io.evil.example", False), ("evilazurecr.io", False)],
)  # fmt: skip
def test_only_azures_own_hosts_are_served(client: CloudClient, host: str, served: bool) -> None:
    assert Azure(client, {}).serves(host) is served


# --- all -------------------------------------------------------------------------------------------------------------


async def test_a_login_is_asked_for_once_a_realm_until_shortly_before_its_end(client: CloudClient) -> None:
    time = Time()
    async with HostileRegistry(aws) as server:
        logins = CloudLogins(ecr(client, server, KEYS), time)
        for account in ("123456789012", "000000000001"):
            await logins.login(f"{account}.dkr.ecr.eu-west-1.amazonaws.com")
        assert len(server.seen) == 1
        time.now += 12 * 3600 - 301
        await logins.login(ECR_HOST)
        assert len(server.seen) == 1
        time.now += 2
        await logins.login(ECR_HOST)
        assert len(server.seen) == 2
        await logins.refused(ECR_HOST)
        await logins.login(ECR_HOST)
        assert len(server.seen) == 3


async def test_a_service_that_failed_is_left_alone_for_ten_minutes(client: CloudClient) -> None:
    time = Time()
    async with HostileRegistry(lambda _: Reply(status=500)) as server:
        logins = CloudLogins(ecr(client, server, KEYS), time)
        for _ in range(3):
            with pytest.raises(RegistryError):
                await logins.login(ECR_HOST)
        assert len(server.seen) == 1
        time.now += EMBARGO_SECONDS + 1
        server.handler = aws
        assert (await logins.login(ECR_HOST)).username == "AWS"


@dataclass
class Cloud:
    """Registries of any name behind a proxy, with a certificate of an authority that this process trusts."""

    server: HostileRegistry
    proxy: ConnectProxy
    authority: Authority
    password: str = "ecr-password"

    def answer(self, seen: Seen) -> Reply:
        """They want this password by Basic."""
        if seen.headers.get("Authorization") != basic("AWS", self.password):
            return Reply(status=401, headers={"WWW-Authenticate": "Basic realm=x"})
        return Reply({"tags": ["v1"]})

    def told(self) -> list[str]:
        """Every login that they were sent."""
        return [seen.headers["Authorization"] for seen in self.server.seen if "Authorization" in seen.headers]


OTHER_HOST = "amazonaws.com.evil.example"


@pytest.fixture
async def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cloud]:
    authority = Authority(tmp_path, "ca")
    pair = authority.server("registries", ECR_HOST, OTHER_HOST)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    async with HostileRegistry(tls=context) as server, ConnectProxy(server) as proxy:
        found = Cloud(server, proxy, authority)
        server.handler = found.answer
        yield found


async def listed(registries: Registries, host: str, access: RegistryAccess) -> list[str]:
    return [name async for page in registries.open(parse(f"{host}/web"), access).tags() for name in page.names]


async def test_a_clouds_login_goes_to_its_registries_and_to_no_other_host(
    client: CloudClient, registries: Registries, cloud: Cloud
) -> None:
    async with HostileRegistry(aws) as services:
        access = RegistryAccess(exchanges=(CloudLogins(ecr(client, services, KEYS)),), proxy=cloud.proxy.url)
        assert await listed(registries, ECR_HOST, access) == ["v1"]
        assert cloud.told() == [basic("AWS", "ecr-password")]
        cloud.server.seen.clear()
        with pytest.raises(AuthenticationFailed):
            await listed(registries, OTHER_HOST, access)
    assert cloud.proxy.asked == [f"CONNECT {ECR_HOST}:443", f"CONNECT {OTHER_HOST}:443"]
    assert len(cloud.server.seen) > 0
    assert cloud.told() == []


async def test_the_environments_proxy_is_used_where_the_access_names_none(cloud: Cloud) -> None:
    rules = proxy_rules({"HTTPS_PROXY": cloud.proxy.url, "NO_PROXY": OTHER_HOST})
    access = RegistryAccess(login(ECR_HOST, "AWS", cloud.password))
    async with Registries(policy=replace(LOOPBACK, proxies=rules), limits=FAST) as registries:
        assert await listed(registries, ECR_HOST, access) == ["v1"]
        with pytest.raises(SluiceError):
            await listed(registries, OTHER_HOST, access)
    assert cloud.proxy.asked == [f"CONNECT {ECR_HOST}:443"]


async def test_a_clouds_login_is_not_sent_where_the_spec_decides_whom_to_trust(
    client: CloudClient, registries: Registries, cloud: Cloud
) -> None:
    async with HostileRegistry(aws) as services:
        exchanges = (CloudLogins(ecr(client, services, KEYS)),)
        trust = Trust(cloud.authority.certificate.read_bytes())
        for access in (
            RegistryAccess(exchanges=exchanges, proxy=cloud.proxy.url, insecure=True),
            RegistryAccess(exchanges=exchanges, proxy=cloud.proxy.url, trust=trust),
        ):
            with pytest.raises(UserError) as error:
                await listed(registries, ECR_HOST, access)
            assert error.value.problems[0].code is codes.REGISTRY_CREDENTIALS
        assert services.seen == []
    assert cloud.told() == []


async def test_a_login_that_the_registry_took_back_is_exchanged_once_more(
    client: CloudClient, registries: Registries, cloud: Cloud
) -> None:
    issued = 0

    def rotating(_: Seen) -> Reply:
        nonlocal issued
        issued += 1
        token = base64.b64encode(f"AWS:password-{issued}".encode()).decode()
        return Reply({"authorizationData": [{"authorizationToken": token, "expiresAt": START.timestamp() + 9999}]})

    cloud.password = "password-2"
    async with HostileRegistry(rotating) as services:
        access = RegistryAccess(exchanges=(CloudLogins(ecr(client, services, KEYS)),), proxy=cloud.proxy.url)
        assert await listed(registries, ECR_HOST, access) == ["v1"]
    assert issued == 2


async def test_a_login_of_the_keyring_comes_before_a_clouds(
    client: CloudClient, registries: Registries, cloud: Cloud
) -> None:
    cloud.password = "own"
    async with HostileRegistry(aws) as services:
        access = RegistryAccess(
            login(ECR_HOST, "AWS", "own"), (CloudLogins(ecr(client, services, KEYS)),), proxy=cloud.proxy.url
        )
        assert await listed(registries, ECR_HOST, access) == ["v1"]
        assert services.seen == []


async def test_a_provider_names_its_cloud_and_generic_none() -> None:
    async with Clouds({}) as clouds:
        assert [[e.name for e in clouds.of(p)] for p in ("aws", "azure", "gcp", "generic", "")] == [
            ["aws"], ["azure"], ["gcp"], [], [],
        ]  # fmt: skip
        assert [next(e.name for e in clouds.every() if e.serves(h)) for h in (ECR_HOST, ACR_HOST, "gcr.io")] == [
            "aws", "azure", "gcp",
        ]  # fmt: skip


def test_no_repr_shows_a_key() -> None:
    assert "canary" not in repr(AwsKeys("AKID", "canary", "canary"))


async def test_azure_json_is_read_where_it_is_mounted_and_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "azure.json"
    assert await azure_principal(str(file)) is None
    file.write_text('{"cloud": "AzurePublicCloud", "aadClientId": "id", "aadClientSecret": "secret-canary"}')
    found = await azure_principal(str(file))
    assert found == AzurePrincipal("id", "secret-canary")
    assert "secret-canary" not in repr(found)
    for text in ("{", '{"aadClientId": "msi", "aadClientSecret": ""}', "[]"):
        file.write_text(text)
        assert await azure_principal(str(file)) is None
