"""What automation by annotations tells: each reason once, each commit, and fluxd's note on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import structlog

from sluice.core.codes import GIT_READ_ONLY, TAGS_INCOMPLETE, WORKLOAD_NOT_RUNNING
from sluice.core.fluxd_job_event import PushedUpdate
from sluice.core.ids import NamespacedName
from sluice.core.image_update.annotated import ContainerId, ImageReason
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import Problem
from sluice.core.update_spec import AutoSpec, UpdateSpec
from sluice.core.update_wire import note_fields
from sluice.git.write_back import Written
from sluice.reconcilers.image_update_automation import pushed_message

# What passes by itself, or has been told by the scan.
PASSING = frozenset({WORKLOAD_NOT_RUNNING, TAGS_INCOMPLETE})
log = structlog.get_logger()


class ToldReasons:
    """Logs every reason that is another than before. Memory only: after a restart all are told once more."""

    def __init__(self) -> None:
        self._told: dict[NamespacedName, dict[ContainerId, str]] = {}

    def tell(self, source: NamespacedName, reasons: Sequence[ImageReason]) -> None:
        """These are the reasons for all images of a repository now."""
        before, now = self._told.get(source, {}), {}
        for each in reasons:
            place = each.workload, each.container
            now[place] = each.reason
            if before.get(place) != each.reason:
                _say(each)
        self._told[source] = now

    def forget(self, source: NamespacedName) -> None:
        """The repository is gone, or automates nothing."""
        self._told.pop(source, None)


def _say(each: ImageReason) -> None:
    is_news = each.problem is None or each.problem.code in PASSING
    more = {"error": str(each.problem)} if each.problem is not None else {}
    say = log.info if is_news else log.warning
    say(each.reason, workload=str(each.workload), container=each.container, image=each.image, **more)


def say_pushed(written: Written, updates: Sequence[ContainerUpdate]) -> None:
    """Log a commit, and what each container got."""
    log.info(pushed_message(written), commit=written.commit, files=list(written.files))
    for each in updates:
        images = {"image": str(each.image), "before": str(each.current)}
        log.info("released", workload=str(each.workload), container=each.container, policy=each.policy, **images)


def read_only(each: ImageReason, updates: Sequence[ContainerUpdate]) -> ImageReason:
    """What would be written, and is not."""
    place = each.workload, each.container
    update = next((update for update in updates if (update.workload, update.container) == place), None)
    if update is None:
        return each
    title = f"git is read-only here, so {each.container} of {each.workload} does not get {update.image}"
    problem = Problem(GIT_READ_ONLY, title, field="--git-readonly", fix="start the operator without it")
    return replace(each, reason=title, problem=problem)


def note_of(job_id: str, updates: Sequence[ContainerUpdate]) -> bytes:
    """The note on an automated commit, as fluxd writes one."""
    made = pushed_update("", updates)
    return msgspec.json.encode(note_fields(job_id, made.spec, made.result))


def pushed_update(commit: str, updates: Sequence[ContainerUpdate]) -> PushedUpdate:
    """A commit of the automation, as a job of its kind would be told of."""
    by_workload: dict[WorkloadId, tuple[ContainerUpdate, ...]] = {}
    for update in updates:
        by_workload[update.workload] = (*by_workload.get(update.workload, ()), update)
    results = {str(name): WorkloadResult(name, "success", "", those) for name, those in by_workload.items()}
    return PushedUpdate(commit, UpdateSpec(AutoSpec(tuple(updates))), results)
