"""fluxd's dialect: patterns select and order as fluxd did; annotations of both prefixes are read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluice.core.codes import ANNOTATION_INVALID, REGEX_REJECTED, TAG_GONE, TAG_RANGE
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.image import ImageTag
from sluice.core.image_policy import InvalidPolicy, Previous, TagPolicy, decide
from sluice.core.image_policy.dialect_fluxd import fluxd_policy, pattern_text
from sluice.core.image_policy.workload_policies import WorkloadPolicies, read_policies
from sluice.core.problem import Code, Origin

WEB = ResourceId("apps", "Deployment", "shop", "web")
FILE = Origin("apps/web.yaml", 5)


def built(*tags: str) -> list[ImageTag]:
    """Tags, the first built first."""
    return [ImageTag(tag, created=datetime(2026, 1, day, tzinfo=UTC)) for day, tag in enumerate(tags, 1)]


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("*", ["", "1", "master"], []),
        ("glob:*", ["1", "master"], []),
        ("master-*", ["master-", "master-foo"], ["foo-master", "Master-foo", ""]),
        ("glob:1.*.3", ["1.2.3", "1..3"], ["1.2.4", "1.3", "1.2.3.4"]),
        ("glob:1.2", ["1.2"], ["1.2.3", "x1.2"]),
        ("glob:*-rc*", ["1-rc", "1-rc.2"], ["1"]),
        ("glob:a**b", ["ab", "a-b"], ["a"]),
        ("glob:?", [], ["1"]),
        ("semver:*", ["1", "1.0", "v1.0.3"], ["", "latest", "2.0.1-alpha.1"]),
        ("semver:>=1", ["1", "v1.0.3", "2.0.1"], ["", "0.9", "2.0.1-alpha.1"]),
        ("semver:1.2", ["1.2", "1.2.0"], ["1.2.3"]),
        ("semver:~1, !=1.5.0", ["1.4.0"], ["1.5.0", "2"]),
        ("regexp:foo", ["foo", "xfoox"], ["fo"]),
        ("regex:^foo$", ["foo"], ["xfoo"]),
        ("regexp:(?i)^V", ["v1", "V1"], ["1v"]),
    ],
)
def test_a_pattern_takes_the_tags_that_fluxd_took(pattern: str, taken: list[str], left: list[str]) -> None:
    policy = fluxd_policy(pattern)
    assert [tag for tag in taken if tag and not policy.accepts(tag)] == []
    assert [tag for tag in left if policy.accepts(tag)] == []


@pytest.mark.parametrize("pattern", ["glob:*", "*", "regexp:.*", "glob:l*"])
def test_latest_is_passed_over_in_any_case_of_its_letters(pattern: str) -> None:
    assert not any(fluxd_policy(pattern).accepts(tag) for tag in ("latest", "LATEST", "Latest"))


@pytest.mark.parametrize("pattern", ["latest", "glob:latest"])
def test_latest_is_taken_when_the_pattern_says_exactly_that(pattern: str) -> None:
    assert [fluxd_policy(pattern).accepts(tag) for tag in ("latest", "LATEST", "1")] == [True, False, False]


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [("glob:*", "0.9"), ("glob:1.*", "1.3.0"), ("regexp:^1", "1.3.0"), ("semver:*", "2.0.0"), ("semver:1.x", "1.10.0")],
)
def test_a_glob_and_a_regexp_take_the_last_built_and_a_range_the_highest(pattern: str, chosen: str) -> None:
    tags = built("2.0.0", "1.10.0", "1.10", "1.3.0", "0.9")
    for order in (tags, tags[::-1]):
        choice = decide(fluxd_policy(pattern), order, None, True)
        assert choice.tag is not None
        assert choice.tag.tag == chosen


@pytest.mark.parametrize(
    ("pattern", "code", "cause"),
    [
        ("", ANNOTATION_INVALID, "it is empty"),
        ("glob:", ANNOTATION_INVALID, "it is empty"),
        ("semvar:~1", ANNOTATION_INVALID, '"semvar" is no kind of pattern'),
        (":".join("a" * 500), ANNOTATION_INVALID, "is no kind of pattern"),
        ("*" * 5000, ANNOTATION_INVALID, "limit 1024"),
        ("semver:", TAG_RANGE, "at character 1"),
        ("semver:>=1 <2", TAG_RANGE, "at character 1"),
        ("regexp:(a", REGEX_REJECTED, "missing )"),
        ("regex:" + "a" * 5000, REGEX_REJECTED, "limit 1024"),
    ],
)
def test_a_pattern_that_cannot_be_read_is_refused_with_the_annotation_and_a_reason(
    pattern: str, code: Code, cause: str
) -> None:
    with pytest.raises(UserError) as caught:
        fluxd_policy(pattern, "fluxcd.io/tag.web")
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (code, "fluxcd.io/tag.web")
    assert problem.cause.startswith("fluxcd.io/tag.web has ")
    assert cause in problem.cause
    assert len(str(problem)) < 600


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("*", "glob:*"),
        ("glob:1.*", "glob:1.*"),
        ("semver:~1", "semver:~1"),
        ("regex:a", "regexp:a"),
        ("regexp:a", "regexp:a"),
    ],
)
def test_a_pattern_is_shown_with_its_prefix(written: str, shown: str) -> None:
    assert pattern_text(written) == shown


def test_what_stands_in_git_is_held_while_the_pattern_takes_it_and_may_go_back_once_it_does_not() -> None:
    policy = fluxd_policy("semver:1.x")
    tags = [ImageTag("1.1.0")]
    held = decide(policy, tags, Previous(ImageTag("1.2.0")), True)
    assert (held.outcome, held.problem and held.problem.code) == ("held", TAG_GONE)
    assert decide(policy, tags, Previous(ImageTag("2.0.0")), True).tag == tags[0]


@pytest.mark.parametrize("prefix", ["fluxcd.io/", "flux.weave.works/"])
def test_annotations_of_both_prefixes_are_read(prefix: str) -> None:
    policies = read_policies(
        {
            f"{prefix}automated": "true",
            f"{prefix}locked": "true",
            f"{prefix}locked_user": "Ann <ann@example.com>",
            f"{prefix}locked_msg": "until\nMonday",
            f"{prefix}tag.web": "semver:~1",
            f"{prefix}sync-checksum": "x",
            "example.com/automated": "false",
        }
    )
    assert (policies.automated, policies.locked, policies.ignored, policies.problems) == (True, True, False, ())
    assert (policies.locked_user, policies.locked_message) == ("Ann <ann@example.com>", "until\\nMonday")
    assert policies.pattern("web").text == "semver:~1"
    assert policies.hold() == 'it is locked by "Ann <ann@example.com>": "until\\nMonday"'


@pytest.mark.parametrize(
    ("annotations", "pattern"),
    [
        ({}, "glob:*"),
        ({"filter.fluxcd.io/web": "3.*"}, "3.*"),
        ({"fluxcd.io/tag_all": "5.*"}, "5.*"),
        ({"flux.weave.works/tag.web": "2.*", "filter.fluxcd.io/web": "3.*"}, "2.*"),
        ({"filter.fluxcd.io/web": "3.*", "flux.weave.works/tag.web": "2.*", "fluxcd.io/tag.web": "1.*"}, "1.*"),
        ({"fluxcd.io/tag_all": "5.*", "filter.fluxcd.io/web": "3.*"}, "3.*"),
        ({"fluxcd.io/tag.other": "1.*"}, "glob:*"),
    ],
)
def test_of_several_names_of_one_pattern_the_first_counts_and_a_container_s_own_before_that_for_all(
    annotations: dict[str, object], pattern: str
) -> None:
    assert read_policies(annotations).pattern("web").text == pattern


@pytest.mark.parametrize(
    ("annotations", "hold"),
    [
        ({}, "it is not automated"),
        ({"fluxcd.io/automated": "false"}, "it is not automated"),
        ({"fluxcd.io/automated": "true"}, ""),
        ({"fluxcd.io/automated": "true", "fluxcd.io/locked": "true"}, "it is locked"),
        ({"fluxcd.io/automated": "true", "fluxcd.io/locked": "false"}, ""),
        ({"fluxcd.io/automated": "true", "fluxcd.io/ignore": "true"}, "it is ignored (ignore)"),
        ({"fluxcd.io/automated": "true", "fluxcd.io/ignore": "sync_only"}, ""),
        ({"flux.weave.works/automated": "true", "fluxcd.io/automated": "false"}, "it is not automated"),
        ({"flux.weave.works/automated": "false", "fluxcd.io/automated": "true"}, ""),
        (
            {"fluxcd.io/automated": "true", "fluxcd.io/locked": "false", "flux.weave.works/locked": "true"},
            "it is locked",
        ),
    ],
)
def test_what_holds_a_workload_up_is_said(annotations: dict[str, object], hold: str) -> None:
    assert read_policies(annotations).hold() == hold


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("fluxcd.io/ignore", "ture", "did you mean true?"),
        ("fluxcd.io/locked", "True", "did you mean true?"),
        ("flux.weave.works/locked", "flase", "did you mean false?"),
        ("fluxcd.io/automated", "", 'write "true" or "false"'),
        ("fluxcd.io/automated", True, "write it in quotes"),
        ("fluxcd.io/tag.", "glob:*", "fluxcd.io/tag.<container>"),
        ("filter.fluxcd.io/", "glob:*", "fluxcd.io/tag.<container>"),
        ("fluxcd.io/locked", "x" * 100_000, 'write "true" or "false"'),
    ],
)
def test_an_annotation_that_cannot_be_read_holds_the_workload_up_and_says_what_to_write(
    key: str, value: object, fix: str
) -> None:
    policies = read_policies({"fluxcd.io/automated": "true", key: value}, WEB, FILE)
    (problem,) = policies.problems
    assert (problem.code, problem.field, problem.subject, problem.origin) == (ANNOTATION_INVALID, key, WEB, FILE)
    assert fix in problem.fix
    assert policies.hold() == problem.cause
    assert len(problem.cause) < 300


def test_a_pattern_that_cannot_be_read_holds_up_its_own_container_only() -> None:
    annotations = {"fluxcd.io/automated": "true", "fluxcd.io/tag.web": "regexp:(a", "fluxcd.io/tag.log": "glob:1.*"}
    policies = read_policies(annotations, WEB, FILE)
    (problem,) = policies.problems
    assert policies.hold() == ""
    assert policies.policy("web") == InvalidPolicy(problem)
    assert (problem.subject, problem.origin, problem.field) == (WEB, FILE, "fluxcd.io/tag.web")
    assert isinstance(policies.policy("log"), TagPolicy)
    choice = decide(policies.policy("web"), built("a"), Previous(ImageTag("b")), True)
    assert (choice.outcome, choice.tag) == ("held", ImageTag("b"))


def test_a_pattern_for_a_container_that_is_not_there_is_told_and_holds_nothing_up() -> None:
    policies = read_policies({"fluxcd.io/automated": "true", "fluxcd.io/tag.wbe": "1.*", "fluxcd.io/tag.log": "2.*"})
    (problem,) = policies.for_nobody(["web", "log"])
    assert (problem.field, problem.fix) == ("fluxcd.io/tag.wbe", "did you mean web?")
    assert policies.hold() == ""


def test_a_workload_without_annotations_has_the_policies_of_none() -> None:
    assert read_policies({}) == WorkloadPolicies()
