"""What the audit log says about the order of writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs

from tests.operator_fixture import Audit, Sync


@dataclass(frozen=True, slots=True)
class Entry:
    """One completed request that was taken."""

    verb: str
    path: str
    query: dict[str, list[str]]
    user: str
    at: str
    code: int

    @property
    def is_apply(self) -> bool:
        """True for a server-side apply of a revision that was stored.

        A JSON patch carries no force; what an undo gives its values back is applied without it, and is there (200).
        """
        if self.verb != "patch" or "dryRun" in self.query:
            return False
        return self.query.get("force") == ["true"] or ("force" in self.query and self.code == 201)


@dataclass(frozen=True, slots=True)
class ApplyAfterDelete:
    """In one transaction no apply comes after a deletion; a transaction begins with a write of a record."""

    audit: Audit

    def found(self, agent: str, syncs: Iterable[Sync]) -> list[str]:
        """What broke the order."""
        namespaces = {sync.target: sync.namespace for sync in syncs}
        deleted: dict[str, str] = {}
        wrong = []
        for entry in entries(self.audit, agent):
            if entry.code >= 300 or entry.verb in {"get", "list", "watch"}:
                continue
            target = next((t for t in namespaces if f"/namespaces/{t}/" in entry.path), "")
            if "/secrets" in entry.path and any(f"/namespaces/{home}/" in entry.path for home in namespaces.values()):
                deleted.clear()
            elif target and entry.verb == "delete":
                deleted[target] = entry.path
            elif target and entry.is_apply and target in deleted:
                wrong.append(f"{entry.path} was applied after {deleted[target]} was deleted")
        return wrong


def entries(audit: Audit, agent: str) -> list[Entry]:
    """Every completed request of `agent`, in the order of arrival."""
    found = []
    for entry in audit.completed(agent):
        path, _, query = entry["requestURI"].partition("?")
        code = entry.get("responseStatus", {}).get("code", 0)
        user = entry["user"]["username"]
        found.append(Entry(entry["verb"], path, parse_qs(query), user, entry["requestReceivedTimestamp"], code))
    return sorted(found, key=lambda e: e.at)
