"""Callers that prove themselves by a token of their issuer: genuine ones are heard, and the issuer is asked seldom."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sluice.core.caller_token import TokenRule
from sluice.core.cel import parse_cel
from sluice.core.egress import parse_egress
from sluice.core.errors import RemoteError
from sluice.notify.id_token import KeyUnknown
from sluice.notify.issuers import FAILED_SECONDS, KEPT_SECONDS, NEW_KEY_SECONDS, Issuers
from tests.integration.receivers.hook_calls import Hook
from tests.integration.receivers.test_receivers import asked, slow_sync
from tests.operator_fixture import Bench
from tests.receiver_door import LOOPBACK, open_door
from tests.token_issuer import WELL_KNOWN, TokenIssuer, public_key
from tests.webhook_calls import PUSHED, body_of

AUDIENCE = "notification-controller"


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenIssuer]:
    with TokenIssuer(tmp_path) as opened:
        monkeypatch.setenv("SSL_CERT_FILE", str(opened.ca))
        yield opened


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def issuers(clock: Clock, *egress: str) -> Issuers:
    return Issuers(parse_egress(egress or LOOPBACK), "sluice/test", clock=clock)


@pytest.mark.cluster
def test_a_job_that_its_ci_vouches_for_makes_a_source_be_looked_at(bench: Bench, issuer: TokenIssuer) -> None:
    sync = slow_sync(bench)
    hook = Hook(bench, f"oidc-{secrets.token_hex(3)}", "")
    provider = {
        "issuerURL": issuer.url,
        "variables": [{"name": "ours", "expression": "claims.repository.startsWith('org/')"}],
        "validations": [{"expression": "vars.ours", "message": "only our own repositories may call"}],
    }
    resources = [{"kind": "GitRepository", "name": sync.name, "filter": "claims.source == res.metadata.name"}]
    hook.create(type="generic-oidc", resources=resources, oidcProviders=[provider])
    path = hook.address()

    def call(**claims: Any) -> tuple[int, str]:
        return hook.call(path, b"{}", Authorization=f"Bearer {issuer.token(**claims)}")

    assert hook.call(path) == (400, "refused\n")
    assert call(repository="other/app", source=sync.name) == (400, "refused\n")
    assert call(source=sync.name) == (400, "refused\n")
    assert call(repository="org/app", source="another") == (200, "")
    assert asked(sync) == ""
    assert call(repository="org/app", source=sync.name) == (200, "")
    assert asked(sync) != ""
    refused = [str(entry.get("why")) for entry in bench.operator.logged if entry.get("event") == "call refused"]
    assert any("only our own repositories may call" in why for why in refused)


@pytest.mark.cluster
def test_what_is_wrong_with_providers_of_tokens_is_said_at_its_field(bench: Bench) -> None:
    hook = Hook(bench, f"oidc-{secrets.token_hex(3)}", "")
    valid = {"expression": "claims.sub == 'x'", "message": "no"}
    one = {"issuerURL": "https://issuer.example", "validations": [valid]}
    resources = [{"kind": "GitRepository", "name": "x"}]
    hook.create(type="generic-oidc", resources=resources, oidcProviders=[one, one])
    hook.wait("False", "Failed", "spec.oidcProviders[1] names an issuer for the second time")
    hook.edit(oidcProviders=[])
    hook.wait("False", "Failed", "spec.oidcProviders names nobody whose tokens are accepted")
    hook.edit(oidcProviders=[{**one, "validations": []}])
    hook.wait("False", "Failed", "spec.oidcProviders[0] accepts every token of its issuer")
    hook.edit(oidcProviders=[{**one, "validations": [{**valid, "expression": "claims.sub =="}]}])
    hook.wait("False", "InvalidCELExpression", "spec.oidcProviders[0].validations[0].expression can't be read")
    hook.edit(oidcProviders=[{**one, "variables": [{"name": "a", "expression": "res.metadata"}]}])
    hook.wait("False", "InvalidCELExpression", "there is no variable res; it may use claims, vars")
    hook.edit(oidcProviders=[one])
    assert hook.address().startswith("/hook/")


@pytest.mark.cluster
def test_a_secret_for_google_says_whom_it_vouches_for_and_to_whom(bench: Bench) -> None:
    hook = Hook(bench, f"gcr-{secrets.token_hex(3)}", "token")
    hook.make_secret("token")
    hook.create(type="gcr", resources=[{"kind": "GitRepository", "name": "x"}], secretRef={"name": hook.name})
    hook.wait("False", "TokenNotFound", f"Secret {bench.namespace}/{hook.name} has no email")
    secret = f"/api/v1/namespaces/{bench.namespace}/secrets/{hook.name}"
    bench.api.patch(secret, {"stringData": {"email": "a@example.com", "audience": "https://hooks.example"}})
    hook.edit(interval="11m")
    assert hook.call(hook.address(), body_of("gcr"), Authorization="Bearer x.y.z") == (400, "refused\n")


async def test_a_registrys_push_that_google_vouches_for_is_heard(issuer: TokenIssuer) -> None:
    rule = TokenRule(issuer.url, "https://hooks.example", email="pusher@project.example")
    claims: dict[str, Any] = {"email": rule.email, "email_verified": True}
    async with open_door() as door:
        path = door.open("gcr", callers=(rule,))
        token = issuer.token(aud="https://hooks.example", **claims)
        assert await door.post(path, body_of("gcr"), Authorization=f"Bearer {token}") == (200, "")
        assert [said for _, said in door.asked] == [{"req": PUSHED}]
        assert await door.post(path, body_of("gcr"), Authorization=f"Bearer {token}") == (200, "repeated\n")


async def test_a_filter_sees_the_claims_of_a_generic_callers_token(issuer: TokenIssuer) -> None:
    rule = TokenRule(issuer.url, AUDIENCE, validations=((parse_cel("claims.sub == 'ci'"), "only ci"),))
    async with open_door() as door:
        path = door.open("generic-oidc", callers=(rule,))
        assert await door.post(path, b'{"a": 1}', Authorization=f"Bearer {issuer.token()}") == (200, "")
        said = door.asked[0][1]
        assert said["req"] == {"a": 1}
        assert said["claims"]["iss"] == issuer.url


async def test_an_issuer_is_asked_once_for_many_calls_and_again_after_an_hour(issuer: TokenIssuer) -> None:
    clock = Clock()
    known = issuers(clock)
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(known.claims(issuer.token(), issuer.url, AUDIENCE))
    assert issuer.asked == [WELL_KNOWN, "/keys"]
    clock.now += KEPT_SECONDS
    await known.claims(issuer.token(), issuer.url, AUDIENCE)
    assert len(issuer.asked) == 4


async def test_a_new_key_of_an_issuer_is_asked_for_and_unknown_ones_once_a_minute(issuer: TokenIssuer) -> None:
    clock = Clock()
    known = issuers(clock)
    await known.claims(issuer.token(), issuer.url, AUDIENCE)
    issuer.documents["/keys"] = {"keys": [public_key(issuer.rsa, "new")]}
    token = issuer.token(kid="new")
    for _ in range(5):
        with pytest.raises(KeyUnknown):
            await known.claims(token, issuer.url, AUDIENCE)
    assert len(issuer.asked) == 2
    clock.now += NEW_KEY_SECONDS
    assert (await known.claims(token, issuer.url, AUDIENCE))["sub"] == "ci"
    with pytest.raises(KeyUnknown):
        await known.claims(issuer.token(), issuer.url, AUDIENCE)
    assert len(issuer.asked) == 4


@pytest.mark.parametrize(
    ("path", "document", "code", "words"),
    [
        (WELL_KNOWN, None, "E670", "status 404"),
        (WELL_KNOWN, b"<html>", "E671", "no JSON"),
        (WELL_KNOWN, b"[" * 100_000, "E671", "no JSON"),
        (WELL_KNOWN, b'{"issuer": "' + b"x" * 300_000 + b'"}', "E671", "too long"),
        (WELL_KNOWN, [], "E671", "says that it is None"),
        (WELL_KNOWN, {"issuer": "https://other.example"}, "E671", "says that it is https://other.example"),
        ("jwks", "http://127.0.0.1/keys", "E671", "names no address of its keys"),
        ("jwks", "file:///etc/passwd", "E671", "names no address of its keys"),
        ("jwks", "https://169.254.169.254/keys", "E670", "link-local"),
        ("jwks", 7, "E671", "names no address of its keys"),
        ("/keys", None, "E670", "status 404"),
        ("/keys", {}, "E671", "can't be used"),
        ("/keys", {"keys": []}, "E671", "can't be used"),
        ("/keys", {"keys": "x"}, "E671", "can't be used"),
        ("/keys", {"keys": [{"kty": "RSA", "n": "!", "e": 1}]}, "E671", "can't be used"),
    ],
)
async def test_an_issuer_whose_answers_can_not_be_used_is_named_and_left_alone_for_a_while(
    issuer: TokenIssuer, path: str, document: Any, code: str, words: str
) -> None:
    if path == "jwks":
        issuer.documents[WELL_KNOWN]["jwks_uri"] = document
    elif document is None:
        del issuer.documents[path]
    else:
        issuer.documents[path] = document
    clock = Clock()
    known = issuers(clock)
    for _ in range(3):
        with pytest.raises(RemoteError) as caught:
            await known.claims(issuer.token(), issuer.url, AUDIENCE)
        assert caught.value.problems[0].code.number == code
        assert words in str(caught.value)
    assert issuer.asked.count(WELL_KNOWN) == 1
    clock.now += FAILED_SECONDS
    with pytest.raises(RemoteError):
        await known.claims(issuer.token(), issuer.url, AUDIENCE)
    assert issuer.asked.count(WELL_KNOWN) == 2


async def test_a_call_that_can_not_be_judged_is_neither_accepted_nor_refused(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", ssl.get_default_verify_paths().openssl_cafile)
    rule = TokenRule(issuer.url, AUDIENCE)
    async with open_door() as door:
        path = door.open("generic-oidc", callers=(rule,))
        answer = await door.post(path, Authorization=f"Bearer {issuer.token()}")
        assert answer == (503, "the caller can't be told from others now\n")
        assert door.asked == []


async def test_an_issuer_inside_a_private_network_is_asked_only_where_the_flag_names_it(issuer: TokenIssuer) -> None:
    async with open_door(egress=()) as door:
        path = door.open("generic-oidc", callers=(TokenRule(issuer.url, AUDIENCE),))
        assert (await door.post(path, Authorization=f"Bearer {issuer.token()}"))[0] == 503
        assert issuer.asked == []


@pytest.mark.parametrize("type_", ["gcr", "generic-oidc"])
async def test_where_nobody_s_tokens_are_expected_nobody_is_let_in(issuer: TokenIssuer, type_: str) -> None:
    async with open_door() as door:
        path = door.open(type_)
        body = body_of(type_)
        assert await door.post(path, body) == (400, "refused\n")
        assert await door.post(path, body, Authorization=f"Bearer {issuer.token()}") == (400, "refused\n")
        assert door.asked == []


async def test_a_key_that_is_a_shared_secret_or_too_short_proves_nothing(issuer: TokenIssuer) -> None:
    secret = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "one", "alg": "HS256"}
    issuer.documents["/keys"] = {"keys": [secret]}
    async with open_door() as door:
        path = door.open("generic-oidc", callers=(TokenRule(issuer.url, AUDIENCE),))
        token = issuer.token(key=b"secret-secret-secret-secret-secret", algorithm="HS256")
        assert await door.post(path, msgspec.json.encode({}), Authorization=f"Bearer {token}") == (400, "refused\n")
