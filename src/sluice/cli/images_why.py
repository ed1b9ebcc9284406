"""`sluice images why`: for every image the reason why it is as it is, and for each tag why it is not the one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sluice.api.image_policy import ImagePolicy
from sluice.api.kinds import Condition
from sluice.cli.automation_reasons import Reasons, operator_reasons
from sluice.cli.cluster import Cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.images import ImageRow, look, told, write_names
from sluice.cli.registry_tags import TagReader
from sluice.cli.running_images import ImageKinds, RunningContainer, running_containers
from sluice.cli.structured import write_structured
from sluice.cli.terminal import one_line
from sluice.cli.workload_names import names_a_workload
from sluice.core import codes
from sluice.core.condition import READY, find_condition
from sluice.core.errors import UserError
from sluice.core.image import ImageRef, ImageRefError, ImageTag, parse
from sluice.core.image_policy import InvalidPolicy, Previous, Verdict, decide, explain
from sluice.core.image_policy.workload_choice import ContainerChoice, Listing, choose_image
from sluice.core.problem import Problem, printable

if TYPE_CHECKING:
    from sluice.cli.answers import ImageReason, ImageReasonList


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one container's image is as it is. `verdicts` are about tags, those that are newer or were asked about."""

    row: ImageRow
    reasons: tuple[str, ...]
    verdicts: tuple[Verdict, ...]


async def explain_images(
    cluster: Cluster, targets: Sequence[str], kinds: ImageKinds, tags: TagReader, limit: int
) -> ExitCode:
    """Print the reasons. Raises UserError (TargetMissing) for a workload or an image that does not run here."""
    names, images = _read(targets)
    everyone = await running_containers(cluster, () if images else names, kinds)
    containers, refused = everyone.containers, everyone.refused
    if images:
        containers = _with_images(containers, images)
        if names:
            containers += (await running_containers(cluster, names, kinds)).containers
    rows = await look(containers, tags, limit=1)
    asked = {image.tag for image in images} - {None}
    told_by_operator = await operator_reasons(cluster)
    found = [_reason(row, kinds, told_by_operator, {tag for tag in asked if tag is not None}, limit) for row in rows]
    if cluster.flags.structured:
        items = [_fields(each) for each in found]
        answer: ImageReasonList = {"apiVersion": API_VERSION, "kind": "ImageReasonList", "items": items}
        write_structured(cluster.terminal, answer)
    elif cluster.flags.output == "name":
        write_names(cluster.terminal, rows)
    else:
        for each in found:
            _show(cluster, each)
    return told(cluster.terminal, rows, refused)


def _read(targets: Sequence[str]) -> tuple[list[str], list[ImageRef]]:
    """Which targets are workloads, and which images: a workload has the name of its kind before its slash."""
    names, images = [], []
    for text in targets:
        if names_a_workload(text):
            names.append(text)
            continue
        try:
            images.append(parse(text))
        except ImageRefError as error:
            raise usage(
                f"{printable(text)!r} names neither a workload nor an image",
                cause=str(error),
                fix="write deploy/web, shop:deploy/web or ghcr.io/acme/web",
            ) from None
    return names, images


def _with_images(containers: Sequence[RunningContainer], images: Sequence[ImageRef]) -> tuple[RunningContainer, ...]:
    running = {each.container.image.canonical_name for each in containers if each.container.image is not None}
    missing = [image for image in images if image.canonical_name not in running]
    if missing:
        fix = "look with `sluice images -A`"
        raise UserError(
            *(Problem(codes.TARGET_MISSING, f"no workload here runs {image.name}", fix=fix) for image in missing)
        )
    wanted = {image.canonical_name for image in images}
    return tuple(e for e in containers if e.container.image is not None and e.container.image.canonical_name in wanted)


def _reason(row: ImageRow, kinds: ImageKinds, operator: Reasons, asked: set[str], limit: int) -> Reason:
    running, image = row.running, row.running.container.image
    if image is None or row.found is None:
        return Reason(row, (f"its image can't be read: {running.container.fault}",), ())
    reasons = [reason for policy in running.chosen_by for reason in by_policy(running, policy, kinds)]
    policies, listing = running.policies, Listing(row.found.tags, row.found.complete)
    if policies.automated or policies.locked or policies.ignored or running.has_pattern:
        choice = choose_image(policies, running.container.name, image, lambda _: listing)
        reasons.append(by_annotations(running, choice))
        said = operator.get((str(running.workload.id), running.container.name))
        reasons += [f"the operator: {said}"] if said else []
    elif not running.chosen_by:
        reasons.append(
            f"nothing updates it: no ImagePolicy is for {image.canonical_name}, and the workload is not automated"
        )
    return Reason(row, tuple(reasons), tuple(_verdicts(row, asked, limit)))


