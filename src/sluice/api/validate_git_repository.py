"""A GitRepository's spec → what is wrong with it, beyond what the schema refuses.

URL, reference names and version ranges are git's own matter and are checked where they are used.
"""

from __future__ import annotations

import re

from sluice.api.git_repository import GROUP, KIND, GitRepository, GitRepositorySpec
from sluice.api.honoured import GIT_REPOSITORY_FIELDS_REFUSED, GIT_REPOSITORY_VALUES
from sluice.api.validate import SpecSubject
from sluice.core.codes import BAD_COMMIT, SPEC_INVALID
from sluice.core.duration import parse_duration
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem, clip

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def validate_git_repository(source: GitRepository) -> tuple[Problem, ...]:
    """Everything wrong with the spec at once; empty when a fetch may begin. All of it is the user's to fix."""
    spec = source.spec
    subject = SpecSubject(ResourceId(GROUP, KIND, source.metadata.namespace, source.metadata.name))
    return (
        *subject.check_values({"provider": spec.provider}, GIT_REPOSITORY_VALUES),
        *subject.check_unused(spec, GIT_REPOSITORY_FIELDS_REFUSED),
        *_check_app(subject, spec),
        *subject.check_duration("interval", spec.interval),
        *subject.check_duration("timeout", spec.timeout),
        *_check_commit(subject, spec),
        *_check_paths(subject, spec),
    )


def warn_git_repository(source: GitRepository) -> tuple[str, ...]:
    """Sentences about what is allowed but hardly meant. Call it only with a spec without Problems."""
    spec = source.spec
    warnings = []
    if parse_duration(spec.timeout) > parse_duration(spec.interval):
        warnings.append(f"spec.timeout {spec.timeout} is longer than spec.interval {spec.interval}")
    if spec.ref is not None:
        given = [name for name in ("commit", "name", "semver", "tag", "branch") if getattr(spec.ref, name)]
        # A branch beside a commit is meant: it says where the commit is expected.
        if len(given) > 1 and given != ["commit", "branch"]:
            warnings.append(f"spec.ref.{given[0]} is used, {', '.join(given[1:])} beside it is not")
    return tuple(warnings)


def _check_app(subject: SpecSubject, spec: GitRepositorySpec) -> list[Problem]:
    """A GitHub App's login is for https, and its key is in a Secret."""
    if spec.provider != "github":
        return []
    problems = []
    if spec.secretRef is None:
        fix = "name the Secret with githubAppID, githubAppPrivateKey and the installation"
        problems.append(subject.problem(SPEC_INVALID, "secretRef", "spec.provider github needs spec.secretRef", fix))
    if spec.url.startswith("ssh:"):
        title = "spec.provider github is for https URLs"
        problems.append(subject.problem(SPEC_INVALID, "url", title, "write the https URL of the repository"))
    return problems


def _check_commit(subject: SpecSubject, spec: GitRepositorySpec) -> list[Problem]:
    commit = spec.ref.commit if spec.ref is not None else ""
    if not commit or _COMMIT.fullmatch(commit):
        return []
    title = f"spec.ref.commit {clip(commit, 80)!r} is not a full commit hash"
    return [subject.problem(BAD_COMMIT, "ref.commit", title, "write all 40 (or, for sha256, 64) hex digits")]


def _check_paths(subject: SpecSubject, spec: GitRepositorySpec) -> list[Problem]:
    problems: list[Problem] = []
    for index, include in enumerate(spec.include):
        problems.extend(subject.check_path(f"include[{index}].fromPath", include.fromPath))
        problems.extend(subject.check_path(f"include[{index}].toPath", include.toPath))
    for index, folder in enumerate(spec.sparseCheckout):
        problems.extend(subject.check_path(f"sparseCheckout[{index}]", folder))
    return problems
