"""zulip: a message in Markdown to a topic of a stream."""

from __future__ import annotations

from urllib.parse import urlencode

from sluice.core.event import Event
from sluice.notify.markdown import markdown
from sluice.notify.message import FORM, Request, Target, basic


def zulip(event: Event, target: Target) -> tuple[Request, ...]:
    """One message. The channel is `stream/topic`."""
    stream, slash, topic = target.need_channel("<stream>/<topic>").partition("/")
    if not slash or not stream or not topic:
        target.refuse_channel("<stream>/<topic>")
    form = {"type": "stream", "to": stream, "topic": topic, "content": markdown(event)}
    login = basic(target.username, target.password)
    url = f"{target.origin}/api/v1/messages"
    return (Request(url, urlencode(form).encode(), headers=login, content_type=FORM),)
