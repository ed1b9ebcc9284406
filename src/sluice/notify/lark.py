"""lark: an interactive card."""

from __future__ import annotations

from sluice.core.event import Event
from sluice.notify.message import Request, Target, post_json


def lark(event: Event, target: Target) -> tuple[Request, ...]:
    """One card."""
    mark, colour = ("🚨", "red") if event.is_error else ("💫", "turquoise")
    text = f"**{event.message}**\n\n" + "".join(f"{key}: {text}\n" for key, text in event.fields)
    title = {"tag": "plain_text", "content": f"{mark} {event.involved_object.short}"}
    card = {
        "config": {"wide_screen_mode": True},
        "header": {"title": title, "template": colour},
        "elements": [{"tag": "div", "text": {"tag": "lark_md", "content": text}}],
    }
    return (post_json(target.need_address(), {"msg_type": "interactive", "card": card}),)
