"""The client against the real registry: logins, trust, what a tag stands for."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from devcluster.certificates import Authority
from devcluster.images import make_image, make_index
from devcluster.registry import Registry, TokenService, basic
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, SluiceError
from sluice.core.image import ImageRef, parse
from sluice.registry.access import ANONYMOUS, RegistryAccess, Trust
from sluice.registry.errors import RegistryError
from sluice.registry.keyring import Keyring, keyring_of_secret
from sluice.registry.limits import RegistryPolicy
from sluice.registry.manifest import Platform
from sluice.registry.registries import Registries
from sluice.registry.repository import Repository
from tests.registries import FAST, LOOPBACK, HostileRegistry, Reply, Seen, login, registries

__all__ = ["registries"]

TLS_ONLY = RegistryPolicy(allow_loopback=True)


def image_of(registry: Registry, repository: str) -> ImageRef:
    return parse(registry.image(repository))


async def names(repository: Repository) -> list[str]:
    return [name async for page in repository.tags() for name in page.names]


async def created(repository: Repository, tag: str) -> datetime | None:
    return (await repository.describe(await repository.fetch(tag))).created


# --- what a tag is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
async def test_a_tag_tells_its_digest_creation_time_and_labels(
    registry: Registry, registries: Registries, docker: bool
) -> None:
    image = make_image(created="2026-03-04T05:06:07.123456789Z", labels={"team": "shop"}, docker=docker)
    registry.push(f"told/{docker}".lower(), "v1", image)
    repository = registries.open(image_of(registry, f"told/{docker}".lower()))
    fetched = await repository.fetch("v1")
    described = await repository.describe(fetched)
    assert fetched.digest == await repository.glance("v1") == await repository.digest("v1") == image.digest
    assert described.created == datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)
    assert described.labels == {"team": "shop"}


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
async def test_of_an_index_the_tag_has_its_digest_and_the_platforms_image_its_time(
    registry: Registry, registries: Registries, docker: bool
) -> None:
    arm = make_image(created="2026-01-01T00:00:00Z", platform="linux/arm64", docker=docker)
    amd = make_image(created="2026-01-02T00:00:00Z", docker=docker)
    index = make_index([arm, amd], docker=docker)
    registry.push("index/web", "v1", index)
    repository = registries.open(image_of(registry, "index/web"))
    assert await repository.digest("v1") == index.digest
    assert await created(repository, "v1") == datetime(2026, 1, 2, tzinfo=UTC)
    platforms = (Platform("linux", "arm64"),)
    described = await repository.describe(await repository.fetch("v1", platforms), platforms)
    assert described.created == datetime(2026, 1, 1, tzinfo=UTC)


async def test_an_index_without_the_platform_says_so(registry: Registry, registries: Registries) -> None:
    registry.push("arm/web", "v1", make_index([make_image(platform="linux/arm64")], docker=True))
    repository = registries.open(image_of(registry, "arm/web"))
    described = await repository.describe(await repository.fetch("v1"))
    assert described.excluded == "no suitable manifest (linux amd64) in manifestlist"


async def test_all_tags_come_in_the_pages_that_the_registry_makes(tmp_path: Path, registries: Registries) -> None:
    image = make_image()
    with Registry(tmp_path, page=3) as registry:
        registry.push("web", "t0", image)
        for number in range(1, 8):
            registry.tag("web", f"t{number}", image)
        pages = [page async for page in registries.open(image_of(registry, "web")).tags()]
    assert [len(page.names) for page in pages] == [3, 3, 2]
    assert {name for page in pages for name in page.names} == {f"t{number}" for number in range(8)}


async def test_what_does_not_exist_is_named(registry: Registry, registries: Registries) -> None:
    with pytest.raises(RegistryError) as repository:
        await names(registries.open(image_of(registry, "no/such")))
    assert repository.value.code is codes.REPOSITORY_MISSING
    registry.push("some/web", "v1", make_image())
    with pytest.raises(RegistryError) as tag:
        await registries.open(image_of(registry, "some/web")).fetch("v2")
    assert tag.value.code is codes.MANIFEST_MISSING
    assert str(tag.value).startswith(f"{registry.host}/some/web:v2 does not exist [E529]")


# --- logins ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("guarded"), user="ada", password="hunter-canary") as running:
        running.push("shop/web", "v1", make_image())
        yield running


async def test_a_password_lets_in_and_is_sent_only_after_it_was_asked_for(
    guarded: Registry, registries: Registries
) -> None:
    access = RegistryAccess(login(guarded.host, "ada", "hunter-canary"))
    before = len(guarded.requests())
    assert await names(registries.open(image_of(guarded, "shop/web"), access)) == ["v1"]
    assert [request.status for request in guarded.requests()[before:]] == [401, 200]
    await names(registries.open(image_of(guarded, "shop/web"), access))
    assert [request.status for request in guarded.requests()[before:]] == [401, 200, 200]


@pytest.mark.parametrize("keyring", [Keyring(), None], ids=["none", "wrong"])
async def test_without_the_right_password_the_error_says_what_to_give_and_holds_no_secret(
    guarded: Registry, registries: Registries, keyring: Keyring | None
) -> None:
    access = RegistryAccess(login(guarded.host, "ada", "wrong-canary") if keyring is None else keyring)
    with pytest.raises(AuthenticationFailed) as refused:
        await names(registries.open(image_of(guarded, "shop/web"), access))
    assert refused.value.problems[0].code is codes.REGISTRY_AUTH
    assert "canary" not in str(refused.value) + repr(access)


async def test_of_several_logins_the_one_that_the_registry_takes_is_found(
    guarded: Registry, registries: Registries
) -> None:
    wrong = login(f"{guarded.host}/shop", "ada", "old")
    access = RegistryAccess(login(guarded.host, "ada", "hunter-canary").joined(wrong))
    assert await names(registries.open(image_of(guarded, "shop/web"), access)) == ["v1"]


class TokenGiver:
    """A token service for the real registry: it signs what distribution verifies."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        numbers = self._key.public_key().public_numbers()
        self.server = HostileRegistry(self._answer)
        self.jwks = folder / "jwks.json"
        key = {
            "kty": "EC",
            "crv": "P-256",
            "kid": "one",
            "alg": "ES256",
            "use": "sig",
            "x": _url64(numbers.x.to_bytes(32, "big")),
            "y": _url64(numbers.y.to_bytes(32, "big")),
        }
        self.jwks.write_text(json.dumps({"keys": [key]}))
        self.seconds = 300

    def token(self, repository: str, *actions: str) -> str:
        """A token that lets its holder do these things with a repository."""
        now = int(time.time())
        claims = {
            "iss": "giver",
            "sub": "ada",
            "aud": "the-registry",
            "exp": now + 300,
            "nbf": now - 5,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [{"type": "repository", "name": repository, "actions": list(actions)}],
        }
        header = {"typ": "JWT", "alg": "ES256", "kid": "one"}
        signed = f"{_url64(json.dumps(header).encode())}.{_url64(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def _answer(self, seen: Seen) -> Reply:
        if seen.method == "POST" and b"refresh_token=id-token" in seen.body:
            return Reply({"access_token": self.token("shop/web", "pull"), "expires_in": self.seconds})
        if seen.headers.get("Authorization") != basic("ada", "secret"):
            return Reply({"errors": [{"code": "UNAUTHORIZED"}]}, 401)
        return Reply({"token": self.token("shop/web", "pull"), "expires_in": self.seconds})


