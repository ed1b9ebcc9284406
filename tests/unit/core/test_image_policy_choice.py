"""The choice: Flux v2's policies pick the tag that Flux picks, and never go back for want of knowledge."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluice.core.codes import (
    BUILD_TIME_UNKNOWN,
    NO_MATCHING_TAG,
    REGEX_REJECTED,
    TAG_GONE,
    TAG_NOT_A_NUMBER,
    TAG_RANGE,
    TAGS_INCOMPLETE,
)
from sluice.core.errors import UserError
from sluice.core.image import ImageTag
from sluice.core.image_policy import Choice, InvalidPolicy, Previous, TagPolicy, decide, explain
from sluice.core.image_policy.dialect_v2 import (
    alphabetical_policy,
    build_time_policy,
    exclusions,
    numerical_policy,
    semver_policy,
    tag_filter,
)
from sluice.core.problem import Code, Problem

SEMVER = semver_policy("1.x")
TIMESTAMPS = tag_filter(r"^main-[a-f0-9]+-(?P<ts>\d+)$", "$ts")


def listed(*tags: str) -> list[ImageTag]:
    return [ImageTag(tag) for tag in tags]


def built(**days: int | None) -> list[ImageTag]:
    return [
        ImageTag(tag, created=None if day is None else datetime(2026, 1, day, tzinfo=UTC)) for tag, day in days.items()
    ]


def code_of(choice: Choice) -> Code | None:
    return choice.problem.code if choice.problem else None


@pytest.mark.parametrize(
    ("policy", "tags", "chosen"),
    [
        (semver_policy("1.0.x"), ["1.0.0", "1.0.1", "1.1.0"], "1.0.1"),
        (semver_policy(">=1.0.0"), ["1.0.0", "v2.0.0", "2.0.1-rc.1", "latest"], "v2.0.0"),
        (semver_policy(">=1.0.0-0"), ["1.0.0", "1.1.0-alpha", "1.1.0-rc.2", "1.1.0-rc.10"], "1.1.0-rc.10"),
        (semver_policy("*"), ["1.0", "1", "v1", "0.1.0"], "0.1.0"),
        (semver_policy("1.x"), ["v1.0.0", "1.0.0"], "1.0.0"),
        (semver_policy("1.x", tag_filter("^v(.*)-ubi$", "$1")), ["v1.0.0-ubi", "v1.1.0", "v1.0.2-ubi"], "v1.0.2-ubi"),
        (alphabetical_policy(), ["2", "10", "b", "B", "_"], "b"),
        (alphabetical_policy("desc"), ["2", "10", "b", "B", "_"], "10"),
        (
            alphabetical_policy("asc", tag_filter("^RELEASE")),
            ["RELEASE.2026-01", "RELEASE.2025-12", "x"],
            "RELEASE.2026-01",
        ),
        (numerical_policy(), ["1", "10", "9", "-3", "1e3"], "1e3"),
        (numerical_policy("desc"), ["1", "10", "9"], "1"),
        (numerical_policy(), ["1", "1.0", "01"], "1.0"),
        (numerical_policy("asc", TIMESTAMPS), ["main-ab-3", "main-ff-20", "main-0-9", "latest"], "main-ff-20"),
        (numerical_policy("asc", TIMESTAMPS), ["main-b-3", "main-c-3", "main-a-3"], "main-c-3"),
        (numerical_policy("asc", tag_filter("")), ["1", "2"], "2"),
    ],
)
def test_the_tag_that_flux_picks_is_picked_in_whatever_order_the_registry_lists(
    policy: TagPolicy, tags: list[str], chosen: str
) -> None:
    for order in (tags, tags[::-1], sorted(tags)):
        choice = decide(policy, listed(*order), None, True)
        assert (choice.outcome, choice.tag) == ("chosen", ImageTag(chosen))
        assert chosen in choice.reason


def test_by_build_time_the_image_that_was_built_last_is_picked_or_first() -> None:
    tags = built(a=3, b=17, c=9)
    assert decide(build_time_policy(), tags, None, True).tag == tags[1]
    assert decide(build_time_policy("desc"), tags, None, True).tag == tags[0]


def test_equal_build_times_are_told_and_the_first_name_is_taken() -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC)
    tags = [ImageTag(f"t{number:05}", created=moment) for number in range(10_000)]
    for order in (tags, tags[::-1]):
        choice = decide(build_time_policy(), order, None, True)
        assert choice.tag == tags[0]
        assert "it and 9999 more stand at one place" in choice.reason


@pytest.mark.parametrize("unknown", [None, datetime(1, 1, 1, tzinfo=UTC)])
def test_one_unknown_build_time_stops_the_choice_unless_its_tag_takes_no_part(unknown: datetime | None) -> None:
    tags = [*built(a=3, b=17), ImageTag("c", created=unknown)]
    choice = decide(build_time_policy(), tags, Previous(tags[0]), True)
    assert (choice.outcome, choice.tag, code_of(choice)) == ("held", tags[0], BUILD_TIME_UNKNOWN)
    assert '"c" has no known build time' in choice.reason
    assert decide(build_time_policy("asc", tag_filter("[ab]")), tags, None, True).tag == tags[1]


def test_metadata_is_needed_only_of_tags_that_take_part_in_an_order_by_time() -> None:
    policy = build_time_policy("asc", tag_filter("^v"))
    assert policy.needs_created
    assert [policy.accepts(tag) for tag in ("v1", "x", "v\n")] == [True, False, False]
    assert not SEMVER.needs_created


def test_one_tag_that_is_no_number_stops_a_numerical_policy_and_is_named() -> None:
    choice = decide(numerical_policy(), listed("1", "zzz", "latest"), None, True)
    assert (choice.outcome, choice.tag, code_of(choice)) == ("none", None, TAG_NOT_A_NUMBER)
    assert '"latest" gives "latest", which is no number' in choice.reason


def test_when_no_tag_takes_part_each_reason_is_told_with_a_count_and_an_example() -> None:
    tags = listed("latest", "main", "2.0.0", "1.1.0-rc.1", "bad tag\n")
    choice = decide(SEMVER, tags, Previous(ImageTag("2.0.0"), unchanged=False), True)
    assert (choice.outcome, choice.tag, code_of(choice)) == ("none", None, NO_MATCHING_TAG)
    assert choice.reason == (
        'no tag is chosen: of 5 tags none takes part (2 such as "latest": is no semantic version; '
        '1 such as "1.1.0-rc.1": is a pre-release, and the version range names none; '
        '1 such as "bad tag\\n": is no tag that a registry may list; '
        '1 such as "2.0.0": is outside of the version range)'
    )
    assert "has no tags" in decide(SEMVER, [], None, True).reason


def test_a_tag_that_cannot_be_one_is_never_chosen_and_never_shown_raw() -> None:
    hostile = ImageTag("zz\x1b[31m\n" + "x" * 500)
    choice = decide(alphabetical_policy(), [hostile, ImageTag("a")], None, True)
    assert choice.tag == ImageTag("a")
    shown = next(iter(explain(alphabetical_policy(), [hostile], choice)))
    assert shown.tag.isprintable()
    assert len(shown.tag) <= 128
    assert not shown.chosen


@pytest.mark.parametrize("unchanged", [True, False])
def test_a_listing_that_is_not_complete_changes_nothing(unchanged: bool) -> None:
    choice = decide(SEMVER, listed("1.9.0"), Previous(ImageTag("1.2.0"), unchanged), False)
    assert (choice.outcome, choice.tag, code_of(choice)) == ("held", ImageTag("1.2.0"), TAGS_INCOMPLETE)
    assert decide(SEMVER, listed("1.9.0"), None, False).outcome == "none"


@pytest.mark.parametrize("left", [[], ["1.1.0"], ["1.2.0", "latest"], ["2.0.0"]])
def test_a_chosen_tag_that_left_the_registry_is_held_while_nothing_newer_is_there(left: list[str]) -> None:
    choice = decide(SEMVER, listed(*left), Previous(ImageTag("1.2.3")), True)
    assert (choice.outcome, choice.tag, code_of(choice)) == ("held", ImageTag("1.2.3"), TAG_GONE)


def test_a_chosen_tag_that_left_the_registry_is_followed_by_a_newer_one() -> None:
    choice = decide(SEMVER, listed("1.1.0", "1.2.4"), Previous(ImageTag("1.2.3")), True)
    assert (choice.outcome, choice.tag) == ("chosen", ImageTag("1.2.4"))
    assert '"1.2.3", the choice before, has left the registry' in choice.reason


def test_by_build_time_a_vanished_tag_is_followed_only_if_its_own_build_time_is_known() -> None:
    left = built(a=3, b=17)
    known = decide(build_time_policy(), left, Previous(built(gone=9)[0]), True)
    assert (known.outcome, known.tag) == ("chosen", left[1])
    unknown = decide(build_time_policy(), left, Previous(ImageTag("gone")), True)
    assert (unknown.outcome, code_of(unknown)) == ("held", TAG_GONE)
    assert "is not known" in unknown.reason


def test_a_policy_that_was_changed_may_go_back() -> None:
    tags = listed("1.2.3", "1.9.0", "2.0.0")
    previous = Previous(ImageTag("2.0.0"), unchanged=False)
    assert decide(SEMVER, tags, previous, True).tag == ImageTag("1.9.0")
    assert decide(SEMVER, listed("1.2.3"), previous, True).tag == ImageTag("1.2.3")


def test_a_policy_that_is_not_valid_chooses_nothing_and_changes_nothing() -> None:
    policy = InvalidPolicy(Problem(REGEX_REJECTED, "No", cause="missing )"))
    assert decide(policy, listed("1"), None, True).reason == "no tag is chosen: missing )"
    choice = decide(policy, listed("1"), Previous(ImageTag("0")), True)
    assert (choice.outcome, choice.tag) == ("held", ImageTag("0"))
    assert [verdict.reason for verdict in explain(policy, listed("1"), choice)] == ['"0" stays: missing )']


def test_every_tag_that_is_not_chosen_has_a_reason() -> None:
    tags = listed("1.0.0", "1.2.0", "2.0.0", "1.3.0-rc.1", "main")
    verdicts = list(explain(SEMVER, tags, decide(SEMVER, tags, None, True)))
    assert [(verdict.tag, verdict.chosen) for verdict in verdicts] == [(tag.tag, tag.tag == "1.2.0") for tag in tags]
    assert [verdict.reason for verdict in verdicts if not verdict.chosen] == [
        'takes part, but "1.2.0" is the highest version in "1.x"',
        "is outside of the version range",
        "is a pre-release, and the version range names none",
        "is no semantic version",
    ]


def test_while_a_tag_is_held_the_others_say_why_they_are_not_taken() -> None:
    choice = decide(SEMVER, listed("1.1.0"), Previous(ImageTag("1.2.3")), True)
    (verdict,) = explain(SEMVER, listed("1.1.0"), choice)
    assert verdict.reason == choice.reason


@pytest.mark.parametrize(
    ("text", "words"), [(">=y", "at character 3"), ("", "at character 1"), ("1.0 ; 2.0", "at character 5")]
)
def test_a_range_that_cannot_be_read_says_where(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        semver_policy(text)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (TAG_RANGE, "spec.policy.semver.range")
    assert words in problem.cause


@pytest.mark.parametrize(
    ("pattern", "extract", "field", "cause"),
    [
        ("(a", "", "pattern", "missing )"),
        ("a" * 10_000, "", "pattern", "limit 1024"),
        ("(a)", "$1x", "extract", 'the pattern has no group "1x"'),
        ("(a)", "$2", "extract", 'the pattern has no group "2"'),
        ("(?P<ts>a)", "${time}", "extract", 'the pattern has no group "time"'),
        ("(a)", "x" * 300, "extract", "limit 256"),
    ],
)
def test_a_filter_that_cannot_be_used_says_what_is_wrong(pattern: str, extract: str, field: str, cause: str) -> None:
    with pytest.raises(UserError) as caught:
        tag_filter(pattern, extract)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (REGEX_REJECTED, f"spec.filterTags.{field}")
    assert cause in problem.cause
    assert len(problem.cause) < 300


def test_an_exclusion_list_names_the_pattern_that_excludes() -> None:
    excluded = exclusions(["^.*\\.sig$", "^sha256-"])
    assert [excluded.excluded_by(tag) for tag in ("1.0.0", "1.sig", "sha256-ab")] == ["", "^.*\\.sig$", "^sha256-"]
    with pytest.raises(UserError, match="missing ]"):
        exclusions(["a", "[b"])
