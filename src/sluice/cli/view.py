"""An object of ours as the API server sends it → what verbs show of it. Pure; unknown fields are left aside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.api.kinds import REQUESTED_AT, ROLLBACK_BY, ROLLBACK_FROM, ROLLBACK_TO
from sluice.api.problem_status import told_problems
from sluice.cli.kinds import IMAGE_AUTOMATIONS, IMAGE_POLICIES, SYNCS, Kind
from sluice.core.git_url import mask_userinfo
from sluice.core.problem_text import ToldProblem, is_left, read_problems
from sluice.core.revision import Revision

if TYPE_CHECKING:
    from sluice.cli.answers import Cause, DriftParts, ObjectItem, Place, RevisionParts, RolledBack, Suspension

SUSPEND_REASON = "sluice.dev/suspend-reason"
SUSPENDED_BY = "sluice.dev/suspended-by"
SUSPENDED_AT = "sluice.dev/suspended-at"
_PLACE = re.compile(r"^(?P<path>.+?)(?::(?P<line>\d+))?(?::\d+)?(?:@(?P<commit>[0-9a-f]+))?(?: \(from .*\))?$")


@dataclass(frozen=True, slots=True)
class View:
    """One Kustomization or source. `state` is one of Ready, Failing, Waiting, Reconciling, Suspended, Unknown.

    `problems` are what keeps it from being ready, by the record in its status or else by what Ready says. `left` is
    what an image automation that is ready has left as it was.
    """

    kind: Kind
    namespace: str
    name: str
    state: str
    ready: str
    reason: str
    message: str
    since: str
    created: str
    generation: int
    observed: int
    stalled: bool
    reconciling: bool
    handled: str
    revision: str
    attempted: str
    suspended: bool
    annotations: dict[str, str]
    source: str
    source_namespace: str
    path: str
    objects: int
    url: str
    history: tuple[dict[str, Any], ...]
    drift: tuple[ToldProblem, ...] = ()
    drift_reason: str = ""
    corrected: str = ""
    problems: tuple[ToldProblem, ...] = ()
    left: tuple[ToldProblem, ...] = ()

    @property
    def reference(self) -> str:
        """`ks/apps`."""
        return self.kind.reference(self.name)

    @property
    def stands_at(self) -> str:
        """Its revision, short; of a policy the image that it chose, whole."""
        return self.revision if self.kind is IMAGE_POLICIES else short_revision(self.revision)

    @property
    def rolled_back(self) -> bool:
        """True while it is at an earlier revision than git, because somebody asked for that."""
        return self.ready == "True" and bool(self.revision) and self.annotations.get(ROLLBACK_TO) == self.revision

    @property
    def partly(self) -> bool:
        """True when a revision failed and stays as far as it was applied (`onFailure: Stop`)."""
        return self.ready == "False" and is_left(self.message)

    @property
    def going_back(self) -> str:
        """While an earlier revision is asked for that could not be gone back to: what was asked, and the way out."""
        to, head = self.annotations.get(ROLLBACK_TO, ""), self.annotations.get(ROLLBACK_FROM, "")
        if self.ready != "False" or not to or to != self.attempted:
            return ""
        by = f" by {who}" if (who := self.annotations.get(ROLLBACK_BY, "")) else ""
        asked = f"to go back to {short_revision(to)}{by}; git's head is {short_revision(head)}"
        return f"{asked}; to take that back: sluice resume ks {self.name} -n {self.namespace}"

    def handled_request(self, token: str) -> bool:
        """True when the request `token` has been acted on and the outcome is known."""
        waiting = self.ready == "False" and self.reason == "DependencyNotReady"
        return self.handled == token and self.ready in {"True", "False"} and not waiting and not self._under_way

    @property
    def _under_way(self) -> bool:
        return self.reconciling and self.ready != "False"


# Flux shows the kinds without status as ready, and scripts expect that.
_STATIC = {"status": "True", "message": "has no status; what is wrong with it is told by events"}


def view_of(kind: Kind, item: dict[str, Any]) -> View:
    """Read one object."""
    meta, spec, status = (item.get(part) or {} for part in ("metadata", "spec", "status"))
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    ready = conditions.get("Ready", {}) if kind.has_status else _STATIC
    suspended = bool(spec.get("suspend"))
    reconciling = conditions.get("Reconciling", {}).get("status") == "True"
    stalled = conditions.get("Stalled", {}).get("status") == "True"
    source = spec.get("sourceRef") or spec.get("imageRepositoryRef") or {}
    drifted = conditions.get("Drifted", {})
    stands = drifted.get("status") == "True"
    inventory = (status.get("inventory") or {}).get("entries") or ()
    return View(
        kind=kind,
        namespace=meta.get("namespace", ""),
        name=meta.get("name", ""),
        state=_state(suspended, ready, reconciling),
        ready=ready.get("status", "Unknown"),
        reason=ready.get("reason", ""),
        message=ready.get("message", "waiting to be reconciled"),
        since=ready.get("lastTransitionTime", ""),
        created=meta.get("creationTimestamp", ""),
        generation=int(meta.get("generation", 0)),
        observed=int(status.get("observedGeneration", 0)),
        stalled=stalled,
        reconciling=reconciling,
        handled=status.get("lastHandledReconcileAt", ""),
        revision=_revision(kind, status),
        attempted=status.get("lastAttemptedRevision", ""),
        suspended=suspended,
        annotations=meta.get("annotations") or {},
        source=f"{source.get('kind', 'ImageRepository')}/{source.get('name')}" if source else "",
        source_namespace=source.get("namespace") or meta.get("namespace", ""),
        path=spec.get("path") or (spec.get("update") or {}).get("path", ""),
        objects=len(inventory),
        url=mask_userinfo(spec.get("url") or spec.get("image", "")),
        history=tuple(status.get("history") or ()),
        drift=read_problems(drifted.get("message", "")) if stands else (),
        drift_reason=drifted.get("reason", ""),
        corrected=drifted.get("message", "") if drifted.get("status") == "False" else "",
        left=_left(kind, ready),
        problems=told_problems(status, ready.get("message") or "it does not say why")
        if ready.get("status") == "False"
        else (),
    )


def _left(kind: Kind, ready: dict[str, Any]) -> tuple[ToldProblem, ...]:
    rest = str(ready.get("message", "")).partition("\n")[2]
    return read_problems(rest) if kind is IMAGE_AUTOMATIONS and ready.get("status") == "True" and rest else ()


def _revision(kind: Kind, status: dict[str, Any]) -> str:
    """What it stands at: what was applied, fetched or last looked at; for a policy the image that it chose."""
    if kind is SYNCS:
        return str(status.get("lastAppliedRevision", ""))
    if kind is IMAGE_POLICIES:
        image = status.get("latestRef") or {}
        digest = f"@{image['digest']}" if image.get("digest") else ""
        return f"{image['name']}:{image['tag']}{digest}" if image else ""
    artifact = status.get("artifact") or {}
    return str(artifact.get("revision") or status.get("observedSourceRevision") or "")


def _state(suspended: bool, ready: dict[str, Any], reconciling: bool) -> str:
    if suspended:
        return "Suspended"
    match ready.get("status"):
        case "True":
            return "Ready"
        case "False":
            return "Waiting" if ready.get("reason") == "DependencyNotReady" else "Failing"
    return "Reconciling" if reconciling else "Unknown"


def short_revision(text: str) -> str:
    """`main@a1b2c3d4` for a revision; any other text as it is."""
    try:
        revision = Revision.parse(text)
    except ValueError:
        return text
    return f"{revision.name}@{revision.hex[:8]}" if revision.name else revision.hex[:8]


def fields_of(view: View) -> ObjectItem:
    """The view in the output contract's form."""
    problems = view.problems
    return {
        "ref": {
            "group": view.kind.resource.group,
            "kind": view.kind.resource.kind,
            "namespace": view.namespace,
            "name": view.name,
        },
        "state": view.state,
        "ready": {"status": view.ready, "reason": view.reason, "message": view.message, "since": view.since},
        "cause": problem_fields(problems[0]) if problems else None,
        "problems": [problem_fields(problem) for problem in problems],
        "revision": revision_fields("" if view.kind is IMAGE_POLICIES else view.revision, view.url),
        "image": view.revision or None if view.kind is IMAGE_POLICIES else None,
        "attemptedRevision": revision_fields(view.attempted, view.url),
        "origin": origin_fields(problems[0].where) if problems and problems[0].where else None,
        "suspended": _suspended(view) if view.suspended else None,
        "rolledBack": _rolled_back(view) if view.rolled_back else None,
        "source": view.source or None,
        "path": view.path,
        "objects": view.objects,
        "drift": _drift(view),
        "createdAt": view.created,
        "requestedAt": view.annotations.get(REQUESTED_AT),
        "lastHandledReconcileAt": view.handled or None,
    }


