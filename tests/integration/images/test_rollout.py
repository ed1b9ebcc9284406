"""A new image is committed, rolled out, and taken back where it fails; what fails once is not tried for ever."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from devcluster.registry import Registry
from tests.image_objects import Images
from tests.operator_fixture import Bench, Json, Sync, condition, poll

pytestmark = pytest.mark.cluster
BY_TAG: dict[str, Any] = {
    "filterTags": {"pattern": "^(a-good|b-good|crash|good-.*|unready)$"},
    "policy": {"alphabetical": {}},
}


def workload(images: Images, tag: str, name: str = "web", *, deadline: int = 2) -> str:
    """A Deployment with a marked image that gives up after some seconds."""
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: $NS}}
spec:
  progressDeadlineSeconds: {deadline}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          image: {images.image}:{tag}   # {{"$imagepolicy": "{images.namespace}:{images.name}"}}
"""


def begun(
    bench: Bench, registry: Registry, files: Callable[[Images], dict[str, str]], **automation: Any
) -> tuple[Sync, Images]:
    """What `files` make of `a-good`, chosen, in git and in the cluster, by a sync that asks for no wait."""
    sync = bench.source()
    images = Images.beside(sync, registry)
    images.push("a-good")
    first = sync.commit(files(images))
    sync.create_source()
    sync.create()
    sync.wait_ready(first)
    images.scan()
    images.choose(**BY_TAG)
    images.wait_chosen("a-good")
    images.write(**automation)
    images.wait_ready("ImageUpdateAutomation", text="repository up-to-date")
    return sync, images


def running(bench: Bench, registry: Registry, *, deadline: int = 2, **automation: Any) -> tuple[Sync, Images]:
    """A Deployment whose own image is marked."""
    return begun(
        bench, registry, lambda images: {"web.yaml": workload(images, "a-good", deadline=deadline)}, **automation
    )


def new_tag(images: Images, tag: str) -> str:
    """Push a tag; returns the automation's commit of it."""
    before = str(images.get("ImageUpdateAutomation")["status"].get("lastPushCommit", ""))
    images.push(tag)
    images.request("ImageRepository")
    return images.wait_pushed(before)


def live_image(sync: Sync) -> str:
    live = sync.live("apps/v1/deployments", "web")
    assert live is not None
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


def git(sync: Sync, *arguments: str) -> str:
    folder = sync.bench.git.root / f"{sync.name}.git"
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


def test_an_update_of_images_that_fails_is_undone_also_where_the_sync_does_not_wait(
    bench: Bench, registry: Registry
) -> None:
    sync, images = running(bench, registry)
    new_tag(images, "crash")
    told = sync.wait("undone", lambda k: "Undone" in {h.get("reason") for h in k["status"].get("conditions", [])})
    assert "E303" in condition(told, "Ready")["message"]
    poll("the old image is back", lambda: live_image(sync).endswith(":a-good"))


def test_a_commit_that_comes_while_an_update_is_waited_for_does_not_let_it_through(
    bench: Bench, registry: Registry
) -> None:
    sync, images = running(bench, registry, deadline=8)
    new_tag(images, "crash")
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    sync.repo.git("pull", "-q", "--ff-only", "origin", "main")
    theirs = sync.push({"other.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: $NS}}\n"})
    sync.wait("undone", lambda k: condition(k, "Ready").get("reason") == "Undone")
    assert sync.status["lastAttemptedRevision"] == theirs
    poll("the old image is back", lambda: live_image(sync).endswith(":a-good"))


def test_a_commit_of_a_person_is_not_waited_for_where_the_sync_does_not_ask(bench: Bench, registry: Registry) -> None:
    sync, images = running(bench, registry)
    sync.wait_ready(sync.push({"web.yaml": workload(images, "crash")}))


def at(sync: Sync, path: str = "web.yaml") -> str:
    return git(sync, "show", f"main:{path}")


def rejected(images: Images) -> list[Json]:
    return list(images.get("ImageUpdateAutomation")["status"].get("rejectedImages", []))


def wait_rejected(images: Images) -> Json:
    found = images.wait("ImageUpdateAutomation", "rejected", lambda a: a["status"].get("rejectedImages"))
    return dict(found["status"]["rejectedImages"][0])


