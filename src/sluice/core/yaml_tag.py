"""What a tag (`!!str`, `!!binary`, …) or a key's type makes of a scalar, as the API server's reader decides it."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from sluice.core import codes
from sluice.core.problem import Code
from sluice.core.yaml_scalar import Scalar, resolve_plain

_STANDARD = "tag:yaml.org,2002:"
PROGRAM_TAG = _STANDARD + "python/"
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}


class BadTag(ValueError):
    """The tag is refused, or the text is no value of it; the text of the error is the cause."""

    def __init__(self, code: Code, title: str, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.code = code
        self.title = title
        self.fix = fix


def tagged_value(tag: str, text: str) -> Scalar:
    """Give the value of a tagged scalar. Raises BadTag, or NotANumber for a number that JSON can't hold."""
    if tag.startswith(PROGRAM_TAG):
        raise BadTag(codes.YAML_TAG, "the tag is not allowed", f"{tag} names a program's type", "remove the tag")
    name = tag.removeprefix(_STANDARD)
    if tag.startswith("!") or name in {"str", "timestamp"}:
        return text
    if name == "binary":
        return _binary(text)
    value = resolve_plain(text)
    wanted = _TYPES.get(name)
    if wanted is not None and (not isinstance(value, wanted) or (type(value) is bool and bool not in wanted)):
        raise BadTag(codes.YAML_SYNTAX, f"the value is no !!{name}", f"{text[:40]!r}", "correct the value or the tag")
    return float(value) if name == "float" and isinstance(value, int) and abs(value) >= 2**53 else value


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise BadTag(codes.YAML_SYNTAX, "the value is no !!binary", "it is not base64", "encode it") from error


def key_text(value: Any) -> str | None:
    """Give the text that JSON uses for a scalar map key, or None when it can't be a key (null, list, map).

    >>> key_text(True), key_text(8), key_text(None)
    ('true', '8', None)
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return None
