"""Rows B090, B096, B097, B105, B106 and B110 to B114, where they are about image references and policies."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluice.core.codes import ANNOTATION_INVALID, DIGEST_MISMATCH, IMAGE_REF, NO_MATCHING_TAG, REGEX_REJECTED, TAG_RANGE
from sluice.core.errors import UserError
from sluice.core.image import ImageRefError, ImageTag, parse
from sluice.core.image_policy import decide, explain
from sluice.core.image_policy.dialect_fluxd import fluxd_policy
from sluice.core.image_policy.dialect_v2 import alphabetical_policy, build_time_policy, semver_policy, tag_filter
from sluice.core.image_policy.workload_choice import Listing, choose_images
from sluice.core.image_policy.workload_policies import read_policies
from sluice.core.regular_expression import parse_pattern

# Each makes a backtracking engine try more ways than there are atoms; RE2 reads the text once. A time limit for the
# whole suite is the judge: it would not be met by one of them.
CATASTROPHES = [
    *(
        "(a+)+$",
        "(a*)*$",
        "(a|a)*$",
        "(a|aa)+$",
        "(a|a?)+$",
        "((a+)+)+$",
        "(.*a){20}$",
        "(a?){30}b",
        "^(a+)*b",
        "(a+)+b",
    ),
    *(
        "(x+x+)+y",
        "(a*a*)*b",
        "(a*)+b",
        "([a-z]+)*[0-9]",
        "([a-zA-Z]+)*$",
        "(.*)*b",
        "(.+)+b",
        "(.*)+$",
        "(a.*)*b",
        "(..?)*b",
    ),
    *(r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(\w+\s?)*!", r"(\d+)+$", r"(\w*)*$", r"^(\w+)+@", r"(\s*a)*$", r"(a\b?)*c"),
    *("(a+a+)+b", "(a|b|ab)*c", "(aa|a)*b", "(a(a)?)*b", "a*a*a*a*a*a*a*b", "a+a+a+a+a+a+b", "(?:a?){40}a{40}"),
    *("([a-c]*)*d", "(a*)(a*)(a*)b", "(a+|a*)+b", "((a*)*)*b", "(((a+)?)+)?b", "(^a+)+$", "(a+$)+", "^(a?a?)*b$"),
    *("(.|a)*b", "(.a|a.)*b", "(a{1,5})*b", "(a{0,9}){0,9}b", "((a|b)*a)*b", "(?i)(A+)+b", "(?s)(.*)*b", "(a+?)+?b"),
    *("(a*?)*?b", "([^b]*)*b", "([^b]+a?)+b", "(a|[a-z])*1"),
]


@pytest.mark.parametrize("pattern", CATASTROPHES)
def test_b096_a_pattern_that_explodes_elsewhere_reads_100_kb_at_once(pattern: str) -> None:
    compiled = parse_pattern(pattern)
    assert compiled.matches("a" * 100_000 + "!") is compiled.matches("a" * 1000 + "!")


@pytest.mark.parametrize(
    ("pattern", "cause"), [("a" * 10_240, "limit 1024"), ("(?P<n", "invalid"), ("(a", "missing )")]
)
def test_b096_a_pattern_that_is_too_long_or_has_a_bad_group_is_refused(pattern: str, cause: str) -> None:
    with pytest.raises(UserError) as caught:
        tag_filter(pattern)
    (problem,) = caught.value.problems
    assert problem.code is REGEX_REJECTED
    assert cause in problem.cause


def test_b090_a_range_that_makes_no_sense_is_refused_at_its_character() -> None:
    with pytest.raises(UserError, match="at character 6") as caught:
        semver_policy(">=1 <y")
    assert caught.value.problems[0].code is TAG_RANGE


def test_b097_a_policy_that_selects_no_tag_says_how_many_it_saw_and_by_which_filter() -> None:
    tags = [ImageTag(f"build-{number}") for number in range(3000)]
    problem = decide(semver_policy("1.x", tag_filter("^v")), tags, None, True).problem
    assert problem is not None
    assert problem.code is NO_MATCHING_TAG
    assert "of 3000 tags none takes part" in problem.cause
    assert '"^v"' in problem.cause


@pytest.mark.parametrize("value", ["", "a:b", ":".join("a" * 1001)])
def test_b105_a_pattern_of_no_known_form_is_refused_with_the_form_to_write(value: str) -> None:
    (problem,) = read_policies({"fluxcd.io/tag.web": value}).problems
    assert (problem.code, problem.field) == (ANNOTATION_INVALID, "fluxcd.io/tag.web")
    assert "semver:<range>" in problem.fix


def test_b106_a_slip_in_true_is_not_taken_for_no() -> None:
    policies = read_policies({"fluxcd.io/automated": "true", "fluxcd.io/ignore": "ture"})
    (problem,) = policies.problems
    assert problem.code is ANNOTATION_INVALID
    assert "did you mean true?" in problem.fix
    assert "ture" in policies.hold()


@pytest.mark.parametrize(
    ("text", "position"), [("UPPER/case", 1), ("a:b:c", 4), (":latest", 1), ("a:" + "t" * 200, 131), ("", 1)]
)
def test_b110_what_is_no_image_is_refused_with_rule_and_position(text: str, position: int) -> None:
    with pytest.raises(ImageRefError) as caught:
        parse(text)
    assert caught.value.position == position
    assert caught.value.problem().code is IMAGE_REF


SHA256 = ["sha256:" + digit * 64 for digit in "01"]


@pytest.mark.parametrize(
    ("pinned", "listed", "told"),
    [
        (SHA256[0], SHA256[1], True),
        (SHA256[0], SHA256[0], False),
        (SHA256[0], None, False),
        ("sha512:" + "0" * 128, SHA256[1], False),
    ],
    ids=["another", "the same", "not known", "not comparable"],
)
def test_b111_a_tag_and_a_digest_that_disagree_are_told_and_what_git_has_stays(
    pinned: str, listed: str | None, told: bool
) -> None:
    image = parse(f"ghcr.io/acme/web:1.2.0@{pinned}")
    policies = read_policies({"fluxcd.io/automated": "true", "fluxcd.io/tag.web": "semver:~1"})
    listing = Listing([ImageTag("1.2.0", listed), ImageTag("1.1.0", SHA256[0])], True)
    (choice,) = choose_images(policies, {"web": image}, lambda _: listing)
    assert choice.wanted is None
    assert (choice.problem is not None) is told
    if choice.problem is not None:
        assert choice.problem.code is DIGEST_MISMATCH
        assert f"ghcr.io/acme/web:1.2.0@{listed}" in choice.problem.fix


@pytest.mark.parametrize(
    ("tag", "v2", "v2_pre", "fluxd", "fluxd_pre"),
    [
        # Flux v2 wants all three numbers, fluxd does not; a tag can't have a build part, for it can't have a plus.
        ("v1.2", False, False, True, True),
        ("v1.2.3", True, True, True, True),
        ("1.2.3+build", False, False, False, False),
        ("1.2.3-rc.1", False, True, False, True),
        ("01.2.3", False, False, True, True),
        ("1.2.3.4", False, False, False, False),
        ("latest", False, False, False, False),
    ],
)
def test_b112_which_tags_are_versions_to_whom(tag: str, v2: bool, v2_pre: bool, fluxd: bool, fluxd_pre: bool) -> None:
    policies = [semver_policy(">=1"), semver_policy(">=1-0"), fluxd_policy("semver:>=1"), fluxd_policy("semver:>=1-0")]
    assert [policy.accepts(tag) for policy in policies] == [v2, v2_pre, fluxd, fluxd_pre]


def test_b113_of_equal_build_times_the_first_name_wins_however_they_are_listed() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    tags = [ImageTag(f"{number:05}", created=moment) for number in range(10_000)]
    for listing in (tags, tags[::-1], tags[5000:] + tags[:5000]):
        assert decide(build_time_policy(), listing, None, True).tag == tags[0]


@pytest.mark.parametrize(
    "hostile", ["zz\n", "zz\x1b[2J", "zz\u202e", "z" * 129, "", " ", "../z", "-z", "z:z", "z@sha256:0"]
)
def test_b114_a_hostile_tag_is_never_chosen_nor_shown_as_it_is(hostile: str) -> None:
    tags = [ImageTag(hostile), ImageTag("a")]
    choice = decide(alphabetical_policy(), tags, None, True)
    assert choice.tag == ImageTag("a")
    verdict = next(iter(explain(alphabetical_policy(), tags, choice)))
    assert verdict.tag.isprintable()
    assert verdict.reason == "is no tag that a registry may list"
    assert decide(alphabetical_policy(), tags[:1], None, True).reason.isprintable()
