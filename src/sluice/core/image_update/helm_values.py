"""The images that a HelmRelease's values describe, in the forms that fluxd recognised.

At the top of the values (its container is `chart-image`) and one level down (its name is the key): `image` as text, or
as a map with `repository`; beside it `registry` and `tag`. Annotations `repository.fluxcd.io/<name>`, and `registry.`
and `tag.` likewise, give the paths of other images inside the values, and go before what was recognised.
"""

from __future__ import annotations

from typing import Any

from sluice.core.image import ImageRefError, parse
from sluice.core.image_update.container import Container
from sluice.core.yaml_text import Address

TOP = "chart-image"
REPOSITORY, REGISTRY, TAG = "repository.fluxcd.io/", "registry.fluxcd.io/", "tag.fluxcd.io/"
MAX_PATH_STEPS = 100

_Place = tuple[Address, Any]


def helm_containers(release: Any, at: Address, annotations: dict[str, str]) -> list[Container]:
    """The containers of a HelmRelease: `chart-image` first, then by name."""
    spec = release.get("spec")
    values = spec.get("values") if isinstance(spec, dict) else None
    if not isinstance(values, dict):
        return []
    place = at.step("spec", "values")
    found = {TOP: _recognised(TOP, values, place)}
    found |= {key: _recognised(key, value, place.step(key)) for key, value in values.items() if isinstance(value, dict)}
    found |= {name: mapped for name in _aliases(annotations) if (mapped := _mapped(name, values, place, annotations))}
    names = sorted((name for name in found if found[name] is not None), key=lambda name: (name != TOP, name))
    return [container for name in names if (container := found[name]) is not None]


def _recognised(name: str, holder: dict[str, Any], at: Address) -> Container | None:
    image = holder.get("image")
    if isinstance(image, str):
        return _container(name, (at.step("image"), image), _beside(holder, at, "registry"), _beside(holder, at, "tag"))
    if not isinstance(image, dict) or not isinstance(image.get("repository"), str):
        return None
    inner = at.step("image")
    repository = inner.step("repository"), image["repository"]
    return _container(name, repository, _beside(image, inner, "registry"), _beside(image, inner, "tag"))


def _beside(holder: dict[str, Any], at: Address, key: str) -> _Place | None:
    return (at.step(key), holder[key]) if key in holder else None


def _aliases(annotations: dict[str, str]) -> list[str]:
    return [key.removeprefix(REPOSITORY) for key in annotations if key.startswith(REPOSITORY) and key != REPOSITORY]


def _mapped(name: str, values: dict[str, Any], at: Address, annotations: dict[str, str]) -> Container | None:
    places: dict[str, _Place | None] = {}
    for prefix in (REPOSITORY, REGISTRY, TAG):
        path = annotations.get(prefix + name)
        places[prefix] = None if path is None else _resolved(values, at, path)
        if path is not None and places[prefix] is None:
            return Container(name, None, at, fault=f"{prefix}{name}: there is no value {path!r} in spec.values")
    repository = places[REPOSITORY]
    if repository is None or not isinstance(repository[1], str):
        return Container(name, None, at, fault=f"{REPOSITORY}{name}: the value is no text")
    return _container(name, repository, places[REGISTRY], places[TAG])


def _resolved(values: Any, at: Address, path: str) -> _Place | None:
    """Follow a path with dots; `~1` is a dot in a key and `~0` a `~`."""
    steps = path.split(".")
    if len(steps) > MAX_PATH_STEPS:
        return None
    for step in steps:
        key = step.replace("~1", ".").replace("~0", "~")
        if not isinstance(values, dict) or key not in values:
            return None
        values, at = values[key], at.step(key)
    return at, values


def _container(name: str, repository: _Place, registry: _Place | None, tag: _Place | None) -> Container:
    if registry is not None and not registry[1]:
        registry = None  # charts have `registry: ""` for none
    where = repository[0], registry[0] if registry else None, tag[0] if tag else None
    for key, place in (("registry", registry), ("tag", tag)):
        if place is not None and place[1] is not None and not isinstance(place[1], str):
            # An unquoted 1.10 is the number 1.1: what the file says is lost to whoever reads it.
            return Container(name, None, *where, fault=f"its {key} is no text; put it in quotes")
    text = repository[1] if registry is None else f"{registry[1]}/{repository[1]}"
    try:
        image = parse(text if tag is None or not tag[1] else f"{text}:{tag[1]}")
    except ImageRefError as error:
        return Container(name, None, *where, fault=str(error))
    return Container(name, image, *where, written=repository[1])
