"""An image's tags in the order of a policy, around the one that runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.image import ImageTag
from sluice.core.image_policy import decide
from sluice.core.image_policy.dialect_v2 import alphabetical_policy, semver_policy
from sluice.core.image_policy.tag_list import tag_list

TAGS = st.lists(st.from_regex(r"[a-z0-9]{1,3}", fullmatch=True), min_size=1, max_size=12, unique=True)


@given(TAGS, st.data())
def test_all_that_is_above_the_running_tag_is_newer_and_the_first_is_what_the_policy_chooses(
    names: list[str], data: st.DataObject
) -> None:
    running = data.draw(st.sampled_from(names))
    policy = alphabetical_policy()
    tags = [ImageTag(name) for name in names]
    found = tag_list(policy, tags, running)
    assert [line.tag.tag for line in found.lines] == sorted(names, reverse=True)
    assert [line.tag.tag for line in found.lines if line.place == "newer"] == sorted(
        (name for name in names if name > running), reverse=True
    )
    chosen = decide(policy, tags, None, complete=True).tag
    assert found.lines[0].tag == chosen


def test_a_running_tag_without_a_place_in_the_order_comes_last_and_is_not_known() -> None:
    found = tag_list(semver_policy("*"), [ImageTag("1.0.0"), ImageTag("dev"), ImageTag("nightly")], "dev")
    assert [(line.tag.tag, line.place, line.is_known) for line in found.lines] == [
        ("1.0.0", "newer", True),
        ("dev", "running", False),
    ]
    assert found.passed_over == 1