def by_policy(running: RunningContainer, policy: ImagePolicy, kinds: ImageKinds) -> list[str]:
    """What one ImagePolicy says of a container, and whether an automation writes it.

    The first sentence is about the choice; the others are what automations of the policy's namespace say against it.
    """
    name = f"ImagePolicy {policy.metadata.namespace}/{policy.metadata.name}"
    latest, ready = policy.status.latestRef, find_condition(policy.status.conditions, READY)
    if latest is None:
        return [f"{name} has chosen nothing: {_said(ready)}"]
    trouble = f"; {_said(ready)}" if ready is not None and ready.status == "False" else ""
    if latest.tag == running.tag:
        return [f"it is up to date: {name} chose {latest.tag}{trouble}"]
    first = f"{name} chose {latest.tag}, and {running.tag} runs{trouble}"
    near = [a for a in kinds.automations if a.metadata.namespace == policy.metadata.namespace]
    if not near:
        return [first, f"no ImageUpdateAutomation in {policy.metadata.namespace} writes it into git"]
    return [first, *(said for automation in near for said in _automation(automation, policy))]


def _automation(automation: Any, policy: ImagePolicy) -> list[str]:
    name = f"ImageUpdateAutomation {automation.metadata.namespace}/{automation.metadata.name}"
    if automation.spec.suspend:
        return [f"{name} is suspended"]
    ready = find_condition(automation.status.conditions, READY)
    if ready is None or ready.status != "True":
        return [f"{name}: {_said(ready)}"]
    marker = f"{policy.metadata.namespace}:{policy.metadata.name}"
    held = [one_line(line) for line in ready.message.splitlines()[1:] if marker in line]
    return [f"{name}: {line}" for line in held] or [f"{name} is ready: see that git has the marker {marker}"]


def _said(ready: Condition | None) -> str:
    return "it has not been looked at yet" if ready is None else one_line(ready.message)


def by_annotations(running: RunningContainer, choice: ContainerChoice) -> str:
    """What the workload's annotations come to."""
    hold = running.policies.hold()
    if choice.wanted is None:
        return hold or choice.reason
    if hold:
        return f"{hold}; else it would be {choice.wanted.tag}: {choice.reason}"
    again = f"sluice release --local . --workload {running.workload.id} --all-images"
    return f"its annotations choose {choice.wanted.tag} ({choice.reason}); `{again}` writes it into a checkout"


def _verdicts(row: ImageRow, asked: set[str], limit: int) -> list[Verdict]:
    """Tags that were asked about, else the newer ones, else those that take no part; `limit` of them."""
    found, policy = row.found, row.running.policy()
    if found is None:
        return []
    newer = {line.tag.tag for line in row.tags.lines if line.place == "newer"}
    part = newer | {line.tag.tag for line in row.tags.lines}
    choice = decide(policy, found.tags, Previous(ImageTag(row.running.tag)), found.complete)
    wanted = [tag for tag in found.tags if (tag.tag in asked if asked else tag.tag in newer or tag.tag not in part)]
    wanted.sort(key=lambda tag: tag.tag not in newer)
    verdicts = list(explain(policy, wanted[: limit or None], choice))
    if isinstance(policy, InvalidPolicy):
        return verdicts
    gone = [Verdict(printable(tag), False, "the registry does not list it") for tag in sorted(asked)]
    listed = {tag.tag for tag in found.tags}
    excluded = dict(found.excluded)
    return verdicts + [
        replace(each, reason=excluded.get(each.tag, each.reason)) for each in gone if each.tag not in listed
    ]


def _show(cluster: Cluster, reason: Reason) -> None:
    terminal, running = cluster.terminal, reason.row.running
    image = running.container.image
    shown = printable(str(image)) if image is not None else "?"
    terminal.answer(f"{running.workload.id} {printable(running.container.name)}: {shown}")
    for text in reason.reasons:
        terminal.answer(f"  {printable(text)}")
    for verdict in reason.verdicts:
        terminal.answer(f"    {verdict.tag}: {verdict.reason}")


def _fields(reason: Reason) -> ImageReason:
    running = reason.row.running
    image = running.container.image
    return {
        "workload": str(running.workload.id),
        "container": running.container.name,
        "image": None if image is None else str(image),
        "reasons": list(reason.reasons),
        "tags": [{"tag": v.tag, "chosen": v.chosen, "reason": v.reason} for v in reason.verdicts],
    }
