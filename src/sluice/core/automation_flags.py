"""What fluxd's flags say of automation by annotations, of the registries that it asks, and of the commits it writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sluice.core.glob import glob_fits
from sluice.core.image import DOCKER_HUB, ImageRef

DEFAULT_INTERVAL = 300.0
# How often fluxd asks each registry for new tags; it has no flag for that.
SCAN_INTERVAL = 60.0
EXCLUDED = ("k8s.gcr.io/*",)
BY_LABELS = ("index.docker.io/weaveworks/*", "index.docker.io/fluxcd/*")
# The accounts of EKS' own images: nobody's identity may list them.
ECR_EXCLUDED = ("602401143452", "918309763551")
# fluxd's own name of Docker Hub, in which its users have written their globs.
_HUB = "index.docker.io"


@dataclass(frozen=True, slots=True)
class GitWriting:
    """How commits of flag mode are made; names and defaults are fluxd's.

    `notes_ref` is the short name of the notes, `sync_tag` the tag that marks what has been applied (empty: none).
    `skip_message` is put after every message, as it is. `key` are private OpenPGP keys, `key_id` chooses one.
    """

    user: str = "Weave Flux"
    email: str = "support@weave.works"
    set_author: bool = False
    sync_tag: str = ""
    notes_ref: str = "flux"
    skip_message: str = ""
    key: bytes = field(default=b"", repr=False)
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class AutomationFlags:
    """Whether annotated workloads are kept at their newest images, and which registries are asked for that.

    `interval` and `scan_interval` are in seconds. Of ECR's registries logins are asked for in these regions and
    accounts (empty: all). Globs (`*` is any text) are about canonical names, `index.docker.io/library/nginx` or
    `docker.io/library/nginx`.
    """

    is_on: bool = False
    interval: float = DEFAULT_INTERVAL
    scan_interval: float = SCAN_INTERVAL
    scans: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = EXCLUDED
    by_labels: tuple[str, ...] = BY_LABELS
    docker_config: str = ""
    ecr_regions: tuple[str, ...] = ()
    ecr_include: tuple[str, ...] = ()
    ecr_exclude: tuple[str, ...] = ECR_EXCLUDED
    revert_failed: bool = True

    def excluded(self, image: ImageRef) -> str:
        """Why the repository of an image is not scanned; empty when it is.

        >>> from sluice.core.image import parse
        >>> AutomationFlags().excluded(parse("k8s.gcr.io/pause:3.1"))
        'it is excluded by --registry-exclude-image k8s.gcr.io/*'
        """
        if not self.scans:
            return "scanning is switched off (--registry-disable-scanning)"
        found = _first(self.exclude, image)
        if found:
            return f"it is excluded by --registry-exclude-image {found}"
        if self.include and not _first(self.include, image):
            return "it is not among the images of --registry-include-image"
        return ""

    def is_dated_by_label(self, image: ImageRef) -> bool:
        """True when the image's build time is the one in its labels."""
        return bool(_first(self.by_labels, image))


def _first(globs: Iterable[str], image: ImageRef) -> str:
    names = {image.canonical_name}
    if image.host == DOCKER_HUB:
        names.add(f"{_HUB}/{image.repository}")
    return next((glob for glob in globs if any(glob_fits(glob, name) for name in names)), "")
