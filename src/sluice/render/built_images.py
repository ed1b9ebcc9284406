"""An edit of a kustomization's `images:` held against what kustomize builds: exactly the images meant are others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from sluice.api.kustomization import KustomizationSpec, SourceRef
from sluice.core.artifact import BlobReader, FileTree
from sluice.core.image import ImageRef
from sluice.core.image_update.workload import DEFAULT_NAMESPACE, WorkloadId, live_workload
from sluice.render.overlay import overlaid
from sluice.render.render_input import RenderInput
from sluice.render.renderer import Renderer

# A workload and its container.
_Container = tuple[WorkloadId, str]


@dataclass(frozen=True, slots=True)
class Built:
    """What a sync builds from a commit; `namespace` is that of objects which get none."""

    tree: FileTree
    blobs: BlobReader
    spec: KustomizationSpec
    namespace: str = DEFAULT_NAMESPACE
    commit: str = ""


def folder_spec(path: str, namespace: str = "") -> KustomizationSpec:
    """The spec of a sync that applies a folder, and sets a namespace where one is given."""
    source = SourceRef(kind="GitRepository", name="source")
    return KustomizationSpec(interval="1h", sourceRef=source, prune=False, path=path, targetNamespace=namespace)


async def differences(
    renderer: Renderer,
    built: Built,
    files: Mapping[str, bytes],
    meant: Mapping[_Container, ImageRef],
    edited: Collection[_Container],
) -> list[str]:
    """Say in words which images the files, changed so, would make others than meant; nothing when it is as meant.

    The `edited` have to be there at all.

    Raises UserError when what is there, or would be, can't be built.
    """
    before = await _images(renderer, built)
    tree, blobs = overlaid(built.tree, built.blobs, files)
    after = await _images(renderer, replace(built, tree=tree, blobs=blobs))
    said = []
    for (workload, name), has in sorted(after.items()):
        wanted = meant.get((workload, name))
        was = before.get((workload, name))
        if wanted is None and has != was:
            said.append(f"{workload} {name} would become {has}, too")
        elif wanted is not None and not _is_meant(has, wanted):
            said.append(f"{workload} {name} would become {has}, not {wanted}")
    said += [f"{workload} {name} is not built" for workload, name in sorted(set(edited) - after.keys())]
    return said


async def _images(renderer: Renderer, built: Built) -> dict[_Container, ImageRef | None]:
    spec = msgspec.structs.replace(built.spec, postBuild=None)
    given = RenderInput(built.tree, built.blobs, built.commit, spec, {}, {}, lambda _: None)
    found: dict[_Container, ImageRef | None] = {}
    for manifest in (await renderer.render(given)).manifests:
        workload = live_workload(msgspec.json.decode(manifest.body))
        if workload is not None:
            identity = replace(workload.id, namespace=manifest.id.namespace or built.namespace)
            found |= {(identity, each.name): each.image for each in workload.containers}
    return found


def _is_meant(has: ImageRef | None, wanted: ImageRef) -> bool:
    """An entry that is pinned by a digest has no tag, and none is needed."""
    if has is None or has.canonical_name != wanted.canonical_name:
        return False
    return has.canonical == wanted.canonical or (has.tag is None and has.digest == wanted.digest is not None)


def changed_others(said: Sequence[str]) -> str:
    """The differences in one text, the first few of them."""
    more = f"; and {len(said) - 5} more" if len(said) > 5 else ""
    return "; ".join(said[:5]) + more
