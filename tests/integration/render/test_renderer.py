"""The renderer with the real kustomize: Flux's rules, origins, and nothing done twice."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sluice.api.kustomization import CommonMetadata, Image, Patch, PostBuild, Selector
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.ids import GroupKind
from sluice.core.manifest import Manifest
from sluice.render import Rendered, Renderer, field_origin, kubectl
from sluice.render.kubectl import find_kubectl
from tests.trees import OWNER, MemoryBlobs, config_map, render_input

WEB = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1.0
        ports: [{containerPort: 80}]
"""


async def rendered(tmp_path: Path, files: dict[str, str], **given: Any) -> Rendered:
    return await Renderer(tmp_path).render(render_input(files, **given))


def body(manifest: Manifest) -> Any:
    return json.loads(manifest.body)


def ids(out: Rendered) -> list[str]:
    return [str(manifest.id) for manifest in out.manifests]


async def test_an_unchanged_plain_file_is_never_read_again(tmp_path: Path) -> None:
    renderer, blobs = Renderer(tmp_path), MemoryBlobs()
    files = {f"apps/{n}.yaml": config_map(f"c{n}") for n in range(20)}
    first = await renderer.render(render_input(files, blobs=blobs, path="apps"))
    assert (blobs.reads, first.cached) == (20, False)
    again = await renderer.render(render_input(files, blobs=blobs, path="apps", commit="f" * 40))
    assert (blobs.reads, again.cached, again.digest) == (20, True, first.digest)
    assert {manifest.origin.commit for manifest in again.manifests} == {"f" * 40}
    files["apps/3.yaml"] = config_map("c3", x="y")
    changed = await renderer.render(render_input(files, blobs=blobs, path="apps"))
    assert (blobs.reads, changed.cached) == (21, False)
    assert changed.digest != first.digest


async def test_others_have_their_turn_between_large_files(tmp_path: Path) -> None:
    files = {f"{n}.yaml": config_map(f"c{n}") + f"# {'x' * 200_000}\n" for n in range(8)}
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with asyncio.TaskGroup() as group:
        counting = group.create_task(count())
        await asyncio.sleep(0)
        before = turns
        out = await rendered(tmp_path, files)
        assert turns - before >= len(files)
        counting.cancel()
    assert len(out.manifests) == len(files)


async def test_a_small_cache_forgets_but_is_never_wrong(tmp_path: Path) -> None:
    renderer = Renderer(tmp_path, cache_bytes=1000)
    files = {f"{n}.yaml": config_map(f"c{n}") for n in range(20)}
    first, second = await renderer.render(render_input(files)), await renderer.render(render_input(files))
    assert first.manifests == second.manifests
    assert not second.cached


async def test_the_same_build_runs_once_and_a_change_of_any_input_runs_it_again(tmp_path: Path) -> None:
    count = tmp_path / "count"
    wrapper = tmp_path / "kubectl"
    wrapper.write_text(f'#!/bin/sh\necho x >> {count}\nexec {find_kubectl()} "$@"\n')
    wrapper.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    renderer = Renderer(work, wrapper)
    files = {"base/web.yaml": WEB, "base/kustomization.yaml": "resources: [web.yaml]\n", "other.yaml": "x"}
    files["prod/kustomization.yaml"] = "resources: [../base]\nconfigMapGenerator:\n- {name: a, files: [f]}\n"
    files["prod/f"] = "1"

    async def runs(**spec: Any) -> int:
        await renderer.render(render_input(files, path="prod", **spec))
        return len(count.read_text().split())

    assert [await runs(), await runs(), await runs(commit="e" * 40)] == [1, 1, 1]
    files["other.yaml"] = "y"  # not a file of this build
    assert await runs() == 1
    files["prod/f"] = "2"
    assert await runs() == 2
    files["base/web.yaml"] = WEB.replace("1.0", "1.1")
    assert await runs() == 3
    assert await runs(namePrefix="x-") == 4
    assert await runs(postBuild=PostBuild(substitute={"A": "b"})) == 5
    files["base/kustomization.yaml"] += "# a comment\n"
    assert await runs() == 5


