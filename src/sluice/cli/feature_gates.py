"""`--feature-gates NAME=true,…`: what Flux, too, does only when it is told to, by its name there."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.cli.flags import usage
from sluice.core.problem import clip, printable

OBJECT_IDENTITIES = "ObjectLevelWorkloadIdentity"
GATES = (OBJECT_IDENTITIES,)


def gates_of(texts: Iterable[str]) -> frozenset[str]:
    """The gates that are open; the last word on each counts. Raises UserError (Usage) for one that is none of ours."""
    said: dict[str, bool] = {}
    for text in (part.strip() for given in texts for part in given.split(",") if part.strip()):
        name, _, value = text.partition("=")
        if name not in GATES or value not in {"true", "false"}:
            fix = f"write {OBJECT_IDENTITIES}=true, the only gate that there is"
            raise usage(f"--feature-gates has {printable(clip(text, 80))!r}", field="--feature-gates", fix=fix)
        said[name] = value == "true"
    return frozenset(name for name, is_open in said.items() if is_open)
