"""Which objects the text of a file may define, where the file can't be rendered. Pure.

A file that is broken, or that a broken kustomization takes in, still says what it is about. In doubt it may define an
object: whoever asks wants to delete that object.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from sluice.core.ids import ResourceId

_DOCUMENT = re.compile(r"^---", re.MULTILINE)
_WORD = re.compile(r"[^\s\"'{}\[\],]+")
_VALUE = r"""["']?[ \t]*:\s*["']?((?:\$\{[^}\n]*\}|[^\s"',{}\[\]])+)"""
_NAME = re.compile(r"\bname" + _VALUE)
_NAMESPACE = re.compile(r"\bnamespace" + _VALUE)
_VARIABLE = re.compile(r"\$\{[^}\n]*\}")
_GENERATORS = {"ConfigMap": "configMapGenerator", "Secret": "secretGenerator"}
# What in a kustomization gives objects other names than their files do.
_RENAMES = ("namePrefix", "nameSuffix", "Generator", "transformers")
# A namespace that is written so is known to YAML alone.
_UNKNOWN = ("*", "&", "!", "|", ">", "$")


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What a build may do to what the files say.

    With `affixes` it puts something before and after names, with `variables` something in their places; `namespaces`
    are those that it may put objects into.
    """

    affixes: bool = False
    variables: bool = False
    namespaces: frozenset[str] = frozenset()

    def with_kustomizations(self, contents: Iterable[bytes]) -> Rewriting:
        """And what these kustomizations do."""
        texts = [data.decode(errors="replace") for data in contents]
        affixes = self.affixes or any(word in text for text in texts for word in _RENAMES)
        found = {name for text in texts for name in _NAMESPACE.findall(text)}
        return replace(self, affixes=affixes, namespaces=self.namespaces | found)


def mentioned(data: bytes, wanted: Collection[ResourceId], rewriting: Rewriting) -> frozenset[ResourceId]:
    """Those of `wanted` whose kind and name one document of the text holds, and no other namespace than theirs.

    A name that can become an object's name by the rewriting counts. Costs as much as the text and `wanted` are long.
    """
    text = data.decode(errors="replace")
    there = {kind for kind in {key.kind for key in wanted} if _holds_kind(text, kind)}
    asked = [key for key in wanted if key.kind in there]
    documents = _DOCUMENT.split(text) if asked else []
    return frozenset(key for document in documents for key in _in_document(document, asked, rewriting))


def _holds_kind(text: str, kind: str) -> bool:
    return kind in text or (kind in _GENERATORS and _GENERATORS[kind] in text)


def _in_document(text: str, asked: Collection[ResourceId], rewriting: Rewriting) -> Iterable[ResourceId]:
    kinds = {kind for kind in {key.kind for key in asked} if _holds_kind(text, kind)}
    if not kinds:
        return
    words = {word.rstrip(":") for word in _WORD.findall(text)}
    changed = {n for n in _NAME.findall(text) if rewriting.affixes or (rewriting.variables and _VARIABLE.search(n))}
    stems = [_VARIABLE.split(name) if rewriting.variables else [name] for name in changed]
    spaces = rewriting.namespaces.union(_NAMESPACE.findall(text))
    anywhere = not spaces or any(space.startswith(_UNKNOWN) or "${" in space for space in spaces)
    for key in asked:
        if key.kind in kinds and (anywhere or not key.namespace or key.namespace in spaces):
            whole = not rewriting.affixes
            if key.name in words or any(_can_become(parts, key.name, whole=whole) for parts in stems):
                yield key


def _can_become(parts: Sequence[str], name: str, *, whole: bool) -> bool:
    """Whether the name holds the parts one after the other, and begins and ends with them when it is `whole`."""
    at = 0
    for part in parts:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not whole or (name.startswith(parts[0]) and name.endswith(parts[-1]))
