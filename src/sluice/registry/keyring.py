"""Logins by image: Docker's configuration, as files and Secrets hold it, matched to an image as the kubelet does. Pure.

Both of Kubernetes' formats are read, `kubernetes.io/dockerconfigjson` (and Docker's own file) and the older
`kubernetes.io/dockercfg`. Nothing here shows a password: not in `repr`, not in a message.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image import DOCKER_HUB, ImageRef
from sluice.core.problem import Problem, clip, printable

CONFIG_JSON = ".dockerconfigjson"
CONFIG = ".dockercfg"
MAX_CONFIG = 1 << 20
MAX_LOGINS = 200
# Docker Hub's names, all of which people and tools write into their configuration.
_HUB = ("index.docker.io", "docker.io", "registry-1.docker.io")


@dataclass(frozen=True, slots=True)
class Login:
    """What one registry may be told. `identity_token` is an OAuth2 refresh token, `bearer` a token as it is."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    bearer: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Entry:
    hosts: tuple[str, ...]
    port: str
    path: str
    login: Login = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Logins with the hosts (and paths) that they are for, in the order in which they are tried."""

    entries: tuple[_Entry, ...] = ()

    def logins(self, image: ImageRef) -> tuple[Login, ...]:
        """The logins for an image, the most specific first; each once.

        A key may have `*` and other wildcards in each part of its host, and a path that the image's must start with.
        """
        hub = image.host == DOCKER_HUB
        places = [(host, image.repository) for host in (_HUB if hub else (image.host.lower(),))]
        found = [e.login for e in self.entries if any(_matches(e, host, path) for host, path in places)]
        return tuple(dict.fromkeys(found))

    def joined(self, other: Keyring) -> Keyring:
        """Both; where both have a login for an image, `other`'s is tried first if it is as specific."""
        return Keyring(tuple(sorted((*other.entries, *self.entries), key=_specific, reverse=True)))


NO_KEYRING = Keyring()


def keyring_of_secret(data: Mapping[str, bytes], *, field: str = "spec.secretRef") -> Keyring:
    """Read the Secret that a `secretRef` or an `imagePullSecrets` entry names, in either format.

    Raises UserError that names the key and the host of the entry that can't be used.
    """
    for key in (CONFIG_JSON, CONFIG):
        if key in data:
            return _keyring(data[key], f"the Secret's {key!r}", field, nested=key == CONFIG_JSON)
    cause = f"it has neither {CONFIG_JSON!r} nor {CONFIG!r}"
    fix = "create it with: kubectl create secret docker-registry NAME --docker-server=… --docker-username=…"
    raise _unusable("the Secret holds no registry login", cause, fix, field)


def keyring_of_file(content: bytes, *, field: str = "--docker-config") -> Keyring:
    """Read Docker's configuration file. Raises UserError, as `keyring_of_secret` does."""
    return _keyring(content, "the Docker configuration", field, nested=True)


def join(keyrings: Iterable[Keyring]) -> Keyring:
    """One keyring of several; what comes later is tried first."""
    result = NO_KEYRING
    for keyring in keyrings:
        result = result.joined(keyring)
    return result


class _Auth(msgspec.Struct):
    username: str = ""
    password: str = ""
    auth: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _ConfigFile(msgspec.Struct):
    auths: dict[str, _Auth] = {}


_AUTHS = msgspec.json.Decoder(dict[str, _Auth])
_CONFIG_FILE = msgspec.json.Decoder(_ConfigFile)


def _keyring(content: bytes, what: str, place: str, *, nested: bool) -> Keyring:
    if len(content) > MAX_CONFIG:
        raise _unusable(f"{what} is larger than 1 MiB", "", "keep to the hosts that are in use", place)
    try:
        auths = _CONFIG_FILE.decode(content).auths if nested else _AUTHS.decode(content)
    except (msgspec.MsgspecError, RecursionError):
        # The library's message is not shown: it may quote what it read.
        form = '{"auths": {"HOST": {"auth": "…"}}}' if nested else '{"HOST": {"auth": "…"}}'
        raise _unusable(f"{what} can't be read", f"it is not of the form {form}", "write it anew", place) from None
    if len(auths) > MAX_LOGINS:
        raise _unusable(f"{what} holds {len(auths)} logins, limit {MAX_LOGINS}", "", "split it", place)
    entries = [_entry(key, auth, what, place) for key, auth in auths.items()]
    return Keyring(tuple(sorted((e for e in entries if e.login != Login()), key=_specific, reverse=True)))


def _entry(key: str, auth: _Auth, what: str, place: str) -> _Entry:
    address = re.sub(r"^[a-z]+://", "", key, flags=re.IGNORECASE)
    host, _, path = address.partition("/")
    # Docker writes its hub's first API into the key; the version is no part of an image's name.
    path = re.sub(r"^v[12](/|$)", "", path).strip("/")
    name, colon, port = host.rpartition(":") if re.search(r":[0-9]+$", host) else (host, "", "")
    user, password = auth.username, auth.password
    if auth.auth:
        user, password = _decoded(auth.auth, key, what, place)
    if any(re.search(r"[\x00-\x1f\x7f]", text) for text in (user, password, auth.identitytoken, auth.registrytoken)):
        cause = f"the login of {clip(printable(key), 100)!r} holds a control character"
        raise _unusable(f"{what} can't be used", cause, "encode it again, without a line break", place)
    login = Login(user, password, auth.identitytoken, auth.registrytoken)
    return _Entry(tuple((name if colon else host).lower().split(".")), port, path, login)


def _decoded(auth: str, key: str, what: str, place: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth, validate=False).decode().rstrip("\x00")
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    user, colon, password = text.partition(":")
    if not colon:
        cause = f"'auth' of {clip(printable(key), 100)!r} is not user:password in base64"
        raise _unusable(f"{what} can't be used", cause, "encode it again", place)
    return user, password.rstrip("\r\n")


def _specific(entry: _Entry) -> tuple[str, str, str]:
    """The kubelet's order is that of the keys, backwards: longer paths and plain hosts come before wildcards."""
    return ".".join(entry.hosts), entry.port, entry.path


def _matches(entry: _Entry, host: str, repository: str) -> bool:
    name, _, port = host.rpartition(":") if re.search(r":[0-9]+$", host) else (host, "", "")
    parts = name.split(".")
    return (
        entry.port == port
        and len(parts) == len(entry.hosts)
        and all(fnmatch.fnmatchcase(part, pattern) for part, pattern in zip(parts, entry.hosts, strict=True))
        and repository.startswith(entry.path)
    )


def _unusable(title: str, cause: str, fix: str, place: str) -> UserError:
    return UserError(Problem(codes.REGISTRY_CREDENTIALS, title, field=place, cause=cause, fix=fix))
