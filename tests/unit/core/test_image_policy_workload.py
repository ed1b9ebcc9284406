"""A workload of fluxd's dialect: each container gets an image or stays, and always with a reason."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluice.core.codes import ANNOTATION_INVALID, NO_MATCHING_TAG, REGEX_REJECTED, TAG_GONE, TAGS_INCOMPLETE
from sluice.core.image import ImageTag, parse
from sluice.core.image_policy.workload_choice import ContainerChoice, Listing, choose_images
from sluice.core.image_policy.workload_policies import read_policies
from sluice.core.problem import Code

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64
TAGS = [
    ImageTag(tag, NEW if tag == "1.3.0" else None, datetime(2026, 1, day, tzinfo=UTC))
    for day, tag in enumerate(["1.2.0", "2.0.0", "1.3.0", "nightly", "latest"], 1)
]


def choose(image: str, pattern: str, listing: Listing | None, **extra: str) -> ContainerChoice:
    said = {"fluxcd.io/automated": "true", "fluxcd.io/tag.web": pattern} | {
        f"fluxcd.io/{key}": value for key, value in extra.items()
    }
    (choice,) = choose_images(read_policies(said), {"web": parse(image)}, lambda _: listing)
    return choice


@pytest.mark.parametrize(
    ("image", "pattern", "wanted"),
    [
        ("acme/web:1.2.0", "semver:~1", "acme/web:1.3.0"),
        ("acme/web:1.2.0", "glob:*", "acme/web:nightly"),
        ("acme/web:1.2.0", "regexp:^[0-9]", "acme/web:1.3.0"),
        ("acme/web:3.0.0", "semver:~1", "acme/web:1.3.0"),
        ("acme/web", "semver:*", "acme/web:2.0.0"),
        ("acme/web:latest", "glob:*", "acme/web:nightly"),
        (f"ghcr.io/acme/web:1.2.0@{OLD}", "semver:~1", f"ghcr.io/acme/web:1.3.0@{NEW}"),
        ("acme/web:1.3.0", "semver:~1", None),
        ("acme/web:latest", "glob:latest", None),
        ("acme/web", "glob:latest", None),
        (f"acme/web:1.3.0@{NEW}", "semver:~1", None),
    ],
)
def test_the_newest_tag_that_the_pattern_takes_is_wanted_in_the_form_that_git_has(
    image: str, pattern: str, wanted: str | None
) -> None:
    choice = choose(image, pattern, Listing(TAGS, True))
    assert (str(choice.wanted) if choice.wanted else None) == wanted
    assert choice.problem is None
    assert choice.reason.startswith("it is up to date: ") is (wanted is None)


@pytest.mark.parametrize(
    ("image", "pattern", "listing", "code", "reason"),
    [
        ("acme/web:1.2.0", "semver:~1", None, TAGS_INCOMPLETE, "docker.io/acme/web has not been scanned yet"),
        ("acme/web:1.2.0", "semver:~1", Listing(TAGS, False), TAGS_INCOMPLETE, "was not complete"),
        ("acme/web:1.2.0", "semver:(", Listing(TAGS, True), None, "fluxcd.io/tag.web has"),
        ("acme/web:1.2.0", "regexp:(", Listing(TAGS, True), REGEX_REJECTED, "fluxcd.io/tag.web has"),
        ("acme/web:1.2.0", "glob:rc-*", Listing(TAGS, True), NO_MATCHING_TAG, "none takes part"),
        ("acme/web:1.4.0", "semver:~1", Listing(TAGS, True), TAG_GONE, '"1.4.0" stays'),
        (f"acme/web:1.2.0@{OLD}", "semver:*", Listing(TAGS, True), TAGS_INCOMPLETE, "pinned by digest"),
    ],
)
def test_what_stays_for_a_fault_says_which(
    image: str, pattern: str, listing: Listing | None, code: Code | None, reason: str
) -> None:
    choice = choose(image, pattern, listing)
    assert choice.wanted is None
    assert reason in choice.reason
    assert choice.problem is not None
    assert code is None or choice.problem.code is code


def test_an_image_named_by_its_digest_alone_stays() -> None:
    choice = choose(f"acme/web@{OLD}", "glob:*", Listing(TAGS, True))
    assert (choice.wanted, choice.problem) == (None, None)
    assert "digest alone" in choice.reason


def test_a_workload_that_is_held_up_says_so_for_every_container_and_asks_for_no_tags() -> None:
    containers = {"web": parse("acme/web:1"), "log": parse("acme/log:1")}
    asked: list[object] = []
    for said, reason in (
        (
            {"fluxcd.io/automated": "true", "fluxcd.io/locked": "true", "fluxcd.io/locked_msg": "no"},
            'it is locked: "no"',
        ),
        ({}, "it is not automated"),
    ):
        choices = choose_images(read_policies(said), containers, asked.append)
        assert [(choice.container, choice.wanted, choice.reason) for choice in choices] == [
            ("web", None, reason),
            ("log", None, reason),
        ]
    assert not asked


def test_a_slip_in_an_annotation_is_the_reason_and_the_problem_of_every_container() -> None:
    choice = choose("acme/web:1", "glob:*", Listing(TAGS, True), locked="ture")
    assert choice.problem is not None
    assert choice.problem.code is ANNOTATION_INVALID
    assert choice.wanted is None
