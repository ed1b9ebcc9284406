"""How corrections of one object are spaced: at once for a person, ever further apart for a machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.drift import Drifted, DriftedField
from sluice.core.fight import AT_ONCE, FIGHT_AFTER, WINDOW, Fight, corrected, fought
from sluice.core.ids import ResourceId

REPLICAS = DriftedField(".spec.replicas", "/spec/replicas", "changed", "hpa", "T")
WEB = Drifted(ResourceId("apps", "Deployment", "shop", "web"), (REPLICAS,))


def test_the_first_corrections_come_at_once_and_a_fight_waits_a_minute() -> None:
    assert [Fight(n, 0, WEB).pause for n in range(1, AT_ONCE + 1)] == [0.0] * AT_ONCE
    assert Fight(FIGHT_AFTER, 0, WEB).pause >= 60
    assert Fight(10**6, 0, WEB).pause <= WINDOW / 2, "else every correction would be a first one"


def test_corrections_far_apart_do_not_follow_each_other() -> None:
    fight = Fight(FIGHT_AFTER, 0.0, WEB)
    assert corrected(fight, WEB, WINDOW - 1).corrections == FIGHT_AFTER + 1
    assert corrected(fight, WEB, WINDOW).corrections == 1


@given(st.lists(st.floats(0, 30), min_size=1, max_size=80))
def test_never_more_than_two_a_minute_once_a_fight_is_on(gaps: list[float]) -> None:
    now, fight, times = 0.0, None, []
    for gap in gaps:
        now += gap
        if fight is not None and now < fight.last + fight.pause:
            continue
        fight = corrected(fight, WEB, now)
        if fight.corrections >= FIGHT_AFTER:
            times.append(now)
    for start in times:
        assert len([t for t in times if start <= t < start + 60]) <= 2


def test_a_fight_names_who_over_what_and_the_rule_that_ends_it() -> None:
    text = str(fought(Fight(6, 0.0, WEB)))
    assert "field .spec.replicas of Deployment shop/web changed by hpa" in text
    assert "corrected 6 times" in text
    assert '{paths: ["/spec/replicas"], target: {kind: Deployment, name: web}}' in text
    gone = str(fought(Fight(6, 0.0, Drifted(WEB.id, deleted=True))))
    assert "was deleted" in gone
    assert "spec.ignore" not in gone


def test_a_deletion_is_no_part_of_a_fight_over_fields_but_of_one_over_deletions_or_the_owner_label() -> None:
    label = DriftedField(".metadata.labels.x", "/metadata/labels/kustomize.toolkit.fluxcd.io~1name", "removed")
    for drifted in (WEB, Drifted(WEB.id, (label,)), Drifted(WEB.id, deleted=True)):
        fight = Fight(FIGHT_AFTER, 0.0, drifted)
        assert fight.held(10, seen=True) == fight.pause - 10
        assert fight.held(10, seen=False) == (0 if drifted is WEB else fight.pause - 10)
        assert fight.held(WINDOW, seen=True) == 0
