"""The shapes of what read verbs answer to programs (`-o json`, `-o yaml`), from which their JSON Schemas are made.

The functions that make the answers are typed by these, so neither can change without the other. Within one version of
`apiVersion` fields are only added; a reader must pass over what it does not know.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict

import msgspec

Version1: TypeAlias = Literal["cli.sluice.dev/v1"]


def _one_of(*words: str) -> msgspec.Meta:
    return msgspec.Meta(extra_json_schema={"enum": list(words)})


State: TypeAlias = Annotated[str, _one_of("Ready", "Failing", "Waiting", "Reconciling", "Suspended", "Unknown")]
Truth: TypeAlias = Annotated[str, _one_of("True", "False", "Unknown")]
HealthWord: TypeAlias = Annotated[str, _one_of("Current", "InProgress", "Failed", "Terminating", "NotFound", "Unknown")]
CodeNumber: TypeAlias = Annotated[str, msgspec.Meta(pattern="^([EW][0-9]{3})?$")]


# --- parts ------------------------------------------------------------------------------------------------------------


class Ref(TypedDict):
    """An object of the cluster. `group` is empty for the core's, `namespace` for what has none."""

    group: str
    kind: str
    namespace: str
    name: str


class StateRef(Ref):
    """An object of ours, and how it is."""

    state: State


class RevisionParts(TypedDict):
    """A revision: branch or tag, hash, the repository's URL, and all as status has it."""

    branch: str
    sha: str
    url: str
    text: str


class Place(TypedDict):
    """A place in git. `line` 0 is unknown; `commit` may be short."""

    path: str
    line: int
    commit: str


class RenderedPlace(Place):
    """A place in git, or what produced the object when its file can't be known."""

    renderer: str


class ExactPlace(Place):
    """A place in git with its column; 0 is unknown."""

    column: int


class Cause(TypedDict):
    """A problem that a status tells. What it does not say is empty."""

    code: CodeNumber
    title: str
    object: str
    where: str
    why: str
    fix: str
    since: str | None
    waits: list[str]


class ProblemItem(TypedDict):
    """A problem that this command found itself."""

    code: CodeNumber
    name: str
    title: str
    ref: Ref | None
    origin: ExactPlace | None
    field: str
    cause: str
    fix: str


class CommitWords(TypedDict):
    """Who wrote a commit, and its first line; empty when that is not known."""

    author: str
    subject: str


# --- objects of ours --------------------------------------------------------------------------------------------------


class ReadyParts(TypedDict):
    """The Ready condition."""

    status: Truth
    reason: str
    message: str
    since: str


class Suspension(TypedDict):
    """By whom, when and why it was suspended; empty where nobody said."""

    by: str
    at: str
    reason: str


RolledBack = TypedDict("RolledBack", {"to": RevisionParts | None, "from": RevisionParts | None, "by": str})


class DriftParts(TypedDict):
    """What is not as it was applied, and what was set right last."""

    reason: str
    problems: list[Cause]
    corrected: list[str]


class ObjectItem(TypedDict):
    """One object of ours."""

    ref: Ref
    state: State
    ready: ReadyParts
    cause: Cause | None
    problems: list[Cause]
    revision: RevisionParts | None
    image: str | None
    attemptedRevision: RevisionParts | None
    origin: Place | None
    suspended: Suspension | None
    rolledBack: RolledBack | None
    source: str | None
    path: str
    objects: int
    drift: DriftParts | None
    createdAt: str
    requestedAt: str | None
    lastHandledReconcileAt: str | None


class ObjectList(TypedDict):
    """`sluice get`: the list of one kind, or ObjectList for several."""

    apiVersion: Version1
    kind: Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Za-z]+List$")]
    items: list[ObjectItem]


class StatusSummary(TypedDict):
    """How many are in which state, and how many objects the syncs own."""

    sources: dict[str, int]
    apps: dict[str, int]
    images: dict[str, int]
    objects: int


class Status(TypedDict):
    """`sluice status`. `operator` is its version, null where none is installed."""

    apiVersion: Version1
    kind: Literal["Status"]
    operator: str | None
    summary: StatusSummary
    items: list[ObjectItem]


# --- why --------------------------------------------------------------------------------------------------------------


class LinkItem(TypedDict):
    """One step from the target to the cause."""

    reference: str
    namespace: str
    state: str
    text: str


