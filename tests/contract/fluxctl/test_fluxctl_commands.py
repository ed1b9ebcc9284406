"""The requests of each command of fluxctl 1.17 to 1.25, and what it prints of the answers."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from tests.contract.fluxctl.conftest import WEB, Fluxd
from tests.operator_fixture import poll

pytestmark = pytest.mark.cluster


def plan(fluxd: Fluxd, **spec: Any) -> dict[str, Any]:
    base = {"ServiceSpecs": [fluxd.workload], "ImageSpec": "<all latest>", "Kind": "execute", "Excludes": None}
    return {**base, "Force": False, **spec}


def test_list_workloads(fluxd: Fluxd) -> None:
    found = fluxd.service()
    assert set(found) == {
        *("ID", "Containers", "ReadOnly", "Status", "Rollout", "SyncError", "Antecedent", "Labels"),
        *("Automated", "Locked", "Ignore", "Policies"),
    }
    assert found["Containers"][0]["Name"] == "main"
    assert found["Containers"][0]["Current"]["ID"].startswith(fluxd.image)
    assert found["ReadOnly"] == ""
    assert found["Policies"]["tag.main"] == "semver:~1"
    [same] = fluxd.ask("GET", "/v11/services", namespace="", services=fluxd.workload)
    assert same["ID"] == found["ID"]
    assert fluxd.ask("GET", "/v11/services", namespace="", services=f"{fluxd.target}:deployment/none") is None
    elsewhere = fluxd.ask("GET", "/v6/services", namespace="")
    assert found["ID"] in {each["ID"] for each in elsewhere}


def test_list_images(fluxd: Fluxd) -> None:
    [found] = fluxd.ask("GET", "/v10/images", service=fluxd.workload, containerFields="", namespace="")
    [container] = found["Containers"]
    tags = [image["ID"].rpartition(":")[2] for image in container["Available"]]
    assert tags[0] == "2.0.0", "all tags, in the pattern's order"
    assert {"1.0.0", "1.1.0"} <= set(tags)
    assert container["LatestFiltered"]["ID"].rpartition(":")[2].startswith("1.")
    assert container["Available"][0]["CreatedAt"]
    [named] = fluxd.ask("GET", "/v10/images", service=fluxd.workload, containerFields="Name", namespace="")
    assert set(named["Containers"][0]) == {"Name", "Current", "LatestFiltered"}
    assert fluxd.call("GET", "/v10/images", service=fluxd.workload, namespace="x").status == 400


def test_release(fluxd: Fluxd) -> None:
    dry = fluxd.update("image", plan(fluxd, Kind="plan"))
    assert dry["StatusString"] == "succeeded", dry
    [update] = dry["Result"]["result"][fluxd.workload]["PerContainer"]
    assert update == {"Container": "main", "Current": f"{fluxd.image}:1.0.0", "Target": f"{fluxd.image}:1.1.0"}
    assert "revision" not in dry["Result"]
    done = fluxd.update("image", plan(fluxd))
    assert done["Result"]["result"][fluxd.workload]["Status"] == "success"
    fluxd.wait_applied(done["Result"]["revision"])
    assert fluxd.running() == f"{fluxd.image}:1.1.0"
    again = fluxd.update("image", plan(fluxd))
    assert again["Result"]["result"][fluxd.workload]["Status"] == "skipped"


def test_release_of_chosen_containers(fluxd: Fluxd) -> None:
    wanted = {"Container": "main", "Current": fluxd.running(), "Target": f"{fluxd.image}:1.0.0"}
    spec = {"Kind": "execute", "ContainerSpecs": {fluxd.workload: [wanted]}, "SkipMismatches": False, "Force": True}
    done = fluxd.update("containers", spec)
    assert done["StatusString"] == "succeeded", done
    fluxd.wait_applied(done["Result"]["revision"])
    assert fluxd.running() == f"{fluxd.image}:1.0.0"


@pytest.mark.parametrize(("word", "policy"), [("automate", "automated"), ("lock", "locked")])
def test_automate_and_lock_and_back(fluxd: Fluxd, word: str, policy: str) -> None:
    added = fluxd.update("policy", {fluxd.workload: {"add": {policy: "true"}, "remove": {}}})
    assert added["Result"]["result"][fluxd.workload]["Status"] == "success", f"{word}: {added}"
    assert len(added["Result"]["revision"]) == 40
    fluxd.wait_applied(added["Result"]["revision"])
    assert fluxd.service()["Policies"][policy] == "true"
    removed = fluxd.update("policy", {fluxd.workload: {"add": {}, "remove": {policy: "true"}}})
    fluxd.wait_applied(removed["Result"]["revision"])
    assert policy not in fluxd.service()["Policies"]


def test_policy_with_a_tag_pattern(fluxd: Fluxd) -> None:
    done = fluxd.update("policy", {fluxd.workload: {"add": {"tag.main": "glob:1.*"}, "remove": {}}})
    fluxd.wait_applied(done["Result"]["revision"])
    assert fluxd.service()["Policies"]["tag.main"] == "glob:1.*"
    refused = fluxd.call(
        "POST",
        "/v9/update-manifests",
        {"type": "policy", "cause": {}, "spec": {fluxd.workload: {"add": {"tag.main": "regexp:("}, "remove": {}}}},
    )
    assert (refused.status, refused.body["type"]) == (422, "user")


def test_sync(fluxd: Fluxd) -> None:
    config = fluxd.ask("POST", "/v9/git-repo-config", body=False)
    assert config["status"] == "ready"
    assert (config["remote"]["branch"], config["errors"]) == ("main", "")
    commit = fluxd.commit({"new.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new, namespace: $NS}\n"})
    done = fluxd.update("sync", {})
    assert done["Result"]["revision"] == commit
    fluxd.wait_applied(commit[:7])
    assert fluxd.api.get(f"/api/v1/namespaces/{fluxd.target}/configmaps/new") is not None


def test_sync_of_a_revision_that_fails_says_why_instead_of_letting_one_wait(fluxd: Fluxd) -> None:
    commit = fluxd.commit({"bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name, namespace: $NS}\n"})
    fluxd.update("sync", {})
    answer = poll("it failed", lambda: (a := fluxd.call("GET", "/v6/sync", ref=commit)).status != 200 and a)
    assert (answer.status, answer.body["type"]) == (422, "user")
    assert "bad.yaml" in answer.body["help"]
    fluxd.commit({"bad.yaml": None})
    fluxd.wait_applied(fluxd.update("sync", {})["Result"]["revision"])


def test_sync_status_of_a_commit_that_nobody_knows(fluxd: Fluxd) -> None:
    unknown = fluxd.call("GET", "/v6/sync", ref="0" * 40)
    assert (unknown.status, unknown.body["type"]) == (422, "user")
    assert fluxd.call("GET", "/v6/sync", ref="--upload-pack=x").status == 400


def test_save(fluxd: Fluxd) -> None:
    text = base64.b64decode(fluxd.ask("GET", "/v6/export"))
    found = list(yaml.safe_load_all(text))
    kinds = {(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in found}
    assert ("Namespace", "", fluxd.target) in kinds
    assert ("Deployment", fluxd.target, "web") in kinds
    assert not any(each["kind"] == "Secret" or "status" in each for each in found)


def test_identity_of_a_repository_that_needs_no_key(fluxd: Fluxd) -> None:
    assert fluxd.ask("GET", "/v6/identity.pub") == {"key": "", "fingerprints": {}}
    refused = fluxd.call("POST", "/v9/git-repo-config", body=True)
    assert (refused.status, refused.body["type"]) == (422, "user")


def test_notify_of_a_push(fluxd: Fluxd) -> None:
    config = fluxd.ask("POST", "/v9/git-repo-config", body=False)
    commit = fluxd.commit({"web.yaml": WEB.replace("replicas: 1", "replicas: 2")})
    source = {"URL": config["remote"]["url"], "Branch": "other"}
    assert fluxd.call("POST", "/v11/notify", body={"Kind": "git", "Source": source}).status == 202
    assert fluxd.call("POST", "/v11/notify", body={"Kind": "git", "Source": {**source, "Branch": "main"}}).status == 202
    poll("the commit is applied", lambda: fluxd.call("GET", "/v6/sync", ref=commit).body == [], 30)


def test_an_unknown_job(fluxd: Fluxd) -> None:
    unknown = fluxd.call("GET", "/v6/jobs", id="00000000-0000-0000-0000-000000000000")
    assert (unknown.status, unknown.body["type"]) == (404, "missing")
