"""An annotated tag that is moved, as fluxd's sync pointer is: made in the mirror, then pushed over the one before."""

from __future__ import annotations

from pathlib import Path

from sluice.core.commit_text import CommitText
from sluice.git.commit import done, hash_in, people, private_folder
from sluice.git.repository import BareRepository
from sluice.git.signing import SigningKey, opened, signing_failed

TAGS = "refs/tags/"


async def write_tag(
    repo: BareRepository, name: str, commit: str, text: CommitText, scratch: Path, *, key: SigningKey | None = None
) -> str:
    """Make the tag object for a commit, signed when there is a key, and return its hash. The mirror keeps no ref of it.

    Raises UserError (SigningKey) when the key can't sign, StateError when the disk refuses.
    """
    # git makes tags by their refs only; the ref is ours alone, and gone afterwards.
    ref = f"{TAGS}{name}"
    with private_folder(scratch) as folder:
        message = folder / "message"
        message.write_text(text.message + "\n", encoding="utf-8")
        args = ["tag", "--force", "-F", str(message), name, commit]
        try:
            if key is None:
                done(await repo.run("-c", "tag.gpgSign=false", *args[:1], "-a", *args[1:], env=people(text)))
            else:
                async with opened(key, folder) as signer:
                    env = {**people(text), **signer.env}
                    output = await repo.run(*signer.config, *args[:1], "-s", *args[1:], env=env)
                    if not output.ok:
                        raise await signing_failed(signer, output)
            return hash_in(await repo.run("rev-parse", "--verify", "--quiet", ref))
        finally:
            await repo.run("update-ref", "-d", ref)
