"""Policies of workloads (automated, locked, tag filters, …) to annotations in their files, as fluxctl set them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sluice.core.image_update.file_edit import merged, skip
from sluice.core.image_update.release import locate_workloads, missing_workload
from sluice.core.image_update.result import ImageChange, ImageUpdate, Skipped
from sluice.core.image_update.workload import DEFAULT_NAMESPACE, Workload, WorkloadId, find_workloads
from sluice.core.yaml_annotation import set_annotations
from sluice.core.yaml_text import EditRefused, YamlText, open_text

PREFIX, OLD_PREFIX, FILTER_PREFIX = "fluxcd.io/", "flux.weave.works/", "filter.fluxcd.io/"
AUTOMATED, LOCKED, LOCKED_USER, LOCKED_MESSAGE, IGNORE = "automated", "locked", "locked_user", "locked_msg", "ignore"
TAG_ALL = "tag_all"
_TAG = "tag."
_EVERYTHING = frozenset({"*", "glob:*"})


@dataclass(frozen=True, slots=True)
class PolicyUpdate:
    """Policies to set on a workload and to take away; what is in both is taken away.

    `tag_all` stands for `tag.<container>` of each container, and `*` there takes the filters away. Patterns are not
    checked here: the caller knows the grammar (`core/image_policy`).
    """

    workload: WorkloadId
    add: Mapping[str, str] = field(default_factory=dict)
    remove: frozenset[str] = frozenset()


def automate(workload: WorkloadId) -> PolicyUpdate:
    """Let new images be released without being asked for."""
    return PolicyUpdate(workload, {AUTOMATED: "true"})


def deautomate(workload: WorkloadId) -> PolicyUpdate:
    """Release no image that nobody asked for."""
    return PolicyUpdate(workload, remove=frozenset({AUTOMATED}))


def lock(workload: WorkloadId, user: str = "", message: str = "") -> PolicyUpdate:
    """Let nobody release an image, and say who wanted that and why."""
    said = {key: text for key, text in ((LOCKED_USER, user), (LOCKED_MESSAGE, message)) if text}
    return PolicyUpdate(workload, {LOCKED: "true"} | said)


def unlock(workload: WorkloadId) -> PolicyUpdate:
    """Take a lock away with what it says."""
    return PolicyUpdate(workload, remove=frozenset({LOCKED, LOCKED_USER, LOCKED_MESSAGE}))


def update_policies(
    files: Mapping[str, bytes], updates: Sequence[PolicyUpdate], namespace: str = DEFAULT_NAMESPACE, commit: str = ""
) -> ImageUpdate:
    """Set and take away policies in the files of their workloads; every other byte stays.

    A policy that the file has under an older prefix keeps it. Nothing raises: what can't be done is skipped with its
    reason, and then none of that workload's policies change. `field` of a change is the annotation, `old` or `new`
    empty where there is none.
    """
    located = locate_workloads(files, [update.workload for update in updates], namespace, commit)
    parts = [_in_file(file, workloads, updates, namespace) for file, workloads in located.by_file()]
    missing = tuple(
        missing_workload(update.workload, located.missing[update.workload], "", ", ".join(sorted(_touched(update))))
        for update in updates
        if update.workload in located.missing
    )
    return merged([*parts, ImageUpdate(skipped=missing)])


def annotation_changes(workload: Workload, update: PolicyUpdate) -> dict[str, str | None]:
    """The annotations that an update sets, or deletes (None), on this workload."""
    add, remove = dict(update.add), set(update.remove)
    pattern = add.pop(TAG_ALL, None)
    if TAG_ALL in remove or pattern is not None:
        remove.discard(TAG_ALL)
        filters = [_TAG + container.name for container in workload.containers]
        if pattern is None or pattern in _EVERYTHING:
            remove.update(filters)
        else:
            add |= dict.fromkeys(filters, pattern)
    wanted = add | dict.fromkeys(sorted(remove))
    changes: dict[str, str | None] = {}
    for policy, value in wanted.items():
        held = [key for key in _keys(policy) if key in workload.annotations]
        # Taken away under every name: a filter left under another prefix would hold on.
        changes |= dict.fromkeys(held if value is None else (held[:1] or [PREFIX + policy]), value)
    return changes


def _keys(policy: str) -> list[str]:
    keys = [PREFIX + policy, OLD_PREFIX + policy]
    return [*keys, FILTER_PREFIX + policy.removeprefix(_TAG)] if policy.startswith(_TAG) else keys


def _in_file(
    file: YamlText, workloads: tuple[Workload, ...], updates: Sequence[PolicyUpdate], namespace: str
) -> ImageUpdate:
    before = file.edited([])
    changes: list[ImageChange] = []
    skipped: list[Skipped] = []
    for update in updates:
        if all(workload.id != update.workload for workload in workloads):
            continue
        # An edit moves what is behind it: the workload is looked up again in the present text.
        workload = next(w for w in find_workloads(file, namespace) if w.id == update.workload)
        wanted = annotation_changes(workload, update)
        try:
            data = set_annotations(file, workload.address, wanted)
        except EditRefused as error:
            policy = ", ".join(sorted(_touched(update)))
            skipped.append(skip(file, workload.address, error.problems[0], policy=policy))
            continue
        changes += _changes(file, workload, wanted)
        file = open_text(data, file.path, file.commit)
    after = file.edited([])
    return ImageUpdate({file.path: after} if after != before else {}, tuple(changes), tuple(skipped))


def _changes(file: YamlText, workload: Workload, wanted: dict[str, str | None]) -> list[ImageChange]:
    return [
        ImageChange(file.path, workload.line, workload.subject, key, key.rpartition("/")[2], held or "", value or "")
        for key, value in wanted.items()
        if (held := workload.annotations.get(key)) != value
    ]


def _touched(update: PolicyUpdate) -> set[str]:
    return {*update.add, *update.remove}
