"""What becomes of each workload of an update, by fluxd's statuses and reasons."""

from __future__ import annotations

import pytest

from sluice.core import codes
from sluice.core.commit_text import Identity
from sluice.core.errors import UserError
from sluice.core.image import ImageTag, parse
from sluice.core.image_policy.workload_choice import Listing
from sluice.core.image_update.policy_annotation import PolicyUpdate, lock, unlock
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.workload import Workload, WorkloadId, live_workload
from sluice.core.problem import Code, Problem
from sluice.core.update_message import author_of, update_message
from sluice.core.update_result import (
    Known,
    container_results,
    image_results,
    policy_results,
    refuse_patterns,
    refuse_unsatisfied,
    written_policies,
)
from sluice.core.update_spec import AutoSpec, Cause, ContainerSpec, ImageSpec, PolicySpec, UpdateSpec

WEB, DB = WorkloadId("shop", "deployment", "web"), WorkloadId("shop", "statefulset", "db")
OLD, NEW, OTHER = parse("acme/web:1.0.0"), parse("acme/web:1.1.0"), parse("acme/api:1.0.0")
LISTING = Listing([ImageTag("1.0.0"), ImageTag("1.1.0")], True)
SEMVER = {"fluxcd.io/tag.main": "semver:*"}
LOCKED, IGNORED = {"fluxcd.io/locked": "true"}, {"fluxcd.io/ignore": "true"}


def workload(annotations: dict[str, str] | None = None, image: str = str(OLD)) -> Workload:
    found = live_workload(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "annotations": {**SEMVER, **(annotations or {})}},
            "spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}},
        }
    )
    assert found is not None
    return found


def known(annotations: dict[str, str] | None = None, image: str = str(OLD), *, runs: bool = True) -> Known:
    return Known({WEB: ("web.yaml", workload(annotations, image))}, {}, frozenset({WEB} if runs else ()))


def absent(code: Code = codes.WORKLOAD_MISSING) -> Known:
    return Known({}, {WEB: Problem(code, "the workload is defined twice")})


IMAGES: list[tuple[str, ImageSpec, Known, tuple[str, str]]] = [
    ("newest", ImageSpec(None, (WEB,)), known(), ("success", "")),
    ("named", ImageSpec(NEW, (WEB,)), known(), ("success", "")),
    ("up to date", ImageSpec(None, (WEB,)), known(image=str(NEW)), ("skipped", "image(s) up to date")),
    ("locked", ImageSpec(None, (WEB,)), known(LOCKED), ("skipped", "locked")),
    ("ignored", ImageSpec(None, (WEB,)), known(IGNORED), ("skipped", "ignore")),
    ("forced", ImageSpec(NEW, (WEB,), force=True), known(LOCKED), ("success", "")),
    ("forced for all", ImageSpec(NEW, force=True), known(LOCKED), ("skipped", "locked")),
    ("excluded", ImageSpec(None, (), (WEB,)), known(runs=False), ("ignored", "excluded")),
    ("other image, of all", ImageSpec(OTHER), known(), ("ignored", "a different image")),
    ("other image, named", ImageSpec(OTHER, (WEB,)), known(), ("skipped", "does not use image(s)")),
    ("not running", ImageSpec(None, (WEB,)), known(runs=False), ("skipped", "not accessible in cluster")),
    ("not in git", ImageSpec(None, (WEB,)), absent(), ("skipped", "not found in repository")),
    ("twice", ImageSpec(None, (WEB,)), absent(codes.WORKLOAD_AMBIGUOUS), ("failed", "the workload is defined twice")),
    (
        "no tag fits",
        ImageSpec(None, (WEB,)),
        known({"fluxcd.io/tag.main": "semver:~9"}),
        ("skipped", "cannot find one or more images"),
    ),
    (
        "the pattern refuses the named one",
        ImageSpec(NEW, (WEB,)),
        known({"fluxcd.io/tag.main": "semver:~1.0.0"}),
        ("skipped", "cannot find one or more images"),
    ),
]


@pytest.mark.parametrize(("spec", "found", "wanted"), [row[1:] for row in IMAGES], ids=[row[0] for row in IMAGES])
def test_a_release_gives_every_workload_fluxds_status_and_reason(
    spec: ImageSpec, found: Known, wanted: tuple[str, str]
) -> None:
    (result,) = image_results(spec, found, lambda _: LISTING).values()
    assert (result.status, result.reason) == wanted
    assert bool(result.updates) == (wanted[0] == "success")


def test_a_reason_in_fluxds_words_keeps_its_details_in_the_problem() -> None:
    (result,) = image_results(
        ImageSpec(None, (WEB,)), known({"fluxcd.io/tag.main": "semver:~9"}), lambda _: LISTING
    ).values()
    assert result.problem is not None
    assert "main" in result.problem.cause