def test_an_image_that_fails_is_taken_back_once_and_stays_out_until_there_is_a_newer_one(
    bench: Bench, registry: Registry
) -> None:
    sync, images = running(bench, registry)
    before = at(sync)
    bad = new_tag(images, "crash")
    told = wait_rejected(images)
    assert told["path"] == "web.yaml"
    assert told["image"] == f"{images.image}:crash"
    assert told["object"] == f"Deployment {sync.target}/web"
    assert told["commit"] == bad
    assert told["reason"]
    taken_back = images.wait_pushed(bad)
    assert at(sync) == before
    message = git(sync, "log", "-1", "--format=%B", "main")
    assert f"{images.image}:crash in web.yaml: Deployment {sync.target}/web failed" in message
    sync.wait_ready(f"main@sha1:{taken_back}")
    images.wait_ready("ImageUpdateAutomation", text="E592")
    bench.operator.restart()
    images.edit("ImageUpdateAutomation", {"interval": "59m"})
    images.wait_ready("ImageUpdateAutomation", text="E592")
    assert git(sync, "rev-parse", "main").strip() == taken_back
    good = new_tag(images, "good-1")
    sync.wait_ready(f"main@sha1:{good}")
    images.wait("ImageUpdateAutomation", "forgets it", lambda a: "rejectedImages" not in a["status"])


def test_a_person_may_ask_for_an_image_that_failed_and_it_is_taken_back_again(bench: Bench, registry: Registry) -> None:
    sync, images = running(bench, registry)
    taken_back = images.wait_pushed(new_tag(images, "crash"))
    sync.wait_ready(f"main@sha1:{taken_back}")
    images.request("ImageUpdateAutomation")
    again = images.wait_pushed(taken_back)
    assert ":crash" in git(sync, "show", f"{again}:web.yaml")
    sync.wait_ready(f"main@sha1:{images.wait_pushed(again)}")
    assert git(sync, "rev-list", "--count", "main").strip() == "5"
    assert len(rejected(images)) == 1


def test_an_image_that_fails_stays_in_git_where_the_automation_is_told_so(bench: Bench, registry: Registry) -> None:
    sync, images = running(bench, registry, revertFailed=False)
    bad = new_tag(images, "crash")
    assert wait_rejected(images)["commit"] == bad
    images.wait_ready("ImageUpdateAutomation", text="E592")
    assert git(sync, "rev-parse", "main").strip() == bad
    sync.repo.git("pull", "-q", "--ff-only", "origin", "main")
    mended = sync.push({"web.yaml": workload(images, "good-0")})
    sync.wait_ready(mended)
    images.wait(
        "ImageUpdateAutomation",
        "saw it",
        lambda a: f"main@{a['status'].get('observedSourceRevision', '').partition('@')[2]}" == mended,
    )
    assert ":good-0" in at(sync)


def test_what_a_person_changed_in_the_file_of_a_failing_image_is_left_to_them(bench: Bench, registry: Registry) -> None:
    sync, images = running(bench, registry, deadline=6)
    new_tag(images, "crash")
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    sync.repo.git("pull", "-q", "--ff-only", "origin", "main")
    theirs = sync.push({"web.yaml": workload(images, "crash", deadline=3)})
    sync.wait("undone", lambda k: condition(k, "Ready").get("reason") == "Undone")
    images.request("ImageUpdateAutomation")
    images.wait_ready("ImageUpdateAutomation", text="repository up-to-date")
    assert f"main@sha1:{git(sync, 'rev-parse', 'main').strip()}" == theirs
    assert rejected(images) == []


def test_one_image_that_fails_does_not_take_the_others_back(bench: Bench, registry: Registry) -> None:
    sync = bench.source()
    images = Images.beside(sync, registry)
    images.push("a-good")
    other = f"{images.name}-other"
    files = {
        "web.yaml": workload(images, "a-good")
        + "---\n"
        + workload(images, "0", "second").replace(f':{images.name}"}}', f':{other}"}}')
    }
    first = sync.commit(files)
    sync.create_source()
    sync.create(wait=True)
    sync.wait_ready(first)
    images.scan()
    images.choose(**BY_TAG)
    images.choose(other, filterTags={"pattern": "^second-.*$"}, policy={"alphabetical": {}})
    images.push("crash", "second-1")
    images.request("ImageRepository")
    images.wait_chosen("crash")
    images.wait_chosen("second-1", other)
    images.write()
    taken_back = images.wait_pushed(images.wait_pushed())
    sync.wait_ready(f"main@sha1:{taken_back}")
    assert ":a-good" in at(sync)
    assert ":second-1" in at(sync)


