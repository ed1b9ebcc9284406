"""What registries, pipelines and our own commits tell of: tags are found without a poll, nothing goes in a circle."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest

from devcluster.registry import Registry
from tests.git_writing import git
from tests.image_objects import Images, deployment_of
from tests.integration.receivers.hook_calls import Hook
from tests.operator_fixture import Bench, Sync, config_map, poll
from tests.webhook_calls import ACR, CDEVENT, DOCKERHUB, QUAY, mac

pytestmark = pytest.mark.cluster

BODIES = {"dockerhub": DOCKERHUB, "quay": QUAY, "acr": ACR, "cdevents": CDEVENT}


def tell(hook: Hook, type_: str) -> int:
    """Call a receiver as a caller of its type does; returns the code."""
    path, body = hook.address(), msgspec.json.encode(BODIES.get(type_, {}))
    headers = {
        "harbor": {"Authorization": hook.token},
        "generic-hmac": {"X_Signature": f"sha256={mac(body, token=hook.token)}"},
        "cdevents": {"Ce_Type": "dev.cdevents.change.merged"},
    }
    return hook.call(path, body, **headers.get(type_, {}))[0]


@dataclass
class Fleet:
    """A Deployment whose marked image follows a repository of a registry that is scanned once an hour."""

    sync: Sync
    images: Images

    @staticmethod
    def begin(bench: Bench, registry: Registry) -> Fleet:
        sync = bench.source()
        images = Images.beside(sync, registry)
        images.push("1.0.0")
        first = sync.commit({"web.yaml": deployment_of(images, "1.0.0")})
        sync.create_source(interval="1h")
        sync.create(interval="1h")
        sync.wait_ready(first)
        images.scan()
        images.choose()
        images.write(interval="1h")
        images.wait_chosen("1.0.0")
        images.wait_ready("ImageUpdateAutomation", text="repository up-to-date")
        return Fleet(sync, images)

    def hook(self, type_: str) -> Hook:
        """A Receiver of that type for the ImageRepository."""
        hook = Hook.beside(self.sync, type_)
        hook.edit(resources=[{"kind": "ImageRepository", "name": self.images.name}])
        hook.wait()
        return hook

    def commits(self) -> list[str]:
        return git(self.sync.bench.git.root / f"{self.sync.name}.git", "rev-list", "main").split()


@pytest.mark.parametrize("type_", ["generic", "generic-hmac", "dockerhub", "quay", "acr", "harbor", "cdevents"])
def test_a_new_tag_that_a_registry_tells_of_is_chosen_without_a_poll(
    bench: Bench, registry: Registry, type_: str
) -> None:
    sync = bench.source()
    images = Images.beside(sync, registry)
    images.push("1.0.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.0.0")
    hook = Hook.beside(sync, type_)
    hook.edit(resources=[{"kind": "ImageRepository", "name": images.name}])
    hook.wait()
    images.push("1.1.0")
    assert tell(hook, type_) == 200
    images.wait_chosen("1.1.0")


def test_f102_a_host_that_tells_of_our_own_commit_makes_no_further_one(bench: Bench, registry: Registry) -> None:
    fleet = Fleet.begin(bench, registry)
    told, pushed = fleet.hook("generic"), Hook.beside(fleet.sync)
    fleet.images.push("1.1.0")
    assert tell(told, "generic") == 200
    commit = fleet.images.wait_pushed()
    fleet.sync.wait_ready(f"main@sha1:{commit}")
    commits = fleet.commits()
    for delivery in ("one", "two"):
        assert pushed.push(pushed.address(), delivery=delivery) == 200
    fleet.sync.reconcile()
    fleet.images.push("1.2.0")  # what comes after it shows that all of it was dealt with
    assert tell(told, "generic") == 200
    newer = fleet.images.wait_pushed(commit)
    assert fleet.commits() == [newer, *commits]


def test_f103_of_a_hundred_commits_none_is_applied_after_a_newer_one_and_the_last_stays(bench: Bench) -> None:
    sync = bench.source()
    first = sync.commit({"a.yaml": config_map("a", "000")})
    sync.create_source(interval="1h")
    sync.create(interval="1h")
    sync.wait_ready(first)
    hook = Hook.beside(sync)
    path, collection = hook.address(), f"/api/v1/namespaces/{sync.target}/configmaps"
    since = sync.config("a")["metadata"]["resourceVersion"]
    last = ""
    for number in range(1, 101):
        last = sync.commit({"a.yaml": config_map("a", f"{number:03}")})
        assert hook.push(path, delivery=str(number)) == 200
    sync.wait_ready(last)

    def applied() -> list[str]:
        told = [event["object"] for event in bench.api.events(collection, since)]
        return [each["data"]["key"] for each in told if each["metadata"]["name"] == "a"]

    def all_applied() -> list[str] | None:
        found = applied()
        return found if found[-1:] == ["100"] else None

    found = poll("the last is told", all_applied)
    assert found == sorted(set(found))
