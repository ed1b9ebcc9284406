"""What a registry asks for, and where credentials may go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.registry.challenge import Challenge, read_challenge, realm_fault, registrable_domain

HUB = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:x:pull"'


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([HUB], Challenge("bearer", "https://auth.docker.io/token", "registry.docker.io")),
        (['Basic realm="x, y=\\"z\\""'], Challenge("basic", 'x, y="z"')),
        (["Basic"], Challenge("basic")),
        (["basic realm=x"], Challenge("basic", "x")),
        (['BEARER Realm=https://a/t , Service = "s"'], Challenge("bearer", "https://a/t", "s")),
        (['Basic realm="x", Bearer realm="https://a/t"'], Challenge("bearer", "https://a/t")),
        (["Basic realm=x", 'Bearer realm="https://a/t"'], Challenge("bearer", "https://a/t")),
        (["Bearer", "Basic realm=x"], Challenge("basic", "x")),
        (["Negotiate abc=="], None),
        ([""], None),
        ([], None),
        (['Bearer realm="https://a/t'], None),
    ],
)
def test_the_strongest_challenge_that_we_can_answer_is_read(headers: list[str], expected: Challenge | None) -> None:
    assert read_challenge(headers) == expected


@given(st.lists(st.text(max_size=200), max_size=3))
def test_no_header_is_a_crash(headers: list[str]) -> None:
    read_challenge(headers)


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("https://auth.docker.io/token", "registry-1.docker.io"),
        ("https://ghcr.io/token", "ghcr.io"),
        ("https://gitlab.com/jwt/auth", "registry.gitlab.com"),
        ("https://docker-auth.elastic.co/auth", "docker.elastic.co"),
        ("https://harbor.example.co.uk/service/token", "registry.example.co.uk"),
        ("https://reg.local:5001/auth", "reg.local:5000"),
        ("https://10.0.0.1/token", "10.0.0.1:5000"),
        ("https://[fd00::1]:5001/token", "[fd00::1]:5000"),
        ("https://us-docker.pkg.dev/v2/token", "us-docker.pkg.dev"),
        ("https://shop.azurecr.io/oauth2/token", "shop.azurecr.io"),
    ],
)
def test_a_realm_of_the_same_host_or_registrable_domain_may_have_the_credentials(realm: str, registry: str) -> None:
    assert realm_fault(realm, registry) == ""


@pytest.mark.parametrize(
    ("realm", "registry"),
    [
        ("https://evil.example/token", "ghcr.io"),
        ("http://ghcr.io/token", "ghcr.io"),
        ("https://evil.co.uk/token", "registry.co.uk"),
        ("https://evil.github.io/token", "registry.github.io"),
        ("https://evil.azurecr.io/token", "shop.azurecr.io"),
        ("https://evil.dkr.ecr.us-east-1.amazonaws.com/t", "1.dkr.ecr.us-east-1.amazonaws.com"),
        ("https://auth.team-b.svc.cluster.local/t", "registry.team-a.svc.cluster.local"),
        ("https://10.0.0.2/token", "10.0.0.1"),
        ("https://ghcr.io@evil.example/t", "ghcr.io"),
        ("https://ghcr.io\\@evil.example/t", "ghcr.io"),
        ("https://ghcr.io evil/t", "ghcr.io"),
        ("//ghcr.io/token", "ghcr.io"),
        ("token", "ghcr.io"),
        ("https:///token", "ghcr.io"),
        ("https://ghcr.io:port/token", "ghcr.io"),
        ("https://ghcr.io/" + "x" * 3000, "ghcr.io"),
        ("https://docker.io.evil.example/t", "registry-1.docker.io"),
        ("https://evildocker.io/t", "registry-1.docker.io"),
    ],
)
def test_any_other_realm_gets_none(realm: str, registry: str) -> None:
    assert realm_fault(realm, registry)


def test_a_host_that_the_user_named_may_have_them_over_https_alone() -> None:
    named = frozenset({"auth.example", "other.example:8443"})
    assert realm_fault("https://auth.example/t", "ghcr.io", named=named) == ""
    assert realm_fault("https://other.example:8443/t", "ghcr.io", named=named) == ""
    assert realm_fault("https://other.example/t", "ghcr.io", named=named)
    assert realm_fault("http://auth.example/t", "ghcr.io", named=named)


def test_a_registry_without_tls_may_name_its_own_host_without_tls() -> None:
    assert realm_fault("http://reg.example:81/t", "reg.example:80", insecure=True) == ""
    assert realm_fault("http://auth.example/t", "reg.example", insecure=True)


@pytest.mark.parametrize(
    ("host", "domain"),
    [("a.b.docker.io", "docker.io"), ("co.uk", ""), ("x.co.uk", "x.co.uk"), ("reg.corp.internal", ""), ("reg", "")],
)
def test_a_registrable_domain_ends_above_the_public_suffix(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain
