"""An event as Markdown, as Flux writes it for people who read more than a line."""

from __future__ import annotations

from sluice.core.event import CHANGE_REQUEST, Event


def markdown(event: Event) -> str:
    """A heading, the object, the message and the metadata."""
    subject = event.involved_object
    mark = "⚠️" if event.is_error else "ℹ️"
    fields = "".join(f"* `{key}`: {text}\n" for key, text in event.fields if key != CHANGE_REQUEST)
    about = f"{subject.kind}/{subject.namespace}/{subject.name}"
    return f"## Flux Status\n\n{mark} {about}\n\n{event.message}\n\nMetadata:\n{fields}"
