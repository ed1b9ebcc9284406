"""What a Secret's data says about how to log in to a git host.

The keys are Flux's: `username`/`password`, `bearerToken`, `ca.crt`, `tls.crt`/`tls.key`, `identity`/`known_hosts` with
an optional `password`, and for proxies `address`, `username`, `password`. Nothing here shows a value: not in `repr`,
not in a message.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from sluice.core.codes import AUTH_REFUSED, GITHUB_APP, HOST_UNVERIFIED, NOT_HONOURED, SPEC_INVALID
from sluice.core.errors import UserError
from sluice.core.git_url import GitUrl
from sluice.core.problem import Code, Problem

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class GitAuth:
    """Credentials and trust for one git host. Empty fields are not in use.

    `authorization` is the value of the HTTP header; `identity` an unencrypted private key; `proxy` a URL that may hold
    a password. `fingerprint` names the public key of `identity`, and may be shown. `principal` names, one way, whose
    credentials these are where they are renewed all the time.
    """

    authorization: str = field(default="", repr=False)
    ca: bytes = field(default=b"", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    identity: bytes = field(default=b"", repr=False)
    known_hosts: bytes = field(default=b"", repr=False)
    proxy: str = field(default="", repr=False)
    fingerprint: str = ""
    principal: str = field(default="", repr=False)

    @property
    def has_credentials(self) -> bool:
        """True when something secret is sent to, or proved to, the host."""
        return bool(self.authorization or self.key or self.identity)

    def digest(self) -> str:
        """One-way name of these credentials, or of whose they are: mirrors of different ones are never shared."""
        sha = hashlib.sha256()
        for value in (
            self.principal or self.authorization,
            self.ca,
            self.certificate,
            self.key,
            self.identity,
            self.known_hosts,
        ):
            sha.update(hashlib.sha256(value.encode() if isinstance(value, str) else value).digest())
        sha.update(self.proxy.encode())
        return sha.hexdigest()


NO_AUTH = GitAuth()


def auth_of_secret(url: GitUrl, data: Mapping[str, bytes], *, proxy: Mapping[str, bytes] | None = None) -> GitAuth:
    """Read the data of the Secret that `spec.secretRef` names (empty when it names none), and of `proxySecretRef`.

    Raises UserError naming the key that is missing or can't be used.
    """
    if any(key.startswith("githubApp") for key in data):
        title = "the Secret holds the keys of a GitHub App, and spec.provider is not github"
        raise _refused(GITHUB_APP, title, "set spec.provider: github, or remove the keys")
    if url.is_http:
        return _http_auth(data, proxy_url(proxy) if proxy is not None else "")
    if proxy is not None:
        title = "a proxy for git over ssh is not supported yet"
        raise UserError(Problem(NOT_HONOURED, title, field="spec.proxySecretRef", fix="use https"))
    return _ssh_auth(data)


def _http_auth(data: Mapping[str, bytes], proxy: str) -> GitAuth:
    certificate, key = data.get("tls.crt", data.get("certFile", b"")), data.get("tls.key", data.get("keyFile", b""))
    if bool(certificate) != bool(key):
        raise _refused(AUTH_REFUSED, "the Secret has only one of 'tls.crt' and 'tls.key'", "add the other")
    return GitAuth(
        authorization=_authorization(data),
        ca=_certificates(data.get("ca.crt", data.get("caFile", b"")), "ca.crt"),
        certificate=_certificates(certificate, "tls.crt"),
        key=key,
        proxy=proxy,
    )


def _authorization(data: Mapping[str, bytes]) -> str:
    if "bearerToken" in data:
        return "Bearer " + _text(data, "bearerToken")
    user, password = _text(data, "username"), _text(data, "password")
    if not user and not password:
        return ""
    if not password:
        raise _refused(AUTH_REFUSED, "the Secret has 'username' but no 'password'", "add the key 'password'")
    if ":" in user:
        raise _refused(AUTH_REFUSED, "the Secret's 'username' holds a colon", "remove it")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _text(data: Mapping[str, bytes], key: str) -> str:
    # A line break at the end comes from `echo secret | base64`; it is never part of a password that HTTP can carry.
    try:
        value = data.get(key, b"").decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise _refused(AUTH_REFUSED, f"the Secret's {key!r} is not UTF-8 text", "encode it again") from None
    if _CONTROL.search(value):
        raise _refused(AUTH_REFUSED, f"the Secret's {key!r} holds a control character", "encode it again")
    return value


def _certificates(text: bytes, key: str) -> bytes:
    if text and b"-----BEGIN CERTIFICATE-----" not in text:
        raise _refused(HOST_UNVERIFIED, f"the Secret's {key!r} is not a certificate in PEM form", "give it as PEM")
    return text


def proxy_url(data: Mapping[str, bytes]) -> str:
    """The proxy of a Secret with `address`, `username` and `password`. Raises UserError."""
    address, user, password = _text(data, "address"), _text(data, "username"), _text(data, "password")
    try:
        parts = urlsplit(address)
        valid = parts.scheme in {"http", "https", "socks5"} and parts.hostname and (parts.port or 1)
    except ValueError:
        valid = False
        parts = urlsplit("")
    if not valid or "@" in address or re.search(r'[\s"\\]', address):
        title = "the proxy Secret's 'address' is not a URL such as http://proxy:3128"
        raise UserError(Problem(SPEC_INVALID, title, field="spec.proxySecretRef"))
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return f"{parts.scheme}://{login}{parts.netloc}"


def _ssh_auth(data: Mapping[str, bytes]) -> GitAuth:
    missing = [key for key in ("identity", "known_hosts") if not data.get(key, b"").strip()]
    if missing:
        raise ssh_needs(missing)
    from sluice.git.ssh_identity import open_identity  # what it needs takes 9 MB, and few sources use ssh

    identity, fingerprint = open_identity(data["identity"], _text(data, "password"))
    return GitAuth(
        identity=identity,
        known_hosts=data["known_hosts"].replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n",
        fingerprint=fingerprint,
    )


def ssh_needs(missing: Sequence[str]) -> UserError:
    """The error for an ssh URL whose Secret, if it has one, lacks these keys."""
    names = " and ".join(repr(key) for key in missing)
    fix = "create it with: flux create secret git NAME --url=ssh://…"
    return _refused(AUTH_REFUSED, f"git over ssh needs a Secret with {names}", fix)


def _refused(code: Code, title: str, fix: str) -> UserError:
    return UserError(Problem(code, title, field="spec.secretRef", fix=fix))
