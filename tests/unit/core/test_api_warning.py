"""What the API server warns of is told once for each warning, however many objects it is of, and never without end."""

from __future__ import annotations

from sluice.core import codes
from sluice.core.api_warning import MAX_WARNING, MAX_WARNINGS, api_warnings, warned
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import PlanOptions, build_plan
from sluice.core.problem import Origin
from sluice.core.transaction_messages import Outcome
from tests.plans import OWNER, manifest

WEB, API = ResourceId("apps", "Deployment", "shop", "web"), ResourceId("apps", "Deployment", "shop", "api")
OLD = "v1 Endpoints is deprecated in v1.33+"


def test_a_warning_of_several_objects_is_one_with_the_first_and_the_number_of_the_others() -> None:
    place = Origin("web.yaml", 1)
    both, one = api_warnings([(WEB, place, (OLD, OLD)), (API, None, (OLD, "another"))])
    assert (both.code, both.title, both.subject, both.origin) == (codes.API_WARNING, OLD, WEB, place)
    assert "and of 1 more object" in both.cause
    assert (one.title, one.subject) == ("another", API)
    assert "more object" not in one.cause


def test_who_sends_a_flood_of_warnings_is_told_of_in_part() -> None:
    found = api_warnings([(WEB, None, tuple(f"{n}{'x' * 5000}" for n in range(100)))])
    assert len(found) == MAX_WARNINGS
    assert max(len(each.title) for each in found) == MAX_WARNING


def test_the_warnings_of_a_plan_s_writes_have_their_places_in_git() -> None:
    web = manifest("Deployment", "web")
    plan = build_plan(OWNER, (web,), Inventory(), lambda _: None, PlanOptions())
    outcomes = [Outcome(web.id, "created", warnings=(OLD,)), Outcome(API, "unchanged")]
    (found,) = warned(plan, outcomes)
    assert (found.subject, found.origin) == (web.id, web.origin)
    assert warned(plan, [Outcome(web.id, "created")]) == ()
