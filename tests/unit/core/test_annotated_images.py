"""Automation by annotations as a pure decision: who is automated, what it gets, and the reason of whatever stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.automation_flags import AutomationFlags
from sluice.core.codes import ANNOTATION_INVALID, IMAGE_REJECTED, IMAGE_UNHEALTHY, WORKLOAD_NOT_RUNNING
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.image import ImageTag, parse
from sluice.core.image_policy.workload_choice import Listing
from sluice.core.image_update.annotated import Annotated, Decision, Rejection, decide_images, find_annotated
from sluice.core.image_update.annotated_history import (
    container_images,
    failed_containers,
    set_back_images,
    still_held,
    taken_back,
    told_of_failed,
)
from sluice.core.image_update.release import update_containers
from sluice.core.image_update.unhealthy import FailedRollout, Versions
from sluice.core.image_update.workload import WorkloadId

WEB = WorkloadId("shop", "deployment", "web")
START = datetime(2026, 1, 1, tzinfo=UTC)


def file(tag: str = "1.0.0", *, annotations: str = "fluxcd.io/automated: 'true'", namespace: str = "shop") -> bytes:
    where = f", namespace: {namespace}" if namespace else ""
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: web{where}, annotations: {{{annotations}}}}}
spec: {{template: {{spec: {{containers: [{{name: main, image: "acme/web:{tag}"}}]}}}}}}
""".encode()


def tags(*names: str) -> Listing:
    """Tags that were built one day after another."""
    return Listing(tuple(ImageTag(n, None, START + timedelta(days=day)) for day, n in enumerate(names)), complete=True)


def decide(
    files: Mapping[str, bytes],
    listing: Listing | None,
    *,
    runs: bool = True,
    rejected: Mapping[tuple[WorkloadId, str], Rejection] | None = None,
) -> Decision:
    found, _ = find_annotated(files, "default")
    return decide_images(found, lambda _: runs, lambda _, __: listing, rejected or {})


def test_only_workloads_that_ask_for_it_are_found_under_either_prefix() -> None:
    files = {
        "a.yaml": file(),
        "b.yaml": file(annotations="flux.weave.works/automated: 'true'", namespace="old"),
        "c.yaml": file(annotations="fluxcd.io/automated: 'false'", namespace="no"),
        "d.yaml": file(annotations="fluxcd.io/tag.main: glob:*", namespace="no"),
        "e.txt": file(namespace="no"),
        "f.yaml": b"# fluxcd.io/automated\n{ broken",
    }
    found, unread = find_annotated(files, "default", "abc")
    assert [str(each.workload.id) for each in found] == ["shop:deployment/web", "old:deployment/web"]
    assert [skipped.path for skipped in unread] == ["f.yaml"]
    assert str(found[0].origin) == "a.yaml:1@abc"


def test_a_word_that_is_neither_true_nor_false_holds_the_workload_and_is_told() -> None:
    decision = decide({"a.yaml": file(annotations="fluxcd.io/automated: 'yes'")}, tags("2"))
    assert decision.updates == ()
    assert decision.reasons[0].problem is not None
    assert decision.reasons[0].problem.code is ANNOTATION_INVALID


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        ("fluxcd.io/automated: 'true', fluxcd.io/locked: 'true'", "it is locked"),
        ("fluxcd.io/automated: 'true', fluxcd.io/ignore: 'true'", "it is ignored (ignore)"),
        ("fluxcd.io/automated: 'true', fluxcd.io/tag.main: 'glob:v*'", "none takes part"),
        ("fluxcd.io/automated: 'true', fluxcd.io/tag.main: 'regexp:('", "stays"),
    ],
)
def test_whatever_keeps_an_image_is_a_reason(annotations: str, reason: str) -> None:
    [told] = decide({"a.yaml": file(annotations=annotations)}, tags("1.0.0", "1.1.0")).reasons
    assert reason in told.reason
    assert (told.workload, told.container, told.image) == (WEB, "main", "acme/web:1.0.0")


