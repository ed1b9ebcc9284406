"""Paths that people write in specs → paths inside an artifact's tree, or a refusal."""

from __future__ import annotations

import posixpath

MAX_PATH = 4096


def clean_path(text: str, base: str = "") -> str:
    """Resolve a spec's path from the folder `base` to a path of the tree; the root is the empty text.

    A leading `/` means the root of the tree, as in Flux. `..` may be used as long as it stays in the tree.
    Raises ValueError for one that leaves the tree, is too long, or holds a NUL or another control character.

    >>> clean_path("./apps//web/"), clean_path("/"), clean_path("../base", "apps/web")
    ('apps/web', '', 'apps/base')
    """
    if len(text) > MAX_PATH:
        raise ValueError(f"a path has at most {MAX_PATH} characters, this one {len(text)}")
    if not text.isprintable():
        raise ValueError("a path holds no control characters")
    start = "" if text.startswith("/") else base
    path = posixpath.normpath(posixpath.join(start, text.lstrip("/")) or ".")
    if path == ".." or path.startswith("../"):
        raise ValueError("the path leads out of the source")
    return "" if path == "." else path.strip("/")
