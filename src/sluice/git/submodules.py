"""The files of submodules, at the commits that the tree names, fetched into the repository of the mirror.

`.gitmodules` is written by whoever writes the repository: each name, path and URL in it is checked by our own rules
before git sees it, and credentials go only to the origin that they were given for.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core.artifact import FileEntry
from sluice.core.codes import SUBMODULE
from sluice.core.errors import RemoteError, UserError
from sluice.core.git_url import GitUrl, parse_url
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.core.tree_check import path_fault
from sluice.git.fetch import Fetch
from sluice.git.refs import ResolvedRef
from sluice.git.remote import Remote
from sluice.git.repository import BareRepository, hold_name
from sluice.git.tree import Gitlink, Listing, below, too_many_files

FILE = ".gitmodules"


@dataclass(frozen=True, slots=True)
class Submodule:
    """One section of `.gitmodules`, as it stands there."""

    name: str
    path: str
    url: str


class Submodules:
    """Reads the submodules of one commit, and theirs, down to a limit."""

    def __init__(self, repo: BareRepository, fetch: Fetch) -> None:
        self._repo = repo
        self._fetch = fetch
        self._count = self._files = 0

    async def entries(self, remote: Remote, commit: str, listing: Listing, depth: int = 1) -> tuple[FileEntry, ...]:
        """The listing's own files and those of its submodules, each below its path.

        Raises UserError (SubmoduleInvalid) naming the section, or (RepoTooBig); AuthenticationFailed or RemoteError
        as `fetch` does.
        """
        limits = self._repo.limits
        self._files += len(listing.entries)
        if self._files > limits.tree_files:
            raise too_many_files(commit, limits.tree_files)
        if not listing.gitlinks:
            return listing.entries
        self._count += len(listing.gitlinks)
        if depth > limits.submodule_depth or self._count > limits.submodules:
            cause = f"at most {limits.submodules} submodules, {limits.submodule_depth} deep"
            field = "spec.recurseSubmodules"
            raise UserError(Problem(SUBMODULE, "there are too many submodules", cause=cause, field=field))
        sections = await self._sections(listing, commit)
        found = listing.entries
        for gitlink in listing.gitlinks:
            found += below(gitlink.path, await self._of_one(remote, commit, gitlink, sections, depth))
        return found

    async def _of_one(
        self, remote: Remote, commit: str, gitlink: Gitlink, sections: dict[str, Submodule], depth: int
    ) -> tuple[FileEntry, ...]:
        section = sections.get(gitlink.path)
        if section is None:
            raise invalid(gitlink.path, commit, "the tree has a submodule here that .gitmodules does not name")
        inner = remote.beside(submodule_url(section, remote.url, commit))
        resolved = ResolvedRef.of_commit(gitlink.commit)
        hold = hold_name(("submodule", str(inner.url)), gitlink.commit)
        if not self._repo.holds(hold):
            try:
                await self._fetch.into(hold, resolved, inner, self._repo.limits.timeout)
            except (RemoteError, UserError) as error:
                raise type(error)(*(_in_submodule(problem, section, commit) for problem in error.problems)) from None
        listing = await self._repo.listing(gitlink.commit)
        return await self.entries(inner, gitlink.commit, listing, depth + 1)

    async def _sections(self, listing: Listing, commit: str) -> dict[str, Submodule]:
        entry = next((entry for entry in listing.entries if entry.path == FILE), None)
        if entry is None or entry.mode == "symlink":
            return {}
        output = await self._repo.run("config", "--blob", entry.blob, "-z", "--list")
        if not output.ok:
            raise invalid(FILE, commit, clip(output.stderr.strip(), 200) or "git can't read it")
        return parse_sections(output.stdout, commit)


def parse_sections(output: bytes, commit: str) -> dict[str, Submodule]:
    """What `git config -z --list` says of `.gitmodules`, by path. Raises UserError for names and paths that escape."""
    found: dict[str, dict[str, str]] = {}
    for record in output.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = record.partition("\n")
        section, _, name = key.rpartition(".")
        if section.startswith("submodule.") and name in {"path", "url"}:
            found.setdefault(section.removeprefix("submodule."), {})[name] = value
    sections = {}
    for name, values in found.items():
        path = values.get("path", "")
        reason = _fault(name, path)
        if reason:
            raise invalid(path or name, commit, reason)
        sections[path] = Submodule(name, path, values.get("url", ""))
    return sections


def _fault(name: str, path: str) -> str:
    if not name or not name.isprintable() or ".." in name.replace("\\", "/").split("/"):
        return "the submodule's name is not allowed"
    if not path or path.startswith(("/", "-")) or path_fault(path) is not None:
        return "the submodule's path is not allowed"
    return ""


def submodule_url(section: Submodule, parent: GitUrl, commit: str) -> GitUrl:
    """The URL of a submodule; a relative one is taken from its parent's. Raises UserError (SubmoduleInvalid)."""
    text = section.url
    if text.startswith(("./", "../")):
        text = _relative(text, parent)
    try:
        return parse_url(text, field="spec.recurseSubmodules", scp=True)
    except UserError as error:
        raise invalid(section.path, commit, error.problems[0].title + ": " + error.problems[0].cause) from None


def _relative(text: str, parent: GitUrl) -> str:
    parts = parent.path.rstrip("/").split("/")
    for part in text.split("/"):
        if part == "..":
            parts = parts[:-1] or [""]
        elif part not in {"", "."}:
            parts.append(part)
    return str(GitUrl(parent.scheme, parent.user, parent.host, parent.port, "/".join(parts)))


def invalid(path: str, commit: str, cause: str) -> UserError:
    """The error for a submodule that is not followed."""
    title = f"submodule {clip(printable(path), 100)!r} is not allowed"
    origin, fix = Origin(FILE, commit=commit), "change .gitmodules, or set spec.recurseSubmodules to false"
    return UserError(Problem(SUBMODULE, title, origin=origin, field="spec.recurseSubmodules", cause=cause, fix=fix))


def _in_submodule(problem: Problem, section: Submodule, commit: str) -> Problem:
    title = f"submodule {clip(printable(section.path), 100)!r}: {problem.title}"
    return Problem(
        problem.code,
        title,
        origin=Origin(FILE, commit=commit),
        field="spec.recurseSubmodules",
        cause=problem.cause,
        fix=problem.fix,
    )
