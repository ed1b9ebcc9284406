"""The CustomResourceDefinitions that an installation applies, made from the structs of the kinds."""

from __future__ import annotations

from typing import Any

import msgspec

from sluice.api import (
    alert,
    git_repository,
    image_policy,
    image_repository,
    image_update_automation,
    kustomization,
    provider,
    receiver,
)
from sluice.api.schema import Definition, crd

COMPONENT = "sluice"

KINDS: tuple[tuple[Definition, type[msgspec.Struct]], ...] = (
    (git_repository.DEFINITION, git_repository.GitRepository),
    (kustomization.DEFINITION, kustomization.Kustomization),
    (image_repository.DEFINITION, image_repository.ImageRepository),
    (image_policy.DEFINITION, image_policy.ImagePolicy),
    (image_update_automation.DEFINITION, image_update_automation.ImageUpdateAutomation),
    (provider.DEFINITION, provider.Provider),
    (alert.DEFINITION, alert.Alert),
    (receiver.DEFINITION, receiver.Receiver),
)


def part_labels(version: str, instance: str) -> dict[str, str]:
    """The labels on everything of an installation. `part-of: flux` is what the `flux` CLI looks for.

    `managed-by` is ours: `flux bootstrap` and `flux install` ask before they overwrite what is not Flux's.
    """
    return {
        "app.kubernetes.io/part-of": "flux",
        "app.kubernetes.io/component": COMPONENT,
        "app.kubernetes.io/managed-by": "sluice",
        "app.kubernetes.io/instance": instance,
        "app.kubernetes.io/version": version,
    }


def crds(version: str, instance: str = "flux-system") -> list[dict[str, Any]]:
    """Every CRD, in order of its name. `version` is the operator's, for the version label."""
    labels = part_labels(version, instance)
    made = [crd(definition, struct, labels) for definition, struct in KINDS]
    return sorted(made, key=lambda each: str(each["metadata"]["name"]))
