"""The changes of a plan that no undo could take back, and which of them may be asked a person's word for.

A Job that runs is told only: revisions with one are everyday. What takes data with it, or leaves a CRD that can not go
back to what it was, a person may want to be asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from sluice.core import codes
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.order import CRD, JOB, NAMESPACE
from sluice.core.plan import Action, Change, Plan
from sluice.core.problem import Problem

CLAIM = GroupKind("", "PersistentVolumeClaim")
VOLUME = GroupKind("", "PersistentVolume")
# What is lost with an object of these kinds is in no manifest.
WHAT_GOES: Mapping[GroupKind, str] = {
    CLAIM: "the data of the claim",
    VOLUME: "the data of the volume, as its reclaim policy says",
    NAMESPACE: "everything in the namespace",
    CRD: "every object of its kind",
}
Object = Mapping[str, Any]


def wanted_live(plan: Plan) -> tuple[Change, ...]:
    """The changes whose live objects `irreversible` has to see whole."""
    return tuple(c for batch in plan.applies for c in batch.changes if c.uid and c.id.group_kind == CRD)


def runs(plan: Plan) -> Iterable[Problem]:
    """The Jobs that will run: told, and never asked about."""
    for batch in plan.applies:
        for change in batch.changes:
            if change.id.group_kind != JOB or change.action is not Action.CREATE:
                continue
            spec = _body(change).get("spec")
            if not (isinstance(spec, dict) and spec.get("suspend")):
                yield _warning(
                    change,
                    "what this Job does can't be undone",
                    "it runs before the revision is known to be healthy",
                    "make it safe to run again, and the revision before able to live with it",
                )


def irreversible(plan: Plan, live: Mapping[ResourceId, Object]) -> Iterable[Problem]:
    """What a person may be asked about, as warnings. `live` has the objects of `wanted_live` that could be read."""
    for change in wanted_live(plan):
        if version := _new_stored(_body(change), live.get(change.id)):
            yield _warning(
                change,
                f"version {version} becomes one that objects are stored in, which can't be undone",
                "the API server notes in status.storedVersions what it may have stored an object in",
                "serve it for a while before it is the storage version",
            )
    for batch in plan.prunes:
        for change in batch.changes:
            if what := WHAT_GOES.get(change.id.group_kind):
                yield _warning(
                    change,
                    f"pruning it deletes {what}, which can't be undone",
                    "it left the desired state",
                    f"to keep it, annotate it with {_PRUNE}: disabled before it leaves git",
                )


def ask(found: Iterable[Problem], revision: str, command: str) -> tuple[Problem, ...]:
    """The refusals of a revision for which nobody has given their word yet; `command` gives it."""
    cause = f"spec.irreversible is Ask, and nobody has agreed to it for {revision}"
    fix = f"if it is meant: {command}"
    return tuple(replace(each, code=codes.NEEDS_WORD, cause=f"{each.cause}; {cause}", fix=fix) for each in found)


def refuse_recreation(change: Change, refused: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """The refusals of an object that `spec.force` would replace, though it takes with it what no manifest holds.

    For such an object the wholesale `force` is no word: only its own annotation is.
    """
    what = WHAT_GOES.get(change.id.group_kind)
    if what is None or (change.manifest is not None and change.manifest.directives.force):
        return ()
    fix = f"restore the field; or, if it is meant, annotate the object with {_FORCE}: enabled"
    title = f"replacing it deletes {what}, which can't be undone"
    return tuple(replace(p, code=codes.NEEDS_WORD, title=f"{title}: {p.title}", fix=fix) for p in refused)


_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
_FORCE = "kustomize.toolkit.fluxcd.io/force"


def _new_stored(body: Object, live: Object | None) -> str:
    """The storage version of a CRD that objects were not stored in so far; empty when there is none."""
    spec, status = body.get("spec"), (live or {}).get("status")
    versions = spec.get("versions") if isinstance(spec, dict) else None
    stored = status.get("storedVersions") if isinstance(status, dict) else None
    listed = versions if isinstance(versions, list) else []
    names = [v.get("name") for v in listed if isinstance(v, dict) and v.get("storage")]
    return str(names[0]) if names and stored and names[0] not in stored else ""


def _body(change: Change) -> Object:
    body: Object = msgspec.json.decode(change.manifest.body) if change.manifest is not None else {}
    return body


def _warning(change: Change, title: str, cause: str, fix: str) -> Problem:
    origin = change.manifest.origin if change.manifest is not None else None
    return Problem(codes.NOT_UNDOABLE, title, change.id, origin, cause=cause, fix=fix)
