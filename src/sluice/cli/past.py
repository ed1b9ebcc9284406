"""The history of one sync: what its status tells, and what the operator's record adds for who may read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sluice.cli.cluster import Cluster
from sluice.cli.installation import operator_namespace
from sluice.cli.view import View
from sluice.core.duration import parse_duration
from sluice.core.errors import ClusterError, StateError
from sluice.core.history import Counts, Past
from sluice.runtime.record_store import RecordStore


async def past_of(cluster: Cluster, view: View) -> tuple[Past, ...]:
    """The transactions and refusals that are remembered of a Kustomization, newest first."""
    recorded = await recorded_in(cluster, await operator_namespace(cluster), f"{view.namespace}/{view.name}")
    told = [_told(snapshot) for snapshot in view.history]
    if (
        view.ready == "False"
        and view.attempted
        and view.attempted not in {past.revision for past in (*told, *recorded)}
    ):
        # What could not be built has no digest, and so no snapshot; the newest one is in Ready.
        told.insert(0, Past(view.attempted, outcome=view.reason, ended=view.since))
    return merged(told, recorded)


async def recorded_in(cluster: Cluster, namespace: str, owner: str) -> tuple[Past, ...]:
    """The record's history. Without the right to read Secrets of the operator, status tells all there is to see."""
    records = RecordStore(cluster.client, namespace)
    try:
        await records.read(owner)
        record = records.get(owner)
    except ClusterError as error:
        if error.status != 403:
            raise
        cluster.terminal.detail("the operator's record may not be read: only what status tells is shown")
        return ()
    except StateError as error:
        cluster.terminal.warn(f"{error}")
        return ()
    return record.history if record is not None else ()


def merged(told: Iterable[Past], recorded: Iterable[Past]) -> tuple[Past, ...]:
    """Both, each attempt once, newest first: status tells refusals, too; the record does not fold repetitions."""
    told, recorded = tuple(told), tuple(past for past in recorded if past.ended)
    places = {_key(past): place for place, past in reversed(tuple(enumerate(told)))}
    known = {_key(past) for past in recorded}
    rest = [past for past in told if _key(past) not in known]
    every: list[Past] = []
    for past in recorded:
        while rest and _is_newer(rest[0], past, places):
            every.append(rest.pop(0))
        every.append(past)
    return (*every, *rest)


def _is_newer(told: Past, recorded: Past, places: dict[tuple[str, str], int]) -> bool:
    """Times are whole seconds: what ended in the same one stands as status has it, if status has both."""
    if told.ended != recorded.ended:
        return told.ended > recorded.ended
    return _key(recorded) in places and places[_key(told)] < places[_key(recorded)]


def _key(past: Past) -> tuple[str, str]:
    return past.revision, past.outcome


def _told(snapshot: dict[str, Any]) -> Past:
    metadata = {str(key): str(value) for key, value in (snapshot.get("metadata") or {}).items()}
    try:
        seconds = parse_duration(str(snapshot.get("lastReconciledDuration", "")))
    except ValueError:
        seconds = 0.0
    return Past(
        metadata.get("revision", ""),
        str(snapshot.get("digest", "")),
        str(snapshot.get("lastReconciledStatus", "")),
        str(snapshot.get("lastReconciled", "")),
        seconds,
        Counts.of_metadata(metadata),
        metadata.get("author", ""),
        metadata.get("subject", ""),
    )
