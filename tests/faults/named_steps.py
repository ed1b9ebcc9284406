"""Steps of the operator at which a test can have it killed, by name; they are where no write to the API server is.

`instrument` replaces attributes of the process, as `planted_bugs` does. A file says at which step this life is to end:
it is removed first, so the next life passes that step.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sluice.core.transaction_messages import Apply, AwaitHealth, Prune, SaveRecord, TakeImages, Undo, Validate
from sluice.git import fetch
from sluice.kube.lease import Candidate
from sluice.reconcilers import kustomization
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.planning import Planner
from sluice.render import Renderer
from sluice.runtime.event_recorder import EventRecorder
from sluice.runtime.executor import Executor
from sluice.store.artifacts import ArtifactStore
from tests.faults.planted_bugs import plant

# Where, which attribute, and the step's name; each is two: before it and after it.
PLACES: tuple[tuple[Any, str, str], ...] = (
    (GitRepositoryReconciler, "_fetch", "fetch"),
    (fetch.Fetch, "into", "pack"),
    (ArtifactStore, "put", "publish"),
    (Renderer, "render", "render"),
    (Planner, "plan", "plan"),
    (Candidate, "_renew", "lease"),
    (kustomization, "finalize", "finalize"),
)
# Commands of a transaction.
COMMANDS: dict[type, str] = {
    Validate: "dry-run",
    TakeImages: "images",
    SaveRecord: "record",
    Apply: "apply",
    AwaitHealth: "health",
    Prune: "prune",
    Undo: "undo",
}
STEPS = (
    *(f"{when} {name}" for _, _, name in PLACES for when in ("before", "after")),
    *(f"{when} {name}" for name in COMMANDS.values() for when in ("before", "after")),
    "before event",
)


def instrument(file: str) -> None:
    """End this process by SIGKILL at the step that `file` names, once it does."""
    dies = _dies_at(Path(file))
    for where, attribute, name in PLACES:
        plant(where, attribute, _around(getattr(where, attribute), lambda *_, name=name: name, dies))
    plant(Executor, "_execute", _around(Executor._execute, lambda _, command, *__: COMMANDS[type(command)], dies))
    record = EventRecorder.record

    def told(self: EventRecorder, *arguments: Any, **named: Any) -> None:
        dies("before event")
        record(self, *arguments, **named)

    plant(EventRecorder, "record", told)


def _dies_at(file: Path) -> Callable[[str], None]:
    def dies(step: str) -> None:
        if file.exists() and file.read_text() == step:
            file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    return dies


def _around(original: Any, name_of: Callable[..., str], dies: Callable[[str], None]) -> Any:
    async def wrapped(*arguments: Any, **named: Any) -> Any:
        name = name_of(*arguments)
        dies(f"before {name}")
        answer = await original(*arguments, **named)
        dies(f"after {name}")
        return answer

    return wrapped
