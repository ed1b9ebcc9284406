"""Releases and policies asked of a sync by annotation: committed once, told in its status, and rolled out."""

from __future__ import annotations

import json

import pytest

from devcluster.registry import Registry
from tests.git_writing import hook
from tests.image_objects import Images
from tests.operator_fixture import Bench, config_map, poll
from tests.update_asking import WEB, Asking

pytestmark = pytest.mark.cluster
LATEST = "<all latest>"


def result(answer: dict[str, object]) -> dict[str, object]:
    """The only workload that an answer tells of."""
    results = answer["results"]
    assert isinstance(results, list)
    assert len(results) == 1, results
    return dict(results[0])


def test_a_release_is_committed_byte_for_byte_and_rolled_out_without_a_poll(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry, "1.1.0", "1.2.0")
    before = asking.file()
    answer = asking.asked("image", asking.release(LATEST))
    assert answer["state"] == "succeeded", answer
    assert result(answer)["status"] == "success"
    assert result(answer)["changes"] == [
        {
            "field": "main",
            "from": f"{asking.image}:1.0.0",
            "to": f"{asking.image}:1.2.0",
            "path": "web.yaml",
            "line": 16,
        }
    ]
    assert answer["revision"] == asking.git("rev-parse", "main").strip()
    assert asking.file() == before.replace(":1.0.0 ", ":1.2.0 ")
    message = asking.git("log", "-1", "--format=%B", "main")
    assert message.startswith(f"Release all latest to {asking.web}\n")
    asking.sync.wait_ready(f"main@sha1:{answer['revision']}")
    selector = f"involvedObject.kind%3DGitRepository,involvedObject.name%3D{asking.sync.name},reason%3DCommitPushed"
    events = f"/api/v1/namespaces/{asking.sync.namespace}/events?fieldSelector={selector}"
    [event] = poll("an event tells of it", lambda: (bench.api.get(events) or {})["items"])
    assert event["message"].startswith(f"pushed commit '{str(answer['revision'])[:7]}' to branch 'main'\nRelease all")
    live = asking.sync.live("apps/v1/deployments", "web")
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == f"{asking.image}:1.2.0"


