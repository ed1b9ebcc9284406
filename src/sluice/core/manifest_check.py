"""What is wrong with one object, as far as it can be judged without an API server: all findings at once.

Decisions that are ours: the finalizer `finalizers.fluxcd.io` may stand only on Flux's own kinds, whose controllers
remove it; an owner label may be written by hand only with the owner's own value (Flux would overwrite it silently);
`sluice.dev/` keys are refused when unknown, so that a misspelt one is seen.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core import codes, name_rules
from sluice.core.ids import ResourceId, split_api_version
from sluice.core.manifest import DRIFT, DRIFT_VALUES
from sluice.core.problem import Code

MAX_DATA_BYTES = 1 << 20
MAX_ANNOTATION_BYTES = 256 << 10
OUR_PREFIX = "sluice.dev/"
OUR_KEYS = frozenset(("sluice.dev/group", "sluice.dev/wave", DRIFT))
FLUX_FINALIZER = "finalizers.fluxcd.io"
_SERVER_FIELDS = ("uid", "resourceVersion", "managedFields")
_IGNORED_FIELDS = ("creationTimestamp", "deletionTimestamp", "generation", "selfLink")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with an object; `field` is the dotted path to it. A warning's code starts with W."""

    code: Code
    title: str
    field: str
    cause: str = ""
    fix: str = ""


def identify(value: Any) -> tuple[ResourceId | None, list[Finding]]:
    """Read an object's identity, or say what it lacks for having one."""
    if not isinstance(value, dict):
        return None, [Finding(codes.BAD_TYPE, "not an object", "", f"a document must be a map, not {_kind(value)}")]
    findings = [finding for key in ("apiVersion", "kind") if (finding := _text(value, key, key))]
    metadata = value.get("metadata")
    if metadata is None:
        findings.append(_missing("metadata.name"))
        metadata = {}
    elif not isinstance(metadata, dict):
        return None, [
            *findings,
            Finding(codes.BAD_TYPE, "metadata is not a map", "metadata", f"it is {_kind(metadata)}"),
        ]
    if metadata.get("name") is None and metadata.get("generateName"):
        cause = "its name would be new at every sync"
        findings.append(
            Finding(
                codes.NOT_DECLARATIVE,
                "generateName is not declarative",
                "metadata.generateName",
                cause,
                "set metadata.name",
            )
        )
    elif "metadata" in value and (finding := _text(metadata, "name", "metadata.name")):
        findings.append(finding)
    namespace = metadata.get("namespace")
    if namespace is not None and not isinstance(namespace, str):
        findings.append(_bad_type("metadata.namespace", namespace))
    if findings:
        return None, findings
    group, _ = split_api_version(value["apiVersion"])
    return ResourceId(group, value["kind"], namespace or "", metadata["name"]), []


def check(value: dict[str, Any], id_: ResourceId, owner_labels: Mapping[str, str]) -> list[Finding]:
    """Give everything that is wrong with an identified object, and its warnings."""
    metadata = value["metadata"]
    findings = [*_names(id_), *_metadata(metadata, id_, owner_labels)]
    for field, codes_of in (("labels", _label), ("annotations", _annotation)):
        entries = metadata.get(field)
        if entries is None:
            continue
        if not isinstance(entries, dict):
            findings.append(_bad_type(f"metadata.{field}", entries, "a map"))
            continue
        for key, item in entries.items():
            findings += codes_of(f"metadata.{field}.{key}", key, item)
            findings += _reserved(f"metadata.{field}.{key}", key, item, owner_labels if field == "labels" else {})
    findings += _content(value, id_)
    if isinstance(value.get("status"), dict) and value["status"] and id_.kind != "CustomResourceDefinition":
        findings.append(
            Finding(codes.IGNORED_FIELD, "status is ignored", "status", "only the cluster writes it", "remove it")
        )
    return findings


def _names(id_: ResourceId) -> Iterator[Finding]:
    if fault := name_rules.name_fault(id_.group, id_.kind, id_.name):
        yield Finding(codes.BAD_NAME, f"{id_.name[:60]!r} is not a name", "metadata.name", fault, "rename it")
    if id_.namespace and (fault := name_rules.label_name_fault(id_.namespace)):
        title = f"{id_.namespace[:60]!r} is not a namespace's name"
        yield Finding(codes.BAD_NAME, title, "metadata.namespace", fault, "rename it")


def _metadata(metadata: dict[str, Any], id_: ResourceId, owner_labels: Mapping[str, str]) -> Iterator[Finding]:
    for key in _SERVER_FIELDS:
        if metadata.get(key):
            cause = "only the API server sets it"
            yield Finding(codes.SERVER_FIELD, f"{key} is set", f"metadata.{key}", cause, "remove it")
    for key in _IGNORED_FIELDS:
        if metadata.get(key):
            cause = "the API server sets it itself"
            yield Finding(codes.IGNORED_FIELD, f"{key} is ignored", f"metadata.{key}", cause, "remove it")
    finalizers = metadata.get("finalizers")
    if finalizers is not None and not isinstance(finalizers, list):
        yield _bad_type("metadata.finalizers", finalizers, "a list")
        return
    for index, finalizer in enumerate(finalizers or ()):
        is_flux = finalizer == FLUX_FINALIZER and not id_.group.endswith(".toolkit.fluxcd.io")
        if is_flux or (isinstance(finalizer, str) and finalizer.startswith(OUR_PREFIX)):
            yield Finding(
                codes.RESERVED_NAME,
                f"the finalizer {finalizer} is reserved",
                f"metadata.finalizers[{index}]",
                "nothing would remove it",
                "remove it",
            )


