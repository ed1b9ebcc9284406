"""The desired text of one object, and the annotations on it that steer us."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

import msgspec

from sluice.core.ids import ResourceId
from sluice.core.problem import Origin

TOOLKIT = "kustomize.toolkit.fluxcd.io"
DRIFT = "sluice.dev/drift"
DRIFT_VALUES = frozenset({"correct", "warn", "ignore"})
_WAVE = re.compile(r"-?[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Directives:
    """What an object's own labels or annotations ask of us (Flux's names; values compare without case)."""

    reconcile: bool = True
    prune: bool = True
    force: bool = False
    ssa: str = "override"  # override | merge | ifnotpresent | ignore
    wave: int = 0
    drift: str = ""  # correct | warn | ignore; empty: as the sync says

    @staticmethod
    def of(labels: dict[str, str], annotations: dict[str, str]) -> Directives:
        """Read them; an annotation goes before a label of the same name, and a wave that is no number is 0."""
        if not labels and not annotations:
            return DEFAULT_DIRECTIVES

        def value(key: str) -> str:
            return annotations.get(f"{TOOLKIT}/{key}", labels.get(f"{TOOLKIT}/{key}", "")).lower()

        wave = annotations.get("sluice.dev/wave", "0")
        directives = Directives(
            reconcile=value("reconcile") != "disabled",
            prune=value("prune") != "disabled",
            force=value("force") == "enabled",
            ssa=value("ssa") or "override",
            wave=int(wave) if _WAVE.fullmatch(wave) else 0,
            drift=drift if (drift := annotations.get(DRIFT, "").lower()) in DRIFT_VALUES else "",
        )
        return DEFAULT_DIRECTIVES if directives == DEFAULT_DIRECTIVES else directives


DEFAULT_DIRECTIVES = Directives()


@dataclass(frozen=True, slots=True)
class Manifest:
    """One desired object. `body` is its JSON exactly as it will be sent; `digest` is the sha256 of that, 16 bytes.

    Bytes, not a tree of dicts: a thousand of them must stay small, and nothing between render and apply reads them.
    """

    id: ResourceId
    api_version: str
    body: bytes
    origin: Origin
    digest: bytes
    directives: Directives = DEFAULT_DIRECTIVES


def with_namespace(manifest: Manifest, namespace: str) -> Manifest:
    """The same manifest in `namespace`."""
    fields = msgspec.json.decode(manifest.body, type=dict[str, msgspec.Raw])
    metadata = msgspec.json.decode(fields["metadata"], type=dict[str, msgspec.Raw])
    metadata["namespace"] = msgspec.Raw(msgspec.json.encode(namespace))
    fields["metadata"] = msgspec.Raw(msgspec.json.encode(metadata))
    body = msgspec.json.encode(fields)
    identity = msgspec.structs.replace(manifest.id, namespace=namespace)
    return replace(manifest, id=identity, body=body, digest=hashlib.sha256(body).digest()[:16])
