"""Calls to receivers that are wrong in every way: each has its answer, and none an effect that was not agreed."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sluice.core.caller_token import TokenRule
from tests.receiver_door import head_of, open_door
from tests.token_issuer import TokenIssuer, with_part, with_secret
from tests.webhook_calls import JSON_TYPES, PROOF, PUSH, SIGNED, broken, call_of, mac

MIB = 1024 * 1024
# Bodies with the keys that hosts send; Gitea calls as GitHub does, Azure DevOps has no signature.
GITHUB: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": "0" * 40,
    "after": "1" * 40,
    "repository": {"full_name": "org/app", "clone_url": "https://github.example/org/app.git"},
    "commits": [{"id": "1" * 40, "message": "one", "author": {"name": "A", "email": "a@example.com"}}],
}
GITLAB = {"object_kind": "push", "ref": "refs/heads/main", "project": {"git_http_url": "https://gitlab.example/a.git"}}
BITBUCKET = {"eventKey": "repo:refs_changed", "changes": [{"ref": {"id": "refs/heads/main"}, "type": "UPDATE"}]}
GITEA = {"ref": "refs/heads/main", "compare_url": "https://gitea.example/a/compare", "repository": {"id": 1}}
AZURE = {"eventType": "git.push", "resource": {"refUpdates": [{"name": "refs/heads/main"}], "repository": {"id": "x"}}}
HARBOR = {"type": "PUSH_ARTIFACT", "event_data": {"resources": [{"digest": "sha256:00", "tag": "1.2"}]}}
BODIES: list[tuple[str, str, Any]] = [
    ("github", "github", GITHUB),
    ("gitea", "github", GITEA),
    ("gitlab", "gitlab", GITLAB),
    ("bitbucket", "bitbucket", BITBUCKET),
    ("azure", "generic", AZURE),
    ("harbor", "harbor", HARBOR),
    *((name, name, body) for name, body in JSON_TYPES.items() if name != "gcr"),
]


def headers_of(type_: str, body: bytes) -> dict[str, str]:
    """The headers of a genuine call."""
    return {name: values[0] for name, values in call_of(type_, body).headers.items()}


@pytest.mark.parametrize("type_", ["generic", "generic-hmac", "quay", "dockerhub", "acr", "nexus", "cdevents"])
@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\xff", b"[" * 100_000], ids=repr)
async def test_b116_a_body_that_is_no_json_is_refused_where_it_is_looked_into(type_: str, body: bytes) -> None:
    async with open_door() as door:
        path = door.open(type_)
        assert await door.send("POST", path, body, headers_of(type_, body)) == (400, "refused\n")
        assert door.asked == []


@pytest.mark.parametrize("body", [b"7", b"null", b"[" * 100 + b"]" * 100], ids=["number", "null", "nested"])
async def test_b116_json_of_another_shape_is_refused_where_a_type_has_one(body: bytes) -> None:
    async with open_door() as door:
        for type_ in JSON_TYPES:
            if type_ != "gcr":
                path = door.open(type_)
                assert await door.send("POST", path, body, headers_of(type_, body)) == (400, "refused\n")
        assert door.asked == []


async def test_b117_a_body_that_is_too_large_is_not_read_to_its_end() -> None:
    async with open_door() as door:
        path = door.open("generic")
        assert (await door.post(path, b" " * (2 * MIB)))[0] == 413
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        endless = await door.raw(head_of(path, Transfer_Encoding="chunked"), *[chunk] * 20)
        assert endless.startswith(b"HTTP/1.1 413")
        assert door.asked == []


async def test_b117_a_body_that_does_not_come_is_given_up() -> None:
    async with open_door(read_seconds=0.2) as door:
        path = door.open("generic")
        short = await door.raw(head_of(path, Content_Length=100), b"{}")
        assert short.startswith(b"HTTP/1.1 408")
        dripping = await door.raw(head_of(path, Transfer_Encoding="chunked"), b"1\r\n{\r\n")
        assert dripping.startswith(b"HTTP/1.1 408")
        assert door.asked == []


@pytest.mark.parametrize(
    "lie",
    [
        {"Content_Length": "-1"},
        {"Content_Length": "2, 3"},
        {"Content_Length": "x"},
        {"Content_Length": 2, "Transfer_Encoding": "chunked"},
        {"Transfer_Encoding": "rubbish"},
    ],
    ids=repr,
)
async def test_b117_a_length_that_is_none_is_refused(lie: dict[str, Any]) -> None:
    async with open_door() as door:
        answer = await door.raw(head_of(door.open("generic"), **lie), b"{}\r\n\r\n")
        assert answer.partition(b" ")[2].startswith(b"400 ")
        assert door.asked == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
async def test_b118_a_compressed_body_is_refused_before_it_is_read(encoding: str) -> None:
    async with open_door() as door:
        path = door.open("generic")
        bomb = gzip.compress(b"0" * (100 * MIB), compresslevel=1)[:MIB]
        assert (await door.post(path, bomb, Content_Encoding=encoding))[0] == 415
        assert door.asked == []


async def test_b118_the_type_of_the_content_is_the_callers_word_and_changes_nothing() -> None:
    async with open_door() as door:
        path = door.open("github")
        for kind in ("text/plain", "application/x-www-form-urlencoded", "rubbish", "application/json; charset=utf-16"):
            headers = {**headers_of("github", PUSH), "x-github-delivery": kind, "content-type": kind}
            assert await door.send("POST", path, PUSH, headers) == (200, "")
        assert [said for _, said in door.asked] == [{"req": {"ref": "refs/heads/main"}}] * 4


@pytest.mark.parametrize("type_", SIGNED)
async def test_b119_a_proof_that_is_none_gets_one_fixed_answer(type_: str) -> None:
    body = msgspec.json.encode(JSON_TYPES.get(type_, {"ref": "x"}))
    async with open_door() as door:
        path = door.open(type_)
        good, header = headers_of(type_, body), PROOF[type_]
        value = good[header]
        wrong = {k: v for k, v in good.items() if k != header}
        answers = [
            await door.send("POST", path, body, wrong),
            *[
                await door.send("POST", path, body, {**good, header: other})
                for other in ("x", value[:-1], value.swapcase(), f"sha1={mac(body, 'sha1')}", "x" * 7_000)
            ],
            await door.send("POST", path, body, headers_of(type_, body + b" ") | {header: f"{value}, {value}"}),
        ]
        two = b"".join(f"{header}: {value}\r\n".encode() for _ in range(2))
        rest = "".join(f"{k}: {v}\r\n" for k, v in wrong.items()).encode()
        start = head_of(path, Content_Length=len(body))[:-2]
        assert (await door.raw(start + rest + two + b"\r\n" + body)).startswith(b"HTTP/1.1 400")
        assert set(answers) == {(400, "refused\n")}
        assert door.asked == []
        assert (await door.send("POST", path, body, good))[0] == 200


async def test_b119_a_header_of_ten_kilobytes_is_refused() -> None:
    async with open_door() as door:
        head = head_of(door.open("github"), X_Hub_Signature_256="sha256=" + "0" * 10_240, Content_Length=2)
        assert b" 400 " in await door.raw(head, b"{}")
        assert door.asked == []


@pytest.mark.parametrize(("type_", "body"), [each[1:] for each in BODIES], ids=[each[0] for each in BODIES])
async def test_b120_whatever_stands_in_a_body_the_answer_is_yes_or_no(type_: str, body: Any) -> None:
    answers = set()
    async with open_door() as door:
        path = door.open(type_)
        whole = msgspec.json.encode(body)
        assert await door.send("POST", path, whole, headers_of(type_, whole)) == (200, "")
        for number, (_, other) in enumerate(broken(body)):
            text = msgspec.json.encode(other)
            headers = headers_of(type_, text)
            headers |= {name: f"d{number}" for name in headers if name.endswith(("delivery", "uuid"))}
            answers.add((await door.send("POST", path, text, headers))[0])
    assert answers <= {200, 400}


async def test_b121_a_repository_that_the_body_names_chooses_nothing() -> None:
    async with open_door() as door:
        path = door.open("github")
        body = msgspec.json.encode({**GITHUB, "repository": {"clone_url": "https://elsewhere.example/x.git"}})
        assert await door.send("POST", path, body, headers_of("github", body)) == (200, "")
        assert [name for name, _ in door.asked] == ["github-0"]


@pytest.mark.parametrize("ref", ["--upload-pack=x", "../../x", ".*(a+)+$", "\x00", "$(id)", "x" * 100_000], ids=repr)
async def test_b122_a_branch_that_the_body_names_is_data(ref: str) -> None:
    async with open_door() as door:
        path = door.open("github")
        body = msgspec.json.encode({**GITHUB, "ref": ref})
        assert await door.send("POST", path, body, headers_of("github", body)) == (200, "")
        assert [said["req"]["ref"] for _, said in door.asked] == [ref]


@pytest.mark.parametrize("type_", ["github", "gitlab", "bitbucket", "nexus", "acr", "cdevents"])
async def test_b123_a_delivery_that_comes_again_is_answered_and_not_done(type_: str) -> None:
    body = msgspec.json.encode(JSON_TYPES.get(type_, GITHUB))
    async with open_door() as door:
        path = door.open(type_)
        headers = headers_of(type_, body)
        assert await door.send("POST", path, body, headers) == (200, "")
        assert await door.send("POST", path, body, headers) == (200, "repeated\n")
        assert len(door.asked) == 1


async def test_b124_only_a_post_to_the_address_itself_is_a_call() -> None:
    async with open_door() as door:
        path = door.open("generic")
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            assert (await door.send(method, path))[0] == 405, method
        strange = [path + "/", path.upper(), f"/hook/%2e%2e{path}", f"//hook/{path[6:]}", f"/hook//{path[6:]}",
                   f"{path}%00", "/hook/" + "0" * 64, "/hook", "/"]  # fmt: skip
        for other in strange:
            answer = await door.raw(head_of(other, Content_Length=2), b"{}")
            assert answer.startswith(b"HTTP/1.1 404"), (other, answer)
        long = await door.raw(head_of("/hook/" + "0" * 8192, Content_Length=2), b"{}")
        assert b" 400 " in long or b" 404 " in long or b" 414 " in long
        assert door.asked == []


async def test_b125_the_address_of_one_tenant_is_no_way_to_anothers() -> None:
    async with open_door() as door:
        mine, theirs = door.open("github", namespace="mine"), door.open("github", namespace="theirs")
        assert mine != theirs
        body = PUSH
        assert (await door.send("POST", theirs + "/../" + mine[6:], body, headers_of("github", body)))[0] in {200, 404}
        assert "theirs" not in {name for name, _ in door.asked}
        door.receivers.close(next(key for key in door.receivers.paths() if key.namespace == "theirs"))
        assert (await door.send("POST", theirs, body, headers_of("github", body)))[0] == 404


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with TokenIssuer(tmp_path) as opened:
        monkeypatch.setenv("SSL_CERT_FILE", str(opened.ca))
        yield opened


async def test_b126_a_token_that_proves_nothing_is_refused_whatever_is_wrong_with_it(issuer: TokenIssuer) -> None:
    email = "pusher@project.example"
    good = issuer.token(email=email, email_verified=True)
    claims: dict[str, Any] = {"email": email, "email_verified": True}
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public = issuer.rsa.public_key().public_bytes(*form)
    bad = {
        "another audience": issuer.token(**claims, aud="https://elsewhere.example"),
        "no audience": issuer.token(**claims, aud=None),
        "another issuer": issuer.token(**claims, iss="https://issuer.example"),
        "no issuer": issuer.token(**claims, iss=None),
        "expired": issuer.token(**claims, exp=1_700_000_000),
        "without end": issuer.token(**claims, exp=None),
        "not yet": issuer.token(**claims, nbf=4_000_000_000),
        "another account": issuer.token(email="other@project.example", email_verified=True),
        "account not verified": issuer.token(email=email),
        "claims changed": with_part(issuer.token(email="other@project.example", email_verified=True), 1, email=email),
        "no algorithm": with_part(good, 0, alg="none"),
        "no algorithm, no signature": with_part(good, 0, alg="none").rpartition(".")[0] + ".",
        "the public key as a secret": with_secret(good, public),
        "algorithm changed": with_part(good, 0, alg="HS256"),
        "a stranger's key": issuer.token(**claims, key=rsa.generate_private_key(65537, 2048)),
        "an unknown key": issuer.token(**claims, kid="three"),
        "no key named of two": issuer.token(**claims, kid=None),
        "no token": "a.b.c",
        "two parts": good.rpartition(".")[0],
        "nothing": "",
        "too long": issuer.token(**claims, more="x" * 20_000)[:8_000],
    }
    rule = TokenRule(issuer.url, "notification-controller", email=email)
    body = msgspec.json.encode(JSON_TYPES["gcr"])
    async with open_door() as door:
        path = door.open("gcr", callers=(rule,))
        for why, token in bad.items():
            assert await door.post(path, body, Authorization=f"Bearer {token}") == (400, "refused\n"), why
        for value in (good, f"Basic {good}", "Bearer", "Bearer "):
            assert await door.post(path, body, Authorization=value) == (400, "refused\n"), value
        assert await door.post(path, body) == (400, "refused\n")
        assert door.asked == []
        assert await door.post(path, body, Authorization=f"Bearer {good}") == (200, "")
        elliptic = issuer.token(**claims, key=issuer.ec, algorithm="ES256", kid="two")
        other = msgspec.json.encode({"message": {**JSON_TYPES["gcr"]["message"], "messageId": "d2"}})
        assert await door.post(path, other, Authorization=f"bearer {elliptic}") == (200, "")


@pytest.mark.parametrize("body", [each for _, each in broken(JSON_TYPES["gcr"])], ids=repr)
async def test_b120_whatever_a_genuine_pub_sub_caller_sends_the_answer_is_yes_or_no(
    issuer: TokenIssuer, body: Any
) -> None:
    rule = TokenRule(issuer.url, "notification-controller", email="a@example.com")
    token = issuer.token(email="a@example.com", email_verified=True)
    async with open_door() as door:
        path = door.open("gcr", callers=(rule,))
        assert (await door.post(path, msgspec.json.encode(body), Authorization=f"Bearer {token}"))[0] in {200, 400}