async def test_each_object_of_an_overlay_knows_its_file_and_line(tmp_path: Path) -> None:
    files = {
        "base/all.yaml": "# head\n" + config_map("one") + "---\n" + config_map("two") + "---\n" + WEB,
        "base/kustomization.yaml": "resources: [all.yaml]\n",
        "prod/kustomization.yaml": "resources:\n- ../base\nnamePrefix: p-\nnameSuffix: -s\nconfigMapGenerator:\n"
        "- name: env\n  literals: [a=b]\n- name: env-more\n  literals: [a=b]\n"
        "secretGenerator:\n- name: tok\n  literals: [a=b]\n",
    }
    out = await rendered(tmp_path, files, path="prod")
    origins = {manifest.id.name.rsplit("-", 1)[0]: str(manifest.origin) for manifest in out.manifests}
    assert origins["p-one"] == "base/all.yaml:2@a1b2c3d"
    assert origins["p-two"] == "base/all.yaml:10@a1b2c3d"
    assert origins["p-web"] == "base/all.yaml:18@a1b2c3d"
    assert origins["p-env-s"] == "prod/kustomization.yaml:6@a1b2c3d (from kustomization prod)"
    assert origins["p-env-more-s"] == "prod/kustomization.yaml:8@a1b2c3d (from kustomization prod)"
    assert origins["p-tok-s"] == "prod/kustomization.yaml:11@a1b2c3d (from kustomization prod)"
    assert all("annotations" not in body(manifest)["metadata"] for manifest in out.manifests)


async def test_origin_annotations_stay_when_they_are_asked_for(tmp_path: Path) -> None:
    files = {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": config_map("a")}
    out = await rendered(tmp_path, files, buildMetadata=("originAnnotations",))
    assert body(out.manifests[0])["metadata"]["annotations"] == {"config.kubernetes.io/origin": "path: a.yaml\n"}


async def test_every_spec_field_is_written_into_the_kustomization(tmp_path: Path) -> None:
    files = {
        "apps/kustomization.yaml": "namespace: old\nnamePrefix: old-\nresources: [web.yaml]\n"
        "images:\n- {name: nginx, newTag: '1.1', newName: old}\n- {name: other, newTag: x}\n",
        "apps/web.yaml": WEB,
        "parts/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "resources: [c.yaml]\n",
        "parts/c.yaml": config_map("part", namespace="x"),
    }
    out = await rendered(
        tmp_path,
        files,
        path="./apps",
        targetNamespace="shop",
        namePrefix="a-",
        nameSuffix="-z",
        components=("../parts", "../absent"),
        ignoreMissingComponents=True,
        images=(Image(name="nginx", digest="sha256:" + "0" * 64),),
        patches=(
            Patch(
                patch="- {op: add, path: /spec/replicas, value: 3}".replace("{", "")
                .replace("}", "")
                .replace(", ", "\n  "),
                target=Selector(kind="Deployment", name="web"),
            ),
            Patch(patch="apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {tier: front}}\n"),
        ),
        patchesStrategicMerge=(
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"paused": True}},
        ),
        patchesJson6902=(
            {
                "target": {"version": "v1", "group": "apps", "kind": "Deployment", "name": "web"},
                "patch": [{"op": "add", "path": "/spec/minReadySeconds", "value": 5}],
            },
        ),
        commonMetadata=CommonMetadata(labels={"team": "a"}, annotations={"note": "b"}),
    )
    assert ids(out) == ["ConfigMap shop/a-part-z", "Deployment shop/a-web-z"]
    web = body(out.manifests[1])
    assert web["metadata"]["labels"] == {"tier": "front", "team": "a", **OWNER}
    assert web["metadata"]["annotations"] == {"note": "b"}
    assert (web["spec"]["replicas"], web["spec"]["paused"], web["spec"]["minReadySeconds"]) == (3, True, 5)
    [container] = web["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "old@sha256:" + "0" * 64
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


async def test_a_folder_without_a_kustomization_gets_one_as_flux_generates_it(tmp_path: Path) -> None:
    files = {
        "apps/a.yaml": config_map("a"),
        "apps/deep/b.yml": config_map("b"),
        "apps/notes.txt": "not: read",
        "apps/c.json": "{",
        "apps/base/kustomization.yml": "resources: [only.yaml]\n",
        "apps/base/only.yaml": config_map("only"),
        "apps/base/ignored.yaml": config_map("ignored"),
        "apps/base/inner/kustomization.yaml": "resources: []\n",
        "elsewhere/x.yaml": config_map("x"),
    }
    assert ids(await rendered(tmp_path, files, path="apps")) == [f"ConfigMap shop/{n}" for n in ("a", "b", "only")]


async def test_kustomize_s_own_documents_and_local_configuration_are_left_out(tmp_path: Path) -> None:
    local = config_map("local").replace(
        "metadata:\n", "metadata:\n  annotations: {config.kubernetes.io/local-config: 'true'}\n"
    )
    other = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: {name: k}\n"
    assert ids(await rendered(tmp_path, {"a.yaml": local, "b.yaml": other, "c.yaml": config_map("c")})) == [
        "ConfigMap shop/c"
    ]


async def test_owner_labels_are_set_before_common_metadata(tmp_path: Path) -> None:
    common = CommonMetadata(labels={"kustomize.toolkit.fluxcd.io/name": "taken"})
    [manifest] = (await rendered(tmp_path, {"a.yaml": config_map("a")}, commonMetadata=common)).manifests
    assert body(manifest)["metadata"]["labels"] == {**OWNER, "kustomize.toolkit.fluxcd.io/name": "taken"}


async def test_an_empty_folder_is_an_empty_render(tmp_path: Path) -> None:
    assert ids(await rendered(tmp_path, {"apps/README": "x"}, path="apps", namePrefix="x-")) == []


CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "web/values.yaml": "replicas: 1\n",
    "web/templates/web.yaml": "{{ if .Values.x }}\nkind: A\n{{ end }}\n",
    "web/templates/more.yaml": "metadata:\n  name: {{ .Release.Name }}\n",
}