class WhyItem(TypedDict):
    """Why something is not live; `cause` null means that nothing is known to be wrong."""

    ref: Ref
    live: bool
    state: State
    revision: RevisionParts | None
    attemptedRevision: RevisionParts | None
    cause: Cause | None
    origin: Place | None
    culprit: Ref
    passing: bool
    since: str | None
    commit: str | None
    chain: list[LinkItem]
    others: list[Cause]
    blocked: list[Ref]


class WhyReport(WhyItem):
    """`sluice why NAME`."""

    apiVersion: Version1
    kind: Literal["WhyReport"]


class WhyReportList(TypedDict):
    """`sluice why`: one report for each cause."""

    apiVersion: Version1
    kind: Literal["WhyReportList"]
    items: list[WhyItem]


# --- what was applied -------------------------------------------------------------------------------------------------


class HealthParts(TypedDict):
    """How an object is."""

    status: HealthWord
    message: str


class BranchItem(TypedDict):
    """One object, and what its controller made."""

    ref: Ref
    health: HealthParts
    origin: Place | None
    children: list[BranchItem]


class Tree(TypedDict):
    """`sluice tree`."""

    apiVersion: Version1
    kind: Literal["Tree"]
    ref: Ref
    state: State
    items: list[BranchItem]


class TraceItem(TypedDict):
    """From an object through its owners to its sync, its source and its file."""

    ref: Ref
    owners: list[Ref]
    sync: StateRef
    source: Ref | None
    revision: RevisionParts | None
    origin: Place | None
    commit: CommitWords


class TraceList(TypedDict):
    """`sluice trace`."""

    apiVersion: Version1
    kind: Literal["TraceList"]
    items: list[TraceItem]


class ChangeCounts(TypedDict):
    """How many objects a revision created, changed and deleted."""

    created: int
    changed: int
    deleted: int


class HistoryItem(TypedDict):
    """One revision that was tried. `current` is the one that is in the cluster."""

    revision: RevisionParts | None
    outcome: str
    succeeded: bool
    current: bool
    endedAt: str
    seconds: float
    changes: ChangeCounts
    commit: CommitWords
    digest: str


class History(TypedDict):
    """`sluice history`, newest first."""

    apiVersion: Version1
    kind: Literal["History"]
    items: list[HistoryItem]


class EventItem(TypedDict):
    """One event; `count` says how often the same was told."""

    ref: Ref
    type: str
    reason: str
    message: str
    lastSeen: str
    count: int
    name: str


class EventList(TypedDict):
    """`sluice events`, oldest first."""

    apiVersion: Version1
    kind: Literal["EventList"]
    items: list[EventItem]


class WatchedObject(TypedDict):
    """One line of `sluice get -w`."""

    type: Annotated[str, _one_of("ADDED", "MODIFIED", "DELETED")]
    object: ObjectItem


class WatchedEvent(TypedDict):
    """One line of `sluice events -w`."""

    type: Literal["ADDED"]
    object: EventItem


class ExportedObject(TypedDict):
    """An object as it would stand in git."""

    apiVersion: str
    kind: str
    metadata: dict[str, Any]
    spec: dict[str, Any]


class ExportList(TypedDict):
    """`sluice export -o json`; as YAML the objects themselves are printed."""

    apiVersion: Version1
    kind: Literal["ExportList"]
    items: list[ExportedObject]


# --- images -----------------------------------------------------------------------------------------------------------


class TagItem(TypedDict):
    """One tag of an image, by where it stands to the running one."""

    tag: str
    created: str | None
    digest: str | None
    # `is` is no name that a class can have: see `_TagPlace`.
    chosenBy: list[str]


_TagPlace = TypedDict("_TagPlace", {"is": Annotated[str, _one_of("newer", "running", "older", "unknown")]})


class PlacedTag(TagItem, _TagPlace):
    """One tag, with `is`: newer, running, older or unknown."""


class ImageItem(TypedDict):
    """One container with its image and the image's tags, the newest first."""

    workload: str
    container: str
    image: str | None
    fault: str | None
    automated: bool
    locked: bool
    ignored: bool
    pattern: str | None
    imagePolicies: list[str]
    newer: int
    omitted: int
    passedOver: int
    complete: bool
    tags: list[PlacedTag]
    problems: list[ProblemItem]


class ImageList(TypedDict):
    """`sluice images`."""

    apiVersion: Version1
    kind: Literal["ImageList"]
    items: list[ImageItem]


