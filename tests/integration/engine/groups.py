"""Several Kustomizations of one repository, each with a folder named after it, that are one group."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.operator_fixture import Bench, Sync

IN_GROUP = "sluice.dev/group"


@dataclass
class Group:
    """A source, and its members by the folder that each applies."""

    source: Sync
    name: str
    members: dict[str, Sync] = field(default_factory=dict)

    def __getitem__(self, folder: str) -> Sync:
        return self.members[folder]

    def join(self, folder: str, *, grouped: bool = True, **spec: Any) -> Sync:
        """Make a Kustomization of that folder."""
        member = Sync(self.source.bench, f"{self.source.name}-{folder}", self.source.target, self.source.repo)
        self.members[folder] = member
        annotations = {IN_GROUP: self.name} if grouped else {}
        given = {"sourceRef": {"kind": "GitRepository", "name": self.source.name}, "path": f"./{folder}", **spec}
        member.create(metadata={"annotations": annotations}, **given)
        return member

    def annotate(self, folder: str, value: str | None) -> None:
        """Let a member join another group, or leave its own."""
        self.source.bench.api.patch(self[folder].path, {"metadata": {"annotations": {IN_GROUP: value}}})

    def push(self, files: Mapping[str, str | None]) -> str:
        """Commit and push; the source looks at once."""
        return self.source.push(files)

    def wait_ready(self, revision: str) -> None:
        """Wait until every member is at `revision`."""
        for member in self.members.values():
            member.wait_ready(revision)

    @property
    def values(self) -> dict[str, Any]:
        """The ConfigMaps of the target namespace that the operator applied, with their values."""
        path = self.source.at("configmaps", "").rstrip("/")
        found = self.source.bench.api.get(f"{path}?labelSelector=kustomize.toolkit.fluxcd.io/name")
        assert found is not None
        return {item["metadata"]["name"]: item["data"]["key"] for item in found["items"]}


def group(bench: Bench, files: Mapping[str, str | None], folders: str = "ab", **spec: Any) -> Group:
    """A source and a group whose members have all applied `files`."""
    made = Group(bench.source(), f"g-{secrets.token_hex(3)}")
    revision = made.source.commit(files)
    made.source.create_source()
    for folder in folders:
        made.join(folder, **spec)
    made.wait_ready(revision)
    return made
