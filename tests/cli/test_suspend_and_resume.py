"""`suspend` and `resume`: what they write, and what they say happens meanwhile."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Sluice
from tests.operator_fixture import Bench, Sync, config_map

pytestmark = pytest.mark.cluster


@pytest.fixture
def sync(bench: Bench) -> Sync:
    """One sync that is ready."""
    made = bench.source()
    revision = made.commit({"a.yaml": config_map("a")})
    made.create_source()
    made.create()
    made.wait_ready(revision)
    return made


def test_suspend_notes_who_and_why_and_resume_forgets_it_and_waits(cli: Sluice, sync: Sync) -> None:
    ran = cli("suspend", "ks", sync.name, "--reason", "freeze until Friday")
    assert ran.code == 0
    assert f"undo: sluice resume ks {sync.name}" in ran.err
    found = sync.get()
    assert found["spec"]["suspend"] is True
    notes = found["metadata"]["annotations"]
    assert notes["sluice.dev/suspend-reason"] == "freeze until Friday"
    assert notes["sluice.dev/suspended-by"] == "ada"
    assert 'by ada: "freeze until Friday"' in cli("status", f"ks/{sync.name}").out
    assert cli("get", f"ks/{sync.name}", "-o", "json").json["items"][0]["suspended"]["by"] == "ada"

    sync.push({"a.yaml": config_map("a", "later")})
    ran = cli("resume", "ks", sync.name)
    assert ran.code == 0, ran.err
    assert f"ks/{sync.name} is ready" in ran.out
    found = sync.get()
    assert not found["spec"].get("suspend")
    assert not [key for key in found["metadata"]["annotations"] if key.startswith("sluice.dev/suspend")]
    assert sync.config("a")["data"]["key"] == "later"


def test_all_objects_are_suspended_only_when_that_is_said(cli: Sluice, sync: Sync) -> None:
    assert cli("suspend", "ks").code == 2
    assert cli("suspend", "ks", sync.name, "--all").code == 2


def test_a_name_alone_is_a_kustomization_s_and_what_meanwhile_happens_is_its_kind_s(cli: Sluice, sync: Sync) -> None:
    ran = cli("suspend", sync.name)
    assert ran.code == 0, ran.err
    assert f"ks/{sync.name} is suspended; drift is not corrected meanwhile" in ran.err
    ran = cli("suspend", "source", "git", sync.name)
    assert f"git/{sync.name} is suspended; nothing is fetched meanwhile" in ran.err
    assert "drift" not in ran.err
    assert cli("resume", "git", sync.name).code == 0
    ran = cli("resume", sync.name)
    assert ran.code == 0, ran.err
    assert f"resumed; undo: sluice suspend ks {sync.name}" in ran.err


def test_a_reason_given_later_is_noted_and_what_was_not_suspended_is_said_so(cli: Sluice, sync: Sync) -> None:
    assert cli("suspend", sync.name).code == 0
    ran = cli("suspend", sync.name, "--reason", "the database moves")
    assert "was suspended already (the database moves)" in ran.err
    assert 'by ada: "the database moves"' in cli("status", f"ks/{sync.name}").out
    assert cli("resume", sync.name).code == 0
    ran = cli("resume", sync.name)
    assert ran.code == 0
    assert f"ks/{sync.name}  was not suspended" in ran.err
    assert "undo" not in ran.err


def test_what_failed_before_is_not_told_as_what_happens_now(cli: Sluice, sync: Sync) -> None:
    sync.push({"a.yaml": config_map("a", namespace="nowhere"), "b.yaml": config_map("b", namespace="nowhere")})
    ran = cli("sync", sync.name)
    assert ran.code == 3
    sync.push({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    ran = cli("sync", sync.name)
    assert ran.code == 0, ran.err
    assert "nowhere" not in ran.err


def test_a_table_shows_the_first_of_several_problems_and_how_many_more(cli: Sluice, sync: Sync) -> None:
    sync.commit({f"{name}.yaml": config_map(name, namespace="nowhere") for name in ("a", "b", "c")})
    cli("sync", sync.name)
    ran = cli("get", "ks", sync.name)
    assert ran.out.count("[E322]") == 1
    assert "create it (and 2 more problems)" in ran.out
    assert "problems:" not in ran.out
    told = cli("why", sync.name, "--git-allow-loopback")
    assert f"2 more problems: sluice status ks/{sync.name} -n {sync.bench.namespace}" in told.out