CHOSEN = ContainerUpdate(WEB, "main", NEW, OLD)
WRONG = ContainerUpdate(WEB, "main", NEW, parse("acme/web:0.9"))
STRANGE = ContainerUpdate(WEB, "side", NEW)
CONTAINERS: list[tuple[str, ContainerSpec, Known, tuple[str, str]]] = [
    ("as expected", ContainerSpec((CHOSEN,)), known(), ("success", "")),
    ("without a precondition", ContainerSpec((ContainerUpdate(WEB, "main", NEW),)), known(), ("success", "")),
    ("another image", ContainerSpec((WRONG,)), known(), ("failed", "container(s) tag mismatch: main")),
    (
        "another image, passed over",
        ContainerSpec((WRONG,), skip_mismatches=True),
        known(),
        ("skipped", "container(s) tag mismatch: main"),
    ),
    ("no such container", ContainerSpec((STRANGE,)), known(), ("failed", "container(s) not found: side")),
    ("so already", ContainerSpec((ContainerUpdate(WEB, "main", OLD),)), known(), ("skipped", "image(s) up to date")),
    ("locked", ContainerSpec((CHOSEN,)), known(LOCKED), ("skipped", "locked")),
    ("forced", ContainerSpec((CHOSEN,), force=True), known(LOCKED), ("success", "")),
    ("not running", ContainerSpec((CHOSEN,)), known(runs=False), ("skipped", "not accessible in cluster")),
    ("not in git", ContainerSpec((CHOSEN,)), absent(), ("skipped", "not found in repository")),
]


@pytest.mark.parametrize(
    ("spec", "found", "wanted"), [row[1:] for row in CONTAINERS], ids=[row[0] for row in CONTAINERS]
)
def test_chosen_containers_are_released_when_git_has_what_is_expected(
    spec: ContainerSpec, found: Known, wanted: tuple[str, str]
) -> None:
    (result,) = container_results(spec, found).values()
    assert (result.status, result.reason) == wanted


@pytest.mark.parametrize(
    ("update", "code", "said"),
    [(WRONG, "E623", "cannot satisfy specs"), (ContainerUpdate(WEB, "main", OLD), "E624", "no changes found")],
)
def test_chosen_containers_that_are_otherwise_fail_the_whole(update: ContainerUpdate, code: str, said: str) -> None:
    results = container_results(ContainerSpec((update,)), known())
    with pytest.raises(UserError) as refused:
        refuse_unsatisfied(results.values())
    assert refused.value.problems[0].code.number == code
    assert refused.value.problems[0].title == said


def test_a_policy_is_success_where_it_changes_something_and_skipped_elsewhere() -> None:
    updates = [lock(WEB), PolicyUpdate(DB, {"automated": "true"})]
    found = Known(known().found, {DB: Problem(codes.WORKLOAD_MISSING, "the workload is not in git")})
    results = policy_results(updates, found, {WEB: object()})
    assert [(r.status, r.reason) for r in results.values()] == [
        ("success", ""),
        ("skipped", "not found in repository"),
    ]
    assert policy_results(updates[:1], found, {})[WEB].status == "skipped"


def test_the_empty_words_of_a_lock_are_not_written_and_removal_wins() -> None:
    sent = PolicyUpdate(WEB, {"locked": "true", "locked_user": "Ann", "locked_msg": "", "automated": "true"})
    assert dict(written_policies(sent).add) == {"locked": "true", "locked_user": "Ann", "automated": "true"}
    both = PolicyUpdate(WEB, {"automated": "true"}, frozenset({"automated"}))
    assert dict(written_policies(both).add) == {}


@pytest.mark.parametrize("pattern", ["regexp:(", "semver:not a version"])
def test_a_pattern_that_cannot_be_read_is_refused_in_fluxds_words(pattern: str) -> None:
    with pytest.raises(UserError) as refused:
        refuse_patterns([PolicyUpdate(WEB, {"tag.main": pattern})])
    assert refused.value.problems[0].title == f'invalid tag pattern: "{pattern}"'


def test_everything_and_removals_are_patterns_that_can_be_read() -> None:
    refuse_patterns([PolicyUpdate(WEB, {"tag.main": "glob:1.*", "tag_all": "*"}, frozenset({"tag.side"}))])


DONE = {WEB: WorkloadResult(WEB, "success", "", (CHOSEN,))}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ImageSpec(None), "Release all latest to all"),
        (ImageSpec(NEW, (WEB,)), f"Release {NEW} to shop:deployment/web"),
        (ContainerSpec((CHOSEN,)), f"Update image refs in shop:deployment/web\n\nshop:deployment/web\n- {NEW}\n"),
        (AutoSpec((CHOSEN,)), f"Auto-release {NEW}"),
        (PolicySpec((PolicyUpdate(WEB, {"automated": "true"}),)), "Automated: shop:deployment/web\n"),
    ],
)
def test_a_commit_says_in_fluxds_words_what_it_does(spec: ImageSpec, message: str) -> None:
    assert update_message(UpdateSpec(spec), DONE) == message


def test_what_a_person_says_is_the_message_and_for_policies_its_heading() -> None:
    said = Cause("as agreed")
    assert update_message(UpdateSpec(ImageSpec(None), said), DONE) == "as agreed"
    told = update_message(UpdateSpec(PolicySpec((unlock(WEB),)), said), DONE)
    assert told.startswith("as agreed\n\n- Unlocked: shop:deployment/web\n")


@pytest.mark.parametrize(
    ("user", "author"),
    [
        ("Ann <ann@example.com>", Identity("Ann", "ann@example.com")),
        ("ann@example.com", Identity("ann", "ann@example.com")),
        ("Ann", Identity("Flux", "f@x")),
        ("", Identity("Flux", "f@x")),
        ("A\nann <e@x>\nauthor Eve <eve@x>", Identity("A ann", "e@x")),
    ],
)
def test_an_author_is_who_the_request_names_if_git_can_store_that(user: str, author: Identity) -> None:
    found = author_of(Cause("", user), Identity("Flux", "f@x"))
    assert "\n" not in found.name + found.email
    if "\n" not in user:
        assert found == author
