"""Changed files and a base commit → a new commit in a mirror, by git's plumbing: no checkout, nothing else touched."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sluice.core.artifact import FileEntry, FileTree
from sluice.core.codes import SOURCE_MISSING
from sluice.core.commit_text import CommitText
from sluice.core.edit_paths import edit_problems
from sluice.core.errors import StateError, UserError
from sluice.core.problem import Problem, clip
from sluice.git.head import Head
from sluice.git.process import GitOutput
from sluice.git.repository import BareRepository
from sluice.git.signing import SigningKey, opened, signing_failed

_GIT_MODES = {"file": "100644", "executable": "100755"}


async def write_tree(
    repo: BareRepository, head: Head, files: Mapping[str, bytes], scratch: Path, *, within: str = ""
) -> str:
    """Write the tree of `head` with these files' contents in place of the old ones, and return its hash.

    File modes stay; a new file is a plain one. Costs the changed blobs and the folders above them, whatever the
    repository's size. Raises UserError (EditPath) before anything is written, StateError when the disk refuses.
    """
    found = await head.entries(files)
    # A path at which there is a file is below nothing but folders: only for others the whole tree must tell.
    submodules = await head.submodules() if len(found) < len(files) else ()
    tree = await head.tree() if len(found) < len(files) else FileTree(found)
    problems = edit_problems(files, tree, submodules, within=within, commit=head.commit)
    if problems:
        raise UserError(*problems)
    with private_folder(scratch) as folder:
        blobs = await write_blobs(repo, list(files.values()), scratch)
        index = {"GIT_INDEX_FILE": str(folder / "index")}
        done(await repo.run("read-tree", head.commit, env=index))
        lines = [
            f"{_mode_of(tree.by_path.get(path))} {blob}\t{path}\0" for path, blob in zip(files, blobs, strict=True)
        ]
        entries = "".join(lines).encode("utf-8", "surrogateescape")
        done(await repo.run("update-index", "-z", "--index-info", stdin=entries, env=index))
        return hash_in(await repo.run("write-tree", env=index))


def _mode_of(entry: FileEntry | None) -> str:
    return _GIT_MODES[entry.mode] if entry is not None else _GIT_MODES["file"]


async def write_blobs(repo: BareRepository, contents: Sequence[bytes], scratch: Path) -> list[str]:
    """Write blobs, and return their hashes. One git for all: it is told the names of files that hold them."""
    if not contents:
        return []
    with private_folder(scratch) as folder:
        paths = [folder / f"blob-{n}" for n in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        names = "".join(f"{path}\n" for path in paths).encode()
        output = done(await repo.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=names))
        return output.stdout.decode("ascii").split()


async def tree_of(repo: BareRepository, commit: str) -> str:
    """The hash of a commit's tree: equal trees hold equal files."""
    return hash_in(await repo.run("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}"))


async def write_commit(
    repo: BareRepository, tree: str, parent: str, text: CommitText, scratch: Path, *, key: SigningKey | None = None
) -> str:
    """Commit `tree` on top of `parent`, signed when there is a key, and return the commit's hash.

    Without a key the same arguments give the same commit. Raises UserError (SigningKey) when the key can't sign.
    """
    with private_folder(scratch) as folder:
        message = folder / "message"
        message.write_text(text.message + "\n", encoding="utf-8")
        args = ["commit-tree", tree, "-p", parent, "-F", str(message)]
        if key is None:
            return hash_in(await repo.run(*args, env=people(text)))
        async with opened(key, folder) as signer:
            output = await repo.run(*signer.config, *args, "-S", env={**people(text), **signer.env})
            if not output.ok:
                raise await signing_failed(signer, output)
            return hash_in(output)


def people(text: CommitText) -> dict[str, str]:
    """The variables that tell git who writes, and when."""
    when = f"@{int(text.at.timestamp())} +0000"
    return {
        "GIT_AUTHOR_NAME": text.author.name,
        "GIT_AUTHOR_EMAIL": text.author.email,
        "GIT_AUTHOR_DATE": when,
        "GIT_COMMITTER_NAME": text.committer.name,
        "GIT_COMMITTER_EMAIL": text.committer.email,
        "GIT_COMMITTER_DATE": when,
    }


@contextmanager
def private_folder(scratch: Path) -> Iterator[Path]:
    """A folder that only we can read, gone afterwards."""
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def hash_in(output: GitOutput) -> str:
    """The one hash that a run printed. Raises StateError when it failed."""
    return done(output).stdout.decode("ascii").strip()


def done(output: GitOutput) -> GitOutput:
    """The output of a run that must have worked. Raises StateError."""
    if output.ok:
        return output
    cause = "git took too long" if output.timed_out else clip(output.stderr.strip(), 300)
    title = "a commit can't be written into the git mirror"
    raise StateError(Problem(SOURCE_MISSING, title, cause=cause, fix="check the disk of the cache folder"))
