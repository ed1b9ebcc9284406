"""The incidents that alerts have told of and that are not over: what makes an event news, or none."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from sluice.core.alert_routing import AlertRule
from sluice.core.event import Occurrence
from sluice.core.incident import Incident, Report, Sign, Step, sign_of, step

MAX_OPEN = 2000


class IncidentBook:
    """One incident at most for each alert and object. Bounded: what was opened first is forgotten first."""

    def __init__(self, most: int = MAX_OPEN) -> None:
        self._most = most
        self._known: OrderedDict[str, Incident] = OrderedDict()
        self.changed = False

    def take(self, known: Mapping[str, Incident]) -> None:
        """Go on with what an earlier process knew; what this one has learned since goes before it."""
        self._known = OrderedDict({**known, **self._known})

    def all(self) -> dict[str, Incident]:
        """Every incident, by what it is about."""
        return dict(self._known)

    def ends(self, rule: AlertRule, occurrence: Occurrence) -> bool:
        """True for an event that ends an incident which the alert has told: it is told whatever else it wants."""
        known = self._known.get(about(rule, occurrence))
        told = known is not None and (known.is_open or known.told_by == occurrence.name)
        return told and sign_of(occurrence.event) is Sign.WELL

    def step(self, rule: AlertRule, occurrence: Occurrence) -> Step:
        """What the event is to the object's incident, and to people; it is remembered."""
        event, key = occurrence.event, about(rule, occurrence)
        revision = event.metadata.get(f"{event.involved_object.group}/revision", "")
        cause = occurrence.cause or event.reason
        report = Report(key, occurrence.name, sign_of(event), cause, revision, event.timestamp)
        before = self._known.get(key)
        result = step(before, report)
        if result.incident is not None and result.incident != before:
            self._put(key, result.incident)
        return result

    def note_thread(self, key: str, incident_id: str, thread: str) -> None:
        """The service has named the thread in which it shows the incident."""
        known = self._known.get(key)
        if thread and known is not None and known.id == incident_id and not known.thread:
            self._put(key, msgspec.structs.replace(known, thread=thread))

    def thread_of(self, key: str, incident_id: str) -> str:
        """The thread that tells of it; empty when there is none."""
        known = self._known.get(key)
        return known.thread if known is not None and known.id == incident_id else ""

    def settle(self, key: str, incident_id: str) -> None:
        """Its end was told, or could not be: forget it, unless another has begun."""
        known = self._known.get(key)
        if known is not None and known.id == incident_id and not known.is_open:
            del self._known[key]
            self.changed = True

    def has_open(self, uid: str) -> bool:
        """True while an incident of that object stands."""
        return any(known.is_open for key, known in self._known.items() if key.endswith(f" {uid}"))

    def forget_alert(self, alert: str) -> None:
        """An alert is gone: nobody is to be told how its incidents end."""
        for key in [key for key in self._known if key.partition(" ")[0] == alert]:
            del self._known[key]
            self.changed = True

    def _put(self, key: str, incident: Incident) -> None:
        self._known[key] = incident
        self.changed = True
        while len(self._known) > self._most:
            self._known.popitem(last=False)


def about(rule: AlertRule, occurrence: Occurrence) -> str:
    """What an incident is about: the alert with its provider, and the object; another of its name is another."""
    subject = occurrence.event.involved_object
    return f"{rule.alert} {rule.provider} {subject.kind}/{subject.namespace}/{subject.name} {subject.uid}"
