"""The filters that say which tags take part: all, those that a pattern is found in, those that a glob fits."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core.glob import glob_fits
from sluice.core.image_policy.policy import Unfit, quoted
from sluice.core.regular_expression import RegularExpression, Template

_LATEST = Unfit("is taken only when the pattern is exactly glob:latest")


@dataclass(frozen=True, slots=True)
class AllTags:
    """Every tag, as it is."""

    @property
    def words(self) -> str:
        """Nothing to say."""
        return ""

    def text_of(self, tag: str) -> str | Unfit:
        """The tag."""
        return tag


@dataclass(frozen=True, slots=True)
class PatternFilter:
    """The tags that a regular expression is found in; with a template what it makes of them is compared."""

    pattern: RegularExpression
    extract: Template | None = None

    @property
    def words(self) -> str:
        """How people read it."""
        words = f"matching {quoted(self.pattern.text)}"
        return words if self.extract is None else f"{words}, compared by {quoted(self.extract.text)}"

    def text_of(self, tag: str) -> str | Unfit:
        """The tag, or what the template makes of it."""
        if self.extract is None:
            text = tag if self.pattern.matches(tag) else None
        else:
            text = self.pattern.expand(self.extract, tag)
        return Unfit(f"does not match {quoted(self.pattern.text)}") if text is None else text


@dataclass(frozen=True, slots=True)
class GlobFilter:
    """The tags that a glob fits as a whole; `*` stands for any text, and nothing else is special."""

    glob: str

    @property
    def words(self) -> str:
        """How people read it."""
        return "" if self.glob == "*" else f"matching {quoted(self.glob)}"

    def text_of(self, tag: str) -> str | Unfit:
        """The tag."""
        return tag if glob_fits(self.glob, tag) else Unfit(f"does not match {quoted(self.glob)}")


@dataclass(frozen=True, slots=True)
class WithoutLatest:
    """Another filter, without the tag `latest` in any case of its letters: fluxd's rule."""

    filter: AllTags | GlobFilter | PatternFilter

    @property
    def words(self) -> str:
        """How people read it: as the filter itself."""
        return self.filter.words

    def text_of(self, tag: str) -> str | Unfit:
        """What the filter gives."""
        return _LATEST if tag.lower() == "latest" else self.filter.text_of(tag)
