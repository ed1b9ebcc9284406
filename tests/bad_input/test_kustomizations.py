"""Bad kustomizations: refused before, or explained after, the real kustomize runs; a test per known case."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from sluice.api.kustomization import Image, Patch, PostBuild, Selector
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Code, Problem
from sluice.render import Rendered, Renderer
from tests.trees import config_map, render_input

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: nginx}
"""
BASE = {"base/deploy.yaml": DEPLOYMENT, "base/kustomization.yaml": "resources:\n- deploy.yaml\n"}


async def rendered(tmp_path: Path, text: str, files: dict[str, str] | None = None, **given: Any) -> Rendered:
    whole = {**BASE, "prod/kustomization.yaml": text, **(files or {})}
    return await Renderer(tmp_path).render(render_input(whole, path="prod", **given))


async def problems_of(tmp_path: Path, text: str, files: dict[str, str] | None = None, **given: Any) -> list[Problem]:
    with pytest.raises(UserError) as caught:
        await rendered(tmp_path, text, files, **given)
    assert list(tmp_path.iterdir()) == [], "a build must leave nothing behind"
    return list(caught.value.problems)


async def only(tmp_path: Path, text: str, files: dict[str, str] | None = None, **given: Any) -> Problem:
    [problem] = await problems_of(tmp_path, text, files, **given)
    return problem


REFERENCES: list[tuple[str, str, Code, str]] = [
    ("B044", "deploi.yaml", codes.KUSTOMIZE_MISSING, "looked for prod/deploi.yaml"),
    ("B044", "./nowhere", codes.KUSTOMIZE_MISSING, "looked for prod/nowhere"),
    ("B045", "../../../other", codes.PATH_ESCAPE, "it leaves the source's root"),
    ("B046", "/etc/passwd", codes.PATH_ESCAPE, "it is absolute"),
    ("B048", "https://example.com/org/repo//x?ref=y", codes.REMOTE_BASE_OFF, "builds have no network"),
    ("B048", "github.com/org/repo", codes.REMOTE_BASE_OFF, "builds have no network"),
    ("B048", "git@example.com:org/repo.git", codes.REMOTE_BASE_OFF, "builds have no network"),
    ("B048", "https://user:secret@example.com/org/repo", codes.REMOTE_BASE_OFF, "builds have no network"),
    ("B049", "git::ext::sh -c touch", codes.URL_SCHEME, "unknown scheme"),
    ("B049", "file:///etc", codes.URL_SCHEME, "unknown scheme"),
]


@pytest.mark.parametrize("field", ["resources", "bases", "components"])
@pytest.mark.parametrize(("row", "text", "code", "cause"), REFERENCES)
async def test_a_reference_that_must_not_be_followed(
    tmp_path: Path, row: str, text: str, code: Code, cause: str, field: str
) -> None:
    if field == "resources":
        problem = await only(tmp_path, f"namePrefix: x-\nresources:\n- ../base\n- '{text}'\n")
    else:
        problem = await only(tmp_path, f"resources:\n- ../base\n{field}:\n- '{text}'\n")
    assert (problem.code, problem.cause) == (code, cause), row
    assert str(problem.origin) == "prod/kustomization.yaml:4:3@a1b2c3d"
    assert problem.field == f"{field}[{1 if field == 'resources' else 0}]"
    assert "secret" not in str(problem)


FILE_FIELDS = {
    "patches": "patches:\n- path: '{}'\n",
    "patchesJson6902": "patchesJson6902:\n- path: '{}'\n  target: {{kind: Deployment, name: web, version: v1}}\n",
    "patchesStrategicMerge": "patchesStrategicMerge:\n- '{}'\n",
    "configMapGenerator": "configMapGenerator:\n- name: a\n  files: ['k={}']\n",
    "envs": "secretGenerator:\n- name: a\n  envs: ['{}']\n",
    "env": "secretGenerator:\n- name: a\n  env: '{}'\n",
    "openapi": "openapi:\n  path: '{}'\n",
    "crds": "crds: ['{}']\n",
    "configurations": "configurations: ['{}']\n",
    "replacements": "replacements:\n- path: '{}'\n",
    "transformers": "transformers: ['{}']\n",
    "generators": "generators: ['{}']\n",
}


