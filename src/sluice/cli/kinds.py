"""The kinds that verbs take, by every name that people use: `ks`, `sources git`, `image policy`, `git/fleet`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

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
from sluice.cli.flags import usage
from sluice.core.name_rules import name_fault
from sluice.core.problem import printable
from sluice.kube.resource import Resource


@dataclass(frozen=True, slots=True)
class Kind:
    """One of our kinds. `short` is how people and our own output name it. Without status it has no turns either."""

    resource: Resource
    short: str
    names: tuple[str, ...]
    has_status: bool = True

    def reference(self, name: str) -> str:
        """The form for people: `ks/apps`."""
        return f"{self.short}/{name}"

    def full_name(self, name: str) -> str:
        """The form that kubectl takes: `kustomization.kustomize.toolkit.fluxcd.io/apps`."""
        return f"{self.resource.kind.lower()}.{self.resource.group}/{name}"


def _kind(definition: object, short: str, *names: str, has_status: bool = True) -> Kind:
    from sluice.api.schema import Definition

    assert isinstance(definition, Definition)  # noqa: S101
    resource = Resource(definition.group, definition.version, definition.kind, definition.plural, namespaced=True)
    every = (short, definition.kind.lower(), definition.plural, *definition.short_names, *names)
    return Kind(resource, short, tuple(dict.fromkeys(every)), has_status)


SYNCS = _kind(kustomization.DEFINITION, "ks")
GIT = _kind(git_repository.DEFINITION, "git", "gitrepos")
IMAGE_REPOSITORIES = _kind(image_repository.DEFINITION, "imgrepo")
IMAGE_POLICIES = _kind(image_policy.DEFINITION, "imgpol")
IMAGE_AUTOMATIONS = _kind(image_update_automation.DEFINITION, "imgupd")
IMAGES = (IMAGE_REPOSITORIES, IMAGE_POLICIES, IMAGE_AUTOMATIONS)
RECEIVERS = _kind(receiver.DEFINITION, "receiver")
PROVIDERS = _kind(provider.DEFINITION, "provider", "alert-provider", "alert-providers", has_status=False)
ALERTS = _kind(alert.DEFINITION, "alert", has_status=False)
KINDS = (SYNCS, GIT, *IMAGES, RECEIVERS, PROVIDERS, ALERTS)
_SETS: dict[str, tuple[Kind, ...]] = {
    "apps": (SYNCS,),
    "app": (SYNCS,),
    "sources": (GIT,),
    "source": (GIT,),
    "images": IMAGES,
    "image": IMAGES,
    "all": (GIT, SYNCS, *IMAGES, RECEIVERS),
}
# The words of the flux CLI after the name of a family.
_MEMBERS: dict[str, dict[str, tuple[Kind, ...]]] = {
    "source": dict.fromkeys(("all", *GIT.names), (GIT,)),
    "image": {
        "all": IMAGES,
        "repository": (IMAGE_REPOSITORIES,),
        "policy": (IMAGE_POLICIES,),
        "update": (IMAGE_AUTOMATIONS,),
    },
}
_BY_NAME = {name: (kind,) for kind in KINDS for name in kind.names} | _SETS
_KINDS = ", ".join([*(kind.short for kind in KINDS), *_SETS])
_NAMES_OF_APPS = frozenset({"app", "apps", "all"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the words after a verb mean: kinds, and names of each (none: all objects)."""

    kinds: tuple[Kind, ...]
    names: tuple[str, ...]


def choose(words: Sequence[str], default: str = "") -> Chosen:
    """Read `KIND [NAME…]`, `KIND/NAME…`, `sources git NAME`; with a `default` kind `NAME…`. Raises UsageRefused."""
    if not words:
        if not default:
            raise usage("no kind is named", fix=f"one of {', '.join(sorted(_BY_NAME))}")
        return Chosen(_BY_NAME[default], ())
    if any("/" in word for word in words):
        return _slashed(words)
    head, *rest = words
    kinds = _BY_NAME.get(head.lower())
    # With a default kind one word is always a name, and a set of kinds names none: an app may be called "apps".
    if default and (kinds is None or not rest or head in _NAMES_OF_APPS):
        return Chosen(_BY_NAME[default], _checked(words))
    if kinds is None:
        raise _unknown_kind(head)
    if rest and (members := _MEMBERS.get(head.lower().removesuffix("s"))) is not None:
        if rest[0] not in members:
            raise _unknown_kind(f"{head} {rest[0]}")
        kinds, rest = members[rest[0]], rest[1:]
    if rest and len(kinds) > 1:
        raise usage(f"{head} is several kinds, of which none has a name", fix="name one of them")
    return Chosen(kinds, _checked(rest))


def names_a_kind(word: str) -> bool:
    """True for a word that can only be a kind: an app may be called `apps`."""
    return word.lower() in _BY_NAME and word not in _NAMES_OF_APPS


def _slashed(words: Sequence[str]) -> Chosen:
    kinds: dict[Kind, None] = {}
    names = []
    for word in words:
        kind, slash, name = word.partition("/")
        found = _BY_NAME.get(kind.lower())
        if not slash or found is None or len(found) > 1 or kind.lower() in _SETS:
            raise _unknown_kind(kind) if found is None else usage(f"{printable(word)!r} is not KIND/NAME")
        kinds.update(dict.fromkeys(found))
        names.append(name)
    if len(kinds) > 1:
        raise usage("objects of several kinds are named", fix="name those of one kind at a time")
    return Chosen(tuple(kinds), _checked(names))


def _checked(names: Sequence[str]) -> tuple[str, ...]:
    from sluice.core import codes

    for name in names:
        if not name or name_fault("apps", "", name):
            fault = name_fault("apps", "", name) if name else "it is empty"
            raise usage(f"{printable(name)!r} can't be an object's name", code=codes.BAD_NAME, cause=fault)
    return tuple(dict.fromkeys(names))


def _unknown_kind(word: str) -> Exception:
    # Of a short word half the letters say nothing: `infra` is not `iua`.
    near = difflib.get_close_matches(word.lower(), _BY_NAME, n=3, cutoff=0.7)
    name = printable(word) if not name_fault("apps", "", word) else "NAME"
    fix = f"did you mean {' or '.join(near)}?" if near else f"name a kind first, as in ks/{name}; kinds are {_KINDS}"
    return usage(f"there is no kind {printable(word)!r}", fix=fix)
