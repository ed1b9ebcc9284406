"""`spec.git.push` as people write it becomes refs, or a refusal that names the field."""

from __future__ import annotations

import pytest

from sluice.core.codes import NO_PUSH_BRANCH, PUSH_OPTION, PUSH_REFSPEC, REF_SYNTAX
from sluice.core.errors import UserError
from sluice.core.problem import Code
from sluice.core.push_target import MAX_OPTIONS, PushTarget, push_target

MAIN = "refs/heads/main"


@pytest.mark.parametrize(
    ("checkout", "branch", "refspec", "expected"),
    [
        ("main", "", "", PushTarget(MAIN)),
        ("main", "main", "", PushTarget(MAIN)),
        ("main", "bot/x", "", PushTarget("refs/heads/bot/x", is_synced=False)),
        ("", "bot", "", PushTarget("refs/heads/bot", is_synced=False)),
        ("main", "", "HEAD:refs/for/main", PushTarget("", "refs/for/main")),
        ("main", "", "refs/heads/main:refs/for/main", PushTarget("", "refs/for/main")),
        ("main", "", "main:refs/heads/auto", PushTarget("", "refs/heads/auto")),
        ("main", "", "main:auto", PushTarget("", "refs/heads/auto")),
        ("main", "", "HEAD:main", PushTarget(MAIN)),
        ("main", "", "refs/heads/main", PushTarget(MAIN)),
        ("main", "main", "main:main", PushTarget(MAIN)),
        ("main", "main", "HEAD:smoke", PushTarget(MAIN, "refs/heads/smoke")),
        ("main", "bot", "bot:refs/for/main", PushTarget("refs/heads/bot", "refs/for/main", is_synced=False)),
        ("main", "bot", "bot:bot", PushTarget("refs/heads/bot", is_synced=False)),
    ],
)  # fmt: skip
def test_a_branch_and_a_refspec_become_refs(checkout: str, branch: str, refspec: str, expected: PushTarget) -> None:
    assert push_target(checkout, branch=branch, refspec=refspec) == expected


@pytest.mark.parametrize(
    ("branch", "refspec", "code", "field"),
    [
        ("", "+main:main", PUSH_REFSPEC, "refspec"),
        ("", ":main", PUSH_REFSPEC, "refspec"),
        ("", ":", PUSH_REFSPEC, "refspec"),
        ("", "main:", PUSH_REFSPEC, "refspec"),
        ("", "other:main", PUSH_REFSPEC, "refspec"),
        ("bot", "main:x", PUSH_REFSPEC, "refspec"),
        ("", "refs/heads/*:refs/heads/*", PUSH_REFSPEC, "refspec"),
        ("", "HEAD:a:b", PUSH_REFSPEC, "refspec"),
        ("", "HEAD", PUSH_REFSPEC, "refspec"),
        ("", "HEAD:refs/tags/v1", PUSH_REFSPEC, "refspec"),
        ("", "HEAD:refs/heads/a b", PUSH_REFSPEC, "refspec"),
        ("", "^main", PUSH_REFSPEC, "refspec"),
        ("-f", "", REF_SYNTAX, "branch"),
        ("a..b", "", REF_SYNTAX, "branch"),
        ("refs/heads/main", "", PUSH_REFSPEC, "branch"),
    ],
)
def test_what_forces_deletes_or_is_no_ref_is_refused(branch: str, refspec: str, code: Code, field: str) -> None:
    with pytest.raises(UserError) as caught:
        push_target("main", branch=branch, refspec=refspec)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (code, f"spec.git.push.{field}")


def test_without_a_branch_anywhere_one_is_asked_for() -> None:
    with pytest.raises(UserError) as caught:
        push_target("")
    assert caught.value.problems[0].code is NO_PUSH_BRANCH


def test_options_are_sent_as_git_takes_them() -> None:
    target = push_target("main", options={"merge_request.create": "", "a": "b=c d"})
    assert target.options == ("a=b=c d", "merge_request.create")


@pytest.mark.parametrize(
    "options",
    [{"": "x"}, {"a\nb": ""}, {"a": "b\0"}, {"a": "x" * 1000}, {str(n): "" for n in range(MAX_OPTIONS + 1)}],
)
def test_an_option_that_git_can_t_carry_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(UserError) as caught:
        push_target("main", options=options)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (PUSH_OPTION, "spec.git.push.options")
