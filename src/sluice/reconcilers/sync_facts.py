"""What several reconcilers read off one Kustomization: its identities, its source, its times. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.api import git_repository
from sluice.api.kinds import IN_GROUP, IRREVERSIBLE, ROLLBACK_FROM, ROLLBACK_TO
from sluice.api.kustomization import GROUP, KIND, VERSION, Kustomization
from sluice.core.duration import parse_duration
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.name_rules import label_name_fault
from sluice.core.plan import Owner
from sluice.core.schedule import retry_interval, sync_timeout
from sluice.runtime.event_recorder import Subject


def sync_id(sync: Kustomization) -> ResourceId:
    """The Kustomization's own resource id."""
    return ResourceId(GROUP, KIND, sync.metadata.namespace, sync.metadata.name)


def owner_of(sync: Kustomization) -> Owner:
    """Whose labels its objects carry."""
    return Owner(sync.metadata.namespace, sync.metadata.name)


def group_of(sync: Kustomization) -> NamespacedName | None:
    """The group that it is one transaction with; None for none, and for a name that can't be one."""
    name = sync.metadata.annotations.get(IN_GROUP)
    return None if name is None or label_name_fault(name) else NamespacedName(sync.metadata.namespace, name)


def source_of(sync: Kustomization) -> ResourceId:
    """The source that `spec.sourceRef` names."""
    ref = sync.spec.sourceRef
    return ResourceId(git_repository.GROUP, ref.kind, ref.namespace or sync.metadata.namespace, ref.name)


def subject_of(sync: Kustomization) -> Subject:
    """The Kustomization, as an event names it."""
    return Subject.of(f"{GROUP}/{VERSION}", KIND, sync.metadata)


@dataclass(frozen=True, slots=True)
class Rollback:
    """A request to be at revision `to` for as long as git stands at `head`."""

    to: str
    head: str


def rollback_of(sync: Kustomization) -> Rollback | None:
    """The rollback that its annotations ask for."""
    to, head = (sync.metadata.annotations.get(name, "") for name in (ROLLBACK_TO, ROLLBACK_FROM))
    return Rollback(to, head) if to and head and to != head else None


def asks_for_word(sync: Kustomization) -> bool:
    """True when a person is asked before anything is done that can't be undone."""
    return sync.spec.irreversible == "Ask"


def word_of(sync: Kustomization) -> str:
    """The revision for which a person has agreed to that."""
    return sync.metadata.annotations.get(IRREVERSIBLE, "")


def word_command(sync: Kustomization, revision: str) -> str:
    """What a person types to agree."""
    meta = sync.metadata
    return f"kubectl annotate ks {meta.name} -n {meta.namespace} --overwrite {IRREVERSIBLE}={revision}"


def timeout_of(sync: Kustomization) -> float:
    """Seconds that one run may take."""
    timeout = parse_duration(sync.spec.timeout) if sync.spec.timeout else None
    return sync_timeout(parse_duration(sync.spec.interval), timeout)


def retry_of(sync: Kustomization) -> float:
    """Seconds until a failed run is tried again."""
    retry = parse_duration(sync.spec.retryInterval) if sync.spec.retryInterval else None
    return retry_interval(parse_duration(sync.spec.interval), retry)
