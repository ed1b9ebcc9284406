"""`sluice explain KIND.FIELD`: what a field of a kind is for. Ours are known here; others are asked of the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import fill
from typing import TYPE_CHECKING

from sluice.api import honoured
from sluice.cli.error_output import API_VERSION
from sluice.cli.flags import usage
from sluice.cli.kinds import KINDS, Kind
from sluice.cli.structured import write_structured
from sluice.cli.terminal import Terminal
from sluice.core.openapi_schema import FieldPage, NoField, find_field, paths_of
from sluice.core.problem import printable

if TYPE_CHECKING:
    from sluice.cli import answers

WIDTH = 100
_REFUSED = {
    "Kustomization": honoured.KUSTOMIZATION_FIELDS_REFUSED,
    "GitRepository": honoured.GIT_REPOSITORY_FIELDS_REFUSED,
    "Provider": honoured.PROVIDER_FIELDS_REFUSED,
}
ALL_LEVELS = 12  # what a CRD of CRDs would need, and an end for schemas that contain themselves


@dataclass(frozen=True, slots=True)
class Explained:
    """A field, and the kind that it is of."""

    group: str
    version: str
    kind: str
    path: tuple[str, ...]
    page: FieldPage


def ours(word: str) -> Kind | None:
    """Our kind of that name."""
    return next((kind for kind in KINDS if word.lower() in kind.names), None)


def explain_ours(kind: Kind, path: Sequence[str], *, recursive: bool) -> Explained:
    """A field of one of our kinds, from the CRD that an installation applies. Raises UsageRefused."""
    from sluice.api import crds
    from sluice.api.schema import crd

    resource = kind.resource
    definition, struct = next(each for each in crds.KINDS if each[0].kind == resource.kind)
    schema = crd(definition, struct, {})["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    page = find_field(schema, {}, path, ALL_LEVELS if recursive else 1)
    found = _found(resource.kind, page)
    if tuple(path[:1]) == ("spec",) and set(path[1:2]) & set(_REFUSED.get(resource.kind, ())):
        found = replace(found, rules=(*found.rules, "this version does not act on it: refused by name (E244)"))
    return Explained(resource.group, resource.version, resource.kind, tuple(path), found)


async def explain_served(
    terminal: Terminal, word: str, path: Sequence[str], api_version: str, *, recursive: bool
) -> Explained:
    """A field of any kind that the cluster serves. Raises UsageRefused, and what keeps from asking the cluster."""
    from sluice.cli.any_object import resource_of
    from sluice.cli.cluster import open_cluster
    from sluice.kube.openapi import Schemas

    async with open_cluster(terminal) as cluster:
        resource = await resource_of(cluster, word)
        if api_version and api_version != resource.api_version:
            found = await cluster.discovery.find(api_version, resource.kind)
            if found is None:
                title = f"the cluster serves no {resource.kind} of {printable(api_version)}"
                raise usage(title, field="--api-version", fix="see kubectl api-resources")
            resource = found
        levels = ALL_LEVELS if recursive else 1
        page = await Schemas(cluster.client).field(resource.api_version, resource.kind, path, levels)
        if page is None:
            raise usage(f"the cluster has no schema of {resource.kind}", fix="its CRD may have none")
        return Explained(resource.group, resource.version, resource.kind, tuple(path), _found(resource.kind, page))


def _found(kind: str, page: FieldPage | NoField) -> FieldPage:
    if isinstance(page, FieldPage):
        return page
    where = f"{kind}.{printable(page.path)}" if page.path else kind
    fix = f"did you mean {' or '.join(page.near)}?" if page.near else f"see `sluice explain {where.lower()}`"
    raise usage(f"{where} has no field {printable(page.name)!r}", fix=fix)


# --- how it is shown --------------------------------------------------------------------------------------------------


def show_field(terminal: Terminal, found: Explained, *, recursive: bool) -> None:
    """As the flags ask: for people in kubectl's order, for programs a FieldPage, or the paths of the fields below."""
    if terminal.flags.structured:
        write_structured(terminal, _answer(found))
    elif terminal.flags.output == "name":
        start = ".".join((found.kind.lower(), *found.path))
        for path in paths_of(found.page):
            terminal.answer(printable(f"{start}.{path}"))
    else:
        for line in _lines(terminal, found, recursive=recursive):
            terminal.answer(line)


def _lines(terminal: Terminal, found: Explained, *, recursive: bool) -> Iterator[str]:
    page, width = found.page, min(terminal.width or WIDTH, WIDTH)
    yield f"KIND:     {printable(found.kind)}"
    yield f"VERSION:  {_api_version(found)}"
    if found.path:
        yield ""
        yield f"FIELD:    {printable('.'.join(found.path))} <{page.type}>{' (required)' if page.required else ''}"
    yield ""
    yield _filled(page.description or "no description", width, "")
    for rule in page.rules:
        yield _filled(rule, width, "  ")
    if page.fields:
        yield ""
        yield "FIELDS:"
    yield from _tree(page, width, recursive=recursive, margin="  ")


def _tree(page: FieldPage, width: int, *, recursive: bool, margin: str) -> Iterator[str]:
    for each in page.fields:
        yield f"{margin}{printable(each.name)} <{each.type}>{' (required)' if each.required else ''}"
        if recursive:
            yield from _tree(each, width, recursive=True, margin=margin + "  ")
        else:
            yield from (_filled(text, width, margin + "  ") for text in (each.description, *each.rules) if text)


def _filled(text: str, width: int, margin: str) -> str:
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    return f"\n{margin}\n".join(
        fill(
            printable(" ".join(part.split())),
            width,
            initial_indent=margin,
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for part in paragraphs
    )


def _api_version(found: Explained) -> str:
    return f"{found.group}/{found.version}" if found.group else found.version


def _answer(found: Explained) -> answers.FieldPage:
    return {
        "apiVersion": API_VERSION,
        "kind": "FieldPage",
        "ofKind": found.kind,
        "ofApiVersion": _api_version(found),
        "path": ".".join(found.path),
        **_item(found.page),
    }


def _item(page: FieldPage) -> answers.FieldItem:
    return {
        "name": page.name,
        "type": page.type,
        "required": page.required,
        "description": page.description,
        "rules": list(page.rules),
        "fields": [_item(each) for each in page.fields],
    }