def test_what_was_taken_back_but_not_recorded_is_not_written_again(bench: Bench, registry: Registry) -> None:
    sync, images = running(bench, registry)
    bad = new_tag(images, "crash")
    taken_back = images.wait_pushed(bad)
    sync.wait_ready(f"main@sha1:{taken_back}")
    bench.operator.stop()
    lost = {"lastPushCommit": bad, "observedSourceRevision": f"main@sha1:{bad}"}
    bench.api.patch(f"{images.path('ImageUpdateAutomation')}/status", {"status": lost})
    bench.operator.start()
    found = images.wait(
        "ImageUpdateAutomation",
        "recorded",
        lambda a: a["status"].get("observedSourceRevision") == f"main@sha1:{taken_back}",
    )
    assert git(sync, "rev-parse", "main").strip() == taken_back
    assert found["status"]["rejectedImages"][0]["commit"] == bad


def entries(images: Images, tag: str) -> dict[str, str]:
    """The same Deployment, without a marker, and an entry that replaces its image and has one."""
    marker = f'{{"$imagepolicy": "{images.namespace}:{images.name}:tag"}}'
    plain = workload(images, "replaced").partition("   # ")[0] + "\n"
    kustomization = f"resources: [web.yaml]\nimages:\n- name: {images.image}\n  newTag: {tag}   # {marker}\n"
    return {"kustomization.yaml": kustomization, "web.yaml": plain}


def running_by_entry(bench: Bench, registry: Registry, **automation: Any) -> tuple[Sync, Images]:
    """As `running`, with the image in an entry of `images:`."""
    return begun(bench, registry, lambda images: entries(images, "a-good"), **automation)


def test_an_image_of_an_entry_that_fails_is_taken_back_there_once_until_there_is_a_newer_one(
    bench: Bench, registry: Registry
) -> None:
    sync, images = running_by_entry(bench, registry)
    before = at(sync, "kustomization.yaml")
    bad = new_tag(images, "crash")
    assert ":crash" not in at(sync)
    told = wait_rejected(images)
    assert (told["path"], told["commit"]) == ("kustomization.yaml", bad)
    assert (told["image"], told["object"]) == (f"{images.image}:crash", f"Deployment {sync.target}/web")
    taken_back = images.wait_pushed(bad)
    assert at(sync, "kustomization.yaml") == before
    assert "crash in kustomization.yaml: Deployment" in git(sync, "log", "-1", "--format=%B", "main")
    sync.wait_ready(f"main@sha1:{taken_back}")
    poll("the old image is back", lambda: live_image(sync).endswith(":a-good"))
    images.wait_ready("ImageUpdateAutomation", text="E592")
    bench.operator.restart()
    images.edit("ImageUpdateAutomation", {"interval": "59m"})
    images.wait_ready("ImageUpdateAutomation", text="E592")
    assert git(sync, "rev-parse", "main").strip() == taken_back
    sync.wait_ready(f"main@sha1:{new_tag(images, 'good-1')}")
    images.wait("ImageUpdateAutomation", "forgets it", lambda a: "rejectedImages" not in a["status"])


def test_an_image_of_an_entry_that_fails_beside_a_change_of_a_person_is_taken_back_and_theirs_stays(
    bench: Bench, registry: Registry
) -> None:
    sync, images = running_by_entry(bench, registry)
    bad = new_tag(images, "crash")
    sync.repo.git("pull", "-q", "--ff-only", "origin", "main")
    theirs = "{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: $NS}}\n"
    sync.push({"other.yaml": theirs})
    images.wait_pushed(bad)
    assert "newTag: a-good " in at(sync, "kustomization.yaml")
    assert "ConfigMap" in at(sync, "other.yaml")
