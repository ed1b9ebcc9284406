"""An object of a kind that is not served → the served kind that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import TypeAlias

from sluice.core.ids import split_api_version
from sluice.core.manifest import Manifest
from sluice.core.manifest_set import MOVED

# An apiVersion and a kind of it, the preferred version of a group first.
ServedKind: TypeAlias = tuple[str, str]
# A group of Kubernetes' own has no dot, or ends so: nobody means another one's kind by it.
_OWN = ".k8s.io"
_NEAR = 0.75


def meant_kind(manifest: Manifest, served: Collection[ServedKind]) -> str:
    """A question that names it, for the fix of a problem; empty where nothing is near.

    The same kind under another apiVersion goes before another spelling of the kind: `extensions/v1beta1`, `app/v1`, a
    version that is gone. Another project's kind of the same name (Knative's Service) is never the one that was meant.
    """
    kind, group = manifest.id.kind, manifest.id.group
    moved = MOVED.get(manifest.id.group_kind)
    versions = [version for version, name in served if name == kind]
    same = [version for version in versions if _group(version) in {group, moved}]
    ours = [version for version in versions if _is_own(group) and _is_own(_group(version))]
    alike = difflib.get_close_matches(manifest.api_version, versions, n=1, cutoff=_NEAR)
    for version in (*same, *ours, *alike):
        return f"did you mean apiVersion: {version}?"
    beside = sorted({name for version, name in served if _group(version) == group})
    near = difflib.get_close_matches(kind, beside, n=1, cutoff=_NEAR)
    return f"did you mean kind: {near[0]}?" if near else ""


def _group(api_version: str) -> str:
    return split_api_version(api_version)[0]


def _is_own(group: str) -> bool:
    return "." not in group or group.endswith(_OWN)