@pytest.mark.parametrize(
    ("path", "given"),
    [("apps", {}), ("apps/web", {}), ("apps/web", {"targetNamespace": "shop"}), ("apps", {"namePrefix": "x-"})],
)
async def test_a_helm_chart_is_one_problem_beside_those_of_other_files(
    tmp_path: Path, path: str, given: dict[str, Any]
) -> None:
    files = {f"apps/{name}": text for name, text in CHART.items()} | {"apps/bad.yaml": "a: [\n"}
    with pytest.raises(UserError) as caught:
        await rendered(tmp_path, files, path=path, **given)
    told = [(p.code, p.origin.path if p.origin else "") for p in caught.value.problems]
    assert told[0] == (codes.HELM_CHART, "apps/web/Chart.yaml")
    assert told[1:] == ([] if path == "apps/web" else [(codes.YAML_SYNTAX, "apps/bad.yaml")])


async def test_a_kustomization_beside_a_chart_is_told_for_itself(tmp_path: Path) -> None:
    files = {**CHART, "web/kustomization.yaml": "resources: [missing.yaml]\n"}
    with pytest.raises(UserError) as caught:
        await rendered(tmp_path, files, path="web")
    assert [p.code for p in caught.value.problems] == [codes.KUSTOMIZE_MISSING]


PROBES = {
    "config.yaml": config_map("a", namespace="x"),
    "web.yaml": WEB,
    "account.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n",
    "role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\nrules: []\n",
    "class.yaml": "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: p}\nvalue: 1\n",
    "thing.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: t}\n",
    "crd.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
    "metadata: {name: a.example.com}\nspec: {}\n",
}
REWRITTEN = {
    "binding.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b}\n"
    "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r}\n"
    "subjects:\n- {kind: ServiceAccount, name: default, namespace: x}\n"
    "- {kind: ServiceAccount, name: robot, namespace: y}\n",
    "namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n",
}


@pytest.mark.parametrize("files", [PROBES, PROBES | REWRITTEN], ids=["native", "rewritten kinds"])
async def test_the_target_namespace_is_set_as_kustomize_sets_it(tmp_path: Path, files: dict[str, str]) -> None:
    source, work = tmp_path / "source", tmp_path / "work"
    source.mkdir()
    work.mkdir()
    for name, text in files.items():
        (source / name).write_text(text)
    (source / "kustomization.yaml").write_text(json.dumps({"resources": sorted(files), "namespace": "target"}))
    command = [str(find_kubectl()), "kustomize", str(source)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)}).stdout
    out = await rendered(work, files, targetNamespace="target")
    expected = await rendered(work, {"all.yaml": output})
    assert [manifest.id for manifest in out.manifests] == [manifest.id for manifest in expected.manifests]
    assert [body(manifest) for manifest in out.manifests] == [body(manifest) for manifest in expected.manifests]


