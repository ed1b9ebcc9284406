"""A sample of `make chaos`: one seed, a few spells."""

from __future__ import annotations

from pathlib import Path

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.chaos import open_chaos

SPELLS = 3


def test_whatever_hits_it_each_sync_comes_to_its_revision_and_nothing_is_lost(
    cluster: Cluster, crds: None, tmp_path: Path
) -> None:
    with GitHttpServer(tmp_path / "git") as git, open_chaos(cluster, git, tmp_path, "1") as chaos:
        assert chaos.run(minutes=60, spells=SPELLS) == []
