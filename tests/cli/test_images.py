"""`sluice images` against a real API server and a real registry: the tree, the reasons, and what can't be looked at."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.fixture import create_namespace
from devcluster.images import make_image
from devcluster.registry import Registry
from tests.cli.conftest import Ran, Sluice
from tests.image_objects import Images
from tests.operator_fixture import Bench

pytestmark = pytest.mark.cluster


@dataclass(frozen=True)
class Shop:
    """A namespace with one Deployment, whose image has four tags; the second of them runs."""

    cli: Sluice
    bench: Bench
    namespace: str
    image: str

    def __call__(self, *arguments: str) -> Ran:
        asked = ("--registry-allow-loopback", "--registry-insecure-host", "127.0.0.1")
        return self.cli("images", *arguments, "-n", self.namespace, *asked)

    def lines(self, *arguments: str) -> list[str]:
        ran = self(*arguments)
        assert ran.code == 0, ran.err
        return [" ".join(line.split()) for line in ran.out.splitlines()]

    def annotate(self, **annotations: str) -> None:
        body = {"metadata": {"annotations": {f"fluxcd.io/{key}": value for key, value in annotations.items()}}}
        self.bench.api.patch(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/web", body)


@pytest.fixture
def shop(cli: Sluice, bench: Bench, registry: Registry) -> Shop:
    name = f"shop-{secrets.token_hex(4)}"
    create_namespace(bench.cluster, name)
    for day, tag in enumerate(["1.0.0", "1.1.0", "1.2.0", "nightly"], 1):
        registry.push(name, tag, make_image(content=tag, created=f"2026-01-0{day}T00:00:00Z"))
    made = Shop(cli, bench, name, registry.image(name))
    labels = {"app": "web"}
    pod = {"containers": [{"name": "main", "image": f"{made.image}:1.1.0"}]}
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    bench.api.create(f"/apis/apps/v1/namespaces/{name}/deployments", body)
    return made


def test_the_tree_has_newer_tags_above_the_running_one_with_their_build_times(shop: Shop) -> None:
    assert shop.lines() == [
        "WORKLOAD CONTAINER IMAGE CREATED POLICY",
        f"{shop.namespace}:deployment/web main {shop.image} -",
        "| 1.2.0 2026-01-03T00:00:00Z",
        "'-> 1.1.0 2026-01-02T00:00:00Z",
        "1.0.0 2026-01-01T00:00:00Z",
    ]
    assert shop.cli("list-images", "-n", shop.namespace, "-w", "deploy/wev").code == 7
    cut = shop.lines("--workload", "deploy/web", "--limit", "1")
    assert cut[2:] == ["| 1.2.0 2026-01-03T00:00:00Z", "'-> 1.1.0 2026-01-02T00:00:00Z", ": (1 image(s) omitted)"]


def test_a_pattern_in_an_annotation_orders_the_tree_and_is_shown(shop: Shop) -> None:
    shop.annotate(automated="true", **{"tag.main": "glob:*"})
    lines = shop.lines()
    assert lines[1].endswith("automated, glob:*")
    assert lines[2:5] == [
        "| nightly 2026-01-04T00:00:00Z",
        "| 1.2.0 2026-01-03T00:00:00Z",
        "'-> 1.1.0 2026-01-02T00:00:00Z",
    ]
    item = shop("-o", "json").json["items"][0]
    assert (item["pattern"], item["newer"], item["complete"], item["automated"]) == ("glob:*", 2, True, True)
    assert [tag["is"] for tag in item["tags"]] == ["newer", "newer", "running", "older"]


def test_why_has_a_reason_for_every_image_and_every_tag(shop: Shop) -> None:
    lines = shop.lines("why")
    assert lines[0] == f"{shop.namespace}:deployment/web main: {shop.image}:1.1.0"
    assert lines[1].startswith("nothing updates it: no ImagePolicy is for")
    shop.annotate(automated="true", locked="true", locked_user="ada", locked_msg="freeze", **{"tag.main": "semver:~1"})
    text = "\n".join(shop.lines("why", "deploy/web"))
    assert 'it is locked by "ada": "freeze"; else it would be 1.2.0' in text
    assert "nightly: is no semantic version" in text
    text = "\n".join(shop.lines("why", f"{shop.image}:1.0.0"))
    assert '1.0.0: takes part, but "1.2.0" is the highest version' in text
    assert "9.9.9: the registry does not list it" in "\n".join(shop.lines("why", f"{shop.image}:9.9.9"))
    assert shop.lines("why", "-o", "name") == shop.lines("-o", "name") == [f"{shop.namespace}:deployment/web"]
    missing = shop("why", "ghcr.io/acme/other")
    assert (missing.code, "error[E702]" in missing.err) == (7, True)


def test_an_image_policy_and_its_choice_are_in_the_tree_and_among_the_reasons(shop: Shop, registry: Registry) -> None:
    made = Images(shop.bench, registry, shop.namespace, shop.bench.namespace)
    made.scan()
    made.choose(policy={"semver": {"range": "1.x"}})
    made.wait_chosen("1.2.0")
    lines = shop.lines()
    assert lines[1].endswith(f"imgpol {made.namespace}/{made.name}")
    assert lines[2] == f"| 1.2.0 2026-01-03T00:00:00Z <- {made.namespace}/{made.name}"
    text = "\n".join(shop.lines("why"))
    assert f"ImagePolicy {made.namespace}/{made.name} chose 1.2.0, and 1.1.0 runs" in text
    assert f"no ImageUpdateAutomation in {made.namespace} writes it into git" in text


def test_a_registry_that_can_not_be_asked_is_told_and_the_workload_still_shown(shop: Shop) -> None:
    ran = shop.cli("images", "-n", shop.namespace)
    assert ran.code == 3, ran.err
    assert "1.1.0 ?" in ran.out
    assert "error[E" in ran.err
    empty = shop.cli("images", "-n", "default")
    assert (empty.code, empty.out) == (0, "")
    assert "no workloads found in namespace default" in empty.err


def test_who_may_see_only_some_kinds_sees_those_and_is_told_with_exit_4(shop: Shop, tmp_path: Path) -> None:
    api, cluster = shop.bench.api, shop.bench.cluster
    rbac, subject = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop.namespace}", {"name": "default"}
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}]
    api.create(f"{rbac}/roles", {"metadata": {"name": "look"}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"}
    subjects = [{"kind": "ServiceAccount", "namespace": shop.namespace, **subject}]
    api.create(f"{rbac}/rolebindings", {"metadata": {"name": "look"}, "roleRef": reference, "subjects": subjects})
    account = f"/api/v1/namespaces/{shop.namespace}/serviceaccounts/default/token"
    token = api.create(account, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": cluster.server, "certificate-authority": str(cluster.ca)}}],
        "users": [{"name": "u", "user": {"token": token["status"]["token"]}}],
    }
    (tmp_path / "limited").write_text(yaml.safe_dump(config))
    ran = shop("--kubeconfig", str(tmp_path / "limited"))
    assert ran.code == 4, ran.err
    assert "| 1.2.0" in " ".join(ran.out.split())
    assert "statefulsets" in ran.err
    assert "you may not list imagepolicies" in ran.err
    api.delete(f"{rbac}/roles/look")
    ran = shop("--kubeconfig", str(tmp_path / "limited"))
    assert (ran.code, ran.out) == (4, "")


def test_a_registry_is_asked_with_the_login_of_dockers_configuration(shop: Shop, tmp_path: Path) -> None:
    with Registry(tmp_path / "registry", user="ada", password="hunter3") as closed:
        closed.push("web", "1.0.0", make_image())
        pod = {"spec": {"containers": [{"name": "main", "image": f"{closed.host}/web:1.0.0"}]}}
        path = f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/web"
        shop.bench.api.patch(path, {"spec": {"template": pod}})
        refused = shop()
        assert refused.code == 4, refused.err
        assert "error[E520]" in refused.err
        folder = tmp_path / ".docker"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"credsStore": "desktop"}))
        assert "credential helper" in shop().err
        login = {"auth": base64.b64encode(b"ada:hunter3").decode()}
        (folder / "config.json").write_text(json.dumps({"auths": {closed.host: login}}))
        lines = shop.lines()
        assert lines[2] == "'-> 1.0.0 2026-01-02T03:04:05Z"
        (folder / "config.json").write_text("{")
        broken = shop()
        assert (broken.code, "error[E531]" in broken.err, "hunter3" in refused.err + broken.err) == (3, True, False)


def test_why_tells_what_the_operator_says_of_an_automated_image(shop: Shop) -> None:
    shop.annotate(automated="true", **{"tag.main": "semver:~1"})
    home = f"{shop.namespace}-operator"
    create_namespace(shop.bench.cluster, home)
    workload = f"{shop.namespace}:deployment/web"
    told = {"images": [{"workload": workload, "container": "main", "image": "x", "reason": "1.2.0 crashed \x1b[31m"}]}
    body = {
        "metadata": {"name": "sluice-image-automation"},
        "data": {"flux-system.fleet": json.dumps(told), "odd": "{"},
    }
    shop.bench.api.create(f"/api/v1/namespaces/{home}/configmaps", body)
    operator = replace(shop.cli, environment={**shop.cli.environment, "RUNTIME_NAMESPACE": home})
    text = "\n".join(replace(shop, cli=operator).lines("why", "deploy/web"))
    assert "the operator: 1.2.0 crashed \\x1b[31m" in text
    assert "the operator" not in "\n".join(shop.lines("why", "deploy/web"))