@pytest.mark.parametrize("text", FILE_FIELDS.values(), ids=FILE_FIELDS)
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/etc/hostname", codes.PATH_ESCAPE),
        ("../../../../etc/hostname", codes.PATH_ESCAPE),
        ("out", codes.PATH_ESCAPE),
        ("https://example.com/x", codes.REMOTE_BASE_OFF),
        ("absent", codes.KUSTOMIZE_MISSING),
    ],
)
async def test_b045_to_b056_every_field_that_names_a_file_is_confined(
    tmp_path: Path, text: str, path: str, code: Code
) -> None:
    problem = await only(tmp_path, "resources: [../base]\n" + text.format(path), links={"prod/out": "/etc/hostname"})
    assert problem.code is code
    assert problem.origin is not None
    assert problem.origin.path == "prod/kustomization.yaml"
    assert problem.origin.line >= 2


@pytest.mark.parametrize(
    "text",
    [
        "Resources: [/etc/hostname]\n",
        "configMapGenerator:\n- name: a\n  Files: [/etc/hostname]\n",
        "patches:\n- Path: /etc/hostname\n",
        "openapi: {Path: /etc/hostname}\n",
        "configMapGenerator:\n- name: a\n  fileſ: [/etc/hostname]\n",
    ],
)
async def test_a_field_in_another_case_does_not_slip_past_the_check(tmp_path: Path, text: str) -> None:
    problems = await problems_of(tmp_path, "resources: [../base]\n" + text)
    assert {problem.code for problem in problems} <= {codes.UNKNOWN_FIELD}


@pytest.mark.parametrize(
    "plugin",
    [
        "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: /etc/hostname\n",
        "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: a}\nname: a\nfiles: [k=/etc/hostname]\n",
        "{apiVersion: builtin, kind: ReplacementTransformer, metadata: {name: a}, replacements: [{path: /etc/x}]}",
    ],
)
async def test_a_builtin_transformer_cannot_read_outside_either(tmp_path: Path, plugin: str) -> None:
    problem = await only(tmp_path, "resources: [../base]\ntransformers: [t.yaml]\n", {"prod/t.yaml": plugin})
    assert problem.code is codes.PATH_ESCAPE


async def test_b047_a_symlink_outwards_or_in_a_circle(tmp_path: Path) -> None:
    for target, reason in (("../../etc", "leaves"), ("/etc", "absolute"), ("link.yaml", "circle")):
        problem = await only(tmp_path, "resources: [link.yaml]\n", links={"prod/link.yaml": target})
        assert problem.code is codes.PATH_ESCAPE
        assert reason in problem.cause


async def test_b050_kustomizations_in_a_circle(tmp_path: Path) -> None:
    problem = await only(tmp_path, "resources: [../prod]\n")
    assert (problem.code, problem.cause) == (codes.KUSTOMIZE_CYCLE, "prod → prod")
    files = {"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources:\n- ../a\n"}
    problem = await only(tmp_path, "resources: [../a]\n", files)
    assert (problem.code, problem.cause) == (codes.KUSTOMIZE_CYCLE, "a → b → a")
    assert str(problem.origin) == "b/kustomization.yaml:2:3@a1b2c3d"


async def test_b050_a_base_above_its_user_is_a_circle_for_kustomize(tmp_path: Path) -> None:
    problem = await only(tmp_path, "resources: ['..']\n", {"kustomization.yaml": "resources: [base/deploy.yaml]\n"})
    assert problem.code is codes.KUSTOMIZE_CYCLE


