"""Where a write-back goes: `spec.git.push` and the branch that was read become refs to push to, or a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sluice.core.codes import NO_PUSH_BRANCH, PUSH_OPTION, PUSH_REFSPEC
from sluice.core.errors import UserError
from sluice.core.git_url import check_ref_name, ref_name_fault
from sluice.core.problem import Problem, clip, printable

HEADS = "refs/heads/"
FIELD = "spec.git.push"
MAX_OPTIONS = 50
_OPTION = re.compile(r"^[^\x00-\x1f\x7f]{1,1000}$")


@dataclass(frozen=True, slots=True)
class PushTarget:
    """What is pushed to, as full ref names; empty when not in use.

    `branch` is the branch that gets the commit, `extra` one more ref (of `push.refspec`). `is_synced` says that the
    edit is planned on the branch that is read; else `branch` is a separate one, for a pull request.
    """

    branch: str
    extra: str = ""
    is_synced: bool = True
    options: tuple[str, ...] = ()

    @property
    def refs(self) -> tuple[str, ...]:
        """Every ref that one push moves, or none."""
        return tuple(ref for ref in (self.branch, self.extra) if ref)


def push_target(
    checkout: str, *, branch: str = "", refspec: str = "", options: Mapping[str, str] | None = None
) -> PushTarget:
    """Read `spec.git.push`. `checkout` is the branch that is read, empty when that is a tag or a commit.

    As Flux has it: `branch` unset is the branch that was read, unless a refspec says where to push; with both, both
    get the commit. Raises UserError (NoPushBranch, PushRefspec, PushOption, RefSyntax).
    """
    to = branch or ("" if refspec else checkout)
    if to:
        check_ref_name(to, f"{FIELD}.branch")
        if to.startswith("refs/"):
            raise _refspec_refused(f"{FIELD}.branch", to, "it is a full ref name", "write the branch's name alone")
    elif not refspec:
        title = "nothing says which branch to push to"
        cause = "what is read is a tag or a commit, and no branch"
        raise UserError(Problem(NO_PUSH_BRANCH, title, field=f"{FIELD}.branch", cause=cause, fix="name a branch there"))
    full = HEADS + to if to else ""
    extra = _destination(refspec, to or checkout) if refspec else ""
    if extra in {full, HEADS + checkout} and (full == extra or not full):
        full, extra = extra, ""
    return PushTarget(full, extra, full in {"", HEADS + checkout}, _options(options or {}))


def _destination(refspec: str, branch: str) -> str:
    """The right side of a refspec whose left side names the commit that is pushed, in any of git's spellings."""
    field = f"{FIELD}.refspec"
    source, colon, target = refspec.partition(":")
    if refspec.startswith("+"):
        raise _refspec_refused(field, refspec, "'+' would overwrite what others pushed", "leave the '+' out")
    if not source or (colon and not target):
        raise _refspec_refused(field, refspec, "it would delete a ref", "write SOURCE:DESTINATION")
    if source not in {"HEAD", "@", branch, HEADS + branch}:
        cause = "only the new commit is pushed: the left side is HEAD or the branch's name"
        raise _refspec_refused(field, refspec, cause, f"write HEAD:{printable(target) or 'refs/heads/NAME'}")
    full = target or source
    full = full if full.startswith("refs/") else HEADS + full
    fault = ref_name_fault(full) or ("HEAD is no branch" if full in {HEADS + "HEAD", HEADS + "@"} else "")
    if fault:
        raise _refspec_refused(field, refspec, fault, "write SOURCE:DESTINATION with a full ref name")
    if full.startswith("refs/tags/"):
        raise _refspec_refused(field, refspec, "a tag does not follow a branch", "push to a branch")
    return full


def _options(options: Mapping[str, str]) -> tuple[str, ...]:
    """`key=value`, or `key` alone for an empty value, in the order of the keys."""
    if len(options) > MAX_OPTIONS:
        title = f"there are {len(options)} push options, at most {MAX_OPTIONS} are sent"
        raise UserError(Problem(PUSH_OPTION, title, field=f"{FIELD}.options"))
    texts = []
    for key in sorted(options):
        text = f"{key}={options[key]}" if options[key] else key
        if not key or not _OPTION.match(text):
            title = f"the push option {clip(printable(key), 100)!r} can't be sent"
            cause = "an option has 1 to 1000 characters, and no control characters or line breaks"
            raise UserError(Problem(PUSH_OPTION, title, field=f"{FIELD}.options", cause=cause))
        texts.append(text)
    return tuple(texts)


def _refspec_refused(field: str, text: str, cause: str, fix: str) -> UserError:
    title = f"{clip(printable(text), 100)!r} can't be pushed to"
    return UserError(Problem(PUSH_REFSPEC, title, field=field, cause=cause, fix=fix))
