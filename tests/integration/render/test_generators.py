"""What generators print becomes manifests: which `.flux.yaml` counts, where its commands run, what they get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.render import Rendered, Renderer
from sluice.render.generators import Generators
from tests.trees import MemoryBlobs, config_map, render_input

KUSTOMIZATION = "resources: [../base]\nnamePrefix: prod-\n"
BASE = {"base/kustomization.yaml": "resources: [c.yaml]\n", "base/c.yaml": config_map("c")}
PRINT_C = "version: 1\ncommandUpdated:\n  generators:\n  - command: cat c.yml.in\n"
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "nginx:1.0", env: [{name: A, value: a}]}
      - {name: side, image: "side:1.0"}
"""
WIDGET = (
    "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\nspec: {list: [{name: a}], x: 1}\n"
)
PATCHED = "version: 1\npatchUpdated:\n  generators:\n  - command: cat *.in\n  patchFile: patch.yaml\n"


def renderer(tmp_path: Path, **given: Any) -> Renderer:
    return Renderer(tmp_path / "work", generators=Generators(tmp_path / "work", **given))


async def rendered(tmp_path: Path, files: dict[str, str], path: str = "", **given: Any) -> Rendered:
    return await renderer(tmp_path).render(render_input(files, path=path, **given))


async def refused(tmp_path: Path, files: dict[str, str], path: str = "") -> list[str]:
    with pytest.raises(UserError) as error:
        await rendered(tmp_path, files, path)
    assert not any((tmp_path / "work").glob("build-*"))
    return [str(problem) for problem in error.value.problems]


def ids(out: Rendered) -> list[str]:
    return [str(manifest.id) for manifest in out.manifests]


async def test_a_kustomize_generator_prints_what_kustomize_builds(tmp_path: Path) -> None:
    commands = "  - command: kustomize build .\n  - command: kubectl kustomize ../base\n"
    flux = f"version: 1\ncommandUpdated:\n  generators:\n{commands}"
    files = {**BASE, "prod/kustomization.yaml": KUSTOMIZATION, "prod/.flux.yaml": flux}
    out = await rendered(tmp_path, files, "prod")
    assert ids(out) == ["ConfigMap shop/c", "ConfigMap shop/prod-c"]
    assert [str(m.origin) for m in out.manifests] == [
        "prod/.flux.yaml:5@a1b2c3d (from generator 2)",
        "prod/.flux.yaml:4@a1b2c3d (from generator 1)",
    ]


@pytest.mark.parametrize("path", ["apps/prod", "./apps/prod/", "apps/prod/.flux.yaml"])
async def test_the_nearest_file_counts_and_its_commands_run_in_the_path_itself(tmp_path: Path, path: str) -> None:
    files = {
        ".flux.yaml": "version: 1\ncommandUpdated: {generators: [{command: exit 7}]}\n",
        "apps/prod/c.yml.in": config_map("here"),
        "apps/c.yml.in": config_map("above"),
        "apps/prod/.flux.yaml" if path.endswith(".yaml") else "apps/.flux.yaml": PRINT_C,
        "apps/prod/not-looked-at.yaml": config_map("no"),
        "apps/prod/sub/.flux.yaml": "not even YAML: [",
    }
    assert ids(await rendered(tmp_path, files, path)) == ["ConfigMap shop/here"]


async def test_without_the_flag_the_file_means_nothing(tmp_path: Path) -> None:
    files = {"a.yaml": config_map("a"), "apps.flux/x.yaml": config_map("x")}
    flux = {"sub/.flux.yaml": "version: 1\ncommandUpdated: {generators: [{command: exit 7}]}\n"}
    out = await Renderer(tmp_path).render(render_input({**files, "sub/b.yaml": config_map("b")}, path="sub"))
    assert ids(out) == ["ConfigMap shop/b"]
    [text] = await refused(tmp_path, {**files, **flux, "sub/b.yaml": config_map("b")}, "sub")
    assert "ended with status 7" in text