def test_what_does_not_run_is_not_updated_and_a_lock_is_the_better_reason() -> None:
    [told] = decide({"a.yaml": file()}, tags("2"), runs=False).reasons
    assert told.problem is not None
    assert told.problem.code is WORKLOAD_NOT_RUNNING
    held = file(annotations="fluxcd.io/automated: 'true', fluxcd.io/locked: 'true'")
    assert decide({"a.yaml": held}, tags("2"), runs=False).reasons[0].reason == "it is locked"


def test_a_rejected_image_waits_for_a_newer_one() -> None:
    rejected = {(WEB, "main"): Rejection("docker.io/acme/web:2", "Deployment shop/web", "crash loop", "abc")}
    held = decide({"a.yaml": file()}, tags("1.0.0", "2"), rejected=rejected)
    assert held.updates == ()
    assert held.reasons[0].problem is not None
    assert held.reasons[0].problem.code is IMAGE_UNHEALTHY
    newer = decide({"a.yaml": file()}, tags("1.0.0", "2", "3"), rejected=rejected)
    assert [str(update.image) for update in newer.updates] == ["acme/web:3"]
    by_hand = {(WEB, "main"): Rejection("docker.io/acme/web:2")}
    problem = decide({"a.yaml": file()}, tags("1.0.0", "2"), rejected=by_hand).reasons[0].problem
    assert problem is not None
    assert problem.code is IMAGE_REJECTED


def test_a_rejection_is_kept_while_it_matters() -> None:
    found, _ = find_annotated({"a.yaml": file()}, "default")
    locked, _ = find_annotated(
        {"a.yaml": file(annotations="fluxcd.io/automated: 'true', fluxcd.io/locked: 'true'")}, ""
    )
    rejected = {(WEB, "main"): Rejection("docker.io/acme/web:2")}
    assert still_held(rejected, found, []) == {}
    assert still_held(rejected, found, [(WEB, "main")]) == rejected
    assert still_held(rejected, locked, []) == rejected


def test_an_update_that_our_last_commit_had_made_was_set_back() -> None:
    updates = decide({"a.yaml": file()}, tags("1.0.0", "1.1.0")).updates
    written = container_images({"a.yaml": file("1.1.0"), "broken.yaml": b"{"}, "default")
    assert set_back_images(updates, written) == {(WEB, "main"): Rejection("docker.io/acme/web:1.1.0")}
    assert set_back_images(updates, container_images({"a.yaml": file("1.0.5")}, "default")) == {}


def failure(name: str = "web", namespace: str = "shop") -> FailedRollout:
    objects = {ResourceId("apps", "Deployment", namespace, name): "crash loop\nand more"}
    return FailedRollout(NamespacedName("sluice", "flag"), "bad", "good", ("",), objects)


def failed(versions: Versions, rollout: FailedRollout) -> dict[tuple[WorkloadId, str], tuple[Rejection, object]]:
    found, _ = find_annotated(versions.now, "default")
    return dict(failed_containers(found, versions, rollout, "default"))


def test_an_image_that_its_own_workload_failed_on_is_taken_back_to_the_one_before() -> None:
    versions = Versions({"a.yaml": file("2")}, {"a.yaml": file("2")}, {"a.yaml": file("1")})
    found, _ = find_annotated(versions.now, "default")
    images = failed_containers(found, versions, failure(), "default")
    assert images[WEB, "main"][0] == Rejection(
        "docker.io/acme/web:2", "Deployment shop/web", "crash loop\\nand more", "bad"
    )
    back = update_containers(versions.now, taken_back(images), "default")
    assert back.files == versions.good
    assert (
        told_of_failed(images).splitlines()[-1].startswith("- docker.io/acme/web:2 of shop:deployment/web: Deployment")
    )


