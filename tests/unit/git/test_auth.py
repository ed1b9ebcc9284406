"""What a Secret's data says about logging in: every key that is missing or damaged is named, and none is shown."""

from __future__ import annotations

from collections.abc import Mapping

import asyncssh
import pytest

from sluice.core.codes import AUTH_REFUSED, GITHUB_APP, HOST_UNVERIFIED, NOT_HONOURED, SPEC_INVALID
from sluice.core.errors import UserError
from sluice.core.git_url import parse_url
from sluice.core.problem import Code
from sluice.git.auth import NO_AUTH, auth_of_secret

HTTPS = parse_url("https://host/x")
SSH = parse_url("ssh://git@host/x")
KEY = asyncssh.generate_private_key("ssh-ed25519")
PEM = KEY.export_private_key("openssh")
KNOWN = b"host ssh-ed25519 AAAA\n"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def test_basic_and_bearer_become_one_header_and_the_token_goes_first() -> None:
    basic = {"username": b"ada", "password": b"p:w\xc3\xbc"}
    assert auth_of_secret(HTTPS, basic).authorization == "Basic YWRhOnA6d8O8"
    assert auth_of_secret(HTTPS, basic | {"bearerToken": b"t0ken\n"}).authorization == "Bearer t0ken"
    assert auth_of_secret(HTTPS, {}) == NO_AUTH


def test_old_names_of_certificates_are_read() -> None:
    old = auth_of_secret(HTTPS, {"caFile": CERTIFICATE, "certFile": CERTIFICATE, "keyFile": b"k"})
    new = auth_of_secret(HTTPS, {"ca.crt": CERTIFICATE, "tls.crt": CERTIFICATE, "tls.key": b"k"})
    assert old == new
    assert new.has_credentials


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"])
@pytest.mark.parametrize("form", ["openssh", "pkcs8-pem", "pkcs1-pem"])
def test_keys_of_every_common_form_are_read(kind: str, form: str) -> None:
    if form == "pkcs1-pem" and kind == "ssh-ed25519":
        form = "openssh"  # the older form cannot hold this kind
    key = asyncssh.generate_private_key(kind)
    auth = auth_of_secret(SSH, {"identity": key.export_private_key(form), "known_hosts": KNOWN})
    assert auth.fingerprint == key.get_fingerprint()
    assert asyncssh.import_private_key(auth.identity.decode()).get_fingerprint() == key.get_fingerprint()


def test_a_key_without_a_last_line_break_or_with_windows_ones_is_mended() -> None:
    for text in (PEM.rstrip(), PEM.replace(b"\n", b"\r\n")):
        assert auth_of_secret(SSH, {"identity": text, "known_hosts": KNOWN}).fingerprint == KEY.get_fingerprint()


def test_a_password_beside_an_unencrypted_key_does_no_harm() -> None:
    data = {"identity": PEM, "known_hosts": KNOWN, "password": b"not needed"}
    assert auth_of_secret(SSH, data).fingerprint == KEY.get_fingerprint()


@pytest.mark.parametrize(
    ("url", "data", "code", "words"),
    [
        (HTTPS, {"username": b"ada"}, AUTH_REFUSED, "no 'password'"),
        (HTTPS, {"username": b"a:b", "password": b"hunter2"}, AUTH_REFUSED, "colon"),
        (HTTPS, {"username": b"ada", "password": b"hunter2\r\nX-Evil: 1"}, AUTH_REFUSED, "control character"),
        (HTTPS, {"bearerToken": b"hunter2\xff"}, AUTH_REFUSED, "not UTF-8"),
        (HTTPS, {"tls.crt": CERTIFICATE}, AUTH_REFUSED, "only one of"),
        (HTTPS, {"ca.crt": b"hunter2"}, HOST_UNVERIFIED, "'ca.crt' is not a certificate"),
        (HTTPS, {"githubAppID": b"1"}, GITHUB_APP, "GitHub App"),
        (SSH, {}, AUTH_REFUSED, "'identity' and 'known_hosts'"),
        (SSH, {"identity": PEM}, AUTH_REFUSED, "'known_hosts'"),
        (SSH, {"identity": PEM, "known_hosts": b" \n"}, AUTH_REFUSED, "'known_hosts'"),
        (SSH, {"identity": b"hunter2", "known_hosts": KNOWN}, AUTH_REFUSED, "not a private key"),
        (SSH, {"identity": PEM[:120], "known_hosts": KNOWN}, AUTH_REFUSED, "damaged"),
        (SSH, {"identity": KEY.export_public_key("rfc4716"), "known_hosts": KNOWN}, AUTH_REFUSED, "identity"),
    ],
)
def test_a_secret_that_can_t_be_used_is_explained(
    url: object, data: Mapping[str, bytes], code: Code, words: str
) -> None:
    with pytest.raises(UserError) as caught:
        auth_of_secret(url, data)  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (code, "spec.secretRef")
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("password", "words"), [(b"", "it is encrypted"), (b"wrong", "does not open it")])
def test_an_encrypted_key_needs_its_password(password: bytes, words: str) -> None:
    locked = KEY.export_private_key("pkcs8-pem", passphrase="open sesame")
    with pytest.raises(UserError, match=words):
        auth_of_secret(SSH, {"identity": locked, "known_hosts": KNOWN, "password": password})


def test_nothing_secret_is_in_a_repr() -> None:
    auth = auth_of_secret(
        HTTPS,
        {"username": b"ada", "password": b"hunter2"},
        proxy={"address": b"http://proxy:3128", "username": b"u", "password": b"hunter2"},
    )
    assert auth.proxy == "http://u:hunter2@proxy:3128"
    assert repr(auth) == "GitAuth(fingerprint='')"
    key = auth_of_secret(SSH, {"identity": PEM, "known_hosts": KNOWN})
    assert "PRIVATE" not in repr(key)


@pytest.mark.parametrize(
    "address", [b"", b"proxy:3128", b"ftp://proxy", b"http://", b"http://a b", b'http://p"q', b"http://u:p@h"]
)
def test_a_proxy_address_that_is_no_url_is_refused(address: bytes) -> None:
    with pytest.raises(UserError) as caught:
        auth_of_secret(HTTPS, {}, proxy={"address": address})
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (SPEC_INVALID, "spec.proxySecretRef")


def test_a_proxy_for_ssh_is_refused_by_name() -> None:
    with pytest.raises(UserError) as caught:
        auth_of_secret(SSH, {"identity": PEM, "known_hosts": KNOWN}, proxy={"address": b"socks5://proxy:1080"})
    assert (caught.value.problems[0].code, caught.value.problems[0].field) == (NOT_HONOURED, "spec.proxySecretRef")


def test_different_credentials_have_different_digests() -> None:
    datas: list[dict[str, bytes]] = [
        {},
        {"username": b"ada", "password": b"x"},
        {"username": b"ada", "password": b"y"},
        {"bearerToken": b"x"},
        {"ca.crt": CERTIFICATE},
    ]
    assert len({auth_of_secret(HTTPS, data).digest() for data in datas}) == len(datas)
    proxied = auth_of_secret(HTTPS, {}, proxy={"address": b"http://proxy:3128"})
    assert proxied.digest() != NO_AUTH.digest()
