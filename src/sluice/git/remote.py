"""A git host, reached with one identity: ls-remote and fetch, each in a session of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.core.codes import URL_SCHEME
from sluice.core.errors import UserError
from sluice.core.git_url import GitUrl, is_loopback
from sluice.core.problem import Problem
from sluice.git.address import look_up
from sluice.git.auth import GitAuth
from sluice.git.errors import remote_error
from sluice.git.limits import GitLimits, GitPolicy
from sluice.git.process import GitOutput, RunLimits, run_git
from sluice.git.refs import parse_refs
from sluice.git.session import open_session

LOOKUP_SECONDS = 10.0


class Remote:
    """One URL with the credentials and the rules under which it is reached. `scratch` holds short-lived files."""

    def __init__(self, url: GitUrl, auth: GitAuth, *, policy: GitPolicy, limits: GitLimits, scratch: Path) -> None:
        self.url = url
        self.auth = auth
        self.policy = policy
        self.limits = limits
        self.scratch = scratch

    async def list_refs(self, options: Sequence[str] = (), *, seconds: float) -> dict[str, str]:
        """One ls-remote: ref names (peeled tags end with `^{}`) and their hashes.

        Raises AuthenticationFailed, RemoteError or UserError, as the host's answer says.
        """
        args = ["ls-remote", "--quiet", *options, "--end-of-options", str(self.url)]
        output = await self.run(args, cwd=self.scratch, seconds=seconds)
        if not output.ok:
            raise self.error(output, seconds)
        return parse_refs(output.stdout)

    async def run(self, args: Sequence[str], *, cwd: Path, seconds: float) -> GitOutput:
        """Run a git command that talks to this host, connected to addresses that were checked just before."""
        check_credentials(self.url, self.auth, self.policy)
        lookup = min(LOOKUP_SECONDS, seconds)
        addresses = await look_up(self.url, allow_loopback=self.policy.allow_loopback, seconds=lookup)
        limits = RunLimits(timeout=seconds, output=self.limits.refs_bytes, file=self.limits.fetch_bytes)
        with open_session(self.url, self.auth, addresses, self.scratch) as session:
            return await run_git(args, env=session.env, cwd=cwd, limits=limits)

    def error(self, output: GitOutput, seconds: float) -> Exception:
        """The error that a failed run stands for."""
        return remote_error(output, self.url, self.auth, timeout=seconds)


def check_credentials(url: GitUrl, auth: GitAuth, policy: GitPolicy) -> None:
    """Raise UserError (UrlScheme) when a password would cross the network in the clear."""
    in_clear = url.scheme == "http" and auth.has_credentials and not is_loopback(url.host)
    if in_clear and not policy.insecure_http_credentials:
        title = f"credentials are not sent over plain http to {url.host!r}"
        fix = "use https, or allow it with --git-insecure-http-credentials"
        raise UserError(Problem(URL_SCHEME, title, field="spec.url", fix=fix))
