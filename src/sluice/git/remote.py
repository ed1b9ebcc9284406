"""A git host, reached with one identity: ls-remote and fetch, each in a session of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sluice.core.codes import URL_SCHEME
from sluice.core.errors import SluiceError, UserError
from sluice.core.git_url import GitUrl, is_loopback, parse_url
from sluice.core.problem import Problem
from sluice.git.address import check_addresses, look_up
from sluice.git.auth import GitAuth, ssh_needs
from sluice.git.errors import is_redirect, location_in, remote_error
from sluice.git.limits import GitLimits, GitPolicy
from sluice.git.process import GitOutput, RunLimits, run_git
from sluice.git.refs import parse_refs
from sluice.git.session import open_session

LOOKUP_SECONDS = 10.0
MAX_REDIRECTS = 3


class Remote:
    """One URL with the credentials and the rules under which it is reached. `scratch` holds short-lived files."""

    def __init__(self, url: GitUrl, auth: GitAuth, *, policy: GitPolicy, limits: GitLimits, scratch: Path) -> None:
        self.url = url
        self.auth = auth
        self.policy = policy
        self.limits = limits
        self.scratch = scratch
        self._target = self

    def beside(self, url: GitUrl) -> Remote:
        """The remote of another URL (a submodule): the same rules, and the credentials only for the same origin.

        A deploy key is offered to any host that known_hosts vouches for: it is proved, never sent.
        """
        same = url.origin == self.url.origin
        auth = self.auth if same or not url.is_http else replace(self.auth, authorization="", certificate=b"", key=b"")
        return Remote(url, auth, policy=self.policy, limits=self.limits, scratch=self.scratch)

    async def list_refs(self, options: Sequence[str] = (), *, seconds: float) -> dict[str, str]:
        """One ls-remote: ref names (peeled tags end with `^{}`) and their hashes.

        Raises AuthenticationFailed, RemoteError or UserError, as the host's answer says.
        """
        output = await self.run(["ls-remote", "--quiet", *options], cwd=self.scratch, seconds=seconds)
        if not output.ok:
            raise self.error(output, seconds)
        return parse_refs(output.stdout)

    async def run(
        self, options: Sequence[str], operands: Sequence[str] = (), *, cwd: Path, seconds: float
    ) -> GitOutput:
        """Run `git OPTIONS URL OPERANDS`, connected to addresses that were checked just before.

        A redirect is followed by us, not by git: the new URL is checked like the first, and gets the credentials only
        when it is the same origin.
        """
        target = self._target
        output = await self._run_at(target, options, operands, cwd, seconds)
        for _ in range(MAX_REDIRECTS):
            location = await self._location(target, seconds) if is_redirect(output.stderr) else None
            if output.ok or location is None:
                break
            target = self.beside(redirected(target.url, location))
            output = await self._run_at(target, options, operands, cwd, seconds)
        self._target = target if output.ok else self
        return output

    async def _run_at(
        self, target: Remote, options: Sequence[str], operands: Sequence[str], cwd: Path, seconds: float
    ) -> GitOutput:
        args = [*options, "--end-of-options", str(target.url), *operands]
        return await target.run_here(args, {}, cwd, seconds)

    async def run_here(self, args: Sequence[str], env: Mapping[str, str], cwd: Path, seconds: float) -> GitOutput:
        """Run git in a session for exactly this URL."""
        addresses: tuple[str, ...] = ()
        if self.auth.proxy:
            check_addresses(self.url, (self.url.host,), allow_loopback=self.policy.allow_loopback)
        else:
            lookup = min(LOOKUP_SECONDS, seconds)
            addresses = await look_up(self.url, allow_loopback=self.policy.allow_loopback, seconds=lookup)
        check_credentials(self.url, self.auth, self.policy)
        limits = RunLimits(timeout=seconds, output=self.limits.refs_bytes, file=self.limits.fetch_bytes)
        with open_session(self.url, self.auth, addresses, self.scratch) as session:
            return await run_git(args, env={**session.env, **env}, cwd=cwd, limits=limits)

    async def _location(self, target: Remote, seconds: float) -> str | None:
        """Where the host redirects to: git does not say, so it is asked again with its headers shown."""
        args = ["ls-remote", "--quiet", "--heads", "--end-of-options", str(target.url)]
        trace = {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1"}
        return location_in((await target.run_here(args, trace, self.scratch, seconds)).stderr)

    def error(self, output: GitOutput, seconds: float) -> SluiceError:
        """The error that a failed run stands for."""
        return remote_error(output, self.url, self.auth, timeout=seconds)


def redirected(url: GitUrl, location: str) -> GitUrl:
    """The repository's URL behind a redirect of its `info/refs`. Raises UserError when it must not be followed."""
    path = location.partition("?")[0].removesuffix("/info/refs")
    text = str(GitUrl(url.scheme, "", url.host, url.port, path)) if path.startswith("/") else path
    found = parse_url(text)
    if not found.is_http or (url.scheme == "https" and found.scheme == "http"):
        title = f"git URL {str(url)!r} redirects to {str(found)!r}, which is less safe"
        raise UserError(Problem(URL_SCHEME, title, field="spec.url", fix="write the URL of the repository itself"))
    return found


def check_credentials(url: GitUrl, auth: GitAuth, policy: GitPolicy) -> None:
    """Raise UserError when ssh has no key (AuthRefused), or a password would go over plain http (UrlScheme)."""
    if not url.is_http and not auth.identity:
        raise ssh_needs(("identity", "known_hosts"))
    in_clear = url.scheme == "http" and auth.has_credentials and not is_loopback(url.host)
    if in_clear and not policy.insecure_http_credentials:
        title = f"credentials are not sent over plain http to {url.host!r}"
        fix = "use https, or allow it with --git-insecure-http-credentials"
        raise UserError(Problem(URL_SCHEME, title, field="spec.url", fix=fix))
