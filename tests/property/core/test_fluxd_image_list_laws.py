"""What list-images says of any tags, under any pattern, agrees with itself and with the policy that automation uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.fluxd_api.image_list import ContainerTags, container_shape, read_fields
from sluice.core.image import ImageTag, parse
from sluice.core.image_policy.policy import InvalidPolicy
from sluice.core.image_policy.workload_policies import read_policies

NAMES = st.from_regex(r"v?[0-9]{1,2}(\.[0-9]{1,2}){0,2}(-rc[0-9])?|latest|main|[a-z]{1,4}", fullmatch=True)
TIMES = st.none() | st.integers(0, 5).map(lambda days: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days))
TAGS = st.lists(st.builds(ImageTag, NAMES, created=TIMES), unique_by=lambda tag: tag.tag, max_size=12)
PATTERNS = st.sampled_from(["", "glob:*", "glob:v*", "semver:*", "semver:~1", "regexp:^v", "regexp:(", "semver:x.y"])


@given(TAGS, PATTERNS, NAMES)
def test_the_list_has_every_tag_once_and_its_counts_are_those_of_the_list(
    tags: list[ImageTag], pattern: str, running: str
) -> None:
    policies = read_policies({"fluxcd.io/tag.main": pattern} if pattern else {})
    asked = ContainerTags("main", parse(f"acme/web:{running}"), tags)
    found = container_shape(asked, policies, read_fields(""))
    listed = [image["ID"].rpartition(":")[2] for image in found.get("Available", [])]
    assert sorted(listed) == sorted(tag.tag for tag in tags)
    policy = policies.policy("main")
    taken = [] if isinstance(policy, InvalidPolicy) else [name for name in listed if policy.accepts(name)]
    assert found.get("AvailableImagesCount", 0) == len(tags)
    assert found.get("FilteredImagesCount", 0) == len(taken)
    assert found["LatestFiltered"]["ID"] == (f"acme/web:{taken[0]}" if taken else "")
    newer = found.get("NewAvailableImagesCount", 0)
    assert running not in listed[:newer]
    assert found.get("NewFilteredImagesCount", 0) <= min(newer, len(taken))
    assert found["Current"]["ID"] == f"acme/web:{running}"


@given(TAGS, PATTERNS)
def test_the_order_does_not_depend_on_that_of_the_registry(tags: list[ImageTag], pattern: str) -> None:
    policies = read_policies({"fluxcd.io/tag.main": pattern} if pattern else {})
    orders = [ContainerTags("main", parse("acme/web:1"), each) for each in (tags, tags[::-1])]
    first, second = (container_shape(each, policies, read_fields("Available")) for each in orders)
    assert first == second
