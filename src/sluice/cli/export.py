"""`sluice export`: our objects as they would stand in git, without what the cluster and the command line added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sluice.api.kinds import REQUESTED_AT, ROLLBACK
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.kinds import Kind, choose
from sluice.cli.live_names import words as words_of
from sluice.cli.lookup import Item, find_items, list_items
from sluice.cli.structured import to_yaml, write_structured
from sluice.cli.view import SUSPEND_REASON, SUSPENDED_AT, SUSPENDED_BY

if TYPE_CHECKING:
    from sluice.cli.answers import ExportedObject, ExportList

# Requests and notes that commands leave on an object: state, not wish.
_OURS = frozenset({REQUESTED_AT, *ROLLBACK, SUSPEND_REASON, SUSPENDED_AT, SUSPENDED_BY})
_KUBECTL = "kubectl.kubernetes.io/last-applied-configuration"


@click.command(short_help="Objects as they would stand in git.")
@words_of("", "KIND [NAME]...")
@click.option("--all", "everything", is_flag=True, help="All objects of the kind.")
@in_cluster
async def export(cluster: Cluster, *, words: tuple[str, ...], everything: bool) -> ExitCode:
    """Print objects as YAML to commit: no status, no fields of the API server, no requests. `-o json` prints a List.

    \b
    Examples: sluice export ks apps
              sluice export source git --all
    """
    chosen = choose(words)
    if everything == bool(chosen.names):
        raise usage("name objects, or give --all", fix="sluice export ks apps")
    items: list[ExportedObject] = []
    for kind in chosen.kinds:
        found = await (
            list_items(cluster, kind, cluster.scope) if everything else find_items(cluster, kind, chosen.names)
        )
        items += [exported(kind, item) for item in found]
    if cluster.flags.output == "json":
        answer: ExportList = {"apiVersion": API_VERSION, "kind": "ExportList", "items": items}
        write_structured(cluster.terminal, answer)
    elif cluster.flags.output == "name":
        for item in items:
            group = item["apiVersion"].partition("/")[0]
            cluster.terminal.answer(f"{item['kind'].lower()}.{group}/{item['metadata']['name']}")
    else:
        for item in items:
            cluster.terminal.answer(f"---\n{to_yaml(item).rstrip()}")
    if not items:
        cluster.terminal.say(f"no objects found in namespace {cluster.namespace}; -A looks in all")
    return ExitCode.DONE


def exported(kind: Kind, item: Item) -> ExportedObject:
    """One object, cleaned."""
    meta = item.get("metadata") or {}
    kept: dict[str, Any] = {"name": meta.get("name", ""), "namespace": meta.get("namespace", "")}
    if meta.get("labels"):
        kept["labels"] = dict(sorted(meta["labels"].items()))
    notes = {k: v for k, v in sorted((meta.get("annotations") or {}).items()) if k not in _OURS and k != _KUBECTL}
    if notes:
        kept["annotations"] = notes
    resource = kind.resource
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": kept,
        "spec": item.get("spec") or {},
    }