async def test_b051_two_kustomization_files_in_one_folder(tmp_path: Path) -> None:
    problem = await only(tmp_path, "resources: [../base]\n", {"base/Kustomization": "resources: []\n"})
    assert problem.code is codes.KUSTOMIZE_AMBIGUOUS
    assert problem.title == "base has kustomization.yaml and Kustomization"


async def test_b052_a_patch_that_matches_nothing(tmp_path: Path) -> None:
    patch = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: nope}}"
    text = f"resources:\n- ../base\npatches:\n- patch: |-\n    {patch}\n"
    problem = await only(tmp_path, text)
    assert problem.code is codes.PATCH_NO_TARGET
    assert "nope" in problem.cause
    assert str(problem.origin) == "prod/kustomization.yaml:4:3@a1b2c3d"


@pytest.mark.parametrize(
    ("operations", "cause"),
    [
        ("[{op: foo, path: /x}]", "operation 0: op 'foo'"),
        ("[{op: add, path: /x, value: 1}, {op: add, path: x}]", "operation 1: path 'x'"),
        ("[{op: replace, path: /x}]", "operation 0 (replace /x) has no 'value'"),
        ("[1]", "operation 0 is no map"),
        ("a: b: c", "a ': ' in an unquoted value"),
        ("just text", "neither a map nor a list"),
    ],
)
async def test_b053_a_patch_that_is_not_valid(tmp_path: Path, operations: str, cause: str) -> None:
    text = "resources: [../base]\npatches:\n- target: {kind: Deployment}\n  path: p.yaml\n"
    problem = await only(tmp_path, text, {"prod/p.yaml": operations})
    assert problem.code is codes.PATCH_INVALID
    assert cause in problem.cause


@pytest.mark.parametrize(
    ("operation", "cause"),
    [
        ("op: remove\n      path: /spec/absent", "operation 0 (remove /spec/absent)"),
        ("op: add\n      path: /spec/absent/b\n      value: 1", "operation 0 (add /spec/absent/b)"),
        ("op: test\n      path: /kind\n      value: Pod", "operation 0 (test /kind)"),
    ],
)
async def test_b053_a_patch_that_does_not_apply(tmp_path: Path, operation: str, cause: str) -> None:
    text = f"resources: [../base]\npatches:\n- target: {{kind: Deployment}}\n  patch: |\n    - {operation}\n"
    problem = await only(tmp_path, text)
    assert problem.code is codes.PATCH_INVALID
    assert problem.cause == cause
    assert str(problem.origin) == "prod/kustomization.yaml:3:3@a1b2c3d"


async def test_b053_a_patch_of_the_spec_is_named_so(tmp_path: Path) -> None:
    patch = Patch(patch="- op: remove\n  path: /spec/absent\n", target=Selector(kind="Deployment"))
    problem = await only(tmp_path, "resources: [../base]\n", patches=(patch,))
    assert (problem.code, problem.field) == (codes.PATCH_INVALID, "spec.patches[0]")


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: example.com/v1\nkind: Generator\nmetadata: {name: a}\n",
        "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: a}\nname: x\n",
        (
            "apiVersion: builtin\nkind: PrefixTransformer\nmetadata:\n  name: a\n  annotations:\n"
            "    config.kubernetes.io/function: |\n      exec: {path: ./run.sh}\n"
        ),
    ],
)
@pytest.mark.parametrize("field", ["generators", "transformers", "validators"])
async def test_b054_a_plugin_is_not_run(tmp_path: Path, text: str, field: str) -> None:
    problem = await only(tmp_path, f"resources: [../base]\n{field}: [p.yaml]\n", {"prod/p.yaml": text})
    assert problem.code is codes.PLUGIN_OFF
    inline = "\n".join("    " + line for line in text.splitlines())
    problem = await only(tmp_path, f"resources: [../base]\n{field}:\n- |\n{inline}\n")
    assert problem.code is codes.PLUGIN_OFF


