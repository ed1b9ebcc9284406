"""What keeps a build to its own files: references to elsewhere are known, and the build reads what was checked."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sluice.core import codes
from sluice.core.problem import Problem
from sluice.render.kustomization_file import KustomizationFile, Reference

_REMOTE = re.compile(r"(git::)?(ssh://|https?://|[A-Za-z][A-Za-z0-9-]*@|github\.com[/:])", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)")
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


def is_remote(text: str) -> bool:
    """True for what kustomize would fetch from the network, or take for another scheme."""
    return bool(_REMOTE.match(text) or _OTHER_SCHEME.match(text))


def remote_problem(file: KustomizationFile, reference: Reference) -> Problem | None:
    """Say why a reference must not be followed, without showing credentials; None when it is a path."""
    text = reference.text
    shown = re.sub(r"//[^/@]*@", "//…@", text)
    if _REMOTE.match(text):
        fix = "commit it, or make it a source of its own"
        return file.problem(
            codes.REMOTE_BASE_OFF, f"{shown!r} is remote", reference.field, "builds have no network", fix
        )
    if _OTHER_SCHEME.match(text):
        fix = "use a path inside the source"
        return file.problem(codes.URL_SCHEME, f"{shown!r} is not allowed", reference.field, "unknown scheme", fix)
    return None


def as_yaml(value: Any) -> bytes:
    """Write JSON that YAML 1.1 reads as the same: what it takes for a line break or refuses is escaped."""
    text = msgspec.json.encode(value).decode()
    return _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()
