"""The private folder of one git operation: its configuration, credentials and pinned addresses, as files.

A file that only we can read, deleted when the operation ends, is the one place where git can be given a secret
that no other process sees: argument lists and environments show in /proc.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sluice.core.git_url import GitUrl
from sluice.git.auth import GitAuth
from sluice.git.errors import disk_refuses
from sluice.git.process import base_env

# Old commits of honest repositories trip over these; none of them can mislead a reader of trees and blobs.
# `.git` inside a tree is refused by name when the tree is read (core/tree_check), not by an opaque fetch error.
_HARMLESS = (
    "badDate", "badDateOverflow", "badEmail", "badName", "badTimezone", "hasDotgit", "missingEmail",
    "missingNameBeforeEmail", "missingSpaceBeforeDate", "missingSpaceBeforeEmail", "missingTaggerEntry",
    "badTagName", "nullSha1", "zeroPaddedDate", "zeroPaddedFilemode",
)  # fmt: skip

_HARDENING = """\
[core]
	hooksPath = /dev/null
	symlinks = false
	fsmonitor = false
	protectHFS = true
	protectNTFS = true
	attributesFile = /dev/null
	excludesFile = /dev/null
	askPass =
[credential]
	helper =
[protocol]
	allow = never
[transfer]
	fsckObjects = true
	bundleURI = false
[submodule]
	recurse = false
[fetch]
	recurseSubmodules = false
[gc]
	auto = 0
	autoDetach = false
[maintenance]
	auto = false
[safe]
	bareRepository = explicit
[init]
	templateDir =
[advice]
	detachedHead = false
"""


@dataclass(frozen=True, slots=True)
class Session:
    """The environment for the git processes of one operation, valid inside `open_session`."""

    env: dict[str, str]


def write_config(path: Path, extra: str = "") -> Path:
    """Write the hardened configuration that every git process gets, with `extra` sections after it."""
    ignored = "".join(f"\t{name} = ignore\n" for name in _HARMLESS)
    path.touch(0o600)
    path.write_text(f'{_HARDENING}[fetch "fsck"]\n{ignored}{extra}')
    return path


@contextmanager
def open_session(url: GitUrl, auth: GitAuth, addresses: tuple[str, ...], scratch: Path) -> Iterator[Session]:
    """Lay out the files for talking to `url`, connected to `addresses` and nowhere else, and remove them after.

    Raises StateError when the disk refuses.
    """
    with disk_refuses():
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        with disk_refuses():
            env = _laid_out(url, auth, addresses, folder)
        yield Session(env)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _laid_out(url: GitUrl, auth: GitAuth, addresses: tuple[str, ...], folder: Path) -> dict[str, str]:
    extra = _http_config(url, auth, addresses, folder) if url.is_http else ""
    env = base_env(folder, write_config(folder / "config", extra)) | {"GIT_ALLOW_PROTOCOL": url.scheme}
    if not url.is_http:
        config = _ssh_config(url, auth, addresses, folder)
        env["GIT_SSH_COMMAND"] = f"ssh -F {shlex.quote(str(config))}"
        env["GIT_SSH_VARIANT"] = "ssh"
    return env


def _private_file(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path


def _http_config(url: GitUrl, auth: GitAuth, addresses: tuple[str, ...], folder: Path) -> str:
    settings = {"followRedirects": "false", "sslVersion": "tlsv1.2", "lowSpeedLimit": "1", "lowSpeedTime": "30"}
    if addresses:
        # An empty value first: curl keeps no address from elsewhere.
        settings["curloptResolve"] = f"{url.host}:{url.effective_port}:{','.join(addresses)}"
    if auth.proxy:
        settings["proxy"] = auth.proxy
    if auth.ca:
        settings["sslCAInfo"] = str(_private_file(folder / "ca.crt", auth.ca))
    if auth.key:
        settings["sslCert"] = str(_private_file(folder / "tls.crt", auth.certificate))
        settings["sslKey"] = str(_private_file(folder / "tls.key", auth.key))
    general = "".join(f"\t{name} = {_quoted(value)}\n" for name, value in settings.items())
    if not auth.authorization:
        return f"[http]\n{general}"
    scope = str(GitUrl(url.scheme, "", url.host, url.port, "/"))
    header = _quoted(f"Authorization: {auth.authorization}")
    return f"[http]\n{general}[http {_quoted(scope)}]\n\textraHeader = {header}\n"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _ssh_config(url: GitUrl, auth: GitAuth, addresses: tuple[str, ...], folder: Path) -> Path:
    known_hosts = _private_file(folder / "known_hosts", auth.known_hosts)
    identity = _private_file(folder / "identity", auth.identity)
    # known_hosts names hosts on other ports as [host]:port; an alias is looked up exactly as given.
    alias = url.host if url.effective_port == 22 else f"[{url.host}]:{url.effective_port}"
    settings = {
        "HostName": addresses[0],
        "HostKeyAlias": alias,
        "User": url.user or "git",
        "Port": str(url.effective_port),
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "CheckHostIP": "no",
        "UpdateHostKeys": "no",
        "IdentityFile": f'"{identity}"',
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "BatchMode": "yes",
        "ForwardAgent": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ConnectTimeout": "20",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
    }
    text = "Host *\n" + "".join(f"  {name} {value}\n" for name, value in settings.items())
    return _private_file(folder / "ssh_config", text.encode())
