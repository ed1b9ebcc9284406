"""Kubernetes' rules for names, labels and annotations: each check gives a sentence, or nothing when it holds."""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_KINDS = frozenset(("Namespace", "Service"))
# Their names are path segments: a colon, upper case and more are allowed.
_SEGMENT_GROUPS = frozenset(("rbac.authorization.k8s.io",))
_SEGMENT_KINDS = frozenset(("ClusterTrustBundle", "IPAddress"))


def name_fault(group: str, kind: str, name: str) -> str:
    """Say which rule an object's name breaks; kinds of unknown groups get only the rules that all kinds share."""
    if len(name) > 253:
        return f"it has {len(name)} characters, limit 253"
    if name in {".", ".."} or "/" in name or "%" in name:
        return "'/', '%', '.' and '..' are not allowed"
    if group in _SEGMENT_GROUPS or kind in _SEGMENT_KINDS or not is_built_in(group):
        return "" if name.isprintable() else "control characters are not allowed"
    if not group and kind in _LABEL_KINDS:
        return label_name_fault(name)
    if _SUBDOMAIN.fullmatch(name):
        return ""
    return _offence(name, "abcdefghijklmnopqrstuvwxyz0123456789-.", "lower case letters, digits, '-' and '.'")


def label_name_fault(name: str) -> str:
    """Say why a text is no DNS label (a namespace, a Service's name)."""
    if len(name) > 63:
        return f"it has {len(name)} characters, limit 63"
    if _LABEL.fullmatch(name):
        return ""
    return _offence(name, "abcdefghijklmnopqrstuvwxyz0123456789-", "lower case letters, digits and '-'")


def _offence(name: str, allowed: str, words: str) -> str:
    for index, character in enumerate(name):
        if character not in allowed:
            return f"{character!r} at {index + 1}: only {words} are allowed"
    return f"each part must start and end with a letter or digit; {words} are allowed"


def key_fault(key: str) -> str:
    """Say why a text is no label or annotation key (`prefix/name`, the prefix optional)."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        return f"the prefix {prefix[:60]!r} is not a DNS name"
    if not name:
        return "the name part is empty"
    if len(name) > 63:
        return f"the name part has {len(name)} characters, limit 63"
    return (
        "" if _QUALIFIED.fullmatch(name) else "only letters, digits, '-', '_' and '.' are allowed, no such at the ends"
    )


def label_value_fault(value: str) -> str:
    """Say why a text is no label value."""
    if len(value) > 63:
        return f"it has {len(value)} characters, limit 63"
    if not value or _QUALIFIED.fullmatch(value):
        return ""
    return "only letters, digits, '-', '_' and '.' are allowed, a letter or digit at both ends"


def is_built_in(group: str) -> bool:
    """True for the API server's own groups, whose rules are known here."""
    return "." not in group or group.endswith(".k8s.io")


def is_account_name(text: str) -> bool:
    """True for a name that a ServiceAccount can have, a DNS subdomain.

    >>> is_account_name("deployer"), is_account_name("x:system:masters")
    (True, False)
    """
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None