async def test_b055_helm_charts_are_not_inflated(tmp_path: Path) -> None:
    problem = await only(tmp_path, "resources: [../base]\nhelmCharts:\n- name: x\n")
    assert (problem.code, str(problem.origin)) == (codes.PLUGIN_OFF, "prod/kustomization.yaml:2:1@a1b2c3d")


async def test_b056_a_generator_file_that_is_too_big(tmp_path: Path) -> None:
    text = "configMapGenerator:\n- name: a\n  files: [big]\n"
    problem = await only(tmp_path, text, {"prod/big": "x" * 6_000_000})
    assert (problem.code, problem.cause) == (codes.FILE_TOO_BIG, "6.0 MB, limit 5 MB")


@pytest.mark.parametrize(
    "text",
    [
        (
            "replacements:\n- source: {kind: Deployment, name: nope}\n  targets:\n"
            "  - {select: {kind: Deployment}, fieldPaths: [spec.replicas]}\n"
        ),
        (
            "replacements:\n- source: {kind: Deployment, name: web, fieldPath: spec.absent}\n  targets:\n"
            "  - {select: {kind: Deployment}, fieldPaths: [spec.replicas]}\n"
        ),
        (
            "replacements:\n- source: {kind: Deployment, name: web}\n  targets:\n"
            "  - {select: {kind: Deployment}, fieldPaths: [spec.absent.deeper]}\n"
        ),
        "vars:\n- name: A\n  objref: {kind: Service, name: nope, apiVersion: v1}\n",
    ],
)
async def test_b057_a_replacement_or_variable_without_a_source(tmp_path: Path, text: str) -> None:
    problem = await only(tmp_path, "resources: [../base]\n" + text)
    assert problem.code is codes.REPLACEMENT
    assert str(problem.origin) == "prod/kustomization.yaml:2:1@a1b2c3d"


async def test_b058_a_prefix_that_makes_a_name_too_long_shows_the_object_s_file(tmp_path: Path) -> None:
    problem = await only(tmp_path, f"resources: [../base]\nnamePrefix: {'x' * 300}\n")
    assert problem.code is codes.BAD_NAME
    assert str(problem.origin) == "base/deploy.yaml:4:3@a1b2c3d"


async def test_b059_an_unknown_field(tmp_path: Path) -> None:
    problem = await only(tmp_path, "resources: [../base]\nimagez: []\n")
    assert (problem.code, problem.fix) == (codes.UNKNOWN_FIELD, "did you mean images?")
    problem = await only(tmp_path, "resources: [../base]\nimages:\n- {name: a, newTagg: b}\n")
    assert (problem.code, problem.cause) == (codes.UNKNOWN_FIELD, "newTagg")


async def test_patches_without_path_say_how_they_are_written(tmp_path: Path) -> None:
    problem = await only(tmp_path, "resources: [../base]\npatches: [p.yaml]\n")
    assert (problem.code, problem.fix) == (
        codes.BAD_TYPE,
        "write each as `- path: FILE`, or under patchesStrategicMerge",
    )


async def test_an_object_that_two_files_define_shows_both(tmp_path: Path) -> None:
    files = {"prod/a.yaml": config_map("a"), "prod/b.yaml": config_map("b") + "---\n" + config_map("a")}
    problem = await only(tmp_path, "resources: [a.yaml, b.yaml]\n", files)
    assert (problem.code, problem.title) == (codes.DUPLICATE_OBJECT, "ConfigMap shop/a is defined twice")
    assert str(problem.origin) == "prod/b.yaml:9@a1b2c3d"
    assert problem.cause == "first at prod/a.yaml:1@a1b2c3d"


async def test_an_object_that_two_bases_bring_is_named_without_kustomize_s_quotes(tmp_path: Path) -> None:
    files = {f"{each}/kustomization.yaml": "resources: [../shared]\n" for each in ("x", "y")}
    files |= {"shared/kustomization.yaml": "resources: [a.yaml]\n", "shared/a.yaml": config_map("a")}
    problem = await only(tmp_path, "resources: [../x, ../y]\n", files)
    assert (problem.code, problem.cause) == (codes.DUPLICATE_OBJECT, "ConfigMap.v1.[noGrp]/a.shop")


