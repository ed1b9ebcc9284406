"""Which login an image gets: the kubelet's rules, both formats of Secrets, and what is wrong with one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image import parse
from sluice.registry.keyring import Login, join, keyring_of_file, keyring_of_secret

PASSWORD = "pw-canary"


def auth(user: str, password: str = PASSWORD) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def config(entry: dict[str, str]) -> bytes:
    return json.dumps({"auths": {"ghcr.io": entry}}).encode()


def users(entries: dict[str, Any], image: str) -> list[str]:
    keyring = keyring_of_secret({".dockerconfigjson": json.dumps({"auths": entries}).encode()})
    return [login.username for login in keyring.logins(parse(image))]


@pytest.mark.parametrize(
    ("key", "image", "found"),
    [
        ("ghcr.io", "ghcr.io/acme/web", True),
        ("https://ghcr.io", "ghcr.io/acme/web", True),
        ("http://ghcr.io/v2/", "ghcr.io/acme/web", True),
        ("https://index.docker.io/v1/", "nginx", True),
        ("docker.io", "acme/web", True),
        ("index.docker.io", "docker.io/acme/web", True),
        ("registry-1.docker.io", "nginx", True),
        ("index.docker.io/library", "nginx", True),
        ("index.docker.io/acme", "nginx", False),
        ("*.azurecr.io", "shop.azurecr.io/web", True),
        ("*.azurecr.io", "a.shop.azurecr.io/web", False),
        ("*.*.azurecr.io", "a.shop.azurecr.io/web", True),
        ("sh?p.azurecr.io", "shop.azurecr.io/web", True),
        ("ghcr.io/acme", "ghcr.io/acme/web", True),
        ("ghcr.io/acme/web", "ghcr.io/acme/web", True),
        ("ghcr.io/other", "ghcr.io/acme/web", False),
        ("reg.example:5000", "reg.example:5000/web", True),
        ("reg.example", "reg.example:5000/web", False),
        ("reg.example:5000", "reg.example/web", False),
        ("GHCR.io", "ghcr.io/acme/web", True),
        ("ghcr.io.evil.example", "ghcr.io/acme/web", False),
        ("io", "ghcr.io/acme/web", False),
    ],
)
def test_a_key_matches_an_image_as_the_kubelet_says(key: str, image: str, found: bool) -> None:
    assert users({key: auth("ada")}, image) == (["ada"] if found else [])


def test_the_longer_path_is_tried_first_and_all_that_match_are_tried() -> None:
    entries = {"ghcr.io": auth("any"), "ghcr.io/acme/web": auth("web"), "ghcr.io/acme": auth("acme")}
    assert users(entries, "ghcr.io/acme/web") == ["web", "acme", "any"]


def test_both_formats_of_secrets_are_read() -> None:
    old = keyring_of_secret({".dockercfg": json.dumps({"ghcr.io": {**auth("ada"), "email": "a@b"}}).encode()})
    new = keyring_of_secret({".dockerconfigjson": json.dumps({"auths": {"ghcr.io": auth("ada")}}).encode()})
    assert old == new
    assert old.logins(parse("ghcr.io/x/y")) == (Login("ada", "pw-canary"),)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"username": "ada", "password": "p:w"}, Login("ada", "p:w")),
        ({**auth("ada", "p:w"), "username": "other", "password": "x"}, Login("ada", "p:w")),
        (auth("ada", "pw\n"), Login("ada", "pw")),
        ({"identitytoken": "it"}, Login(identity_token="it")),
        ({"registrytoken": "rt"}, Login(bearer="rt")),
        (auth("_json_key", '{"a": "b:c"}'), Login("_json_key", '{"a": "b:c"}')),
    ],
)
def test_a_login_is_read_in_each_of_its_forms(entry: dict[str, str], expected: Login) -> None:
    keyring = keyring_of_file(json.dumps({"auths": {"ghcr.io": entry}, "credsStore": "desktop"}).encode())
    assert keyring.logins(parse("ghcr.io/x/y")) == (expected,)


def test_of_two_keyrings_the_later_one_is_tried_first() -> None:
    first, second = (
        keyring_of_file(json.dumps({"auths": {"ghcr.io": auth(user)}}).encode()) for user in ("first", "second")
    )
    assert [found.username for found in join((first, second)).logins(parse("ghcr.io/x/y"))] == ["second", "first"]


def test_an_entry_without_a_login_is_none() -> None:
    assert users({"ghcr.io": {}}, "ghcr.io/x/y") == []


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"password": b"pw-canary"},
        {".dockerconfigjson": b"pw-canary"},
        {".dockerconfigjson": b'{"auths": "pw-canary"}'},
        {".dockerconfigjson": b'{"auths": {"ghcr.io": {"auth": "pw-canary"}}}'},
        {
            ".dockerconfigjson": json.dumps(
                {"auths": {"ghcr.io": auth("no-colon".replace(":", ""), "\x00canary")}}
            ).encode()
        },
        {".dockerconfigjson": b'{"auths":' * 5000},
        {".dockercfg": b'{"ghcr.io": {"username": "a\\nb", "password": "pw-canary"}}'},
        {".dockercfg": b" " * ((1 << 20) + 1)},
        {".dockercfg": json.dumps({f"h{n}": auth("a") for n in range(201)}).encode()},
    ],
    ids=["empty", "other keys", "no json", "no map", "no base64", "control", "deep", "line break", "large", "many"],
)
def test_a_secret_that_can_not_be_used_is_named_without_its_content(data: dict[str, bytes]) -> None:
    with pytest.raises(UserError) as error:
        keyring_of_secret(data)
    (problem,) = error.value.problems
    assert problem.code is codes.REGISTRY_CREDENTIALS
    assert problem.field == "spec.secretRef"
    assert "canary" not in str(problem)


def test_no_repr_shows_a_password() -> None:
    keyring = keyring_of_file(json.dumps({"auths": {"ghcr.io": {**auth("ada"), "identitytoken": "canary"}}}).encode())
    assert "canary" not in repr(keyring) + repr(keyring.logins(parse("ghcr.io/x/y")))
