"""Somebody says that git or a registry has changed: what is concerned is looked at now. No more can come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from sluice.api.git_repository import GitRepository
from sluice.core.fluxd_api.change import GitChange, ImageChange, is_same_remote
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef
from sluice.core.running_workload import RunningWorkload

log = structlog.get_logger()


def notice_git(
    change: GitChange, sources: Iterable[GitRepository], wake: Callable[[NamespacedName], None], *, any_remote: bool
) -> None:
    """Wake the sources that follow this branch of this remote; one that follows no branch is woken by any.

    With `any_remote` another remote counts too, for it may be a name of ours that only the git host knows; fluxd, which
    had one repository, did so.
    """
    woken = 0
    for source in sources:
        ref = source.spec.ref
        follows = "" if ref is None else ref.branch
        is_other = bool(change.branch and follows) and change.branch != follows
        is_same = is_same_remote(source.spec.url, change.url)
        if (is_same and not is_other) or (any_remote and not is_same):
            wake(source.metadata.key)
            woken += 1
    if not woken:
        log.info("notified about an unrelated change", branch=change.branch[:200])


def notice_image(
    change: ImageChange, workloads: Iterable[RunningWorkload], notified: Callable[[ImageRef], bool]
) -> None:
    """Have the repository scanned at once when a workload uses it; others are none of ours."""
    for workload in workloads:
        for image in workload.images():
            if image.canonical_name == change.canonical_name:
                notified(image)
                return
    log.info("notified about an image that nothing uses", image=change.canonical_name[:200])