@pytest.mark.parametrize(
    ("versions", "rollout"),
    [
        (Versions({"a.yaml": file("2")}, {"a.yaml": file("2")}, {"a.yaml": file("1")}), failure("other")),
        (Versions({"a.yaml": file("2")}, {"a.yaml": file("2")}, {"a.yaml": file("1")}), failure(namespace="away")),
        (Versions({"a.yaml": file("3")}, {"a.yaml": file("2")}, {"a.yaml": file("1")}), failure()),
        (Versions({"a.yaml": file("2")}, {"a.yaml": file("2")}, {"a.yaml": file("2")}), failure()),
        (Versions({"a.yaml": file("2")}, {"a.yaml": file("2")}, {}), failure()),
    ],
)
def test_no_other_image_is_blamed(versions: Versions, rollout: FailedRollout) -> None:
    assert failed(versions, rollout) == {}


@pytest.mark.parametrize(
    ("image", "flags", "reason"),
    [
        ("k8s.gcr.io/pause:3", AutomationFlags(), "--registry-exclude-image"),
        ("nginx", AutomationFlags(exclude=("index.docker.io/*",)), "--registry-exclude-image"),
        ("nginx", AutomationFlags(exclude=("docker.io/library/*",)), "--registry-exclude-image"),
        ("nginx", AutomationFlags(), ""),
        ("ghcr.io/a/b", AutomationFlags(include=("docker.io/*",)), "--registry-include-image"),
        ("nginx", AutomationFlags(include=("docker.io/*",)), ""),
        ("nginx", AutomationFlags(scans=False), "--registry-disable-scanning"),
    ],
)
def test_flags_say_which_images_are_scanned(image: str, flags: AutomationFlags, reason: str) -> None:
    told = flags.excluded(parse(image))
    assert (reason in told) if reason else not told


def test_the_images_whose_labels_date_them_are_fluxds_own_by_default() -> None:
    flags = AutomationFlags()
    assert flags.is_dated_by_label(parse("weaveworks/flux:1"))
    assert not flags.is_dated_by_label(parse("nginx"))


NAMES = st.from_regex(r"\A[0-9]{1,2}\.[0-9]{1,2}\.[0-9](-rc)?\Z") | st.sampled_from(["latest", "v2", "nightly"])
PATTERNS = st.sampled_from(["glob:*", "semver:*", "semver:~1", "regexp:^[0-9]", "glob:latest", "semver:>>", "x:y"])


@given(st.lists(NAMES, min_size=1, unique=True), PATTERNS, NAMES, st.booleans())
def test_a_second_pass_over_what_the_first_wrote_has_nothing_to_write(
    names: list[str], pattern: str, current: str, complete: bool
) -> None:
    files = {"a.yaml": file(current, annotations=f"fluxcd.io/automated: 'true', fluxcd.io/tag.main: '{pattern}'")}
    listing = Listing(tags(*names).tags, complete)
    decision = decide(files, listing)
    update = update_containers(files, decision.updates, "default")
    assert not update.skipped
    assert len(decision.reasons) == 1
    again = decide({**files, **update.files}, listing)
    assert again.updates == ()
    assert complete or not decision.updates


@given(st.lists(NAMES, min_size=1, unique=True), PATTERNS)
def test_a_rejected_image_is_never_chosen(names: list[str], pattern: str) -> None:
    files = {"a.yaml": file(annotations=f"fluxcd.io/automated: 'true', fluxcd.io/tag.main: '{pattern}'")}
    chosen = decide(files, tags(*names)).updates
    rejected = {(each.workload, each.container): Rejection(each.image.canonical) for each in chosen}
    assert decide(files, tags(*names), rejected=rejected).updates == ()


def test_annotated_tells_the_images_that_can_be_read() -> None:
    [each] = find_annotated({"a.yaml": file()}, "default")[0]
    assert isinstance(each, Annotated)
    assert {name: str(image) for name, image in each.images().items()} == {"main": "acme/web:1.0.0"}
