"""A real image registry: CNCF distribution on a free loopback port, built and kept as the control plane is.

It is a program of its own, so that neither invalidates the other's build. Basic authentication, bearer tokens, TLS and
client certificates are optional, so that a client meets the real thing. Images come from `devcluster.images`.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from devcluster.certificates import Authority, KeyPair
from devcluster.errors import DevclusterError
from devcluster.go_module import GoModule, Notify, silent
from devcluster.images import Image, Index
from devcluster.paths import REGISTRY, registry_sources
from devcluster.process import Lifeline, spawn

_START_SECONDS = 30.0
_PAUSE = 0.01
_LINE = re.compile(r'"([A-Z]+) (\S+) HTTP/[0-9.]+" ([0-9]{3})')


def ensure_registry(notify: Notify = silent) -> Path:
    """Return the registry's executable, building it first if need be, as `GoModule.ensure` does."""
    module = GoModule(
        folder=registry_sources(),
        name=REGISTRY,
        title="the registry",
        about="the registry (once; about a minute on two cores)",
    )
    return module.ensure(notify)


@dataclass(frozen=True, slots=True)
class TokenService:
    """Who gives out bearer tokens for a registry: distribution trusts those signed by a key of the `jwks` file."""

    realm: str
    service: str
    issuer: str
    jwks: Path


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the registry's access log."""

    method: str
    path: str
    status: int


