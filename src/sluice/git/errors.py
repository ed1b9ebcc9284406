"""The one place where what git, ssh and curl print becomes one of our errors.

Git has no structured errors for a failed transfer: its exit code is 128 for all of them. The patterns below are tried
in order, against output in the C locale; tests/integration/git meets each with a real server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sluice.core.codes import (
    AUTH_REFUSED,
    HOST_UNVERIFIED,
    REF_MISSING,
    REMOTE_UNREACHABLE,
    REPO_TOO_BIG,
    SOURCE_MISSING,
    TREE_ENTRY,
)
from sluice.core.errors import AuthenticationFailed, RemoteError, SluiceError, StateError, UserError
from sluice.core.git_url import GitUrl, mask_userinfo
from sluice.core.problem import Code, Problem, clip
from sluice.git.auth import GitAuth
from sluice.git.process import GitOutput

MAX_CAUSE = 300


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    error: type[SluiceError]
    code: Code
    title: str
    fix: str = ""
    cause: str = ""


def _rule(pattern: str, error: type[SluiceError], code: Code, title: str, fix: str = "", cause: str = "") -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE | re.MULTILINE), error, code, title, fix, cause)


_DISK_TITLE = "the git mirror can't be written"
_DISK_FIX = "check the space and the rights of the cache folder"
_KEY_CHANGED = "verify the new key with the host's published fingerprints, then change 'known_hosts' in the Secret"
_RULES = (
    _rule(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for \S+ has changed",
        AuthenticationFailed,
        HOST_UNVERIFIED,
        "the git host's key is not the one in known_hosts",
        _KEY_CHANGED,
    ),
    _rule(
        r"No \S+ host key is known for|Host key verification failed",
        AuthenticationFailed,
        HOST_UNVERIFIED,
        "the git host's key is not in known_hosts",
        "add the host's line to 'known_hosts' in the Secret (ssh-keyscan prints it; verify its fingerprint)",
    ),
    _rule(
        r"SSL certificate|certificate verification failed|SSL: (?:no alternative )?certificate"
        r"|unable to get local issuer|self.signed certificate|no alternative certificate subject name",
        AuthenticationFailed,
        HOST_UNVERIFIED,
        "the git host's TLS certificate is not trusted",
        "put the certificate of its authority in the key 'ca.crt' of the Secret",
    ),
    _rule(
        r"Permission denied \(|Too many authentication failures|no mutual signature",
        AuthenticationFailed,
        AUTH_REFUSED,
        "the git host refused the deploy key",
        "add the public key to the repository, or fix the Secret",
    ),
    _rule(
        r"Authentication failed for|The requested URL returned error: 40[13]\b"
        r"|HTTP Basic: Access denied|Invalid username or (?:password|token)",
        AuthenticationFailed,
        AUTH_REFUSED,
        "the git host refused the credentials",
        "check the Secret that spec.secretRef names, and what its user may read",
    ),
    # Git would ask at the terminal, which there is not: with what we sent, if anything, the host was not content.
    _rule(
        r"could not read (?:Username|Password)",
        AuthenticationFailed,
        AUTH_REFUSED,
        "the git host refused the credentials",
        "check the Secret that spec.secretRef names, and what its user may read",
        "the host refused the user name and password (or token) of the Secret",
    ),
    _rule(
        r"Repository not found|repository '[^']*' not found|does not appear to be a git repository|not a git repository"
        r"|The requested URL returned error: 404\b|project you were looking for could not be found"
        r"|No such file or directory|is not valid: is this a git repository|not found: did you run",
        UserError,
        REF_MISSING,
        "the repository does not exist, or is not visible with these credentials",
        "check spec.url and what the credentials may read",
    ),
    # Git's own words: what the host says of its disk begins with "remote:".
    _rule(
        r"^(?:fatal|error): .*(?:No space left on device|Disk quota exceeded|Read-only file system)",
        StateError,
        SOURCE_MISSING,
        _DISK_TITLE,
        _DISK_FIX,
    ),
    _rule(
        r"died of signal 25|File too large",
        UserError,
        REPO_TOO_BIG,
        "the repository is larger than the limit on what one fetch may write",
        "make the repository smaller, or raise the limit",
    ),
    _rule(
        r"fsck error|error: object [0-9a-f]+: \w+:|unable to parse|bad tree|invalid path",
        UserError,
        TREE_ENTRY,
        "the repository holds an object that git's checks refuse",
        "repair the history (git fsck --strict names the object)",
    ),
    _rule(
        r"Could not resolve (?:host|hostname|proxy)|Name or service not known|Temporary failure in name resolution",
        RemoteError,
        REMOTE_UNREACHABLE,
        "the git host's name can't be looked up",
        "check the host name in spec.url, and the cluster's DNS",
    ),
    _rule(
        r"Connection refused|Failed to connect|Couldn't connect|No route to host|Network is unreachable",
        RemoteError,
        REMOTE_UNREACHABLE,
        "the git host does not accept the connection",
        "check the host and port in spec.url, and network policies",
    ),
    _rule(
        r"timed out|Operation too slow",
        RemoteError,
        REMOTE_UNREACHABLE,
        "the git host did not answer in time",
        "check network policies; for a large repository raise spec.timeout",
    ),
    _rule(
        r"The requested URL returned error: 429\b",
        RemoteError,
        REMOTE_UNREACHABLE,
        "the git host wants fewer requests",
        "raise spec.interval, or use credentials: hosts allow more to whom they know",
    ),
    _rule(
        r"The requested URL returned error: 5\d\d\b",
        RemoteError,
        REMOTE_UNREACHABLE,
        "the git host answers with an error of its own",
        "nothing, when the host is being mended: it is tried again",
    ),
    _rule(
        r"not valid: is this a git repository|bad line length character|invalid ls-refs response",
        RemoteError,
        REMOTE_UNREACHABLE,
        "what answers is not a git server",
        "check spec.url, and whether a proxy or a login page stands before the host",
    ),
    _rule(
        r"The requested URL returned error: (?:3\d\d)\b|redirect",
        UserError,
        REF_MISSING,
        "the git host redirects to another address, which is not followed",
        "write the address it redirects to in spec.url",
    ),
    _rule(
        r"RPC failed|Empty reply|unexpected disconnect|hung up unexpectedly|early EOF"
        r"|pack has bad object|bad pack header|pack is corrupted",
        RemoteError,
        REMOTE_UNREACHABLE,
        "the transfer from the git host broke off",
        "nothing, unless it goes on: it is tried again",
    ),
)
_LOGIN_WANTED = _rule(
    "",
    AuthenticationFailed,
    AUTH_REFUSED,
    "the git host wants credentials, and there are none",
    "name a Secret with 'username' and 'password' in spec.secretRef; or correct spec.url: hosts ask for a repository "
    "that does not exist, too",
    "the host asked for a user name and password",
)
_OTHER = _rule("", RemoteError, REMOTE_UNREACHABLE, "the transfer from the git host failed")

_ADVICE = re.compile(r"^(?:Please make sure you have the correct access rights|and the repository exists\.|hint:|@@@)")
_GOT_KEY = re.compile(r"fingerprint for the (\S+) key sent by the remote host is\s+(SHA256:\S+?)\.?\s", re.IGNORECASE)
_UNADVERTISED = re.compile(
    r"not our ref|unadvertised object|no such remote ref|couldn't find remote ref", re.IGNORECASE
)
_REDIRECT = re.compile(r"The requested URL returned error: 30[12378]\b", re.IGNORECASE)
_LOCATION = re.compile(r"<= Recv header: location:\s*(\S+)", re.IGNORECASE)
_NO_SHALLOW = re.compile(r"does not support shallow|does not support --depth", re.IGNORECASE)
_DAMAGED = re.compile(
    r"is corrupt|loose object .* is (?:corrupt|empty)|bad object refs/|not a git repository: '"
    r"|Unable to create '.*\.lock': File exists|missing (?:blob|tree|commit) object|unable to read (?:tree|sha1)"
    r"|could not read index|packfile .* (?:does not match|cannot be accessed)|fatal: bad (?:object|config)",
    re.IGNORECASE,
)


def remote_error(output: GitOutput, url: GitUrl, auth: GitAuth, *, timeout: float) -> SluiceError:
    """The error that a failed ls-remote or fetch stands for; its cause is git's own last words, without secrets."""
    if output.timed_out:
        title = f"git host {url.host!r} did not answer in time"
        cause, fix = f"no end after {timeout:g} s", "check network policies; for a large repository raise spec.timeout"
        return RemoteError(Problem(REMOTE_UNREACHABLE, title, field="spec.timeout", cause=cause, fix=fix))
    if output.too_big:
        return UserError(Problem(REPO_TOO_BIG, "the git host's answer is over the limit", field="spec.url"))
    rule = next((rule for rule in _RULES if rule.pattern.search(output.stderr)), _OTHER)
    if rule.cause and not auth.authorization:
        rule = _LOGIN_WANTED
    field = "spec.secretRef" if rule.error is AuthenticationFailed else "spec.url"
    cause = f"{url}: {_cause(output.stderr, rule, auth)}"
    return rule.error(Problem(rule.code, rule.title, field=field, cause=cause, fix=rule.fix))


