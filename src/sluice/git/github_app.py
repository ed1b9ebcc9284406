"""A GitHub App's Secret → the short-lived proof that it is asked for, and the login that GitHub gives in return.

The names of the Secret's keys are Flux's. The private key never leaves this module; what is sent is signed for ten
minutes at most, as GitHub's documentation of app authentication asks.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from sluice.core.codes import GITHUB_APP
from sluice.core.errors import UserError
from sluice.core.git_url import is_loopback, parse_url
from sluice.core.problem import Problem
from sluice.git.auth import GitAuth

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

API = "https://api.github.com"
USER = "x-access-token"
SKEW_SECONDS, GOOD_SECONDS = 60, 540


@dataclass(frozen=True, slots=True)
class GitHubApp:
    """An app and its installation: by number, or by the organisation or person that has it. `api` has no last slash."""

    app_id: str
    installation: str
    owner: str
    api: str = API
    ca: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)

    def digest(self) -> str:
        """One-way name of exactly this identity, which outlives each of its tokens."""
        parts = (self.app_id, self.installation, self.owner, self.api, hashlib.sha256(self.key + self.ca).hexdigest())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def github_app_of(data: Mapping[str, bytes]) -> GitHubApp:
    """Read the Secret of a GitRepository with `provider: github`. Raises UserError (GitHubApp) naming the key."""
    app_id, key = _text(data, "githubAppID"), data.get("githubAppPrivateKey", b"")
    installation, owner = _text(data, "githubAppInstallationID"), _text(data, "githubAppInstallationOwner")
    for name, there in (("githubAppID", app_id), ("githubAppPrivateKey", key.strip())):
        if not there:
            raise refused(f"the Secret has no {name!r}", "", "add it: GitHub shows it in the settings of the app")
    if bool(installation) == bool(owner):
        title = "the Secret must have one of 'githubAppInstallationID' and 'githubAppInstallationOwner'"
        raise refused(title, "", "add or remove one")
    if installation and not installation.isdecimal():
        raise refused("'githubAppInstallationID' is no number", "", "give the number in the URL of the installation")
    _loaded(key)
    return GitHubApp(app_id, installation, owner, _api(_text(data, "githubAppBaseURL")), data.get("ca.crt", b""), key)


def app_proof(app: GitHubApp, now: datetime) -> str:
    """The signed claim (a JWT, RS256) that we are the app, good for nine minutes from `now`."""
    at = int(now.timestamp())
    claims = {"iat": at - SKEW_SECONDS, "exp": at + GOOD_SECONDS, "iss": app.app_id}
    head = b".".join(_encoded(json.dumps(each).encode()) for each in ({"alg": "RS256", "typ": "JWT"}, claims))
    from cryptography.hazmat.primitives import hashes  # what it needs takes 9 MB, and few sources have an App
    from cryptography.hazmat.primitives.asymmetric import padding

    signature = _loaded(app.key).sign(head, padding.PKCS1v15(), hashes.SHA256())
    return (head + b"." + _encoded(signature)).decode("ascii")


def installation_paths(app: GitHubApp) -> tuple[str, ...]:
    """Where the number of the owner's installation is asked for: an organisation first, then a person."""
    owner = quote(app.owner, safe="")
    return (f"{app.api}/orgs/{owner}/installation", f"{app.api}/users/{owner}/installation")


def token_path(app: GitHubApp, installation: str) -> str:
    """Where a token for an installation is asked for."""
    return f"{app.api}/app/installations/{quote(installation, safe='')}/access_tokens"


def app_auth(app: GitHubApp, token: str, proxy: str = "") -> GitAuth:
    """The login for git over https. Mirrors belong to the app, whatever its present token."""
    login = base64.b64encode(f"{USER}:{token}".encode()).decode("ascii")
    return GitAuth(authorization=f"Basic {login}", ca=app.ca, proxy=proxy, principal=app.digest())


def refused(title: str, cause: str, fix: str) -> UserError:
    """The error for an app that can't be used as its Secret describes it."""
    return UserError(Problem(GITHUB_APP, title, field="spec.secretRef", cause=cause, fix=fix))


def _text(data: Mapping[str, bytes], name: str) -> str:
    try:
        text = data.get(name, b"").decode("ascii").strip()
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable():
        raise refused(f"the Secret's {name!r} is not plain text", "", "encode it again")
    return text


def _api(text: str) -> str:
    if not text:
        return API
    url = parse_url(text, field="spec.secretRef")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
        raise refused("'githubAppBaseURL' is no https URL", "", "write it like https://github.example/api/v3")
    return str(url).rstrip("/")


def _loaded(key: bytes) -> RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    try:
        loaded = serialization.load_pem_private_key(key.replace(b"\r\n", b"\n").strip() + b"\n", None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        loaded = None
    if not isinstance(loaded, RSAPrivateKey):
        fix = "put the .pem file there that GitHub gave when the key was made"
        raise refused("the Secret's 'githubAppPrivateKey' is no RSA private key in PEM form", "", fix)
    return loaded


def _encoded(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")
