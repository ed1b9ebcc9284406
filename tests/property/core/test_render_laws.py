"""Laws of the render: it depends on the objects that the files hold, and on nothing else."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.manifest import Manifest
from sluice.render import Rendered, Renderer
from tests.trees import config_map, render_input

NAMES = st.text("abcdefgh", min_size=1, max_size=4)
OBJECTS = st.dictionaries(
    NAMES, st.dictionaries(NAMES, st.text("xyz é1", max_size=5), max_size=3), min_size=1, max_size=6
)


def render(files: dict[str, str]) -> Rendered:
    with tempfile.TemporaryDirectory() as work:
        return asyncio.run(Renderer(Path(work)).render(render_input(files)))


def text_of(name: str, data: dict[str, str]) -> str:
    return config_map(name, **data)


def bodies(out: Rendered) -> list[bytes]:
    return [manifest.body for manifest in out.manifests]


@given(OBJECTS)
@settings(deadline=None)
def test_rendering_twice_gives_the_same_bytes(objects: dict[str, dict[str, str]]) -> None:
    files = {f"{name}.yaml": text_of(name, data) for name, data in objects.items()}
    first, second = render(files), render(files)
    assert (first.manifests, first.digest) == (second.manifests, second.digest)


@given(OBJECTS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_how_objects_are_spread_over_files_does_not_matter(objects: dict[str, dict[str, str]], random: object) -> None:
    import random as random_module

    assert isinstance(random, random_module.Random)
    names = list(objects)
    random.shuffle(names)
    apart = {f"{index}.yaml": text_of(name, objects[name]) for index, name in enumerate(names)}
    together = {"all.yaml": "---\n".join(text_of(name, objects[name]) for name in names)}
    assert (bodies(render(apart)), render(apart).digest) == (bodies(render(together)), render(together).digest)


@given(OBJECTS)
@settings(deadline=None)
def test_comments_and_empty_documents_do_not_matter(objects: dict[str, dict[str, str]]) -> None:
    files = {f"{name}.yaml": text_of(name, data) for name, data in objects.items()}
    commented = {path: "# c\n---\n" + text.replace("\n", "  # c\n") + "---\n# end\n" for path, text in files.items()}
    assert bodies(render(files)) == bodies(render(commented))


@given(OBJECTS)
@settings(deadline=None)
def test_manifests_are_sorted_and_unique(objects: dict[str, dict[str, str]]) -> None:
    manifests: tuple[Manifest, ...] = render(
        {f"{name}.yml": text_of(name, data) for name, data in objects.items()}
    ).manifests
    found = [manifest.id for manifest in manifests]
    assert found == sorted(set(found))
    assert len(found) == len(objects)