@contextmanager
def disk_refuses() -> Iterator[None]:
    """What our own disk refuses within becomes a StateError."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # of asyncio, not of the disk
            raise
        cause = error.strerror or type(error).__name__
        raise StateError(Problem(SOURCE_MISSING, _DISK_TITLE, cause=cause, fix=_DISK_FIX)) from error


def is_unadvertised(stderr: str) -> bool:
    """True when the server would not send an object by hash: it has moved, or the server only sends named refs."""
    return _UNADVERTISED.search(stderr) is not None


def is_redirect(stderr: str) -> bool:
    """True when the server sent us elsewhere."""
    return _REDIRECT.search(stderr) is not None


def location_in(stderr: str) -> str | None:
    """The last redirect in the headers that git shows when it traces."""
    found: list[str] = _LOCATION.findall(stderr)
    return found[-1] if found else None


def lacks_shallow(stderr: str) -> bool:
    """True when the server can't send a part of the history."""
    return _NO_SHALLOW.search(stderr) is not None


def is_damaged(stderr: str) -> bool:
    """True when our mirror, not the remote, is at fault: it is thrown away and fetched anew."""
    return _DAMAGED.search(stderr) is not None


def redact(text: str, auth: GitAuth) -> str:
    """Remove userinfo of URLs and the values of credentials from what a subprocess printed."""
    text = mask_userinfo(text)
    for secret in (auth.authorization.partition(" ")[2], auth.proxy):
        if secret:
            text = text.replace(secret, "***")
    return text


def _cause(stderr: str, rule: _Rule, auth: GitAuth) -> str:
    if rule.cause:
        return rule.cause
    lines = [line.strip() for line in redact(stderr, auth).splitlines()]
    lines = [line for line in lines if line and not _ADVICE.match(line)]
    telling = [line for line in lines if rule.pattern.pattern and rule.pattern.search(line)] or lines
    cause = clip(telling[-1], MAX_CAUSE) if telling else "git gave no reason"
    got = _GOT_KEY.search(stderr)
    if rule.code is HOST_UNVERIFIED and got:
        cause += f"; the host sent the {got[1]} key {got[2]}"
    if rule.code is AUTH_REFUSED and auth.fingerprint:
        cause += f"; the key used is {auth.fingerprint}"
    return cause