@pytest.mark.parametrize("files", [{"thing.yaml": PROBES["thing.yaml"]}, PROBES | REWRITTEN], ids=["native", "built"])
async def test_a_cluster_scoped_custom_kind_keeps_out_of_the_target_namespace(
    tmp_path: Path, files: dict[str, str]
) -> None:
    renderer = Renderer(tmp_path)
    kind = GroupKind("example.com", "Thing")
    for answer, namespace in ((True, "target"), (False, ""), (True, "target")):
        out = await renderer.render(render_input(files, targetNamespace="target", scopes={kind: answer}))
        assert [manifest.id.namespace for manifest in out.manifests if manifest.id.kind == "Thing"] == [namespace]


async def test_substitution_is_the_same_with_and_without_kustomize(tmp_path: Path) -> None:
    text = "apiVersion: e.com/v1\nkind: Probe\nmetadata: {name: '${n}', labels: {v: '${v}'}}\n"
    text += "spec:\n  a: '${v}'\n  b: \"${v}\"\n  c: ${v}\n  d: x${v}\n  e: 'k: ${v}'\n  f:\n  - ${d:=7}\n  g: $${v}\n"
    post_build = PostBuild(substitute={"v": "3"})
    variables = {"n": "name", "v": "loses"}
    plain = await rendered(tmp_path, {"a.yaml": text}, postBuild=post_build, variables=variables)
    built = await rendered(
        tmp_path,
        {"a.yaml": text, "kustomization.yaml": "resources: [a.yaml]"},
        postBuild=post_build,
        variables=variables,
    )
    assert [body(manifest) for manifest in plain.manifests] == [body(manifest) for manifest in built.manifests]
    assert body(plain.manifests[0])["spec"] == {"a": 3, "b": 3, "c": 3, "d": "x3", "e": "k: 3", "f": [7], "g": "${v}"}
    assert body(plain.manifests[0])["metadata"]["labels"]["v"] == "3"


async def test_without_post_build_a_dollar_is_a_dollar(tmp_path: Path) -> None:
    text = config_map("a", k="${HOME} $$")
    for post_build in (None, PostBuild()):
        [manifest] = (await rendered(tmp_path, {"a.yaml": text}, postBuild=post_build)).manifests
        assert body(manifest)["data"] == {"k": "${HOME} $$"}
    always = PostBuild(substituteStrategy="Always")
    [manifest] = (await rendered(tmp_path, {"a.yaml": config_map("a", k="${X:=y}")}, postBuild=always)).manifests
    assert body(manifest)["data"] == {"k": "y"}


async def test_symlinked_bases_are_built(tmp_path: Path) -> None:
    files = {"real/base/kustomization.yaml": "resources: [../a.yaml]\n", "real/a.yaml": config_map("a")}
    files["prod/kustomization.yaml"] = "resources: [link]\n"
    out = await rendered(tmp_path, files, links={"prod/link": "../real/base"}, path="prod")
    assert [str(manifest.origin) for manifest in out.manifests] == ["real/a.yaml:1@a1b2c3d"]


async def test_a_field_that_the_api_server_names_is_found_in_its_file(tmp_path: Path) -> None:
    files = {"base/web.yaml": config_map("a") + "---\n" + WEB, "base/kustomization.yaml": "resources: [web.yaml]\n"}
    files["prod/kustomization.yaml"] = "resources: [../base]\nnamePrefix: p-\n"
    given = render_input(files, path="prod")
    origin = (await Renderer(tmp_path).render(given)).manifests[1].origin
    found = await field_origin(given.tree, given.blobs, origin, "spec.template.spec.containers[0].image")
    assert str(found) == "base/web.yaml:20:9@a1b2c3d"


async def test_a_build_that_needs_more_memory_than_it_may_have_is_refused_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubectl, "MAX_MEMORY", 24 << 20)
    many = {f"c{n}.yaml": config_map(f"c{n}", key="x" * 20_000) for n in range(200)}
    listed = "\n".join(f"- {name}" for name in many)
    with pytest.raises(UserError) as caught:
        await rendered(tmp_path, {**many, "kustomization.yaml": f"resources:\n{listed}\n"})
    [problem] = caught.value.problems
    assert problem.origin is not None
    assert problem.origin.path == "kustomization.yaml"
    assert problem.title == "kustomize died"
    assert "of memory" in problem.cause, problem
    assert "24 MiB" in problem.cause
    assert (await rendered(tmp_path, {"a.yaml": config_map("a")})).manifests, "others are built"
