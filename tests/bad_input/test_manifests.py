"""Bad manifests in a plain folder: what is wrong, with which object, in which file and line; a test per known case."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import pytest

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.problem import Code, Problem
from sluice.render import Rendered, Renderer
from tests.trees import OWNER, config_map, render_input

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  namespace: demo\n"


async def rendered(tmp_path: Path, files: dict[str, str | bytes], **spec: Any) -> Rendered:
    return await Renderer(tmp_path).render(render_input(files, **spec))


async def problems_of(tmp_path: Path, files: dict[str, str | bytes] | str, **spec: Any) -> list[Problem]:
    """Render what must fail, next to a good file, and give the problems."""
    whole: dict[str, str | bytes] = {"app.yaml": files} if isinstance(files, str) else files
    with pytest.raises(UserError) as caught:
        await rendered(tmp_path, {**whole, "good.yaml": config_map("good")}, **spec)
    return list(caught.value.problems)


async def only(tmp_path: Path, files: dict[str, str | bytes] | str, **spec: Any) -> Problem:
    [problem] = await problems_of(tmp_path, files, **spec)
    return problem


async def test_b001_a_tab_used_for_indentation(tmp_path: Path) -> None:
    problem = await only(tmp_path, HEAD + "data:\n\ta: b\n")
    assert problem.code is codes.YAML_SYNTAX
    assert str(problem.origin) == "app.yaml:7:1@a1b2c3d"
    assert "tab character used for indentation" in str(problem)


async def test_b002_one_object_in_two_files(tmp_path: Path) -> None:
    problem = await only(tmp_path, {"a.yaml": config_map("web"), "b.yaml": "---\n" + config_map("web")})
    assert problem.code is codes.DUPLICATE_OBJECT
    assert str(problem.origin) == "b.yaml:2@a1b2c3d"
    assert problem.cause == "first at a.yaml:1@a1b2c3d"


async def test_b003_one_object_in_two_api_versions(tmp_path: Path) -> None:
    text = "apiVersion: {}\nkind: Deployment\nmetadata: {{name: web, namespace: demo}}\n"
    files: dict[str, str | bytes] = {"a.yaml": text.format("apps/v1"), "b.yaml": text.format("extensions/v1beta1")}
    problem = await only(tmp_path, files)
    assert problem.code is codes.DUPLICATE_OBJECT
    assert problem.cause == "first at a.yaml:1@a1b2c3d as apps/v1, here as extensions/v1beta1"


async def test_b004_a_key_given_twice(tmp_path: Path) -> None:
    problem = await only(tmp_path, HEAD + "data:\n  image: a\n  b: c\n  image: d\n")
    assert problem.code is codes.YAML_DUPLICATE_KEY
    assert (str(problem.origin), problem.cause) == ("app.yaml:9:3@a1b2c3d", "first at 7:3")


async def test_b005_a_tag_that_runs_a_program(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    problem = await only(tmp_path, f"a: !!python/object/apply:os.system ['touch {marker}']\n")
    assert problem.code is codes.YAML_TAG
    assert str(problem.origin) == "app.yaml:1:4@a1b2c3d"
    assert not marker.exists()


async def test_b006_billion_laughs(tmp_path: Path) -> None:
    lines = ["a0: &a0 [" + "x, " * 9 + "x]"]
    lines += [f"a{n}: &a{n} [" + f"*a{n - 1}, " * 9 + f"*a{n - 1}]" for n in range(1, 10)]
    started = time.process_time()
    problem = await only(tmp_path, "\n".join(lines))
    assert problem.code is codes.YAML_TOO_BIG
    assert time.process_time() - started < 5


async def test_b007_ten_thousand_nested_lists(tmp_path: Path) -> None:
    assert (await only(tmp_path, "[" * 10_000)).code is codes.YAML_TOO_DEEP


async def test_b008_a_document_of_twenty_megabytes(tmp_path: Path) -> None:
    problem = await only(tmp_path, HEAD + "data:\n  a: " + "x" * 20_000_000)
    assert problem.code is codes.FILE_TOO_BIG
    assert problem.cause == "20.0 MB, limit 5 MB"


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("kind: ConfigMap\nmetadata: {name: a}\n", codes.MISSING_FIELD, "apiVersion"),  # B009
        ("apiVersion: v1\nmetadata: {name: a}\n", codes.MISSING_FIELD, "kind"),  # B010
        ("apiVersion: v1\nkind: 5\nmetadata: {name: a}\n", codes.BAD_TYPE, "kind"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", codes.MISSING_FIELD, "metadata.name"),  # B011
        ("apiVersion: v1\nkind: ConfigMap\n", codes.MISSING_FIELD, "metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 7}\n", codes.BAD_TYPE, "metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: []\n", codes.BAD_TYPE, "metadata"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: 1}\n", codes.BAD_TYPE, "metadata.namespace"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n",
            codes.NOT_DECLARATIVE,
            "metadata.generateName",
        ),  # B012
        ("- a\n- b\n", codes.BAD_TYPE, ""),
    ],
)
async def test_b009_to_b012_an_object_lacks_a_part_of_its_identity(
    tmp_path: Path, text: str, code: Code, field: str
) -> None:
    problem = await only(tmp_path, text)
    assert (problem.code, problem.field) == (code, field)


@pytest.mark.parametrize(
    ("kind", "name", "fault"),
    [
        ("v1 ConfigMap", "Web", "'W' at 1"),
        ("v1 ConfigMap", "a" * 254, "254 characters, limit 253"),
        ("v1 ConfigMap", "a_b", "'_' at 2"),
        ("v1 ConfigMap", "-a", "start and end"),
        ("v1 ConfigMap", "a/b", "'/'"),
        ("v1 Namespace", "a.b", "'.' at 2"),
        ("v1 Service", "a" * 64, "64 characters, limit 63"),
        ("rbac.authorization.k8s.io/v1 Role", "a/b", "'/'"),
        ("example.com/v1 Thing", "a%b", "'%'"),
    ],
)
async def test_b013_a_name_breaks_the_rules(tmp_path: Path, kind: str, name: str, fault: str) -> None:
    api_version, what = kind.split()
    problem = await only(tmp_path, f"apiVersion: {api_version}\nkind: {what}\nmetadata:\n  name: '{name}'\n")
    assert problem.code is codes.BAD_NAME
    assert fault in problem.cause
    assert str(problem.origin) == "app.yaml:4:3@a1b2c3d"


@pytest.mark.parametrize(
    "text", ["rbac.authorization.k8s.io/v1 ClusterRole system:node", "example.com/v1 Thing Big", "v1 ConfigMap a.b-c"]
)
async def test_a_name_that_its_kind_allows_is_accepted(tmp_path: Path, text: str) -> None:
    api_version, kind, name = text.split()
    text = f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: '{name}'}}\n"
    assert len((await rendered(tmp_path, {"a.yaml": text})).manifests) == 1


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (f"app: {'a' * 64}", "64 characters, limit 63"),
        ("app: true", "quote it"),
        ("app: 5", "quote it"),
        ("app:", "quote it"),
        ("app: -x-", "only letters"),
        ("a/b/c: x", "not a DNS name"),
        ("-a: x", "only letters"),
    ],
)
async def test_b014_a_label_breaks_the_rules(tmp_path: Path, label: str, words: str) -> None:
    problem = await only(tmp_path, HEAD + f"  labels:\n    {label}\n")
    assert problem.code is codes.BAD_LABEL
    assert words in str(problem)
    assert str(problem.origin) == "app.yaml:7:5@a1b2c3d"
    assert problem.subject == ResourceId("", "ConfigMap", "demo", "web")


async def test_b015_an_annotation_that_is_a_number(tmp_path: Path) -> None:
    problem = await only(tmp_path, HEAD + "  annotations:\n    x: 5\n")
    assert problem.code is codes.BAD_TYPE
    assert problem.title == "metadata.annotations.x is an int"
    assert problem.cause == "it must be text"


async def test_b021_status_gives_a_warning(tmp_path: Path) -> None:
    out = await rendered(
        tmp_path, {"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nstatus: {phase: Running}\n"}
    )
    [warning] = out.warnings
    assert (warning.code, str(warning.origin)) == (codes.IGNORED_FIELD, "a.yaml:4:1@a1b2c3d")


@pytest.mark.parametrize("field", ["uid: abc", "resourceVersion: '7'", "managedFields: [{manager: x}]"])
async def test_b022_a_field_that_only_the_server_sets(tmp_path: Path, field: str) -> None:
    problem = await only(tmp_path, HEAD + f"  {field}\n")
    assert (problem.code, str(problem.origin)) == (codes.SERVER_FIELD, "app.yaml:6:3@a1b2c3d")


async def test_b022_an_empty_creation_time_of_a_generator_is_no_problem(tmp_path: Path) -> None:
    assert (await rendered(tmp_path, {"a.yaml": HEAD + "  creationTimestamp: null\n"})).warnings == ()


async def test_b023_an_owner_outside_the_revision(tmp_path: Path) -> None:
    owner = "  ownerReferences:\n  - {apiVersion: v1, kind: ConfigMap, name: NAME, uid: x}\n"
    problem = await only(tmp_path, HEAD + owner.replace("NAME", "absent"))
    assert problem.code is codes.OWNER_UNKNOWN
    assert "no ConfigMap demo/absent in this revision" in problem.cause
    files: dict[str, str | bytes] = {
        "a.yaml": HEAD + owner.replace("NAME", "one"),
        "b.yaml": config_map("one", namespace="demo"),
    }
    assert len((await rendered(tmp_path, files)).manifests) == 2


async def test_b024_our_finalizer_on_an_object_that_nothing_would_free(tmp_path: Path) -> None:
    problem = await only(tmp_path, HEAD + "  finalizers: [finalizers.fluxcd.io]\n")
    assert problem.code is codes.RESERVED_NAME
    flux = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
    flux += "metadata: {name: a, finalizers: [finalizers.fluxcd.io]}\n"
    assert len((await rendered(tmp_path, {"a.yaml": flux})).manifests) == 1


@pytest.mark.parametrize(
    "text",
    [
        "labels: {kustomize.toolkit.fluxcd.io/name: other}",
        "annotations: {sluice.dev/wawe: '1'}",
        "labels: {sluice.dev/owner: x}",
    ],
)
async def test_b025_a_reserved_key_set_by_hand(tmp_path: Path, text: str) -> None:
    assert (await only(tmp_path, HEAD + f"  {text}\n")).code is codes.RESERVED_NAME


async def test_b025_the_owners_own_label_and_known_keys_are_accepted(tmp_path: Path) -> None:
    text = HEAD + "  labels: {kustomize.toolkit.fluxcd.io/name: shop}\n  annotations: {sluice.dev/wave: '2'}\n"
    [manifest] = (await rendered(tmp_path, {"a.yaml": text})).manifests
    assert manifest.directives.wave == 2
    assert OWNER["kustomize.toolkit.fluxcd.io/namespace"].encode() in manifest.body


async def test_b026_lists_nested_deep(tmp_path: Path) -> None:
    text = "{apiVersion: v1, kind: List, items: [" * 30 + "]}" * 30
    assert (await only(tmp_path, text)).code is codes.LIST_NESTING
    assert (await only(tmp_path, "{apiVersion: v1, kind: List, items: [" * 60 + "]}" * 60)).code is codes.YAML_TOO_DEEP


async def test_b026_a_list_is_taken_apart_with_lines(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n"
    text += "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: b}\n"
    out = await rendered(tmp_path, {"a.yaml": text})
    assert [(m.id.name, m.origin.line) for m in out.manifests] == [("a", 4), ("b", 7)]


async def test_b027_empty_documents_are_skipped(tmp_path: Path) -> None:
    assert (await rendered(tmp_path, {"a.yaml": "---\n" * 1000, "b.yaml": "# nothing\n", "c.yaml": ""})).manifests == ()


async def test_b030_bad_base64_is_named_and_its_value_is_not_shown(tmp_path: Path) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  ok: aGk=\n  password: 'hunter2!'\n"
    problem = await only(tmp_path, secret)
    assert (problem.code, problem.field) == (codes.BAD_BASE64, "data.password")
    assert str(problem.origin) == "app.yaml:6:3@a1b2c3d"
    assert "hunter2" not in repr(problem)


async def test_b031_a_secret_key_in_both_places_gives_a_warning_and_the_text_wins(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: b2xk}\nstringData: {k: new}\n"
    out = await rendered(tmp_path, {"a.yaml": text})
    assert [warning.code for warning in out.warnings] == [codes.SHADOWED_KEY]
    assert base64.b64encode(b"new") in out.manifests[0].body
    assert b"stringData" not in out.manifests[0].body


async def test_b032_a_config_map_over_a_mebibyte(tmp_path: Path) -> None:
    problem = await only(tmp_path, HEAD + f"data:\n  a: {'x' * 1_500_000}\n")
    assert (problem.code, problem.cause) == (codes.OBJECT_TOO_BIG, "1500000 bytes, and 1048576 are the limit")


@pytest.mark.parametrize("data", ["a: é".encode("utf-16"), b"a: \xff", b"a: \0"])
async def test_b033_bytes_that_are_no_utf8(tmp_path: Path, data: bytes) -> None:
    problem = await only(tmp_path, {"app.yaml": data})
    assert problem.code is codes.ENCODING
    assert "byte" in problem.cause


async def test_b033_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert len((await rendered(tmp_path, {"a.yaml": b"\xef\xbb\xbf" + HEAD.encode()})).manifests) == 1


@pytest.mark.parametrize("name", ["a\nb.yaml", "a\x1b[31m.yaml", "a\u202egnp.yaml", "a" * 251 + ".yaml"])
async def test_b034_a_file_name_that_could_fool_a_terminal(tmp_path: Path, name: str) -> None:
    problem = await only(tmp_path, {name: HEAD})
    assert problem.code is codes.PATH_NOT_ALLOWED
    assert str(problem).isprintable()


@pytest.mark.parametrize("number", ["1e999", ".nan", "18446744073709551616"])
async def test_b035_a_number_that_json_cannot_hold(tmp_path: Path, number: str) -> None:
    problem = await only(tmp_path, HEAD + f"data:\n  a: {number}\n")
    assert (problem.code, problem.field) == (codes.BAD_NUMBER, "data.a")


async def test_b036_words_are_read_as_kubernetes_reads_them(tmp_path: Path) -> None:
    text = "apiVersion: e.com/v1\nkind: Probe\nmetadata: {name: a}\n"
    text += "spec: {a: yes, b: no, c: on, d: 012, e: 1:30, f: '012'}\n"
    [manifest] = (await rendered(tmp_path, {"a.yaml": text})).manifests
    assert b'"spec":{"a":true,"b":false,"c":true,"d":10,"e":"1:30","f":"012"}' in manifest.body


async def test_b037_markup_in_text_stays_text(tmp_path: Path) -> None:
    problem = await only(tmp_path, 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "<script>\\e[31m"}\n')
    assert problem.code is codes.BAD_NAME
    assert str(problem).isprintable()


async def test_an_encrypted_object_is_refused(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: 'ENC[AES256]'}\nsops: {mac: x, lastmodified: y}\n"
    )
    assert (await only(tmp_path, text)).code is codes.ENCRYPTED


async def test_all_problems_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.yaml": "a: b: c\n---\n" + HEAD + "  labels: {x: true}\n  uid: y\n",
        "b.yaml": b"\xff",
        "c.yaml": config_map("good"),
    }
    problems = await problems_of(tmp_path, files)
    assert [p.code.number for p in problems] == ["E202", "E221", "E218", "E226", "E208"]


@pytest.mark.parametrize(
    ("target", "reason"), [("../../etc/passwd", "leaves"), ("/etc/passwd", "absolute"), ("l.yaml", "circle")]
)
async def test_a_symlink_out_of_the_tree_or_in_a_circle_is_refused(tmp_path: Path, target: str, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        await Renderer(tmp_path).render(render_input({"a.yaml": HEAD}, links={"l.yaml": target}))
    [problem] = caught.value.problems
    assert problem.code is codes.PATH_ESCAPE
    assert reason in problem.cause


async def test_a_symlink_inside_the_tree_is_followed(tmp_path: Path) -> None:
    given = render_input({"x/a.txt": HEAD}, links={"apps/l.yaml": "../x/a.txt"}, path="apps")
    [manifest] = (await Renderer(tmp_path).render(given)).manifests
    assert manifest.origin.path == "apps/l.yaml"


@pytest.mark.parametrize("path", ["./apps", "/apps", "apps/", "apps", "x/../apps", "./apps/."])
async def test_spellings_of_one_path_are_one(tmp_path: Path, path: str) -> None:
    assert len((await rendered(tmp_path, {"apps/a.yaml": HEAD}, path=path)).manifests) == 1


async def test_a_path_that_is_not_there_names_its_neighbours(tmp_path: Path) -> None:
    problem = await only(tmp_path, {"clusters/apps/a.yaml": HEAD}, path="./clusters/aps")
    assert problem.code is codes.PATH_MISSING
    assert problem.fix == "did you mean clusters/apps or clusters?"


@pytest.mark.parametrize("path", ["../x", "apps/../../x"])
async def test_a_path_out_of_the_source_is_refused(tmp_path: Path, path: str) -> None:
    assert (await only(tmp_path, {"apps/a.yaml": HEAD}, path=path)).code is codes.PATH_ESCAPE
