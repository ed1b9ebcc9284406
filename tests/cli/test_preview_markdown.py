"""A pull request's comment is never refused for its size, and nothing in it takes effect as markup."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.cli.preview_input import Answer
from sluice.cli.preview_markdown import LIMIT, markdown
from sluice.core import codes
from sluice.core.object_diff import FieldChange
from sluice.core.plan import Action, Change
from sluice.core.problem import Problem
from sluice.reconcilers.preview import Effect, Preview, Previewed
from tests.cli.conftest import Sluice
from tests.operator_fixture import Bench, config_map
from tests.plans import API_VERSIONS, manifest, rid

LINES = st.lists(st.text(max_size=80) | st.sampled_from(["`" * 7, "</details>", "```"]), max_size=30)


def changed(name: str, effect: Effect = Effect.CHANGE) -> Previewed:
    change = Change(rid("ConfigMap", name), API_VERSIONS["ConfigMap"], Action.UPDATE, manifest("ConfigMap", name))
    return Previewed(change, effect, None, (FieldChange("data.key", "1", "2"),))


def answer(*objects: Previewed, problems: int = 0) -> Answer:
    warnings = tuple(Problem(codes.COLLISION, f"warning {number}" + "x" * 500) for number in range(problems))
    return Answer("web", "shop", "branch feature", Preview("main@sha1:00", objects, warnings))


@given(st.integers(0, 400), st.lists(LINES, max_size=20), st.integers(0, 200))
def test_a_comment_is_never_over_the_limit_whatever_the_change(
    objects: int, diffs: list[list[str]], warnings: int
) -> None:
    found = answer(*(changed(f"object-{number}") for number in range(objects)), problems=warnings)
    text = markdown(found, dict(enumerate(diffs)))
    assert len(text) <= LIMIT
    rows = [line for line in text.splitlines() if line.startswith("| ConfigMap")]
    assert len(rows) == objects or f"{objects - len(rows)} more objects" in text


def test_a_diff_of_a_megabyte_leaves_the_table_whole_and_names_what_is_left_out() -> None:
    found = answer(changed("small"), changed("huge"), changed("middle"))
    text = markdown(found, {0: ["+ a"], 1: ["+ " + "x" * 99] * 10_000, 2: ["+ b"] * 50})
    assert len(text) <= LIMIT
    assert text.count("| ConfigMap shop/") == 3
    assert "diff of 2 objects" in text
    assert "1 larger diffs are left out" in text
    assert text.index("# ConfigMap shop/small") < text.index("# ConfigMap shop/middle")


def test_no_text_of_git_ends_a_cell_a_block_or_the_fold() -> None:
    hostile = changed("a")
    change = FieldChange("data.key", "1 | 2 <script> @everyone `x`", "```\n</details>")
    hostile = Previewed(hostile.change, hostile.effect, None, (change,))
    text = markdown(answer(hostile), {0: ["````", "</details>", "- ok"]})
    [row] = [line for line in text.splitlines() if line.startswith("| ConfigMap")]
    assert row.replace("\\|", "").count("|") == 4
    assert "<script>" not in text
    assert "@everyone" not in text
    fence = next(line for line in text.splitlines() if line.endswith("diff") and line.startswith("`"))
    assert fence == "`````diff"
    assert text.count("`````") == 2


@pytest.mark.cluster
def test_diff_and_plan_write_markdown_for_a_branch_and_no_other_verb_does(
    cli: Sluice, bench: Bench, tmp_path: Path
) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    for name, text in {"a.yaml": config_map("a", "2"), "c.yaml": config_map("c")}.items():
        (sync.repo.path / name).write_text(text.replace("$NS", sync.target))
    (sync.repo.path / "b.yaml").unlink()
    ran = cli("diff", sync.name, "--path", str(sync.repo.path), "-o", "md")
    assert ran.code == 1, ran.err
    assert ran.out.startswith("### What folder ")
    assert "1 create  ·  1 change  ·  1 prune" in ran.out.splitlines()[0]
    assert f"| ConfigMap {sync.target}/a | change: data.key 1 → 2 | a.yaml:1 |" in ran.out
    assert "```diff\n" in ran.out
    assert cli("plan", sync.name, "--path", str(sync.repo.path), "-o", "md").out.count("| ConfigMap ") == 3
    for verb in (("get", "ks"), ("status",), ("why",)):
        refused = cli(*verb, "-o", "md")
        assert (refused.code, "-o md is for plan and diff" in refused.err) == (2, True)