def test_the_commit_has_fluxds_note_of_the_job(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    answer = asking.asked("image", asking.release(f"{asking.image}:1.1.0"), why="as agreed")
    note = json.loads(asking.git("notes", "--ref=flux", "show", str(answer["revision"])))
    assert note["jobID"] == answer["jobID"]
    assert note["spec"]["cause"] == {"Message": "as agreed", "User": "Ann <ann@x.org>"}
    assert note["result"][asking.web]["PerContainer"] == [
        {"Container": "main", "Current": f"{asking.image}:1.0.0", "Target": f"{asking.image}:1.1.0"}
    ]


def test_a_dry_run_answers_and_writes_nothing(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    commits = asking.commits()
    answer = asking.asked("image", asking.release(LATEST), dry_run=True)
    assert answer["dryRun"] is True
    assert result(answer)["status"] == "success"
    assert "revision" not in answer
    assert asking.commits() == commits


def test_a_locked_workload_is_skipped_and_says_by_what(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    locked = asking.asked("policy", {asking.web: {"add": {"locked": "true", "locked_msg": "freeze"}, "remove": {}}})
    assert result(locked)["status"] == "success"
    assert "    fluxcd.io/locked: 'true'\n" in asking.file()
    answer = asking.asked("image", asking.release(LATEST))
    assert answer["state"] == "succeeded"
    assert result(answer)["reason"] == "locked"
    assert "freeze" in str(result(answer)["problem"])
    assert ":1.0.0" in asking.file()


def test_a_policy_that_is_so_already_makes_no_commit(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry)
    change = {asking.web: {"add": {"automated": "true"}, "remove": []}}
    first = asking.asked("policy", change)
    again = asking.asked("policy", change)
    assert first["revision"]
    assert "revision" not in again
    assert result(again)["status"] == "skipped"


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("policy", {"$WEB": {"add": {"tag.main": "semver:not a version"}, "remove": {}}}, "invalid tag pattern"),
        ("policy", {"$WEB": {"add": {"kubectl.kubernetes.io/x": "y"}, "remove": {}}}, "is no policy"),
        ("image", {"ServiceSpecs": ["nobody"], "ImageSpec": LATEST, "Kind": "execute"}, "is no workload"),
        ("image", {"ServiceSpecs": ["$WEB"], "ImageSpec": "$IMAGE:9.9.9", "Kind": "execute"}, "does not exist"),
        ("release", {}, "is none of"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_written(
    bench: Bench, registry: Registry, kind: str, spec: dict[str, object], said: str
) -> None:
    asking = Asking.begin(bench, registry)
    commits = asking.commits()
    text = json.dumps(spec).replace("$WEB", asking.web).replace("$IMAGE", asking.image)
    answer = asking.asked(kind, json.loads(text))
    assert answer["state"] == "failed"
    assert said in answer["message"]
    assert asking.commits() == commits


def test_a_request_that_is_no_json_is_answered(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry)
    bench.api.patch(asking.sync.path, {"metadata": {"annotations": {"sluice.dev/update-request": "{nonsense"}}})
    found = asking.sync.wait("answered", lambda k: k["status"].get("updateRequest", {}).get("state") == "failed")
    assert "it is no JSON" in found["status"]["updateRequest"]["message"]


def test_a_restarted_operator_still_knows_the_job_and_carries_nothing_out_again(
    bench: Bench, registry: Registry
) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    answer = asking.asked("image", asking.release(LATEST))
    commits = asking.commits()
    bench.operator.restart()
    # The same request, as if its answer had been lost.
    bench.api.request(
        "PATCH", f"{asking.sync.path}/status", {"status": {"updateRequest": None}}, "application/merge-patch+json"
    )
    again = asking.answered(str(answer["nonce"]))
    assert (again["jobID"], again["revision"]) == (answer["jobID"], answer["revision"])
    assert asking.commits() == commits


def test_two_requests_at_once_are_carried_out_one_after_the_other(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    other = Asking.begin(bench, registry, "1.1.0")
    nonces = [(each, each.ask("image", each.release(LATEST))) for each in (asking, other)]
    for each, nonce in nonces:
        assert each.answered(nonce)["state"] == "succeeded"
        assert ":1.1.0" in each.file()


PERSON = """rm hooks/pre-receive
export GIT_AUTHOR_NAME=Eve GIT_AUTHOR_EMAIL=eve@example.com GIT_COMMITTER_NAME=Eve GIT_COMMITTER_EMAIL=eve@example.com
clean="env -u GIT_QUARANTINE_PATH -u GIT_OBJECT_DIRECTORY -u GIT_ALTERNATE_OBJECT_DIRECTORIES"
$clean git update-ref refs/heads/main $($clean git commit-tree -p main -m faster 'main^{tree}')"""


def test_somebody_who_pushes_meanwhile_keeps_their_commit_and_the_release_follows_it(
    bench: Bench, registry: Registry
) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    hook(bench.git.root / f"{asking.sync.name}.git", "pre-receive", PERSON)
    answer = asking.asked("image", asking.release(LATEST))
    assert answer["state"] == "succeeded", answer
    subjects = asking.git("log", "-2", "--format=%s", "main").splitlines()
    assert subjects == [f"Release all latest to {asking.web}", "faster"]


def test_chosen_containers_are_released_only_while_git_has_what_was_seen(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    chosen = {"Container": "main", "Current": f"{asking.image}:1.0.0", "Target": f"{asking.image}:1.1.0"}
    spec = {"ContainerSpecs": {asking.web: [chosen]}, "Kind": "execute", "SkipMismatches": False, "Force": False}
    assert asking.asked("containers", spec)["state"] == "succeeded"
    again = asking.asked("containers", spec)
    assert again["state"] == "failed"
    assert "cannot satisfy specs [E623]" in again["message"]
    assert "container(s) tag mismatch: main" in again["message"]


def test_a_sync_answers_with_the_head_that_it_found_and_applies_it(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry)
    revision = asking.sync.commit({"other.yaml": config_map("other")})
    answer = asking.asked("sync", {})
    assert f"main@sha1:{answer['revision']}" == revision
    asking.sync.wait_ready(revision)


def test_a_request_touches_nothing_that_another_sync_applies(bench: Bench, registry: Registry) -> None:
    other = Asking.begin(bench, registry, "1.1.0")
    asking = Asking.begin(bench, registry, "1.1.0")
    # The same workload, also in this repository's files, but not ours in the cluster.
    stray = asking.filled(WEB).replace(asking.sync.target, other.sync.target)
    asking.sync.repo.commit({"stray.yaml": stray}, "stray")
    commits = asking.commits()
    answer = asking.asked("image", {**asking.release(LATEST), "ServiceSpecs": [other.web]})
    assert result(answer)["reason"] == "not accessible in cluster"
    assert asking.commits() == commits
    assert ":1.0.0" in other.file()


def test_a_repository_that_may_not_be_written_to_is_told_of_by_its_host(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    hook(bench.git.root / f"{asking.sync.name}.git", "pre-receive", "echo 'branch is protected' >&2; exit 1")
    answer = asking.asked("image", asking.release(LATEST))
    assert answer["state"] == "failed"
    assert "branch is protected" in answer["message"]
    assert "revision" not in answer


def test_an_automation_takes_a_release_for_a_persons_wish_and_does_not_write_over_it(
    bench: Bench, registry: Registry
) -> None:
    asking = Asking.begin(bench, registry)
    images = Images.beside(asking.sync, registry)
    marked = asking.file().replace("# this one", f'# {{"$imagepolicy": "{images.namespace}:{images.name}"}}')
    asking.sync.repo.git("pull", "-q", "origin", "main")
    asking.sync.push({"web.yaml": marked})
    asking.push("1.1.0", "1.2.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.2.0")
    images.write()
    asking.sync.wait_ready(f"main@sha1:{images.wait_pushed()}")
    answer = asking.asked("image", asking.release(f"{asking.image}:1.1.0"))
    assert answer["state"] == "succeeded", answer
    images.wait_ready("ImageUpdateAutomation", text="[E591]")
    assert ":1.1.0" in asking.file()


def test_a_workload_is_released_under_the_namespace_that_its_kustomization_sets(
    bench: Bench, registry: Registry
) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    kustomization = f"namespace: {asking.sync.target}\nresources: [web.yaml]\n"
    bare = asking.file().replace(f"  namespace: {asking.sync.target}\n", "")
    asking.sync.wait_ready(asking.sync.push({"kustomization.yaml": kustomization, "web.yaml": bare}))
    answer = asking.asked("image", asking.release(LATEST))
    assert answer["state"] == "succeeded", answer
    old, new = f"{asking.image}:1.0.0", f"{asking.image}:1.1.0"
    assert result(answer)["changes"] == [{"field": "main", "from": old, "to": new, "path": "web.yaml", "line": 15}]
    assert asking.file() == bare.replace(":1.0.0 ", ":1.1.0 ")
    asking.sync.wait_ready(f"main@sha1:{answer['revision']}")


def test_a_request_that_a_backup_brings_back_is_not_begun(bench: Bench, registry: Registry) -> None:
    asking = Asking.begin(bench, registry, "1.1.0")
    commits = asking.commits()
    update = {"type": "image", "cause": {}, "spec": asking.release(LATEST)}
    answer = asking.answered(asking.write({"at": "2026-01-02T03:04:05Z", "update": update}))
    assert answer["state"] == "failed"
    assert "the request is too old [E620]" in answer["message"]
    assert asking.commits() == commits
