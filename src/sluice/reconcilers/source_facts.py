"""What several reconcilers read off one GitRepository: its identity, and how events name it. Pure."""

from __future__ import annotations

from sluice.api.git_repository import GROUP, KIND, VERSION, GitRepository
from sluice.core.ids import NamespacedName, ResourceId
from sluice.runtime.event_recorder import Subject


def source_id(key: NamespacedName) -> ResourceId:
    """The resource id of the GitRepository with that key."""
    return ResourceId(GROUP, KIND, key.namespace, key.name)


def subject_of(source: GitRepository) -> Subject:
    """The source, as an event names it."""
    return Subject.of(f"{GROUP}/{VERSION}", KIND, source.metadata)
