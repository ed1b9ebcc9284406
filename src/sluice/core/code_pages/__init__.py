"""The page of each error code: its number → `CodePage`. One file per range; a page's text is all there is to change.

Nothing on the way of a change reads these: they are loaded when somebody asks for a page.
"""

from __future__ import annotations

from sluice.core.code_pages import (
    access,
    automation,
    build,
    cluster,
    command_line,
    diagnosis,
    generation,
    identity,
    images,
    notifications,
    receivers,
    source,
    updates,
    warnings,
)
from sluice.core.code_pages.page import CodePage

__all__ = ["PAGES", "CodePage"]

PAGES: dict[str, CodePage] = {
    **source.PAGES,
    **build.PAGES,
    **cluster.PAGES,
    **images.PAGES,
    **access.PAGES,
    **identity.PAGES,
    **automation.PAGES,
    **updates.PAGES,
    **generation.PAGES,
    **command_line.PAGES,
    **diagnosis.PAGES,
    **notifications.PAGES,
    **receivers.PAGES,
    **warnings.PAGES,
}