async def test_scan_for_files_takes_a_path_out_of_what_a_parent_says(tmp_path: Path) -> None:
    files = {
        ".flux.yaml": "version: 1\ncommandUpdated: {generators: [{command: exit 7}]}\n",
        "apps/.flux.yaml": "version: 1\nscanForFiles: {}\n",
        "apps/a.yaml": config_map("a"),
        "kustomized/.flux.yaml": "version: 1\nscanForFiles:\n",
        "kustomized/kustomization.yaml": "resources: [c.yaml]",
        "kustomized/c.yaml": config_map("c"),
    }
    assert ids(await rendered(tmp_path, files, "kustomized")) == ["ConfigMap shop/c"]
    assert ids(await rendered(tmp_path, files, "apps")) == ["ConfigMap shop/a"]
    del files["apps/.flux.yaml"]
    [text] = await refused(tmp_path, files, "apps")
    assert "ended with status 7 [E681]" in text


async def test_an_unchanged_tree_runs_no_command_again_and_any_change_does(tmp_path: Path) -> None:
    counter = tmp_path / "work"
    made, blobs = renderer(tmp_path), MemoryBlobs()
    files = {".flux.yaml": PRINT_C, "c.yml.in": config_map("c"), "other": "1"}
    first = await made.render(render_input(files, blobs=blobs))
    again = await made.render(render_input(files, blobs=blobs, commit="f" * 40))
    assert (first.cached, again.cached, again.digest) == (False, True, first.digest)
    assert again.manifests[0].origin.commit == "f" * 40
    changed = await made.render(render_input({**files, "other": "2"}, blobs=blobs))
    assert (changed.cached, changed.digest) == (False, first.digest)
    assert not list(counter.glob("build-*"))


async def test_a_generator_may_write_into_its_copy_and_the_next_one_sees_it(tmp_path: Path) -> None:
    flux = (
        "version: 1\ncommandUpdated:\n  generators:\n"
        "  - command: mkdir made; cat c.yml.in > made/c; touch $HOME/x $TMPDIR/y\n"
        "  - command: cat made/c; ls $HOME $TMPDIR >&2\n"
    )
    out = await rendered(tmp_path, {".flux.yaml": flux, "c.yml.in": config_map("c")})
    assert ids(out) == ["ConfigMap shop/c"]


async def test_lists_are_taken_apart_and_empty_documents_left_out(tmp_path: Path) -> None:
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n}} for n in "ab"]})  # fmt: skip
    out = await rendered(tmp_path, {".flux.yaml": PRINT_C, "c.yml.in": f"---\n# nothing\n---\n{listed}\n---\n"})
    assert ids(out) == ["ConfigMap a", "ConfigMap b"]


async def test_the_first_command_that_fails_ends_it_and_is_told_with_its_words(tmp_path: Path) -> None:
    flux = (
        "version: 1\ncommandUpdated:\n  generators:\n  - command: cat c.yml.in\n"
        '  - command: echo "no such chart in $PWD" >&2; exit 4\n  - command: touch /never\n'
    )
    [text] = await refused(tmp_path, {"apps/.flux.yaml": flux, "apps/c.yml.in": config_map("c")}, "apps")
    assert "[E681] at apps/.flux.yaml:5@a1b2c3d" in text
    assert "ended with status 4" in text
    assert "no such chart in " in text
    assert str(tmp_path) not in text.replace("no such chart in", "")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sleep 60", "[E682] at .flux.yaml:4@a1b2c3d; fix: make it do less, or give it a longer `timeout`"),
        ("kill -9 $$", "was killed by signal 9 [E681]"),
        ("no-such-program", "no-such-program: not found"),
        ("printf 'a:\\n\\tb: 1\\n'", "[E683] at .flux.yaml:4@a1b2c3d (from generator 1): line 2 of its output"),
        ("printf 'metadata: {name: x}\\n'", "[E214]"),
    ],
)
async def test_a_generator_that_goes_wrong_applies_nothing_and_says_where(
    tmp_path: Path, command: str, said: str
) -> None:
    flux = f"version: 1\ncommandUpdated:\n  generators:\n  - command: {json.dumps(command)}\n    timeout: 1s\n"
    assert said in "\n".join(await refused(tmp_path, {".flux.yaml": flux, "a": ""}))