def problem_fields(problem: ToldProblem) -> Cause:
    """A told problem in the output contract's form."""
    return {
        "code": problem.code,
        "title": problem.title,
        "object": problem.subject,
        "where": problem.where,
        "why": problem.cause,
        "fix": problem.fix,
        "since": problem.since or None,
        "waits": list(problem.waits),
    }


def _drift(view: View) -> DriftParts | None:
    """What stands, and what was set right last; None when nothing has drifted."""
    if not view.drift_reason:
        return None
    corrected = view.corrected.splitlines()
    return {"reason": view.drift_reason, "problems": [problem_fields(p) for p in view.drift], "corrected": corrected}


def revision_fields(text: str, url: str) -> RevisionParts | None:
    """A revision in the output contract's form; None for what is none."""
    try:
        revision = Revision.parse(text)
    except ValueError:
        return None
    return {"branch": revision.name, "sha": revision.hex, "url": url, "text": text}


def origin_fields(where: str) -> Place | None:
    """A place (`apps/web.yaml:7:3@a1b2c3d`) in the output contract's form; None for what is none."""
    match = _PLACE.match(where)
    if match is None:
        return None
    return {"path": match["path"], "line": int(match["line"] or 0), "commit": match["commit"] or ""}


def _rolled_back(view: View) -> RolledBack:
    notes = view.annotations
    return {
        "to": revision_fields(view.revision, view.url),
        "from": revision_fields(notes.get(ROLLBACK_FROM, ""), view.url),
        "by": notes.get(ROLLBACK_BY, ""),
    }


def _suspended(view: View) -> Suspension:
    return {
        "by": view.annotations.get(SUSPENDED_BY, ""),
        "at": view.annotations.get(SUSPENDED_AT, ""),
        "reason": view.annotations.get(SUSPEND_REASON, ""),
    }
