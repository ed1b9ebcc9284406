"""An ImagePolicy chooses as Flux's does, at once when the tags change, and never goes back for want of knowledge."""

from __future__ import annotations

import secrets

import pytest

from devcluster.images import make_image
from devcluster.registry import Registry
from tests.image_objects import Images, chosen
from tests.operator_fixture import Bench, Json, condition

pytestmark = pytest.mark.cluster


@pytest.fixture
def images(bench: Bench, registry: Registry) -> Images:
    """An image of its own, without objects."""
    return Images(bench, registry, f"i-{secrets.token_hex(3)}", bench.namespace)


@pytest.mark.parametrize(
    ("spec", "tag"),
    [
        ({"policy": {"semver": {"range": "1.x"}}}, "1.10.0"),
        ({"policy": {"semver": {"range": ">=1.0.0-0"}}}, "2.0.0-rc.1"),
        ({"policy": {"alphabetical": {}}, "filterTags": {"pattern": r"^\d"}}, "2.0.0-rc.1"),
        ({"policy": {"alphabetical": {"order": "desc"}}, "filterTags": {"pattern": r"^\d"}}, "1.10.0"),
        (
            {"policy": {"numerical": {}}, "filterTags": {"pattern": r"^main-[a-f0-9]+-(?P<ts>\d+)$", "extract": "$ts"}},
            "main-ab12-200",
        ),
    ],
    ids=["range", "prerelease", "alphabetical", "descending", "numerical"],
)
def test_a_policy_chooses_the_tag_that_flux_would(images: Images, spec: Json, tag: str) -> None:
    images.push("1.9.0", "1.10.0", "2.0.0-rc.1", "main-cd34-100", "main-ab12-200", "latest")
    images.scan()
    images.choose(**spec)
    images.wait_chosen(tag)
    found = images.wait_ready("ImagePolicy")
    assert condition(found, "Ready")["message"] == f"Latest image tag for {images.image} resolved to {tag}"


def test_one_scan_wakes_every_policy_of_the_repository(images: Images) -> None:
    images.push("1.0.0", "2.0.0")
    images.scan()
    one, two = f"{images.name}-1", f"{images.name}-2"
    images.choose(one, policy={"semver": {"range": "1.x"}})
    images.choose(two, policy={"semver": {"range": "2.x"}})
    images.wait_chosen("1.0.0", one)
    images.wait_chosen("2.0.0", two)
    images.push("1.0.1", "2.0.1")
    images.request("ImageRepository")
    images.wait_chosen("1.0.1", one)
    images.wait_chosen("2.0.1", two)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"policy": {"semver": {"range": "not a range"}}}, "E504"),
        ({"policy": {"semver": {"range": "*"}}, "filterTags": {"pattern": "("}}, "E503"),
        ({"policy": {"alphabetical": {}}, "filterTags": {"pattern": "^v", "extract": "$ts"}}, "E503"),
        ({"policy": {}}, "E245"),
        ({"policy": {"alphabetical": {}, "numerical": {}}}, "E246"),
    ],
    ids=["range", "pattern", "extract", "none", "two"],
)
def test_a_policy_that_can_not_be_read_stalls_and_chooses_nothing(images: Images, spec: Json, text: str) -> None:
    images.push("1.0.0")
    images.scan()
    images.choose(**spec)
    found = images.wait_ready("ImagePolicy", "False", "InvalidPolicy", text)
    assert condition(found, "Stalled")["status"] == "True"
    assert not chosen(found)


def test_a_policy_without_a_tag_that_fits_says_why_and_gets_one_when_it_is_pushed(images: Images) -> None:
    images.push("latest", "nightly")
    images.scan()
    images.choose()
    images.wait_ready("ImagePolicy", "False", "Failure", "of 2 tags none takes part")
    images.push("1.0.0")
    images.request("ImageRepository")
    images.wait_chosen("1.0.0")


def test_a_policy_by_build_time_chooses_what_was_built_last_and_sees_what_is_built_later(images: Images) -> None:
    for tag, day in (("a1", "03"), ("f0", "05"), ("c2", "04")):
        images.registry.push(images.name, tag, make_image(created=f"2026-01-{day}T00:00:00Z"))
    images.scan()
    images.wait_ready("ImageRepository")
    images.choose(policy={"buildTime": {}})
    images.wait_chosen("f0")
    images.registry.push(images.name, "0b", make_image(created="2026-01-06T00:00:00Z"))
    images.request("ImageRepository")
    images.wait_chosen("0b")
    images.edit("ImagePolicy", {"policy": {"buildTime": {"order": "desc"}}})
    images.wait_chosen("a1")


def test_a_policy_waits_for_its_repository_and_is_woken_by_it(images: Images) -> None:
    images.push("1.0.0")
    images.choose()
    images.wait_ready("ImagePolicy", "False", "DependencyNotReady", "does not exist")
    images.scan()
    images.wait_chosen("1.0.0")


def test_a_tag_that_vanished_is_held_and_told_until_the_policy_is_changed(images: Images) -> None:
    images.push("1.0.0", "1.1.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.1.0")
    images.registry.untag(images.name, "1.1.0")
    images.request("ImageRepository")
    held = images.wait_ready("ImagePolicy", "False", text="E506")
    assert chosen(held)["tag"] == "1.1.0"
    images.edit("ImagePolicy", {"policy": {"semver": {"range": "1.0.x"}}})
    images.wait_chosen("1.0.0")
    images.wait_ready("ImagePolicy")


def test_a_digest_is_reported_once_or_each_interval_as_the_policy_says(images: Images) -> None:
    first = images.push("1.0.0")
    images.scan()
    once, always, never = (f"{images.name}-{word}" for word in ("once", "always", "never"))
    images.choose(once, digestReflectionPolicy="IfNotPresent")
    images.choose(always, digestReflectionPolicy="Always", interval="1s")
    images.choose(never)
    assert chosen(images.wait_chosen("1.0.0", once))["digest"] == first
    assert chosen(images.wait_chosen("1.0.0", always))["digest"] == first
    assert "digest" not in chosen(images.wait_chosen("1.0.0", never))
    moved = images.registry.push(images.name, "1.0.0", make_image(content="built again"))
    images.wait("ImagePolicy", "sees the move", lambda p: chosen(p).get("digest") == moved, name=always)
    images.request("ImagePolicy", once)
    assert chosen(images.get("ImagePolicy", once))["digest"] == first
    message = condition(images.get("ImagePolicy", always), "Ready")["message"]
    assert message.endswith(f"with digest {moved} (previously {images.image}:1.0.0@{first})")