def _url64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture
async def tokens(tmp_path: Path) -> AsyncIterator[tuple[TokenGiver, Registry]]:
    """A token service, and a registry that trusts it and holds `shop/web:v1`."""
    giver = TokenGiver(tmp_path)
    async with giver.server:
        service = TokenService(f"{giver.server.url}/token", "the-registry", "giver", giver.jwks)
        registry = Registry(tmp_path / "registry", token=service)
        await asyncio.to_thread(registry.__enter__)
        try:
            registry.authorize(f"Bearer {giver.token('shop/web', 'pull', 'push')}")
            registry.push("shop/web", "v1", make_image())
            yield giver, registry
        finally:
            await asyncio.to_thread(registry.__exit__, None, None, None)


async def test_a_token_is_asked_for_once_and_used_for_all_requests(
    tokens: tuple[TokenGiver, Registry], registries: Registries
) -> None:
    giver, registry = tokens
    repository = registries.open(image_of(registry, "shop/web"), RegistryAccess(login(registry.host, "ada", "secret")))
    assert await names(repository) == ["v1"]
    await repository.fetch("v1")
    assert [seen.path for seen in giver.server.seen] == ["/token?service=the-registry&scope=repository:shop/web:pull"]


async def test_an_identity_token_is_exchanged_by_oauth2(
    tokens: tuple[TokenGiver, Registry], registries: Registries
) -> None:
    giver, registry = tokens
    config = {"auths": {registry.host: {"identitytoken": "id-token"}}}
    keyring = keyring_of_secret({".dockerconfigjson": json.dumps(config).encode()})
    repository = registries.open(image_of(registry, "shop/web"), RegistryAccess(keyring))
    assert await names(repository) == ["v1"]
    assert [seen.method for seen in giver.server.seen] == ["POST"]


