"""One container of a workload: its image, the values of the file that make it up, and what they become."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core.image import ImageRef
from sluice.core.yaml_text import Address


@dataclass(frozen=True, slots=True)
class Container:
    """`image` is None when it can't be read; `fault` then says why. A pod's image is one value, `repository`.

    In a HelmRelease registry and tag may be values of their own. `written` is the text of `repository`.
    """

    name: str
    image: ImageRef | None
    repository: Address
    registry: Address | None = None
    tag: Address | None = None
    written: str = ""
    fault: str = ""

    def values(self, target: ImageRef) -> tuple[tuple[Address, str], ...]:
        """The values that make this container run `target`, in the form which the file has.

        An image of the same repository keeps its name as it is written, and only tag and digest change. The container
        must have an image, and `target` a tag.
        """
        image = self.image
        assert image is not None  # noqa: S101  asked only of containers that can be read
        suffix = _suffix(target)
        is_same = image.canonical_name == target.canonical_name
        if is_same:
            name = self.written if self.tag is not None else self.written.removesuffix(_suffix(image))
        else:
            name = target.name if self.registry is None else target.repository
        values = [] if self.registry is None or is_same else [(self.registry, target.host)]
        if self.tag is None:
            return (*values, (self.repository, name + suffix))
        values += [] if is_same else [(self.repository, name)]
        return (*values, (self.tag, suffix.removeprefix(":")))


def _suffix(image: ImageRef) -> str:
    return str(image).removeprefix(image.name)