async def test_objects_that_one_namespace_makes_the_same_are_told_without_the_whole_of_them(tmp_path: Path) -> None:
    files = {"prod/a.yaml": config_map("a") + "---\n" + config_map("a").replace("shop", "other")}
    problem = await only(tmp_path, "resources: [a.yaml]\nnamespace: prod\n", files)
    assert (problem.code, problem.cause) == (codes.DUPLICATE_OBJECT, "")
    assert "targetNamespace" in problem.fix
    assert str(problem.origin) == "prod/kustomization.yaml:2:1@a1b2c3d"


async def test_each_object_without_a_name_is_shown_in_its_file(tmp_path: Path) -> None:
    nameless = "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: shop}\n"
    files = {"prod/a.yaml": config_map("a") + "---\n" + nameless, "prod/b.yaml": nameless}
    problems = await problems_of(tmp_path, "resources: [a.yaml, b.yaml]\n", files)
    assert [(p.code, str(p.origin)) for p in problems] == [
        (codes.MISSING_FIELD, "prod/a.yaml:9@a1b2c3d"),
        (codes.MISSING_FIELD, "prod/b.yaml:1@a1b2c3d"),
    ]


async def test_only_a_file_of_a_like_name_is_what_was_meant(tmp_path: Path) -> None:
    files = {"prod/web.yaml": config_map("web"), "prod/deploy.yaml": config_map("d")}
    problem = await only(tmp_path, "resources: [web.yaml, settings.yaml]\n", files)
    assert problem.fix == "add it, or remove the entry"
    problem = await only(tmp_path, "resources: [web.yaml, deploy.yml]\n", files)
    assert problem.fix == "did you mean deploy.yaml?"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("kind: [Kustomization]\n", codes.UNSUPPORTED_VERSION),
        ("kind: {a: b}\n", codes.UNSUPPORTED_VERSION),
        ("apiVersion: []\nkind: {}\nresources: [../base]\n", codes.KUSTOMIZE_FAILED),
        ("apiVersion: [v1]\n", codes.UNSUPPORTED_VERSION),
        ("generators:\n- |\n  apiVersion: builtin\n  kind: []\n", codes.PLUGIN_OFF),
        ("resources: [../base]\npatches:\n- patch: '[{op: [add], path: /a}]'\n", codes.PATCH_INVALID),
        ("resources: [../base]\npatches:\n- patch: '[{op: {}, path: /a}]'\n", codes.PATCH_INVALID),
        ("resources: [../base]\nimages: true\n", codes.KUSTOMIZE_FAILED),
    ],
)
async def test_a_field_of_another_type_is_refused_in_words(tmp_path: Path, text: str, code: Code) -> None:
    assert (await only(tmp_path, text, images=(Image(name="nginx", newTag="1"),))).code == code


@pytest.mark.parametrize(
    "text", ["apiVersion: kustomize.config.k8s.io/v9\n", "kind: Kust\n", "kind: Component\napiVersion: v1\n"]
)
async def test_b060_an_unknown_api_version_or_kind(tmp_path: Path, text: str) -> None:
    assert (await only(tmp_path, text + "resources: [../base]\n")).code is codes.UNSUPPORTED_VERSION


async def test_b064_every_undefined_variable_with_its_place(tmp_path: Path) -> None:
    files = {"base/deploy.yaml": DEPLOYMENT.replace("image: nginx", "image: 'nginx:${TAG}-${ARCH}'")}
    problems = await problems_of(
        tmp_path, "resources: [../base]\n", files, postBuild=PostBuild(substitute={"REGION": "eu"})
    )
    assert [problem.title for problem in problems] == ["variable TAG has no value", "variable ARCH has no value"]
    assert {str(problem.origin) for problem in problems} == {"base/deploy.yaml:12:21@a1b2c3d"}
    assert problems[0].cause == "known variables: REGION"


