"""One comment on a pull or merge request for each object, edited in place: what it is, and how a host's API has it.

The comment is found by a mark that is not shown, and by who wrote it: anybody can copy the mark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sluice.core.codes import CHANGE_REQUEST_INVALID, NOTIFY_REFUSED
from sluice.core.errors import UserError
from sluice.core.event import CHANGE_REQUEST, Event
from sluice.core.problem import Problem, clip, printable
from sluice.notify.markdown import markdown
from sluice.notify.message import Request, Target, named, post_json

# A hundred comments, each as long as hosts allow: the first page is enough, for ours is among the first.
LIST_BYTES = 8 << 20
PER_PAGE = 100
MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class CommentApi:
    """A host's API: who we are, the comments of a request, and a comment made or edited.

    `word` is what its comments' marks begin with; `user` and `author` are paths in its answers to a user's name.
    """

    word: str
    user: str
    author: tuple[str, ...]
    me: Callable[[Target], Request]
    comments: Callable[[Target, str], Request]
    create: Callable[[Target, str, str], Request]
    edit: Callable[[Target, str, str, str], Request]


def comments_like_githubs(
    me: Callable[[Target], Request],
    api: Callable[[Target], str],
    headers: Callable[[Target], dict[str, str]],
    *,
    first_page: str,
) -> CommentApi:
    """GitHub's API, which Gitea's is like: `api` gives a repository's address, `first_page` is a query."""

    def comments(target: Target, number: str) -> Request:
        url = f"{api(target)}/issues/{number}/comments?{first_page}"
        return Request(url, method="GET", headers=headers(target), answer_bytes=LIST_BYTES)

    def create(target: Target, number: str, text: str) -> Request:
        return post_json(f"{api(target)}/issues/{number}/comments", {"body": text}, headers(target))

    def edit(target: Target, number: str, comment: str, text: str) -> Request:
        request = post_json(f"{api(target)}/issues/comments/{comment}", {"body": text}, headers(target))
        return replace(request, method="PATCH")

    return CommentApi("flux-pr-comment-key", "login", ("user", "login"), me, comments, create, edit)


def change_request(event: Event) -> str:
    """The number of the change request that the event names. Raises UserError (ChangeRequestInvalid)."""
    text = event.metadata.get(CHANGE_REQUEST, "")
    if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS and int(text) > 0:
        return str(int(text))
    title = f"{clip(printable(text), 40)!r} is no number of a change request"
    fix = f"write the number into the annotation event.toolkit.fluxcd.io/{CHANGE_REQUEST} of the object"
    raise UserError(Problem(CHANGE_REQUEST_INVALID, title, fix=fix))


def comment(event: Event, target: Target, api: CommentApi) -> str:
    """The text of the comment, its mark first."""
    return f"{mark(event, target, api)}\n\n{markdown(event)}"


def mark(event: Event, target: Target, api: CommentApi) -> str:
    """What finds the comment again: one for each provider and object."""
    subject = event.involved_object
    return f"<!-- {api.word}:{target.provider_uid}/{subject.kind}/{subject.namespace}/{subject.name} -->"


def ours(answer: bytes, user: str, sought: str, api: CommentApi) -> str:
    """The id of our comment in a list of them; empty when there is none.

    Raises UserError (NotifyRefused) when the list can't be read: another comment might be made each time.
    """
    try:
        found = msgspec.json.decode(answer, type=list[dict[str, Any]])
    except msgspec.MsgspecError as error:
        title = "the git host's list of comments can't be read"
        raise UserError(Problem(NOTIFY_REFUSED, title, cause=clip(printable(str(error)), 200))) from None
    for each in found:
        author = named(msgspec.json.encode(each), *api.author)
        if author == user and sought in str(each.get("body", "")):
            return str(each.get("id", ""))
    return ""
