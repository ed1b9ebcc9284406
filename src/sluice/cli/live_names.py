"""Candidates for completion: kinds, and the names that are in the cluster now, kept for a few seconds.

Whatever goes wrong (no cluster, no rights, too slow) gives no candidates: completion must never print an error.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from sluice.cli.flags import Flags
    from sluice.cli.kinds import Kind

SECONDS_KEPT = 5.0
SECONDS_ALLOWED = 2.0


class Words(click.Argument):
    """The words after a verb. With `default` the first is a name of that kind already."""

    def __init__(self, decls: Sequence[str], default_kind: str = "", **more: object) -> None:
        super().__init__(list(decls), **more)  # type: ignore[arg-type]
        self._default_kind = default_kind

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Kinds and names that begin as typed."""
        from click.shell_completion import CompletionItem

        from sluice.cli.kinds import KINDS, choose
        from sluice.core.errors import SluiceError

        before = [str(word) for word in ctx.params.get(self.name or "", None) or ()]
        found: list[CompletionItem] = []
        if not before:
            kinds = (
                *(kind.short for kind in KINDS),
                *(() if self._default_kind else ("apps", "sources", "images", "all")),
            )
            found = [CompletionItem(kind, help="kind") for kind in kinds]
        try:
            words = before or ([self._default_kind] if self._default_kind else [])
            for kind in choose(words).kinds if words else ():
                found += [CompletionItem(name, help=state) for name, state in live_names(ctx.obj, kind)]
        except SluiceError:
            return [item for item in found if item.value.startswith(incomplete)]
        return [item for item in found if item.value.startswith(incomplete)]


def words(default_kind: str = "", metavar: str = "") -> Callable[[Any], Any]:
    """The decorator that adds the words of a verb."""
    return click.argument("words", nargs=-1, metavar=metavar, cls=Words, default_kind=default_kind)


def live_names(flags: Flags, kind: Kind) -> list[tuple[str, str]]:
    """Name and state of each object of the namespace."""
    from sluice import settings

    asked = (
        f"{flags.kubeconfig} {flags.context} {flags.namespace} {settings.environment().get('KUBECONFIG')} {kind.short}"
    )
    kept = settings.cache_home() / "completion" / hashlib.sha256(asked.encode()).hexdigest()[:16]
    known = _read(kept)
    if known is None:
        known = _ask(flags, kind)
        _write(kept, known)
    return [(name, state) for name, state in known]


def _ask(flags: Flags, kind: Kind) -> list[tuple[str, str]]:
    import asyncio

    from sluice.cli.cluster import open_cluster
    from sluice.cli.lookup import list_views
    from sluice.cli.terminal import Terminal

    async def ask() -> list[tuple[str, str]]:
        flags.request_timeout, flags.quiet = SECONDS_ALLOWED, True
        async with asyncio.timeout(SECONDS_ALLOWED), open_cluster(Terminal(flags)) as cluster:
            return [(view.name, view.state.lower()) for view in await list_views(cluster, kind, cluster.namespace)]

    try:
        return asyncio.run(ask())
    except TimeoutError:
        return []


def _read(path: Path) -> list[tuple[str, str]] | None:
    try:
        if time.time() - path.stat().st_mtime > SECONDS_KEPT:
            return None
        return [(str(name), str(state)) for name, state in json.loads(path.read_text())]
    except (OSError, ValueError):
        return None


def _write(path: Path, known: list[tuple[str, str]]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(json.dumps(known))
    except OSError:
        return  # the next question asks the cluster again
