"""slack, and discord and rocket, which take the same attachments: a bar of colour, the object, the message, fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from sluice.core.event import Event
from sluice.notify.message import Request, Target, bearer, named, post_json

API = "https://slack.com/api/chat.postMessage"


def slack(event: Event, target: Target) -> tuple[Request, ...]:
    """A message by an incoming webhook, or by the API with a token; the API says in its answer whether it worked.

    A webhook's answer names no message, so that only the API can keep an incident in one thread.
    """
    subject = event.involved_object.short
    attachment = {
        "fallback": f"{subject}: {event.message.partition(chr(10))[0]}",
        **_attachment(event, "good", "danger"),
    }
    body = _message(target, event, attachment)
    if target.address != API:
        return (post_json(target.need_address(), body, bearer(target.token)),)
    if target.mark.thread:
        # Who looks at the channel only sees that it is over, too.
        body |= {"thread_ts": target.mark.thread, "reply_broadcast": target.mark.life == "resolved"}
    request = post_json(API, body, bearer(target.token))
    begins = target.mark.life == "opened"
    return (replace(request, check=api_error, thread=_timestamp if begins else None),)


def _timestamp(answer: bytes) -> str:
    """By which the API names a message."""
    return named(answer, "ts")


def discord(event: Event, target: Target) -> tuple[Request, ...]:
    """A message by a webhook of Discord, which reads Slack's form below /slack."""
    url = target.need_address()
    if not url.endswith("/slack"):
        path, mark, query = url.partition("?")
        url = f"{path.rstrip('/')}/slack{mark}{query}"
    body = _message(replace(target, channel=""), event, {"fallback": "", **_attachment(event, "good", "danger")})
    return (post_json(url, body),)


def rocket(event: Event, target: Target) -> tuple[Request, ...]:
    """A message by an incoming webhook of Rocket.Chat."""
    attachment = {"fallback": "", **_attachment(event, "#0076D7", "#FF0000")}
    body = _message(target, event, attachment) | {"username": target.username}
    return (post_json(target.need_address(), body),)


def api_error(answer: bytes) -> str:
    """What Slack's API says is wrong; empty when it took the message."""
    try:
        said = msgspec.json.decode(answer, type=_ApiAnswer)
    except msgspec.DecodeError:
        return "the answer is not what Slack's API answers"
    return "" if said.ok else said.error or "it did not say why"


class _ApiAnswer(msgspec.Struct):
    ok: bool = False
    error: str = ""


def _message(target: Target, event: Event, attachment: dict[str, Any]) -> dict[str, Any]:
    return {
        "channel": target.channel,
        "username": target.username or event.reporting_controller,
        "icon_url": "",
        "icon_emoji": "",
        "attachments": [attachment],
    }


def _attachment(event: Event, good: str, bad: str) -> dict[str, Any]:
    return {
        "color": bad if event.is_error else good,
        "author_name": event.involved_object.short,
        "text": event.message,
        "mrkdwn_in": ["text"],
        "fields": [{"title": key, "value": text, "short": False} for key, text in event.fields],
    }