async def test_b064_a_variable_that_names_a_variable_is_not_followed(tmp_path: Path) -> None:
    post_build = PostBuild(substitute={"A": "${B}", "B": "${A}"})
    out = await rendered(
        tmp_path, "resources: [c.yaml]\n", {"prod/c.yaml": config_map("c", k="${A}")}, postBuild=post_build
    )
    assert b'"k":"${B}"' in out.manifests[0].body


async def test_b064_a_bad_variable_name(tmp_path: Path) -> None:
    problem = await only(tmp_path, "resources: [../base]\n", variables={"a-b": "x"}, postBuild=PostBuild())
    assert problem.code is codes.VARIABLE_INVALID


async def test_b065_a_value_cannot_add_a_document_or_a_key(tmp_path: Path) -> None:
    post_build = PostBuild(substitute={"V": "x\n---\napiVersion: v1", "W": "{a: b}"})
    text = "apiVersion: e.com/v1\nkind: Probe\nmetadata: {name: c}\nspec: {v: '${V}', w: '${W}'}\n"
    out = await rendered(tmp_path, "resources: [c.yaml]\n", {"prod/c.yaml": text}, postBuild=post_build)
    [manifest] = out.manifests
    assert b'"spec":{"v":"x---apiVersion: v1","w":"{a: b}"}' in manifest.body


async def test_problems_of_all_kustomizations_and_files_are_reported_at_once(tmp_path: Path) -> None:
    files = {
        "base/deploy.yaml": "a: b: c\n",
        "base/kustomization.yaml": "resources: [deploy.yaml, gone.yaml]\nfoo: 1\n",
    }
    problems = await problems_of(tmp_path, "resources: [../base, /abs]\nbar: 1\npatches: [{patch: '[1]'}]\n", files)
    assert sorted(problem.code.number for problem in problems) == ["E202", "E203", "E204", "E204", "E230", "E235"]


async def test_yaml_that_is_broken_names_the_kustomization_s_own_line(tmp_path: Path) -> None:
    problem = await only(tmp_path, "resources:\n- ../base\nnamePrefix: a: b\n")
    assert problem.code is codes.YAML_SYNTAX
    assert problem.origin is not None
    assert problem.origin.path == "prod/kustomization.yaml"


async def test_a_build_that_never_ends_is_killed(tmp_path: Path) -> None:
    work, fake = tmp_path / "work", tmp_path / "slow"
    work.mkdir()
    fake.write_text("#!/bin/sh\n/bin/sleep 600 &\nwait\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    files = {**BASE, "prod/kustomization.yaml": "resources: [../base]\n"}
    with pytest.raises(UserError) as caught:
        await Renderer(work, fake, seconds=0.5).render(render_input(files, path="prod"))
    assert caught.value.problems[0].code is codes.RENDER_TIMEOUT
    assert list(work.iterdir()) == []


async def test_a_build_that_prints_without_end_is_killed(tmp_path: Path) -> None:
    work, fake = tmp_path / "work", tmp_path / "loud"
    work.mkdir()
    fake.write_text("#!/bin/sh\nexec /usr/bin/yes 'a: b'\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    files = {**BASE, "prod/kustomization.yaml": "resources: [../base]\n"}
    with pytest.raises(UserError) as caught:
        await Renderer(work, fake).render(render_input(files, path="prod"))
    assert caught.value.problems[0].code is codes.FILE_TOO_BIG


async def test_a_build_sees_no_environment_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TOKEN", "hunter2")
    text = "configMapGenerator:\n- name: a\n  envs: [e.env]\n"
    out = await rendered(tmp_path, text, {"prod/e.env": "SLUICE_TOKEN\nOTHER=1\n"})
    assert b"hunter2" not in out.manifests[0].body
    assert b'"OTHER":"1"' in out.manifests[0].body
