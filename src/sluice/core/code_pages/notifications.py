"""E73x: pages of what keeps a notification from its receiver. They are told in Events on the Alert or the Provider."""

from __future__ import annotations

from sluice.core.code_pages.page import CodePage as _Page

PAGES: dict[str, _Page] = {
    "E650": _Page(
        "The event for a comment on a pull or merge request does not say which one. The notification is given up.",
        "'main' is no number of a change request [E650]; fix: write the number into the annotation "
        "event.toolkit.fluxcd.io/change_request of the object",
        "The annotation of the object, or eventMetadata of the Alert, holds something else than a number.",
        "Write the number of the pull or merge request, as text: '42'.",
    ),
    "E730": _Page(
        "A Provider has no address, or one that its type can't use. The notification is given up.",
        "nothing can be sent to this slack provider: it has no address [E730]; fix: set spec.address, or address "
        "in its Secret",
        "`address` is in neither the spec nor the Secret of spec.secretRef, or it is no http or https URL; a git "
        "host's type wants the URL of a repository, Sentry a DSN.",
        "Correct spec.address or the Secret's `address`; the page on notifications has a table of what each type "
        "wants.",
    ),
    "E731": _Page(
        "The address of a Provider leads to where notifications must not be sent. Nothing was sent.",
        "notifications must not be sent to alertmanager.monitoring.svc [E731]: alertmanager.monitoring.svc is "
        "10.96.3.4, an address of a private network, which --egress-allow does not name; fix: name it with "
        "--egress-allow, where it is meant",
        "Whoever may make a Provider chooses where the operator's requests go, so that private networks are "
        "closed. Link-local and cloud metadata addresses are closed always, in every spelling.",
        "Start the operator with --egress-allow for the network or the host, when the receiver is meant to be inside.",
    ),
    "E732": _Page(
        "The Secret of a Provider lacks what its type needs, or holds what can't be used. The notification is "
        "given up.",
        "nothing can be sent to this webex provider: it has no token [E732]; fix: put `token` into the Secret of "
        "secretRef",
        "A key is missing or misspelt, or its value is not plain text; `headers` is no map in YAML.",
        "Correct the Secret; the next event is sent with what it says then.",
    ),
    "E733": _Page(
        "The receiver answered that it does not take the notification. It is given up; after 401 and 403 it is "
        "tried again, since somebody may correct the Secret.",
        "hooks.slack.com refused the notification [E733]: status 404: no_service",
        "A webhook that was removed, a token without the right, or a channel that does not exist. What the "
        "receiver said stands in the message.",
        "Correct the address, the channel or the token.",
    ),
    "E734": _Page(
        "The receiver did not answer, or said that it can't take the notification now. It is tried again for a "
        "day, with growing pauses or as the receiver asks; nothing else waits for it.",
        "hooks.example.com could not be reached [E734]: Connection refused",
        "The receiver is down or slow, a name is not known, a certificate is not trusted, or a network policy is "
        "in the way. Status 429 asks for fewer requests.",
        "None needed when it is an outage. Otherwise look at the network policy, spec.certSecretRef and spec.timeout.",
    ),
    "E735": _Page(
        "The receiver redirects to another host, from https to http, or with another request. The notification "
        "is given up.",
        "hooks.example.com redirects to where notifications are not sent [E735]: it leads to another host; fix: "
        "write the address that it redirects to",
        "What is sent is meant for the host that the Provider names: following it elsewhere would hand it to "
        "whoever owns the other host.",
        "Write the new address into the Provider, when you trust it.",
    ),
    "E736": _Page(
        "A notification could not be delivered within a day and was given up.",
        "a notification to Provider flux-system/slack was given up after a day [E736]: hooks.slack.com could not "
        "be reached [E734]: Connection refused",
        "The receiver was away, or the login refused, for all that time.",
        "Mend what the cause says; later events are sent.",
    ),
    "E737": _Page(
        "More than 1,000 notifications waited for one Provider: the oldest was dropped.",
        "more than 1000 notifications wait for Provider flux-system/slack; the oldest is dropped [E737]",
        "The receiver has been away for long, or is slower than events come.",
        "Narrow the Alert (eventSeverity: error, exclusionList), or mend the receiver.",
    ),
    "E738": _Page(
        "An event that should set the status of a commit names no commit. Nothing was set.",
        "the event Succeeded of helmrelease/web.shop names no commit [E738]; fix: none needed where the source "
        "is no git repository",
        "The object's source is not a git repository, so its revision is no commit; or an annotation "
        "`event.toolkit.fluxcd.io/commit` is no hash.",
        "Leave the object out of the Alert of this Provider.",
    ),
    "E739": _Page(
        "A Provider has no channel, or not in the form that its type wants. The notification is given up.",
        "nothing can be sent to this zulip provider: its channel is not <stream>/<topic> [E739]; fix: write "
        "spec.channel as <stream>/<topic>",
        "Telegram wants the id of a chat, Matrix and Webex that of a room, PagerDuty a routing key, Zulip stream "
        "and topic.",
        "Correct spec.channel.",
    ),
}
