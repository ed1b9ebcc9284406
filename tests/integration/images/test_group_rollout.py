"""New images of a group's members: our commit takes effect in all or in none, and only what failed is rejected."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import pytest

from devcluster.registry import Registry
from tests.image_objects import Images
from tests.integration.engine.groups import Group
from tests.integration.images.test_image_automations import revision_of
from tests.integration.images.test_rollout import at, git, rejected, wait_rejected, workload
from tests.operator_fixture import Bench, poll

pytestmark = pytest.mark.cluster
# Of tags `crash` and `good-1` web takes the one that fails, and api the other.
WEB = "^(a-good|crash|good-2|unready)$"
API = "^(a-good|good-.*)$"


@dataclass
class Shop:
    """A group of two members, `web` and `api`, each a Deployment with a marked image of a policy of its own."""

    group: Group
    images: Images
    revision: str

    @property
    def tags(self) -> tuple[str, str]:
        """What runs in the cluster, of web and of api."""
        web, api = (self._tag(name) for name in ("web", "api"))
        return web, api

    def _tag(self, name: str) -> str:
        live = self.group.source.live("apps/v1/deployments", name)
        assert live is not None
        return str(live["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]

    def new_tags(self, *pushed: str, web: str, api: str) -> str:
        """Push tags and let both policies choose before anything is written; returns the one commit of both."""
        images = self.images
        before = str(images.get("ImageUpdateAutomation")["status"].get("lastPushCommit", ""))
        images.edit("ImageUpdateAutomation", {"suspend": True})
        images.push(*pushed)
        images.request("ImageRepository")
        images.wait_chosen(web)
        images.wait_chosen(api, f"{images.name}-api")
        images.edit("ImageUpdateAutomation", {"suspend": False})
        return images.wait_pushed(before)


def opened(bench: Bench, registry: Registry, **automation: Any) -> Shop:
    """Both at `a-good`, in git and in the cluster; no member asks for a wait."""
    source = bench.source()
    images = Images.beside(source, registry)
    images.push("a-good")
    other = f"{images.name}-api"
    # What fails is known by its deadline; what is well must not miss it on a busy machine.
    api = workload(images, "a-good", "api", deadline=60).replace(f':{images.name}"}}', f':{other}"}}')
    made = Group(source, f"g-{secrets.token_hex(3)}")
    first = source.commit({"web/web.yaml": workload(images, "a-good", deadline=4), "api/api.yaml": api})
    source.create_source()
    for folder in ("web", "api"):
        made.join(folder)
    made.wait_ready(first)
    images.scan()
    for name, pattern in ((images.name, WEB), (other, API)):
        images.choose(name, filterTags={"pattern": pattern}, policy={"alphabetical": {}})
        images.wait_chosen("a-good", name)
    images.write(**automation)
    images.wait_ready("ImageUpdateAutomation", text="repository up-to-date")
    return Shop(made, images, first)


def test_the_whole_group_waits_for_the_health_of_a_members_new_image(bench: Bench, registry: Registry) -> None:
    shop = opened(bench, registry)
    shop.new_tags("good-1", "unready", web="unready", api="good-1")
    for member in shop.group.members.values():
        member.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    assert [member.status["lastAppliedRevision"] for member in shop.group.members.values()] == [shop.revision] * 2
    assert shop.tags == ("unready", "good-1")


def test_an_image_that_fails_in_one_member_undoes_the_group_and_is_rejected_for_what_failed_alone(
    bench: Bench, registry: Registry
) -> None:
    shop = opened(bench, registry, revertFailed=False)
    bad = shop.new_tags("crash", "good-1", web="crash", api="good-1")
    web, api = shop.group["web"], shop.group["api"]
    assert "[E303]" in web.wait_failed(f"main@sha1:{bad}", reason="Undone")
    assert f"{web.name} of group" in api.wait_failed(f"main@sha1:{bad}", "[E365]", reason="Undone")
    assert shop.tags == ("a-good", "a-good")
    assert [member.status["lastAppliedRevision"] for member in (web, api)] == [shop.revision] * 2
    told = wait_rejected(shop.images)
    assert (told["path"], told["image"]) == ("web/web.yaml", f"{shop.images.image}:crash")
    assert told["object"] == f"Deployment {shop.group.source.target}/web"
    shop.images.wait_ready("ImageUpdateAutomation", text="E592")
    assert len(rejected(shop.images)) == 1
    assert git(shop.group.source, "rev-parse", "main").strip() == bad


def test_the_failed_image_of_a_group_is_taken_back_once_and_the_others_take_effect(
    bench: Bench, registry: Registry
) -> None:
    shop = opened(bench, registry)
    bad = shop.new_tags("crash", "good-1", web="crash", api="good-1")
    taken_back = shop.images.wait_pushed(bad)
    shop.group.wait_ready(f"main@sha1:{taken_back}")
    assert [each["object"] for each in rejected(shop.images)] == [f"Deployment {shop.group.source.target}/web"]
    assert shop.tags == ("a-good", "good-1")
    assert ":a-good" in at(shop.group.source, "web/web.yaml")
    assert ":good-1" in at(shop.group.source, "api/api.yaml")
    bench.operator.restart()
    shop.images.edit("ImageUpdateAutomation", {"interval": "59m"})
    shop.images.wait_ready("ImageUpdateAutomation", text="E592")
    assert [each["path"] for each in rejected(shop.images)] == ["web/web.yaml"]
    assert git(shop.group.source, "rev-list", "--count", "main").strip() == "3"
    newer = shop.new_tags("good-2", web="good-2", api="good-2")
    shop.group.wait_ready(f"main@sha1:{newer}")
    assert shop.tags == ("good-2", "good-2")
    shop.images.wait("ImageUpdateAutomation", "forgets it", lambda a: "rejectedImages" not in a["status"])


def test_a_new_workload_that_fails_in_one_member_is_blamed_on_its_own_image_although_nothing_is_left_of_it(
    bench: Bench, registry: Registry
) -> None:
    shop = opened(bench, registry)
    source, images = shop.group.source, shop.images
    new = f"{images.name}-new"
    images.choose(new, filterTags={"pattern": "^(a-good|fail)$"}, policy={"alphabetical": {}})
    images.push("fail")
    images.request("ImageRepository")
    images.wait_chosen("fail", new)
    for member in shop.group.members.values():
        member.edit(suspend=True)
    marked = workload(images, "a-good", "new").replace(f':{images.name}"}}', f':{new}"}}')
    source.push({"web/new.yaml": marked})
    bad = images.wait_pushed()
    poll("the source has it", lambda: revision_of(source) == f"main@sha1:{bad}")
    for member in shop.group.members.values():
        member.edit(suspend=False)
    for member in shop.group.members.values():
        member.wait_failed(f"main@sha1:{bad}", reason="Undone")
    assert wait_rejected(images)["object"] == f"Deployment {source.target}/new"
    images.wait_ready("ImageUpdateAutomation", text="E592")
    assert [each["path"] for each in rejected(images)] == ["web/new.yaml"]
    assert source.live("apps/v1/deployments", "new") is None
