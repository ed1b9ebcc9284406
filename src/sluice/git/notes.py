"""Notes on our commits, as fluxd writes them: a blob under `refs/notes/…`, found by the commit's hash.

Flux v1 keeps there what a job was asked and what came of it, as JSON, so that a client still finds it after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sluice.core.commit_text import CommitText
from sluice.git.commit import done, hash_in, people, write_blobs
from sluice.git.repository import BareRepository

NOTES = "refs/notes/"


@dataclass(frozen=True, slots=True)
class Note:
    """`ref` is the full name (`refs/notes/flux`); `content` gives the note's bytes for the new commit's hash."""

    ref: str
    content: Callable[[str], bytes]


async def write_note(
    repo: BareRepository, old: str, commit: str, content: bytes, text: CommitText, scratch: Path
) -> str:
    """Add a note to the notes at `old` (fetched; empty: the first), and return the new notes commit.

    Other commits' notes stay. The content is kept byte for byte. Raises StateError when the disk refuses.
    """
    (blob,) = await write_blobs(repo, [content], scratch)
    # git adds notes to a ref only; this one is ours alone, and gone afterwards.
    ref = f"{NOTES}sluice-{commit}"
    try:
        if old:
            done(await repo.run("update-ref", ref, old))
        done(
            await repo.run(
                "notes", f"--ref={ref}", "add", "--force", f"--reuse-message={blob}", commit, env=people(text)
            )
        )
        return hash_in(await repo.run("rev-parse", "--verify", "--quiet", ref))
    finally:
        await repo.run("update-ref", "-d", ref)
