"""The message of an update's commit, in fluxd's words, and its author. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.core.commit_text import Identity, identity
from sluice.core.errors import UserError
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.workload import WorkloadId
from sluice.core.message_template.fluxd import (
    automated_message,
    containers_message,
    policies_message,
    policy_events,
    release_message,
)
from sluice.core.update_spec import AutoSpec, Cause, ContainerSpec, ImageSpec, PolicySpec, UpdateSpec


def update_message(spec: UpdateSpec, results: Mapping[WorkloadId, WorkloadResult]) -> str:
    """What a person said, or else fluxd's words; of changed policies both."""
    said = spec.cause.message.strip()
    match spec.spec:
        case PolicySpec(updates=updates):
            events: dict[str, list[str]] = {}
            for update in updates:
                if results[update.workload].status == "success":
                    for event in policy_events(update.add, update.remove):
                        events.setdefault(event, []).append(str(update.workload))
            return policies_message(sorted(events.items()), said)
        case ImageSpec(image=image, workloads=workloads):
            return said or release_message(None if image is None else str(image), [str(each) for each in workloads])
        case AutoSpec():
            images = [str(update.image) for result in results.values() for update in result.updates]
            return automated_message(list(dict.fromkeys(images)))
        case ContainerSpec():
            images_of = {str(r.workload): [str(u.image) for u in r.updates] for r in results.values() if r.updates}
            return said or containers_message(images_of)
        case _:
            return said


def author_of(cause: Cause, default: Identity) -> Identity:
    """The person whom a request names as `Name <email>`, or `default` for what git can't store."""
    name, bracket, rest = cause.user.partition("<")
    email = rest.rstrip("> ") if bracket else cause.user.strip()
    if "@" not in email:
        return default
    try:
        return identity(name.strip() if bracket else "", email, field="cause.User")
    except UserError:
        return default
