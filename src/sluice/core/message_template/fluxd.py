"""The messages of fluxd's commits, which have no template: releases, automated releases and policy changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def automated_message(images: Sequence[str]) -> str:
    """The message of an automated release of these images, in order and each once."""
    if len(images) == 1:
        return f"Auto-release {images[0]}"
    if not images:
        return "Auto-release (no images)\n"
    listed = "".join(f" - {image}\n" for image in images)
    return f"Auto-release multiple ({len(images)}) images\n\n{listed}"


def release_message(image: str | None, workloads: Sequence[str]) -> str:
    """The message of a release of an image (None: the newest of each) to workloads (none named: to all)."""
    return f"Release {image or 'all latest'} to {', '.join(workloads) or 'all'}"


def containers_message(updates: Mapping[str, Sequence[str]]) -> str:
    """The message of a release to chosen containers: for each workload the images that its containers get."""
    parts = (
        "\n" + workload + "".join(f"\n- {image}" for image in images) + "\n" for workload, images in updates.items()
    )
    return f"Update image refs in {', '.join(updates)}\n{''.join(parts)}"


def policies_message(events: Iterable[tuple[str, Sequence[str]]], said: str = "") -> str:
    """The message of changed policies: what happened (`Automated`, `Locked`, …) and to which workloads.

    What a person said becomes the heading.
    """
    lines = [f"{event}: {', '.join(workloads)}" for event, workloads in events]
    if said:
        return f"{said}\n\n" + "".join(f"- {line}\n" for line in lines)
    if len(lines) > 1:
        return "Updated workload policies\n\n" + "".join(f"- {line}\n" for line in lines)
    return "".join(f"{line}\n" for line in lines)


def policy_events(add: Iterable[str], remove: Iterable[str]) -> tuple[str, ...]:
    """What fluxd calls a change of one workload's policies, each once."""
    names = {("automated", True): "Automated", ("automated", False): "Deautomated"}
    names |= {("locked", True): "Locked", ("locked", False): "Unlocked"}
    given = [*((policy, True) for policy in add), *((policy, False) for policy in remove)]
    return tuple(sorted({names.get(change, "Updated policies") for change in given}))