async def test_an_expired_token_is_renewed_without_anybody_noticing(
    tokens: tuple[TokenGiver, Registry], registries: Registries
) -> None:
    giver, registry = tokens
    giver.seconds = 1  # the client takes it for expired after a second
    repository = registries.open(image_of(registry, "shop/web"), RegistryAccess(login(registry.host, "ada", "secret")))
    await names(repository)
    await asyncio.sleep(1.1)
    await names(repository)
    assert len(giver.server.seen) == 2


async def test_a_token_service_that_refuses_is_an_error_of_the_login(
    tokens: tuple[TokenGiver, Registry], registries: Registries
) -> None:
    _, registry = tokens
    access = RegistryAccess(login(registry.host, "ada", "wrong"))
    with pytest.raises(AuthenticationFailed) as refused:
        await names(registries.open(image_of(registry, "shop/web"), access))
    assert "its token service answers 401 to the login" in str(refused.value)


# --- trust -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Registry, Authority]]:
    """A registry over TLS that lets in who shows a certificate of its authority."""
    authority = Authority(tmp_path, "ca")
    with Registry(tmp_path / "data", tls=authority.server("registry"), clients=authority) as running:
        running.push("web", "v1", make_image())
        yield running, authority


async def test_a_ca_and_a_client_certificate_open_a_registry_that_wants_both(
    secured: tuple[Registry, Authority],
) -> None:
    registry, authority = secured
    client = authority.client("sluice", "sluice")
    ca = authority.certificate.read_bytes()
    trust = Trust(ca, client.certificate.read_bytes(), client.key.read_bytes())
    async with Registries(policy=TLS_ONLY, limits=FAST) as registries:
        assert await names(registries.open(image_of(registry, "web"), RegistryAccess(trust=trust))) == ["v1"]
        with pytest.raises(SluiceError):
            await names(registries.open(image_of(registry, "web"), RegistryAccess(trust=Trust(ca))))


async def test_a_certificate_of_an_unknown_authority_is_refused(secured: tuple[Registry, Authority]) -> None:
    registry, _ = secured
    async with Registries(policy=TLS_ONLY, limits=FAST) as registries:
        with pytest.raises(AuthenticationFailed) as refused:
            await names(registries.open(image_of(registry, "web")))
    assert refused.value.problems[0].code is codes.HOST_UNVERIFIED


async def test_http_is_spoken_only_to_a_host_that_was_named(registry: Registry) -> None:
    registry.push("plain/web", "v1", make_image())
    image = image_of(registry, "plain/web")
    async with Registries(policy=TLS_ONLY, limits=FAST) as registries:
        with pytest.raises(SluiceError):
            await names(registries.open(image))
        assert await names(registries.open(image, RegistryAccess(insecure=True))) == ["v1"]
    async with Registries(policy=LOOPBACK, limits=FAST) as registries:
        assert await names(registries.open(image)) == ["v1"]


async def test_this_machine_is_not_reached_unless_that_was_allowed(registry: Registry) -> None:
    async with Registries(policy=RegistryPolicy(insecure_hosts=frozenset({"127.0.0.1", "localhost"}))) as registries:
        for image in (registry.image("web"), f"localhost:{registry.host.rpartition(':')[2]}/web"):
            with pytest.raises(SluiceError) as refused:
                await names(registries.open(parse(image), ANONYMOUS))
            assert refused.value.problems[0].code is codes.URL_BLOCKED