async def test_what_two_generators_print_is_defined_twice(tmp_path: Path) -> None:
    flux = "version: 1\npatchUpdated:\n  generators: [{command: cat c.in}, {command: cat c.in}]\n  patchFile: p.yaml\n"
    [text] = await refused(tmp_path, {".flux.yaml": flux, "c.in": config_map("c"), "p.yaml": config_map("c")})
    assert "is defined twice [E208]" in text
    assert "(from generator 2): first at .flux.yaml:3@a1b2c3d (from generator 1)" in text


async def test_patches_merge_strategically_into_known_kinds_and_as_json_into_others(tmp_path: Path) -> None:
    patch = (
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop, annotations: {a: b}}\n"
        "spec: {template: {spec: {containers: [{name: main, image: 'nginx:2.0'}]}}}\n"
        "---\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\n"
        "spec: {list: [{name: b}]}\n"
    )
    files = {".flux.yaml": PATCHED, "w.in": f"{DEPLOYMENT}---\n{WIDGET}", "patch.yaml": patch}
    out = {m.id.kind: json.loads(m.body) for m in (await rendered(tmp_path, files)).manifests}
    spec = out["Deployment"]["spec"]["template"]["spec"]
    assert spec["containers"] == [
        {"name": "main", "image": "nginx:2.0", "env": [{"name": "A", "value": "a"}]},
        {"name": "side", "image": "side:1.0"},
    ]
    assert out["Deployment"]["metadata"]["annotations"] == {"a": "b"}
    assert out["Widget"]["spec"] == {"list": [{"name": "b"}], "x": 1}
    without = {k: v for k, v in files.items() if k != "patch.yaml"}
    assert len((await rendered(tmp_path, without)).manifests) == 2


async def test_a_patch_for_what_is_not_generated_is_told_with_its_line(tmp_path: Path) -> None:
    patch = f"# first\n{config_map('gone')}---\n{config_map('c', x='y')}"
    [text] = await refused(tmp_path, {".flux.yaml": PATCHED, "c.in": config_map("c"), "patch.yaml": patch})
    assert "a patch is for an object that is not generated [E684] ConfigMap shop/gone at patch.yaml:2@a1b2c3d" in text


async def test_a_patch_file_outside_of_the_source_is_refused(tmp_path: Path) -> None:
    [text] = await refused(
        tmp_path, {".flux.yaml": PATCHED.replace("patch.yaml", "../p.yaml"), "c.in": config_map("c")}
    )
    assert "[E230]" in text
    [text] = await refused(
        tmp_path, {".flux.yaml": PATCHED.replace("patch.yaml", "no/p.yaml"), "c.in": config_map("c")}
    )
    assert "the folder of patchFile does not exist [E201]" in text


async def test_programs_are_looked_for_where_the_flag_says(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "make-it").write_text("#!/bin/sh\ncat c.yml.in\n")
    (tools / "make-it").chmod(0o755)
    flux = "version: 1\ncommandUpdated: {generators: [{command: make-it}]}\n"
    made = renderer(tmp_path, path=f"{tools}:/usr/bin:/bin")
    out = await made.render(render_input({".flux.yaml": flux, "c.yml.in": config_map("c")}))
    assert ids(out) == ["ConfigMap shop/c"]


async def test_links_of_the_tree_are_there_and_those_that_leave_it_are_not(tmp_path: Path) -> None:
    flux = "version: 1\ncommandUpdated: {generators: [{command: cat link; test ! -e out -a ! -L out}]}\n"
    files = {".flux.yaml": flux, "c.in": config_map("c")}
    made = await renderer(tmp_path).render(render_input(files, links={"link": "c.in", "out": "/etc/passwd"}))
    assert ids(made) == ["ConfigMap shop/c"]


def test_each_code_of_generation_has_a_page() -> None:
    from sluice.core.code_pages import PAGES

    assert {code.number for code in codes.CODES if code.number.startswith("E68")} <= PAGES.keys()
