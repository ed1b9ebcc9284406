"""What the API server holds, compared with what git says: nothing of the operator's own verdict is believed.

The only thing of ours that is read is the record Secret, since being in it is what makes an object *tracked*.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from sluice.core.ids import ResourceId
from sluice.core.record import Record, decode_record
from tests.operator_fixture import Api, Json, Sync

# Where objects of the scenarios can be: kind → path of its list.
LISTS = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/configmaps",
    "Secret": "/api/v1/secrets",
    "Deployment": "/apis/apps/v1/deployments",
    "Job": "/apis/batch/v1/jobs",
    "Service": "/api/v1/services",
    "ServiceAccount": "/api/v1/serviceaccounts",
}
GROUPS = {"Deployment": "apps", "Job": "batch"}
TOOLKIT = "kustomize.toolkit.fluxcd.io"
Desired = Mapping[ResourceId, Json]
Live = Mapping[ResourceId, Json]


@dataclass
class Verdict:
    """What is wrong after one cell; empty when nothing is."""

    lost: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    half: list[str] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        """Hold what is wrong in `other`, too."""
        self.lost += other.lost
        self.orphans += other.orphans
        self.half += other.half

    @property
    def wrong(self) -> list[str]:
        """Everything, in words."""
        groups = (("lost", self.lost), ("orphan", self.orphans), ("half-applied", self.half))
        return [f"{what}: {one}" for what, found in groups for one in found]


def desired_of(files: Mapping[str, str], target: str) -> dict[ResourceId, Json]:
    """The objects of a revision's files."""
    found = {}
    for text in files.values():
        for body in yaml.safe_load_all(text.replace("$NS", target)):
            found[id_of(body)] = body
    return found


def id_of(body: Json) -> ResourceId:
    """The identity of an object's JSON."""
    meta = body["metadata"]
    return ResourceId(GROUPS.get(body["kind"], ""), body["kind"], meta.get("namespace", ""), meta["name"])


def owned_by(api: Api, sync: Sync) -> dict[ResourceId, Json]:
    """Every live object that carries the sync's owner labels, deleted ones that a finalizer holds left out."""
    selector = f"{TOOLKIT}/name={sync.name},{TOOLKIT}/namespace={sync.namespace}"
    found: dict[ResourceId, Json] = {}
    for kind, path in LISTS.items():
        listed = api.get(f"{path}?labelSelector={selector}")
        assert listed is not None
        for item in listed["items"]:
            body = {**item, "kind": kind}
            found[id_of(body)] = body
    return found


def record_of(api: Api, sync: Sync, name: str = "") -> Record | None:
    """The record as it is in the cluster: the sync's, or of what has that `name` in its namespace."""
    owner = f"{sync.namespace}/{name or sync.name}"
    secret = f"sluice-record-{hashlib.sha256(owner.encode()).hexdigest()[:24]}"
    secrets = f"/api/v1/namespaces/{sync.namespace}/secrets"
    for _ in range(5):  # between the head and its chunks the operator may write the next one
        head = api.get(f"{secrets}/{secret}")
        if head is None:
            return None
        rest = filter(None, base64.b64decode(head["data"].get("chunks", "")).decode().split(","))
        parts = [head, *(api.get(f"{secrets}/{chunk}") for chunk in rest)]
        if None not in parts:
            return decode_record(b"".join(base64.b64decode(part["data"]["record"]) for part in parts if part))
    raise AssertionError(f"the record of {owner} lacks a chunk")


def times_told(api: Api, sync: Sync, revision: str, reason: str) -> int:
    """How many times events say that this revision of the sync ended so."""
    events = api.get(f"/api/v1/namespaces/{sync.namespace}/events")
    assert events is not None
    return sum(
        event.get("count") or 1
        for event in events["items"]
        if event["involvedObject"]["name"] == sync.name
        and event["reason"] == reason
        and revision in event["metadata"].get("annotations", {}).values()
    )


def covers(live: Any, wanted: Any) -> bool:
    """True when `live` has every value of `wanted`; what it has beside them is not looked at."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(key in live and covers(live[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(covers, live, wanted))
    return bool(live == wanted)


def as_wanted(body: Json | None, wanted: Json) -> bool:
    """True when the object exists and has the values that git gives it."""
    return body is not None and all(covers(body.get(k), v) for k, v in wanted.items() if k != "apiVersion")


def fields_owned(body: Json) -> list[tuple[str, str, str]]:
    """Who owns which fields, times and status aside."""
    managers = body["metadata"].get("managedFields", [])
    return sorted((m["manager"], m["operation"], str(m["fieldsV1"])) for m in managers if not m.get("subresource"))


def judge(live: Live, desired: Desired, before: Live, record: Record | None, *, exact: bool) -> Verdict:
    """Compare the settled cluster with `desired`.

    Objects of `before` that are still desired must be the same objects; with `exact` (an undo) their values and field
    owners too.
    """
    verdict = Verdict()
    tracked = set(record.inventory.ids()) if record is not None else set()
    for key, wanted in desired.items():
        if not as_wanted(live.get(key), wanted):
            verdict.lost.append(f"{key} is {'not as git has it' if key in live else 'missing'}")
            continue
        old = before.get(key)
        if old is not None and old["metadata"]["uid"] != live[key]["metadata"]["uid"]:
            verdict.lost.append(f"{key} was recreated")
        elif exact and old is not None and fields_owned(old) != fields_owned(live[key]):
            changed = set(fields_owned(old)) ^ set(fields_owned(live[key]))
            verdict.lost.append(f"{key} has other field owners than before: {sorted(changed)}")
        if key not in tracked:
            verdict.orphans.append(f"{key} is in no inventory")
    for key in live:
        if key not in desired:
            verdict.orphans.append(f"{key} is left" + ("" if key in tracked else ", and in no inventory"))
    verdict.lost += [f"{key} is in the inventory, but gone" for key in sorted(tracked - set(live))]
    if record is None:
        verdict.half.append("there is no record")
    elif record.target is not None or not record.phase.ended:
        verdict.half.append(f"the record says {record.phase}")
    return verdict
