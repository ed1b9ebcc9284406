"""zulip: a message in Markdown to a topic of a stream."""

from __future__ import annotations

from urllib.parse import urlencode

from sluice.core.event import CHANGE_REQUEST, Event
from sluice.notify.message import FORM, Request, Target, basic


def zulip(event: Event, target: Target) -> tuple[Request, ...]:
    """One message. The channel is `stream/topic`."""
    stream, slash, topic = target.need_channel("<stream>/<topic>").partition("/")
    if not slash or not stream or not topic:
        target.refuse_channel("<stream>/<topic>")
    form = {"type": "stream", "to": stream, "topic": topic, "content": _markdown(event)}
    login = basic(target.username, target.password)
    url = f"{target.origin}/api/v1/messages"
    return (Request(url, urlencode(form).encode(), headers=login, content_type=FORM),)


def _markdown(event: Event) -> str:
    subject = event.involved_object
    mark = "⚠️" if event.is_error else "ℹ️"
    fields = "".join(f"* `{key}`: {text}\n" for key, text in event.fields if key != CHANGE_REQUEST)
    about = f"{subject.kind}/{subject.namespace}/{subject.name}"
    return f"## Flux Status\n\n{mark} {about}\n\n{event.message}\n\nMetadata:\n{fields}"
