"""What a person needs beside a cluster to try things out: a git repository and a registry, and an image to push."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.git_http import GitHttpServer
from devcluster.images import make_image
from devcluster.registry import Registry

REPOSITORY = "fleet"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve both while inside; gives the line of shell that names them, which is in the folder's file `env` as well.

    The repository is empty at first; with the same folder it is the one from before, and so are the images.
    """
    with GitHttpServer(folder / "git") as git, Registry(folder / "registry") as registry:
        if not (folder / "git" / f"{REPOSITORY}.git").exists():
            git.create(REPOSITORY)
        line = f"export FLEET={git.url(REPOSITORY)} REGISTRY={registry.host}"
        (folder / "env").write_text(f"{line}\n")
        yield line


def push_tag(host: str, repository: str, tag: str) -> str:
    """Push an image of its own for that tag; returns its digest. Raises `DevclusterError` when it can't be pushed."""
    try:
        return Registry.at(host).push(repository, tag, make_image(content=tag))
    except (OSError, RuntimeError) as error:
        raise DevclusterError(
            f"{host}/{repository}:{tag} was not pushed", str(error), "is the registry there?"
        ) from None
