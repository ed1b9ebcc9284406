"""`sluice plan` and `diff` of a member show what its whole group would do: all or none of it takes effect."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Ran, Sluice
from tests.cli.plan_objects import service, told, warn_of_pods
from tests.crd_text import crd_text
from tests.integration.engine.groups import Group, group
from tests.operator_fixture import JOB, Bench, config_map, deployment, poll

pytestmark = pytest.mark.cluster

BASE: dict[str, str | None] = {
    "a/a.yaml": config_map("a"),
    "a/x.yaml": config_map("x"),
    "b/b.yaml": config_map("b"),
    "b/old.yaml": config_map("old"),
}


def edit(made: Group, files: dict[str, str | None]) -> str:
    """Change the working tree without a commit; returns its path."""
    root = made.source.repo.path
    for name, text in files.items():
        if text is None:
            (root / name).unlink()
        else:
            (root / name).write_text(text.replace("$NS", made.source.target))
    return str(root)


def row(ran: Ran, name: str) -> str:
    """The one line of the answer about an object."""
    (found,) = (line.strip() for line in ran.out.splitlines() if f"/{name} " in line)
    return found


def test_the_plan_of_a_member_is_the_whole_group_s_stage_by_stage(cli: Sluice, bench: Bench) -> None:
    made = group(bench, BASE)
    word = made.name.replace("-", "x")
    crd = crd_text("example.com", kind=word.capitalize())
    one = f"apiVersion: example.com/v1\nkind: {word.capitalize()}\nmetadata: {{name: one, namespace: $NS}}\n"
    path = edit(
        made,
        {
            "a/a.yaml": config_map("a", "2"),
            "a/one.yaml": one,
            "a/x.yaml": None,
            "b/x.yaml": config_map("x"),
            "b/old.yaml": None,
            "b/crd.yaml": crd,
            "b/job.yaml": JOB,
        },
    )
    audit = bench.audit()
    a, b = made["a"].name, made["b"].name
    for asked in (a, b):
        ran = cli("plan", asked, "--path", path)
        assert ran.code == 1, ran.err
        assert f"group '{made.name}' takes effect wholly or not at all: {a}, {b}" in ran.err
        assert ran.out.splitlines()[-1] == (
            f"Plan of group '{made.name}' ({a}, {b}): 3 to create, 1 to adopt, 1 to change, 1 to prune, 1 unchanged"
        )
        stages = [line for line in ran.out.splitlines() if not line.startswith((" ", "Plan"))]
        assert stages == ["stage CRDs", "stage objects", "prune, last"]
        assert row(ran, "a").startswith(f"~ change ConfigMap {made.source.target}/a   ks/{a}   a/a.yaml")
        assert f"ks/{b}" in row(ran, "x")
        assert f"(belongs to {bench.namespace}/{a} until now)" in row(ran, "x")
        assert "(dry-run once its stage is reached)" in row(ran, "one")
        assert row(ran, "old").startswith(f"- prune ConfigMap {made.source.target}/old   ks/{b}")
        assert "warning[W406]: what this Job does can't be undone" in ran.err
    assert made.source.writes(audit) == [w for w in made.source.writes(audit) if w.dry_run]


def test_to_programs_the_group_and_its_members_are_named_and_of_each_object_whose_it_is(
    cli: Sluice, bench: Bench
) -> None:
    made = group(bench, BASE)
    path = edit(made, {"a/a.yaml": config_map("a", "2"), "b/c.yaml": config_map("c")})
    a, b = made["a"].name, made["b"].name
    for verb in ("plan", "diff"):
        answer = cli(verb, a, "--path", path, "-o", "json").json
        assert answer["group"]["name"] == made.name
        assert [member["name"] for member in answer["group"]["members"]] == [a, b]
        whose = {item["ref"]["name"]: item["sync"]["name"] for item in answer["items"]}
        assert whose == {"a": a, "x": a, "b": b, "c": b, "old": b}
    made["a"].bench.api.patch(made["a"].path, {"metadata": {"annotations": {"sluice.dev/group": None}}})
    assert cli("plan", a, "--path", path, "-o", "json").json["group"] is None


def test_a_comment_names_the_group_and_has_a_column_for_its_members(cli: Sluice, bench: Bench) -> None:
    made = group(bench, BASE)
    path = edit(made, {"a/a.yaml": config_map("a", "2"), "b/c.yaml": config_map("c")})
    ran = cli("diff", made["b"].name, "--path", path, "-o", "md")
    assert ran.code == 1, ran.err
    assert f"group '{made.name}' ({made['a'].name}, {made['b'].name}) of {bench.namespace}" in ran.out
    assert "| object | Kustomization | change | file |" in ran.out
    assert f"| ConfigMap {made.source.target}/c | {made['b'].name} | create | b/c.yaml:1 |" in ran.out


def test_what_one_member_prunes_and_another_wants_is_named_as_a_collision(cli: Sluice, bench: Bench) -> None:
    made = group(bench, {**BASE, "b/svc.yaml": service("before", 30573)})
    path = edit(made, {"b/svc.yaml": None, "a/svc.yaml": service("after", 30573)})
    ran = cli("plan", made["a"].name, "--path", path)
    assert ran.code == 3
    assert f"nodePort 30573/TCP still belongs to Service {made.source.target}/before" in ran.err


def test_what_another_member_can_not_build_refuses_the_plan_and_is_named_as_that_one_s(
    cli: Sluice, bench: Bench
) -> None:
    made = group(bench, BASE)
    path = edit(made, {"a/a.yaml": config_map("a", "2"), "b/b.yaml": "a: [\n"})
    ran = cli("plan", made["a"].name, "--path", path)
    assert ran.code == 3
    assert "error[E202]" in ran.err
    assert "b/b.yaml" in ran.err
    assert f"Kustomization {bench.namespace}/{made['b'].name}" in ran.err


def test_what_the_group_is_refused_for_is_what_the_plan_says(cli: Sluice, bench: Bench) -> None:
    made = group(bench, BASE)
    made["b"].edit(onFailure="Stop")
    ran = cli("plan", made["a"].name, "--git-allow-loopback")
    assert ran.code == 3
    assert "error[E362]" in ran.err
    made["b"].edit(onFailure=None, suspend=True)
    ran = cli("plan", made["a"].name, "--git-allow-loopback")
    assert ran.code == 0, ran.err
    assert f"[E364]: Kustomization {bench.namespace}/{made['b'].name} of group '{made.name}' is suspended" in ran.err


def test_a_folder_that_is_no_checkout_stands_for_the_one_that_is_named_and_the_others_are_as_their_source_has_them(
    cli: Sluice, bench: Bench
) -> None:
    made = group(bench, BASE)
    folder = cli.home / "manifests"
    folder.mkdir()
    for name in "ax":
        (folder / f"{name}.yaml").write_text(config_map(name, "2").replace("$NS", made.source.target))
    ran = cli("plan", made["a"].name, "--path", str(folder), "--git-allow-loopback")
    assert ran.code == 1, ran.err
    assert ran.out.splitlines()[-1].endswith("2 to change, 2 unchanged")


def test_an_object_that_moves_between_two_that_are_no_group_is_held_for_the_other_and_not_pruned(
    cli: Sluice, bench: Bench
) -> None:
    made = group(bench, BASE)
    for folder in "ab":
        made.annotate(folder, None)
    path = edit(made, {"a/x.yaml": None, "b/x.yaml": config_map("x")})
    ran = cli("plan", made["a"].name, "--path", path)
    assert ran.code == 0, ran.out
    assert f"({bench.namespace}/{made['b'].name} takes it over)" in row(ran, "x")
    both = edit(made, {"a/x.yaml": config_map("x")})
    ran = cli("plan", made["b"].name, "--path", both)
    assert ran.code == 3
    assert "error[E315]" in ran.err


def test_what_the_api_server_warns_of_is_told_by_the_member_whose_object_it_is(cli: Sluice, bench: Bench) -> None:
    made = group(bench, BASE)
    warn_of_pods(bench, made.source.target)
    path = edit(made, {"a/a.yaml": config_map("a", "2"), "b/web.yaml": deployment("web")})
    assert cli("plan", made["a"].name, "--path", path).err.count("warning[W409]: would violate PodSecurity") == 1
    revision = made.source.push({"a/a.yaml": config_map("a", "2"), "b/web.yaml": deployment("web")})
    for member in (made["a"], made["b"]):
        member.wait_ready(revision)
    poll("it was told", lambda: told(bench, made["b"], "W409"))
    assert told(bench, made["a"], "W409") == []
