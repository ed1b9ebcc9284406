"""Laws of image policies: over any tags, in any order, with any part of them gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.errors import UserError
from sluice.core.image import ImageTag, is_tag
from sluice.core.image_policy import Previous, TagPolicy, decide, explain
from sluice.core.image_policy.dialect_fluxd import fluxd_policy
from sluice.core.image_policy.dialect_v2 import (
    alphabetical_policy,
    build_time_policy,
    numerical_policy,
    semver_policy,
    tag_filter,
)
from sluice.core.image_policy.policy import Candidate
from sluice.core.image_policy.workload_policies import read_policies

POLICIES = [
    semver_policy("1.x"),
    semver_policy(">=0.0.0-0"),
    semver_policy("*", tag_filter("^v?([0-9.]+)", "$1")),
    alphabetical_policy(),
    alphabetical_policy("desc", tag_filter("^(v?)(.*)$", "$2")),
    numerical_policy("asc", tag_filter(r"^v?(\d+)", "$1")),
    numerical_policy("desc", tag_filter(r"(\d+)$", "$1")),
    build_time_policy(),
    build_time_policy("desc", tag_filter("1")),
    fluxd_policy("*"),
    fluxd_policy("semver:*"),
    fluxd_policy("semver:~1"),
    fluxd_policy("regexp:^v|rc"),
    fluxd_policy("glob:1*"),
]
POLICY = st.sampled_from(POLICIES)
# Few names and moments, so that equal places are common. A tag's build time is one of the image's facts.
NAMES = [
    *("0.1.0", "1.0.0", "v1.0.0", "1.0", "1", "01", "1.2.3", "v1.2.3", "1.10.0", "1.2.3-rc.1", "1.2.3-rc.2", "2.0.0"),
    *(
        "latest",
        "main",
        "main-7",
        "main-07",
        "v2",
        "20",
        "9",
        "100",
        "1.2.3-01",
        "LATEST",
        "-bad",
        "b d",
        "\x1b[0m",
        "é",
    ),
]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = {name: ImageTag(name, created=EPOCH + timedelta(days=index * 7 % 5)) for index, name in enumerate(NAMES)}
TAGS = st.lists(st.sampled_from(list(FACTS.values())), unique=True)


def is_newer_or_same(policy: TagPolicy, one: ImageTag, other: ImageTag) -> bool:
    place, other_place = policy.candidate(one), policy.candidate(other)
    return one == other or (
        isinstance(place, Candidate) and isinstance(other_place, Candidate) and policy.order.prefers(place, other_place)
    )


@given(POLICY, TAGS.flatmap(lambda tags: st.tuples(st.just(tags), st.permutations(tags))))
def test_the_order_of_the_listing_changes_nothing(
    policy: TagPolicy, listings: tuple[list[ImageTag], list[ImageTag]]
) -> None:
    one, other = (decide(policy, tags, None, True) for tags in listings)
    assert one == other


@given(POLICY, TAGS)
def test_what_is_chosen_is_listed_takes_part_and_nothing_listed_is_newer(
    policy: TagPolicy, tags: list[ImageTag]
) -> None:
    choice = decide(policy, tags, None, True)
    taking_part = [tag for tag in tags if policy.accepts(tag.tag)]
    assert (choice.tag in taking_part) if taking_part else (choice.outcome == "none")
    if choice.tag is not None:
        assert is_tag(choice.tag.tag)
        assert all(is_newer_or_same(policy, choice.tag, tag) for tag in taking_part)


@given(POLICY, TAGS, TAGS)
def test_tags_that_take_no_part_change_nothing(policy: TagPolicy, tags: list[ImageTag], others: list[ImageTag]) -> None:
    others = [tag for tag in others if tag not in tags and not policy.accepts(tag.tag)]
    assert decide(policy, [*others, *tags], None, True).tag == decide(policy, tags, None, True).tag


@given(POLICY, TAGS)
def test_a_second_look_at_the_same_tags_chooses_the_same(policy: TagPolicy, tags: list[ImageTag]) -> None:
    choice = decide(policy, tags, None, True)
    if choice.tag is not None:
        assert decide(policy, tags, Previous(choice.tag), True) == choice


@given(POLICY, st.lists(st.tuples(TAGS, st.booleans()), max_size=6))
def test_while_a_policy_is_unchanged_no_listing_makes_it_go_back(
    policy: TagPolicy, listings: list[tuple[list[ImageTag], bool]]
) -> None:
    previous: ImageTag | None = None
    for tags, complete in listings:
        choice = decide(policy, tags, Previous(previous) if previous else None, complete)
        if previous is not None:
            assert choice.tag is not None
            assert is_newer_or_same(policy, choice.tag, previous)
        if not complete:
            assert choice.tag == previous
        previous = choice.tag


@given(POLICY, TAGS, st.sampled_from(list(FACTS.values())))
def test_a_changed_policy_chooses_as_if_it_were_new(policy: TagPolicy, tags: list[ImageTag], old: ImageTag) -> None:
    assert decide(policy, tags, Previous(old, unchanged=False), True) == decide(policy, tags, None, True)


@given(POLICY, TAGS, st.sampled_from(list(FACTS.values())), st.booleans())
def test_every_tag_gets_a_verdict_with_a_reason_fit_to_print(
    policy: TagPolicy, tags: list[ImageTag], old: ImageTag, complete: bool
) -> None:
    choice = decide(policy, tags, Previous(old), complete)
    verdicts = list(explain(policy, tags, choice))
    assert [verdict.chosen for verdict in verdicts] == [tag == choice.tag for tag in tags]
    assert all(verdict.reason and verdict.reason.isprintable() for verdict in verdicts)
    assert choice.reason.isprintable()


@given(st.sampled_from(POLICIES), st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_no_two_candidates_are_equal_and_the_order_is_transitive(policy: TagPolicy, a: str, b: str, c: str) -> None:
    places = [place for name in (a, b, c) if isinstance(place := policy.candidate(FACTS[name]), Candidate)]
    for one in places:
        for other in places:
            newer = policy.order.prefers(one, other)
            assert newer is not (policy.order.prefers(other, one) or one == other)
            for third in places:
                if newer and policy.order.prefers(other, third):
                    assert policy.order.prefers(one, third)


@given(st.text(max_size=40) | st.text("semvrglobxp:*^$()[]|0123.<>=~ ,-", max_size=30), st.text(max_size=20))
def test_any_text_is_a_tag_pattern_or_an_error_with_a_problem(text: str, tag: str) -> None:
    problems: tuple[object, ...] = ()
    try:
        fluxd_policy(text, "fluxcd.io/tag.web").accepts(tag)
    except UserError as error:
        problems = error.problems
    assert all(str(problem).isprintable() for problem in problems)


KEYS = st.builds(
    lambda prefix, policy: prefix + policy,
    st.sampled_from(["fluxcd.io/", "flux.weave.works/", "filter.fluxcd.io/", "example.com/", ""]),
    st.sampled_from(
        ["automated", "locked", "locked_user", "locked_msg", "ignore", "tag.web", "tag.", "tag_all", "web", "x"]
    )
    | st.text(max_size=5),
)
VALUES = st.sampled_from(["true", "false", "sync_only", "ture", "glob:*", "semver:(", "regexp:("]) | st.text(
    max_size=10
)


@given(st.dictionaries(KEYS, VALUES | st.none() | st.booleans() | st.integers(), max_size=8))
def test_any_annotations_are_read_and_only_a_clear_yes_lets_images_in(annotations: dict[str, object]) -> None:
    policies = read_policies(annotations)
    if not policies.hold():
        assert "true" in (annotations.get("fluxcd.io/automated"), annotations.get("flux.weave.works/automated"))
        assert "true" not in (annotations.get("fluxcd.io/locked"), annotations.get("flux.weave.works/locked"))
    assert all(str(problem).isprintable() for problem in policies.problems)