def _label(field: str, key: str, value: Any) -> Iterator[Finding]:
    if fault := name_rules.key_fault(key):
        yield Finding(codes.BAD_LABEL, f"{key[:80]!r} is not a label key", field, fault, "rename it")
    if not isinstance(value, str):
        yield Finding(codes.BAD_LABEL, f"label {key} is {_kind(value)}", field, "it must be text", "quote it")
    elif fault := name_rules.label_value_fault(value):
        yield Finding(codes.BAD_LABEL, f"{value[:80]!r} is not a label value", field, fault, "change the value")


def _annotation(field: str, key: str, value: Any) -> Iterator[Finding]:
    if fault := name_rules.key_fault(key.lower()):
        yield Finding(codes.BAD_LABEL, f"{key[:80]!r} is not an annotation key", field, fault, "rename it")
    if not isinstance(value, str):
        yield _bad_type(field, value)
    elif len(value) > MAX_ANNOTATION_BYTES:
        cause = f"{len(value) / 1024:.0f} KiB, limit 256 KiB"
        yield Finding(codes.OBJECT_TOO_BIG, f"annotation {key} is too big", field, cause, "move it out of the object")


def _reserved(field: str, key: str, value: Any, owner_labels: Mapping[str, str]) -> Iterator[Finding]:
    if key.startswith(OUR_PREFIX) and key not in OUR_KEYS:
        yield Finding(
            codes.RESERVED_NAME, f"{key} is reserved", field, f"known: {', '.join(sorted(OUR_KEYS))}", "remove it"
        )
    elif key == DRIFT and str(value).lower() not in DRIFT_VALUES:
        title = f"{DRIFT} is not a drift mode"
        yield Finding(codes.DRIFT_MODE, title, field, f"it is {str(value)[:40]!r}", "write Correct, Warn or Ignore")
    elif key in owner_labels and value != owner_labels[key]:
        cause = f"it names the owner, which is {owner_labels[key]!r}"
        yield Finding(codes.RESERVED_NAME, f"{key} is set by hand", field, cause, "remove it")


def _content(value: dict[str, Any], id_: ResourceId) -> Iterator[Finding]:
    sops = value.get("sops")
    if isinstance(sops, dict) and ("mac" in sops or "lastmodified" in sops):
        yield Finding(
            codes.ENCRYPTED,
            "the object is encrypted with SOPS",
            "sops",
            "decryption is not honoured yet, and workloads would read the encrypted text",
            "take it out of this path until it is, and apply it by hand: sops -d FILE | kubectl apply -f -",
        )
        return
    if id_.group or id_.kind not in {"Secret", "ConfigMap"}:
        return
    size = 0
    for field in ("data", "stringData" if id_.kind == "Secret" else "binaryData"):
        entries = value.get(field)
        if entries is None:
            continue
        if not isinstance(entries, dict):
            yield _bad_type(field, entries, "a map")
            continue
        encoded = field == "binaryData" or (id_.kind == "Secret" and field == "data")
        for key, item in entries.items():
            size += len(item) if isinstance(item, str) else 0
            yield from _entry(field, key, item, encoded=encoded)
    if id_.kind == "Secret":
        yield from _shadowed(value)
    if size > MAX_DATA_BYTES:
        cause = f"{size} bytes, and {MAX_DATA_BYTES} are the limit"
        yield Finding(codes.OBJECT_TOO_BIG, f"the {id_.kind} is too big", "data", cause, "split it")


def _entry(field: str, key: str, item: Any, *, encoded: bool) -> Iterator[Finding]:
    if item is None:
        return
    if not isinstance(item, str):
        yield _bad_type(f"{field}.{key}", item)
    elif encoded and decode_base64(item) is None:
        yield Finding(
            codes.BAD_BASE64,
            f"{field}.{key} is not base64",
            f"{field}.{key}",
            "the value is not shown",
            "encode it, or move it to stringData",
        )


def _shadowed(value: dict[str, Any]) -> Iterator[Finding]:
    data, text = value.get("data"), value.get("stringData")
    if isinstance(data, dict) and isinstance(text, dict):
        for key in data.keys() & text.keys():
            yield Finding(
                codes.SHADOWED_KEY,
                f"{key} is in data and in stringData",
                f"stringData.{key}",
                "stringData wins, as the API server has it",
                "remove one of them",
            )


def decode_base64(text: str) -> bytes | None:
    """Decode as Go does (line breaks are skipped), or None."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", "").encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None


def _text(holder: dict[str, Any], key: str, field: str) -> Finding | None:
    value = holder.get(key)
    if value is None or value == "":
        return _missing(field)
    return None if isinstance(value, str) else _bad_type(field, value)


def _missing(field: str) -> Finding:
    return Finding(codes.MISSING_FIELD, f"{field} is missing", field, "every object needs it", f"add {field}")


def _bad_type(field: str, value: Any, wanted: str = "text") -> Finding:
    fix = "quote it" if wanted == "text" and not isinstance(value, dict | list) else f"make it {wanted}"
    return Finding(codes.BAD_TYPE, f"{field} is {_kind(value)}", field, f"it must be {wanted}", fix)


def _kind(value: Any) -> str:
    words = {bool: "a boolean", int: "an int", float: "a number", list: "a list", dict: "a map", str: "text"}
    return words.get(type(value), "null")
