"""The quotas that undone revisions ran into: once one of them allows something else, the revision is tried again."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.core import codes
from sluice.core.plan import Owner
from sluice.core.problem import Problem
from sluice.reconcilers.operator import Operator

Allowed = frozenset[tuple[str, str, str, str]]


class MetQuotas:
    """Knows what was allowed when a revision failed, or when this process first looked at one that had.

    Of single syncs, and of groups under the group's name.
    """

    def __init__(self, operator: Operator) -> None:
        self._op = operator
        self._allowed: dict[Owner, Allowed] = {}

    def forget(self, owner: Owner) -> None:
        """Drop what is kept for it."""
        self._allowed.pop(owner, None)

    async def note(self, owner: Owner, problems: Sequence[Problem]) -> None:
        """A revision was undone for these problems. Raises ClusterError."""
        self.forget(owner)
        if met(problems):
            self._allowed[owner] = await self._allows(problems)

    async def changed(self, owner: Owner, problems: Sequence[Problem]) -> bool:
        """True when a quota that was met allows something else than it did. Raises ClusterError."""
        if not met(problems):
            return False
        now = await self._allows(problems)
        return self._allowed.setdefault(owner, now) != now

    async def _allows(self, problems: Sequence[Problem]) -> Allowed:
        namespaces = {p.subject.namespace for p in problems if p.code is codes.QUOTA_EXCEEDED and p.subject is not None}
        quotas = await self._op.quotas.of(namespaces)
        return frozenset((q.namespace, q.name, what, amount) for q in quotas for what, amount in q.hard.items())


def met(problems: Sequence[Problem]) -> bool:
    """True when a quota is among the reasons."""
    return any(problem.code is codes.QUOTA_EXCEEDED for problem in problems)
