"""The changes during which the operator is killed: what is there before, what is committed, how it has to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.operator_fixture import FAILING_JOB, config_map, deployment

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: $NS-own}\n"
# The first is applied a moment after the second: a failure after everything else was written.


@dataclass(frozen=True, slots=True)
class Scenario:
    """`base` is synced first (nothing: a first install), then `change` is committed and the killing begins.

    `undone`: the change fails, and `base` has to be there again. `first` kills the operator at that write before the
    writes are counted: the kill of the cell meets its recovery. `refused` is committed while the operator is dead, and
    can't be applied: then `base` or `change` has to be there, wholly. `folders` are those of a group, a Kustomization
    each. Objects named in `replaced` may have another UID in the end.
    """

    name: str
    base: Mapping[str, str]
    change: Mapping[str, str | None]
    undone: bool = False
    first: int = 0
    refused: Mapping[str, str | None] = field(default_factory=dict)
    spec: Mapping[str, object] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()

    @property
    def after(self) -> dict[str, str]:
        """The files of the revision that is committed."""
        merged = {**self.base, **self.change}
        return {name: text for name, text in merged.items() if text is not None}

    @property
    def outcome(self) -> dict[str, str]:
        """The files that the cluster has to match in the end."""
        return dict(self.base) if self.undone else self.after


_THREE = {f"{n}.yaml": config_map(n) for n in "ab"} | {"web.yaml": deployment("web", "nginx:1")}
_UPDATED = {f"{n}.yaml": config_map(n, "2") for n in "ab"} | {"web.yaml": deployment("web", "nginx:2")}
_BAD = {**_UPDATED, "c.yaml": config_map("c"), "job.yaml": FAILING_JOB}

INSTALL = Scenario(
    "install",
    {},
    {
        "ns.yaml": NAMESPACE,
        "own.yaml": config_map("own", namespace="$NS-own"),
        **_THREE,
    },
)
UPDATE = Scenario("update", _THREE, {**_UPDATED, "c.yaml": config_map("c")})
PRUNE = Scenario(
    "prune",
    {**_THREE, "c.yaml": config_map("c"), "d.yaml": config_map("d")},
    {"a.yaml": config_map("a", "2"), "c.yaml": None, "d.yaml": None},
)
UNDO = Scenario("undo", _THREE, _BAD, undone=True, spec={"wait": True})
REPLACE_UNDO = Scenario(
    "replace-undo",
    _THREE,
    {"a.yaml": config_map("a", "2"), "web.yaml": deployment("web", app="other"), "job.yaml": FAILING_JOB},
    undone=True,
    spec={"wait": True, "force": True},
    replaced=("web",),
)
# Killed first in the middle of the apply, or of the undo; then again while it recovers from that.
RECOVER_APPLY = Scenario("recover", _THREE, {**_UPDATED, "c.yaml": config_map("c")}, first=4)
RECOVER_UNDO = Scenario("recover-undo", _THREE, _BAD, undone=True, first=9, spec={"wait": True})
# What is open when it dies has no successor that could end it.
_BROKEN = "apiVersion: v1\nkind: ConfigMap\ndata: [\n"
REFUSED_NEXT = Scenario(
    "refused-next",
    {**_THREE, "d.yaml": config_map("d"), "e.yaml": config_map("e")},
    {**_UPDATED, "c.yaml": config_map("c"), "d.yaml": None, "e.yaml": None},
    refused={"broken.yaml": _BROKEN},
)

# A group of two: one object of each changes, one is new, one moves from the first to the second, one is pruned.
_TWO = {
    **{f"a/{n}.yaml": config_map(n) for n in ("a", "x", "old")},
    "b/b.yaml": config_map("b"),
    "b/web.yaml": deployment("web", "nginx:1"),
}
_BOTH: dict[str, str | None] = {
    "a/a.yaml": config_map("a", "2"),
    "a/x.yaml": None,
    "a/old.yaml": None,
    "b/x.yaml": config_map("x", "2"),
    "b/c.yaml": config_map("c"),
    "b/web.yaml": deployment("web", "nginx:2"),
}
_BAD_BOTH = {**_BOTH, "b/job.yaml": FAILING_JOB}
_PAIR = ("a", "b")
GROUP_INSTALL = Scenario("group-install", {}, _TWO, folders=_PAIR)
GROUP = Scenario("group", _TWO, _BOTH, folders=_PAIR)
GROUP_UNDO = Scenario("group-undo", _TWO, _BAD_BOTH, undone=True, spec={"wait": True}, folders=_PAIR)
GROUP_REFUSED_NEXT = Scenario("group-refused-next", _TWO, _BOTH, refused={"a/broken.yaml": _BROKEN}, folders=_PAIR)
GROUP_RECOVER = Scenario("group-recover", _TWO, _BOTH, first=4, folders=_PAIR)
GROUP_RECOVER_UNDO = Scenario(
    "group-recover-undo", _TWO, _BAD_BOTH, undone=True, first=8, spec={"wait": True}, folders=_PAIR
)

SCENARIOS = (
    INSTALL,
    UPDATE,
    PRUNE,
    UNDO,
    REPLACE_UNDO,
    RECOVER_APPLY,
    RECOVER_UNDO,
    REFUSED_NEXT,
    GROUP_INSTALL,
    GROUP,
    GROUP_UNDO,
    GROUP_RECOVER,
    GROUP_RECOVER_UNDO,
    GROUP_REFUSED_NEXT,
)
