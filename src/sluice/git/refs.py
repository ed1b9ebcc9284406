"""Which ref of a repository a GitRepository follows: `spec.ref` and the remote's refs become a revision. Pure.

Precedence as Flux has it: commit > name > semver > tag > branch; nothing set means branch `master`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sluice.api.git_repository import GitRef
from sluice.core.codes import BAD_COMMIT, REF_MISSING, REF_SYNTAX, REPO_EMPTY, SEMVER
from sluice.core.errors import UserError
from sluice.core.git_url import check_ref_name, is_commit
from sluice.core.problem import Problem, printable
from sluice.core.revision import Revision
from sluice.core.semver import parse_version
from sluice.core.semver_range import RangeError, parse_range

DEFAULT_BRANCH = "master"

RefKind = Literal["branch", "tag", "semver", "name", "commit"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `spec.ref` asks for. `ref` is the full ref name, empty for semver and for a commit without a branch."""

    kind: RefKind
    text: str
    ref: str = ""

    @property
    def field(self) -> str:
        """The field that says so."""
        return f"spec.ref.{self.kind}"


@dataclass(frozen=True, slots=True)
class ResolvedRef:
    """A ref and what it stands at. `tag_object` is the annotated tag's own hash, when there is one.

    `ref` is what to ask for when the server sends no objects by hash; `head` the branch's head beside a commit.
    """

    revision: Revision
    ref: str
    tag_object: str = ""
    head: str = ""

    @property
    def commit(self) -> str:
        """The commit's full hash."""
        return self.revision.hex

    @staticmethod
    def of_commit(commit: str) -> ResolvedRef:
        """A commit by itself, on whatever branch it is."""
        return ResolvedRef(Revision.of_commit("", commit), "")


def wanted_of(ref: GitRef | None) -> Wanted:
    """Read and check `spec.ref`. Raises UserError (RefSyntax, BadCommit)."""
    ref = ref or GitRef()
    if ref.commit:
        return _wanted_commit(ref)
    if ref.name:
        return Wanted("name", ref.name, _full_name(ref.name))
    if ref.semver:
        return Wanted("semver", ref.semver)
    if ref.tag:
        return Wanted("tag", ref.tag, "refs/tags/" + check_ref_name(ref.tag, "spec.ref.tag"))
    branch = ref.branch or DEFAULT_BRANCH
    return Wanted("branch", branch, "refs/heads/" + check_ref_name(branch, "spec.ref.branch"))


def _wanted_commit(ref: GitRef) -> Wanted:
    commit = ref.commit.lower()
    if not is_commit(commit):
        title = f"{printable(ref.commit[:80])!r} is not a full commit hash"
        fix = "write all 40 (sha1) or 64 (sha256) hex digits: git rev-parse COMMIT prints them"
        raise UserError(Problem(BAD_COMMIT, title, field="spec.ref.commit", fix=fix))
    branch = "refs/heads/" + check_ref_name(ref.branch, "spec.ref.branch") if ref.branch else ""
    return Wanted("commit", commit, branch)


def _full_name(name: str) -> str:
    if name != "HEAD" and not name.startswith("refs/"):
        title = f"{printable(name[:100])!r} is not a full ref name"
        fix = f"write refs/heads/{name} or refs/tags/{name}" if name.isalnum() else "start it with refs/"
        raise UserError(Problem(REF_SYNTAX, title, field="spec.ref.name", fix=fix))
    return check_ref_name(name, "spec.ref.name")


def parse_refs(output: bytes) -> dict[str, str]:
    """The lines of ls-remote as name → hash; a peeled tag's name ends with `^{}`."""
    refs = {}
    for line in output.decode("utf-8", "surrogateescape").split("\n"):  # a ref's name may hold any other break
        digest, separator, name = line.partition("\t")
        if separator and is_commit(digest):
            refs[name] = digest
    return refs


def pick(wanted: Wanted, refs: Mapping[str, str]) -> ResolvedRef | None:
    """The revision of a branch, tag or name; None when the remote does not have it."""
    found = refs.get(wanted.ref)
    if found is None:
        return None
    if wanted.kind == "commit":
        branch = wanted.ref.removeprefix("refs/heads/")
        return ResolvedRef(Revision.of_commit(branch, wanted.text), wanted.ref, head=found)
    return at_ref(wanted.text, wanted.ref, refs)


def at_ref(name: str, ref: str, refs: Mapping[str, str]) -> ResolvedRef:
    """What `ref` stands at, through an annotated tag to its commit."""
    found = refs[ref]
    commit = refs.get(ref + "^{}", found)
    return ResolvedRef(Revision.of_commit(name, commit), ref, tag_object=found if commit != found else "")


def missing_ref(wanted: Wanted, refs: Mapping[str, str]) -> UserError:
    """The error for a ref that is not there: with the nearest names, or the fact that there is no commit at all."""
    names = _names(wanted, refs)
    if not any(name.startswith("refs/") for name in refs):
        title = "the repository is empty: it has no commit yet"
        return UserError(Problem(REPO_EMPTY, title, field="spec.url", fix=f"push a commit to {wanted.text!r}"))
    nearest = difflib.get_close_matches(wanted.text, names, n=1, cutoff=0.5)
    shown = ", ".join(printable(name) for name in names[:8]) + (", …" if len(names) > 8 else "")
    what = "branch" if wanted.kind == "commit" else "ref" if wanted.kind == "name" else wanted.kind
    plural = {"branch": "branches", "tag": "tags"}.get(what, "refs")
    text = wanted.ref.removeprefix("refs/heads/") if wanted.kind == "commit" else wanted.text
    return UserError(
        Problem(
            REF_MISSING,
            f"{what} {text!r} does not exist",
            field=f"spec.ref.{what if what != 'ref' else 'name'}",
            cause=f"{plural} there: {shown}" if names else f"there are no {plural}",
            fix=f"did you mean {nearest[0]!r}?" if nearest else "",
        )
    )


def _names(wanted: Wanted, refs: Mapping[str, str]) -> list[str]:
    if wanted.kind == "name":
        return sorted(name for name in refs if not name.endswith("^{}"))
    prefix = "refs/tags/" if wanted.kind in {"tag", "semver"} else "refs/heads/"
    return sorted(name.removeprefix(prefix) for name in refs if name.startswith(prefix) and not name.endswith("^{}"))


def semver_candidates(wanted: Wanted, refs: Mapping[str, str]) -> list[ResolvedRef]:
    """The tags of the highest version in the range, by name: several when tags differ in a `v` or in build metadata.

    Raises UserError (Semver) when the range can't be read, or no tag satisfies it.
    """
    try:
        allowed = parse_range(wanted.text)
    except RangeError as error:
        title = f"{printable(wanted.text[:100])!r} is not a version range"
        raise UserError(Problem(SEMVER, title, field=wanted.field, cause=str(error))) from None
    tags = [name.removeprefix("refs/tags/") for name in refs if not name.endswith("^{}")]
    versions = [version for version in map(parse_version, tags) if version is not None]
    highest = allowed.highest(versions)
    if highest is None:
        title = f"no tag satisfies the range {printable(wanted.text[:100])!r}"
        cause = f"{len(tags)} tags, {len(versions)} of them versions"
        if versions:
            cause += f", the highest {max(versions, key=lambda version: version.key).text}"
        raise UserError(Problem(SEMVER, title, field=wanted.field, cause=cause))
    names = sorted(version.text for version in versions if version == highest)
    return [at_ref(name, f"refs/tags/{name}", refs) for name in names]