class TagReason(TypedDict):
    """Why one tag is chosen or not."""

    tag: str
    chosen: bool
    reason: str


class ImageReason(TypedDict):
    """Why one container's image is as it is."""

    workload: str
    container: str
    image: str | None
    reasons: list[str]
    tags: list[TagReason]


class ImageReasonList(TypedDict):
    """`sluice images why`."""

    apiVersion: Version1
    kind: Literal["ImageReasonList"]
    items: list[ImageReason]


# --- before a push ----------------------------------------------------------------------------------------------------


class FieldDifference(TypedDict):
    """One field that would change; without `before` it is new, without `after` it goes."""

    path: str
    action: str
    before: NotRequired[Any]
    after: NotRequired[Any]


class DriftedField(TypedDict):
    """One field that somebody else changed, and when."""

    path: str
    what: str
    manager: str
    time: str


class DriftedObject(TypedDict):
    """What others than git did to an object."""

    mode: str
    deleted: bool
    fields: list[DriftedField]
    text: str


class PlanItem(TypedDict):
    """One object with what would happen to it."""

    ref: Ref
    effect: str
    stage: str | None
    reason: str
    deferred: bool
    origin: RenderedPlace | None
    fields: list[FieldDifference]
    drift: DriftedObject | None


class Preview(TypedDict):
    """`sluice plan` and `sluice diff`."""

    apiVersion: Version1
    kind: Annotated[str, _one_of("Plan", "Diff")]
    ref: Ref
    compared: str
    differs: bool
    items: list[PlanItem]
    problems: list[ProblemItem]
    warnings: list[ProblemItem]


class ProblemList(TypedDict):
    """`sluice validate`, and every verb that fails; `warnings` and `objects` are validate's."""

    apiVersion: Version1
    kind: Literal["ProblemList"]
    items: list[ProblemItem]
    warnings: NotRequired[list[ProblemItem]]
    objects: NotRequired[int]


# --- words, and the installation --------------------------------------------------------------------------------------


class CodeItem(TypedDict):
    """An error code in words."""

    code: CodeNumber
    name: str
    title: str
    meaning: str
    example: str
    cause: str
    fix: str


class CodePage(CodeItem):
    """`sluice explain E204`."""

    apiVersion: Version1
    kind: Literal["CodePage"]


class CodePageList(TypedDict):
    """`sluice explain`."""

    apiVersion: Version1
    kind: Literal["CodePageList"]
    items: list[CodeItem]


class FieldItem(TypedDict):
    """One field of a kind, its type in kubectl's words, and the fields below it."""

    name: str
    type: str
    required: bool
    description: str
    rules: list[str]
    fields: list[FieldItem]


class FieldPage(FieldItem):
    """`sluice explain KIND.FIELD`: the field at `path` of the kind."""

    apiVersion: Version1
    kind: Literal["FieldPage"]
    ofKind: str
    ofApiVersion: str
    path: str


class CheckItem(TypedDict):
    """One thing that was looked at."""

    part: str
    text: str
    ok: bool
    severity: Annotated[str, _one_of("error", "warning")] | None
    cause: Cause | None


class CheckReport(TypedDict):
    """`sluice check`."""

    apiVersion: Version1
    kind: Literal["CheckReport"]
    ok: bool
    items: list[CheckItem]


class Version(TypedDict):
    """`sluice version`; all but `client` with --server."""

    apiVersion: Version1
    kind: Literal["Version"]
    client: str
    operator: NotRequired[str]
    kubernetes: NotRequired[str]
    warnings: NotRequired[list[str]]


class Bundle(TypedDict):
    """`sluice debug --bundle`: what was written."""

    apiVersion: Version1
    kind: Literal["Bundle"]
    path: str
    bytes: int
    files: list[str]


# What each read verb may answer. A verb that fails answers a ProblemList.
ANSWERS: dict[str, tuple[type, ...]] = {
    "status": (Status,),
    "why": (WhyReport, WhyReportList),
    "get": (ObjectList, WatchedObject),
    "tree": (Tree,),
    "trace": (TraceList,),
    "events": (EventList, WatchedEvent),
    "images": (ImageList, ImageReasonList),
    "history": (History,),
    "validate": (ProblemList,),
    "plan": (Preview,),
    "diff": (Preview,),
    "explain": (CodePage, CodePageList, FieldPage),
    "check": (CheckReport,),
    "export": (ExportList,),
    "debug": (Bundle,),
    "version": (Version,),
}