class Registry:
    """A registry below the folder `root`, for `with`. `host` is its address and port, as image names start.

    With `user` everybody needs a login. `token` needs a token instead, and `tls` serves https with that certificate;
    with `clients` only to those who show a certificate of that authority. `page` is the most tags that one answer has,
    if not 0. Raises `DevclusterError` when it can't start.
    """

    def __init__(
        self,
        root: Path,
        *,
        user: str = "",
        password: str = "",
        token: TokenService | None = None,
        tls: KeyPair | None = None,
        clients: Authority | None = None,
        page: int = 0,
    ) -> None:
        self.root = root
        self.host = ""
        self._login = (user, password) if user else None
        self._token = token
        self._tls = tls
        self._clients = clients
        self._page = page
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: Lifeline | None = None
        self._connection: HTTPConnection | None = None
        self._blobs: set[tuple[str, str]] = set()
        self._authorization = basic(user, password) if user else ""

    @classmethod
    def at(cls, host: str) -> Self:
        """One that runs already, at `host`, without TLS or a login: to push to, not for `with`."""
        there = cls(Path())
        there.host = host
        return there

    @property
    def url(self) -> str:
        """The address with its scheme."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def image(self, repository: str, tag: str = "") -> str:
        """The reference by which a pod would name an image of this registry."""
        return f"{self.host}/{repository}" + (f":{tag}" if tag else "")

    def __enter__(self) -> Self:
        binary = ensure_registry()
        self.root.mkdir(parents=True, exist_ok=True)
        ready = self.root / "address"
        ready.unlink(missing_ok=True)
        self._lifeline = Lifeline()
        self._process = spawn([str(binary), *self._arguments(ready)], self.root, self.log, self._lifeline)
        deadline = time.monotonic() + _START_SECONDS
        while not ready.is_file():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-1000:]
                self.__exit__(None, None, None)
                raise DevclusterError("The registry did not start", tail or "it says nothing", f"read {self.log}")
            time.sleep(_PAUSE)
        self.host = ready.read_text()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None

    @property
    def log(self) -> Path:
        """What it prints, a line for each request among it."""
        return self.root / "registry.log"

    def requests(self) -> list[Request]:
        """The requests whose answers have begun so far, oldest first; pushes of this class are among them."""
        return [Request(m[1], m[2], int(m[3])) for m in _LINE.finditer(self.log.read_text(errors="replace"))]

    def push(self, repository: str, tag: str, image: Image | Index) -> str:
        """Upload an image, or an index with all its images, under a tag; returns the digest that the tag has then."""
        if isinstance(image, Index):
            for entry in image.images:
                self._put_image(repository, entry.digest, entry)
            self._put_manifest(repository, tag, image)
            return image.digest
        self._put_image(repository, tag, image)
        return image.digest

    def tag(self, repository: str, tag: str, image: Image | Index) -> None:
        """Give an image that was pushed to this repository before one more tag."""
        self._put_manifest(repository, tag, image)

    def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest and all tags that name it."""
        self.call("DELETE", f"/v2/{repository}/manifests/{digest}")

    def untag(self, repository: str, tag: str) -> None:
        """Delete one tag."""
        self.call("DELETE", f"/v2/{repository}/manifests/{tag}")

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request with the registry's own login; returns status, headers (names in lower case) and body.

        Raises RuntimeError for an answer of 400 or more.
        """
        if self._connection is None:
            self._connection = self._connect()
        sent = {"Authorization": self._authorization} if self._authorization else {}
        self._connection.request(method, path, body or None, {**sent, **(headers or {})})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {content[:500]!r}")
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def authorize(self, authorization: str) -> None:
        """Send this header from now on, for a registry that wants a token."""
        self._authorization = authorization

    def _connect(self) -> HTTPConnection:
        host, _, port = self.host.rpartition(":")
        if self._tls is None:
            return HTTPConnection(host, int(port), timeout=30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # our own process, on the port that it has just told us
        if self._clients is not None:
            own = self._clients.client("pusher", "pusher")
            context.load_cert_chain(own.certificate, own.key)
        return HTTPSConnection(host, int(port), timeout=30, context=context)

    def _put_image(self, repository: str, reference: str, image: Image) -> None:
        for blob in image.blobs:
            if (repository, blob.digest) not in self._blobs:
                self._put_blob(repository, blob.digest, blob.content)
                self._blobs.add((repository, blob.digest))
        self._put_manifest(repository, reference, image)

    def _put_blob(self, repository: str, digest: str, content: bytes) -> None:
        _, headers, _ = self.call("POST", f"/v2/{repository}/blobs/uploads/")
        place = headers["location"].removeprefix(self.url)
        joint = "&" if "?" in place else "?"
        kind = {"Content-Type": "application/octet-stream"}
        self.call("PUT", f"{place}{joint}digest={quote(digest)}", content, kind)

    def _put_manifest(self, repository: str, reference: str, image: Image | Index) -> None:
        path = f"/v2/{repository}/manifests/{reference}"
        self.call("PUT", path, image.manifest, {"Content-Type": image.media_type})

    def _arguments(self, ready: Path) -> list[str]:
        config = self.root / "config.yml"
        config.write_text(json.dumps(self._configuration()))
        arguments = ["-config", str(config), "-ready", str(ready)]
        if self._login is not None:
            users = self.root / "users"
            users.touch(mode=0o600)
            users.write_text(":".join(self._login) + "\n")
            arguments += ["-users", str(users), "-htpasswd", str(self.root / "htpasswd")]
        if self._tls is not None:
            arguments += ["-certificate", str(self._tls.certificate), "-key", str(self._tls.key)]
        if self._clients is not None:
            arguments += ["-clients", str(self._clients.certificate)]
        return arguments

    def _configuration(self) -> dict[str, Any]:
        configuration: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.root / "data")},
                "delete": {"enabled": True},
                "cache": {"blobdescriptor": "inmemory"},
            },
        }
        if self._page:
            configuration["tags"] = {"maxtags": self._page}
        if self._login is not None:
            configuration["auth"] = {"htpasswd": {"realm": "registry", "path": str(self.root / "htpasswd")}}
        if self._token is not None:
            told = self._token
            configuration["auth"] = {
                "token": {"realm": told.realm, "service": told.service, "issuer": told.issuer, "jwks": str(told.jwks)}
            }
        return configuration


def basic(user: str, password: str) -> str:
    """The value of an Authorization header for a user name and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
