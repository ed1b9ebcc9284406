"""Update requests and job statuses as fluxd's API has them: read with care, written word for word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image import parse
from sluice.core.image_update.policy_annotation import PolicyUpdate
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import Problem
from sluice.core.update_read import MAX_BYTES, decode_update_spec, result_of
from sluice.core.update_spec import (
    AutoSpec,
    Cause,
    ContainerSpec,
    ImageSpec,
    JobStatus,
    PolicySpec,
    Spec,
    SyncSpec,
    UpdateSpec,
)
from sluice.core.update_wire import job_status_fields, note_fields, update_spec_fields

WEB, API = WorkloadId("shop", "deployment", "web"), WorkloadId("shop", "daemonset", "api")
OLD, NEW = parse("ghcr.io/acme/web:1.0"), parse("ghcr.io/acme/web:1.1")

# As clients send them → what is meant.
SPECS: list[tuple[str, Any, Spec]] = [
    (
        "image",
        {"ServiceSpecs": ["<all>"], "ImageSpec": "<all latest>", "Kind": "plan", "Excludes": None, "Force": False},
        ImageSpec(None, mode="plan"),
    ),
    (
        "image",
        {
            "ServiceSpecs": ["shop:deployment/web"],
            "ImageSpec": "ghcr.io/acme/web:1.1",
            "Kind": "execute",
            "Excludes": ["shop:daemonset/api"],
            "Force": True,
        },
        ImageSpec(NEW, (WEB,), (API,), force=True),
    ),
    (
        "containers",
        {
            "ContainerSpecs": {
                "shop:deployment/web": [
                    {"Container": "main", "Current": str(OLD), "Target": str(NEW)},
                    {"Container": "side", "Target": str(NEW)},
                ]
            },
            "Kind": "execute",
            "SkipMismatches": True,
            "Force": False,
        },
        ContainerSpec(
            (ContainerUpdate(WEB, "main", NEW, OLD), ContainerUpdate(WEB, "side", NEW)), skip_mismatches=True
        ),
    ),
    (
        "policy",
        {"shop:deployment/web": {"add": {"locked": "true"}, "remove": {"automated": "true"}}},
        PolicySpec((PolicyUpdate(WEB, {"locked": "true"}, frozenset({"automated"})),)),
    ),
    (
        "auto",
        {
            "Changes": [
                {
                    "WorkloadID": "shop:deployment/web",
                    "Container": {"Name": "main", "Image": str(OLD)},
                    "ImageID": str(NEW),
                }
            ]
        },
        AutoSpec((ContainerUpdate(WEB, "main", NEW, OLD),)),
    ),
    ("sync", {}, SyncSpec()),
]


def sent(kind: str, spec: Any) -> bytes:
    return json.dumps({"type": kind, "cause": {"Message": "why", "User": "Ann"}, "spec": spec}).encode()


@pytest.mark.parametrize(("kind", "spec", "meant"), SPECS, ids=[f"{kind}-{n}" for n, (kind, _, _) in enumerate(SPECS)])
def test_each_type_of_request_is_read_and_written_as_it_came(kind: str, spec: Any, meant: Spec) -> None:
    found = decode_update_spec(sent(kind, spec))
    assert found == UpdateSpec(meant, Cause("why", "Ann"))
    assert found.kind == kind
    assert update_spec_fields(found)["spec"] == spec


def test_the_older_list_of_policies_means_true() -> None:
    found = decode_update_spec(sent("policy", {"shop:deployment/web": {"add": ["locked"], "remove": ["automated"]}}))
    assert found.spec == PolicySpec((PolicyUpdate(WEB, {"locked": "true"}, frozenset({"automated"})),))


def test_names_of_fields_are_read_in_any_case_as_go_reads_them() -> None:
    spec = {"servicespecs": ["<all>"], "IMAGESPEC": "<all latest>", "kind": "execute"}
    assert decode_update_spec(sent("image", spec)).spec == ImageSpec(None)


BASE = {"ServiceSpecs": ["<all>"], "ImageSpec": "<all latest>", "Kind": "execute"}
BAD: list[tuple[str, bytes, str]] = [
    ("no JSON", b"{", "no JSON"),
    ("not UTF-8", b'{"type":"\xff"}', "no JSON"),
    ("too deep", b'{"type":' + b"[" * 100_000, "no JSON"),
    ("too large", b" " * (MAX_BYTES + 1), "limit"),
    ("a list", b"[]", "no object"),
    ("no type", b"{}", "missing"),
    ("an unknown type", sent("rollback", {}), "none of"),
    ("a spec that is no object", sent("image", []), "no object"),
    ("no workloads", sent("image", {**BASE, "ServiceSpecs": []}), "names no workload"),
    ("a bad workload", sent("image", {**BASE, "ServiceSpecs": ["web"]}), "namespace:kind/name"),
    ("a path for a workload", sent("image", {**BASE, "ServiceSpecs": ["../..:a/b/c"]}), "namespace:kind/name"),
    ("no tag", sent("image", {**BASE, "ImageSpec": "ghcr.io/acme/web"}), "names no tag"),
    ("an image with a newline", sent("image", {**BASE, "ImageSpec": "web:1\n- x"}), "a tag has"),
    ("no mode", sent("image", {**BASE, "Kind": "now"}), "neither plan nor execute"),
    ("a flag as text", sent("image", {**BASE, "Force": "yes"}), "neither true nor false"),
    ("an empty current", sent("containers", {"Kind": "plan", "ContainerSpecs": {str(WEB): [
        {"Container": "a", "Current": "", "Target": "a:1"}]}}), "it is empty"),
    ("a foreign annotation", sent("policy", {str(WEB): {"add": {"kubernetes.io/x": "y"}}}), "is no policy"),
    ("a number as value", sent("policy", {str(WEB): {"add": {"locked": 1}}}), "no text"),
    ("too many", sent("image", {**BASE, "ServiceSpecs": ["a:b/c"] * 5001}), "limit 5000"),
    ("a long message", json.dumps({"type": "sync", "cause": {"Message": "x" * 5000}}).encode(), "limit 4096"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "said"), [(d, s) for _, d, s in BAD], ids=[name for name, _, _ in BAD])
def test_what_cannot_be_read_is_refused_with_the_field(data: bytes, said: str) -> None:
    with pytest.raises(UserError) as refused:
        decode_update_spec(data)
    (problem,) = refused.value.problems
    assert problem.code is codes.UPDATE_REQUEST
    assert said in problem.cause
    assert len(str(problem)) < 1500


def test_a_status_is_the_json_of_fluxds_worked_exchange() -> None:
    add = {"locked": "true", "locked_user": "Ann <a@x>", "locked_msg": ""}
    spec = UpdateSpec(PolicySpec((PolicyUpdate(WEB, add),)), Cause("", "Ann <a@x>"))
    status = JobStatus("succeeded", None, "0123456789", spec, {str(WEB): WorkloadResult(WEB, "success")})
    assert job_status_fields(status) == {
        "Result": {
            "revision": "0123456789",
            "spec": {
                "type": "policy",
                "cause": {"Message": "", "User": "Ann <a@x>"},
                "spec": {"shop:deployment/web": {"add": add, "remove": {}}},
            },
            "result": {"shop:deployment/web": {"Status": "success", "PerContainer": None}},
        },
        "Err": "",
        "StatusString": "succeeded",
    }


def test_a_failure_has_its_problem_and_no_revision() -> None:
    problem = Problem(codes.NO_CHANGES, "no changes found")
    assert job_status_fields(JobStatus("failed", problem)) == {
        "Result": {},
        "Err": "no changes found [E624]",
        "StatusString": "failed",
    }


def test_a_note_has_the_job_what_was_asked_and_what_came_of_it() -> None:
    result = {str(WEB): WorkloadResult(WEB, "success", "", (ContainerUpdate(WEB, "main", NEW, OLD),))}
    note = note_fields("1234", UpdateSpec(ImageSpec(NEW, (WEB,))), result)
    assert list(note) == ["jobID", "spec", "result"]
    assert note["result"][str(WEB)] == {
        "Status": "success",
        "PerContainer": [{"Container": "main", "Current": str(OLD), "Target": str(NEW)}],
    }
    assert result_of(note["result"]) == result


@pytest.mark.parametrize(
    "value", [None, [], {"web": {}}, {str(WEB): None}, {str(WEB): {"Status": "lost"}}, {str(WEB): {"Error": 1}}]
)
def test_what_of_a_result_cannot_be_read_is_left_out(value: Any) -> None:
    good = {str(API): {"Status": "skipped", "Error": "locked", "PerContainer": None}}
    found = result_of({**value, **good} if isinstance(value, dict) else value)
    assert found == ({str(API): WorkloadResult(API, "skipped", "locked")} if isinstance(value, dict) else {})
