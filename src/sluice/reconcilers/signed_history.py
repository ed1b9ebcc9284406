"""fluxd's flags that ask for signatures of every commit, not only of the head: which commits, and whose keys."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Origin, Problem
from sluice.git.trusted_keys import TrustedKeys, trusted_keys_of

FLAG = "--git-gpg-key-import"
MAX_FILE = 4 << 20


@dataclass(frozen=True, slots=True)
class SignedHistory:
    """Every commit must be signed, or only those of the first-parent line; `key_files` are files and folders."""

    key_files: tuple[Path, ...]
    first_parent: bool = False

    async def keys(self) -> TrustedKeys:
        """The keys that the flag names, read anew. Raises UserError (VerifyKeys)."""
        return trusted_keys_of(await asyncio.to_thread(self._read), FLAG)

    def _read(self) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        for path in self.key_files:
            try:
                for each in _files_of(path):
                    with each.open("rb") as file:
                        found[str(each)] = file.read(MAX_FILE)
            except OSError as error:
                title = "the public keys can't be read"
                cause, fix = error.strerror or type(error).__name__, "mount the keys there, or name another place"
                problem = Problem(codes.VERIFY_KEYS, title, origin=Origin(str(path)), field=FLAG, cause=cause, fix=fix)
                raise UserError(problem) from None
        return found


def _files_of(path: Path) -> list[Path]:
    """A file, or the files of a folder, but not those of folders in it: a mounted Secret has some of its own."""
    return sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
