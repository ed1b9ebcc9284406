"""A hint that git or a registry has changed wakes those whom it concerns, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sluice.api.git_repository import GitRef, GitRepository, GitRepositorySpec
from sluice.api.kinds import ObjectMeta
from sluice.core.fluxd_api.change import GitChange, ImageChange
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef
from sluice.core.running_workload import RunningWorkload, running_workload
from sluice.reconcilers.fluxd_notices import notice_git, notice_image


def source(name: str, url: str, ref: GitRef | None) -> GitRepository:
    spec = GitRepositorySpec(url=url, interval="1m", ref=ref)
    return GitRepository(metadata=ObjectMeta(name=name, namespace="flux"), spec=spec)


SOURCES = [
    source("main", "https://host/team/app", GitRef(branch="main")),
    source("next", "ssh://git@host/team/app.git", GitRef(branch="next")),
    source("tags", "https://host/team/app", GitRef(semver="*")),
    source("other", "https://host/team/other", GitRef(branch="main")),
]


@pytest.mark.parametrize(
    ("url", "branch", "any_remote", "woken"),
    [
        ("git@host:team/app.git", "main", False, ["main", "tags"]),
        ("https://host/team/app", "next", False, ["next", "tags"]),
        ("https://host/team/app", "", False, ["main", "next", "tags"]),
        ("https://host/team/app", "topic", False, ["tags"]),
        ("https://elsewhere/x", "main", False, []),
        ("https://elsewhere/x", "main", True, ["main", "next", "tags", "other"]),
        ("https://host/team/other", "topic", True, ["main", "next", "tags"]),
        ("--upload-pack=x", "../../x", False, []),
    ],
)
def test_a_push_wakes_the_sources_that_follow_its_branch(
    url: str, branch: str, any_remote: bool, woken: list[str]
) -> None:
    found: list[NamespacedName] = []
    notice_git(GitChange(url, branch), SOURCES, found.append, any_remote=any_remote)
    assert [key.name for key in found] == woken


def workload(name: str, image: str) -> RunningWorkload:
    pod = {"spec": {"containers": [{"name": "main", "image": image}]}}
    body = {"kind": "Deployment", "metadata": {"name": name, "namespace": "shop"}, "spec": {"template": pod}}
    found = running_workload(body)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("told", "scanned"),
    [("docker.io/library/nginx", ["nginx:1"]), ("quay.io/acme/web", ["quay.io/acme/web:2"]), ("x", [])],
)
def test_an_image_is_scanned_only_when_a_workload_uses_it(told: str, scanned: Sequence[str]) -> None:
    found: list[str] = []

    def notified(image: ImageRef) -> bool:
        found.append(str(image))
        return True

    notice_image(ImageChange(told), [workload("a", "nginx:1"), workload("b", "quay.io/acme/web:2")], notified)
    assert found == scanned
