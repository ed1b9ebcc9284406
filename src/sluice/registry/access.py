"""How one repository is reached: logins, trust, a proxy. Made from what Secrets and flags hold; pure but for TLS."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlsplit

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Problem, printable
from sluice.net.tls import client_context, load_client_certificate
from sluice.registry.keyring import NO_KEYRING, Keyring, Login

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class TokenExchange(Protocol):
    """A cloud's way to turn who we are into a login for its registries."""

    @property
    def name(self) -> str:
        """Whose identity it gives: two of the same name give the same logins."""

    def serves(self, host: str) -> bool:
        """True for hosts of this cloud's registries; its tokens never go to another."""

    async def login(self, host: str) -> Login:
        """A login that is good for some minutes at least. Raises RegistryError (CloudToken)."""

    async def refused(self, host: str) -> None:
        """Forget the login for this host: the registry did not take it."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Certificates in PEM form: authorities to trust instead of the system's, and our own with its key."""

    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)

    def context(self, *, verify: bool, own_host: bool) -> ssl.SSLContext:
        """TLS for the registry itself, or for another host that it sends us to: that one sees no client certificate.

        Raises UserError when the CA or the certificate can't be used.
        """
        try:
            context = client_context(self.ca, verify=verify)
            if self.certificate and own_host:
                load_client_certificate(context, self.certificate, self.key)
        except (ssl.SSLError, ValueError):
            cause = "the CA is damaged, or the key is encrypted or of another certificate"
            raise _unusable("the registry's certificates can't be used", cause, "spec.certSecretRef") from None
        return context


SYSTEM_TRUST = Trust()


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """Credentials and trust for the registry of one image. Empty fields are not in use.

    `exchanges` are asked where the keyring has no login. `proxy` is a URL that may hold a password. `insecure` is this
    access's own word for what `RegistryPolicy.insecure_hosts` says for all. `scope` keeps what is cached apart: what
    one namespace's login may see is not shown to another.
    """

    keyring: Keyring = field(default=NO_KEYRING, repr=False)
    exchanges: tuple[TokenExchange, ...] = field(default=(), repr=False)
    trust: Trust = SYSTEM_TRUST
    proxy: str = field(default="", repr=False)
    insecure: bool = False
    scope: str = ""

    def digest(self) -> str:
        """One-way name of exactly these logins and this trust: what one learns of a host is not used by another."""
        sha = hashlib.sha256()
        logins = [f"{e.hosts}|{e.port}|{e.path}|{_secret(e.login)}" for e in self.keyring.entries]
        names = [exchange.name for exchange in self.exchanges]
        texts = [self.proxy, self.scope, str(self.insecure), "\0".join(names), "\0".join(logins)]
        trust = (self.trust.ca, self.trust.certificate, self.trust.key)
        for value in (*trust, *(text.encode() for text in texts)):
            sha.update(hashlib.sha256(value).digest())
        return sha.hexdigest()


ANONYMOUS = RegistryAccess()


def trust_of_secret(data: Mapping[str, bytes]) -> Trust:
    """The certificates of the Secret that `certSecretRef` names.

    Keys are `ca.crt`, `tls.crt` and `tls.key`, or the older `caFile`, `certFile` and `keyFile`. Raises UserError.
    """
    ca = data.get("ca.crt", data.get("caFile", b""))
    certificate, key = data.get("tls.crt", data.get("certFile", b"")), data.get("tls.key", data.get("keyFile", b""))
    place = "spec.certSecretRef"
    if bool(certificate) != bool(key):
        raise _unusable("the Secret has only one of 'tls.crt' and 'tls.key'", "", place, "add the other")
    if not ca and not certificate:
        raise _unusable("the Secret holds no certificate", "", place, "add 'ca.crt', or 'tls.crt' and 'tls.key'")
    for name, text in (("ca.crt", ca), ("tls.crt", certificate)):
        if text and _CERTIFICATE not in text:
            raise _unusable(f"the Secret's {name!r} is not a certificate in PEM form", "", place, "give it as PEM")
    trust = Trust(ca, certificate, key)
    trust.context(verify=True, own_host=True)
    return trust


def proxy_of_secret(data: Mapping[str, bytes]) -> str:
    """The proxy's URL, with its login, of the Secret that `proxySecretRef` names. Raises UserError."""
    place = "spec.proxySecretRef"
    address, user, password = (_text(data, key, place) for key in ("address", "username", "password"))
    try:
        parts = urlsplit(address)
        valid = bool(parts.hostname) and (parts.port or 1) > 0 and "@" not in address
    except ValueError:
        valid, parts = False, urlsplit("")
    if not valid or re.search(r'[\s"\\]', address) or parts.scheme not in {"http", "https", "socks5"}:
        raise _unusable("the proxy Secret's 'address' is not a URL such as http://proxy:3128", "", place)
    if parts.scheme == "socks5":
        title = "a SOCKS proxy for registries is not supported yet"
        raise UserError(Problem(codes.NOT_HONOURED, title, field=place, fix="name an http or https proxy"))
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return f"{parts.scheme}://{login}{parts.netloc}"


def _text(data: Mapping[str, bytes], key: str, place: str) -> str:
    try:
        value = data.get(key, b"").decode().rstrip("\r\n")
    except UnicodeDecodeError:
        value = "\x00"
    if _CONTROL.search(value):
        raise _unusable(f"the Secret's {key!r} is not plain text", "", place, "encode it again")
    return value


def _secret(login: Login) -> str:
    text = "\0".join((login.username, login.password, login.identity_token, login.bearer))
    return hashlib.sha256(text.encode()).hexdigest()


def _unusable(title: str, cause: str, place: str, fix: str = "") -> UserError:
    return UserError(Problem(codes.REGISTRY_CREDENTIALS, printable(title), field=place, cause=cause, fix=fix))
