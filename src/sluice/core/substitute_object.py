"""Variables in an object: every text of it, keys too, where Flux substitutes in the object's YAML.

Flux replaces in the text of the built object and reads it again, so a text that Go's YAML writer leaves unquoted may
change its type: `replicas: ${N}` becomes a number, whether or not the source had quotes. The same is done here, text
by text, and so a value can never add a key, an item or a document: `[a, b]` stays a text. Where only text is ever
valid (names, labels, annotations, the data of a ConfigMap or Secret) the type is kept, where Flux's result would be
refused by the API server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from sluice.core import codes
from sluice.core.manifest_check import Finding
from sluice.core.substitute import BadExpression, Evaluator
from sluice.core.yaml_scalar import NotANumber, resolve_plain

_SWITCH = "kustomize.toolkit.fluxcd.io/substitute"
_NAME = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")
_NEVER_FIRST = frozenset("#,[]{}&*!|>'\"%@`")
# What Go's writer takes for printable: no line break, nothing beyond the Basic Multilingual Plane.
_PRINTABLE = re.compile("[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*")
_TEXT_ONLY = re.compile(
    r"metadata\.(name|namespace|labels\..*|annotations\..*)|(ConfigMap|Secret) (data|stringData|binaryData)\..*",
    re.DOTALL,
)


def bad_names(variables: Mapping[str, str]) -> list[str]:
    """Give the names that are no variable names: Flux refuses the whole sync for one of them."""
    return sorted(name for name in variables if not _NAME.fullmatch(name))


def substitute_object(
    value: dict[str, Any], variables: Mapping[str, str], *, strict: bool = True
) -> tuple[dict[str, Any], list[Finding]]:
    """Replace variables in an object, unless its label or annotation says not to. The findings name every place."""
    if _is_switched_off(value):
        return value, []
    walk = _Walk(variables, strict, str(value.get("kind")), [])
    result = walk.map(value, "")
    return result, walk.findings


def _is_switched_off(value: dict[str, Any]) -> bool:
    metadata = value.get("metadata")
    holders = [metadata.get("labels"), metadata.get("annotations")] if isinstance(metadata, dict) else []
    return any(isinstance(holder, dict) and holder.get(_SWITCH) == "disabled" for holder in holders)


@dataclass(slots=True)
class _Walk:
    variables: Mapping[str, str]
    strict: bool
    kind: str
    findings: list[Finding]

    def any(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            return self.text(value, path) if "$" in value else value
        if isinstance(value, dict):
            return self.map(value, path)
        if isinstance(value, list):
            return [self.any(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return value

    def map(self, value: dict[str, Any], path: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in value.items():
            field = f"{path}.{key}" if path else key
            name = self.evaluated(key, field) if "$" in key else key
            if name in result:
                cause = "two keys have the same name after substitution"
                self.findings.append(Finding(codes.YAML_DUPLICATE_KEY, f"key {key!r} collides", field, cause, "rename"))
            result[name] = self.any(item, field)
        return result

    def text(self, text: str, path: str) -> Any:
        result = self.evaluated(text, path)
        if result == text or not is_written_plain(text):
            return result
        try:
            value = _read_again(result)
        except NotANumber as error:
            self.findings.append(
                Finding(codes.BAD_NUMBER, "the number does not fit JSON", path, str(error), "quote it")
            )
            return result
        if not isinstance(value, str) and (_TEXT_ONLY.fullmatch(path) or _TEXT_ONLY.fullmatch(f"{self.kind} {path}")):
            return result
        return value

    def evaluated(self, text: str, path: str) -> str:
        evaluator = Evaluator(self.variables, self.strict)
        try:
            result = evaluator.evaluate(text)
        except BadExpression as error:
            fix = "correct it, or write '$${' for a literal '${'"
            finding = Finding(codes.VARIABLE_INVALID, "the substitution is not valid", path, str(error), fix)
            self.findings.append(finding)
            return text
        for name in evaluator.undefined:
            known = ", ".join(sorted(self.variables)[:10]) or "none"
            title, fix = f"variable {name} has no value", f"add {name}, or write ${{{name}:=…}}"
            self.findings.append(Finding(codes.VARIABLE_UNDEFINED, title, path, f"known variables: {known}", fix))
        return result


def _read_again(text: str) -> Any:
    """Read a substituted text as the scalar that stands in a YAML file; what is no scalar stays text."""
    bare = text.strip(" \t")
    if bare[:1] in {"'", '"'} and len(bare) > 1 and bare[-1] == bare[0]:
        try:
            events = list(yaml.parse(bare, Loader=yaml.CSafeLoader))
        except yaml.YAMLError:
            return text
        scalars = [event.value for event in events if isinstance(event, yaml.ScalarEvent)]
        return str(scalars[0]) if len(events) == 5 and len(scalars) == 1 else text
    value = resolve_plain(bare)
    return text if isinstance(value, str) and value == bare else value


def is_written_plain(text: str) -> bool:
    """True when Go's YAML writer leaves the text unquoted in a block map.

    >>> is_written_plain("${N}"), is_written_plain("a: ${N}"), is_written_plain("- ${N}")
    (True, False, False)
    """
    if not text or text[0] in _NEVER_FIRST or text != text.strip(" ") or not _PRINTABLE.fullmatch(text):
        return False
    if text.startswith(("---", "...", "- ", "? ")) or text in {"-", "?"}:
        return False
    return ": " not in text and not text.endswith(":") and " #" not in text
