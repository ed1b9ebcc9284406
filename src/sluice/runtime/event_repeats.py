"""Whether an event says again what people were told a moment ago: Flux's window of five minutes, and its key.

Flux counts repeats also over a failure or a recovery between them, so that a second failure within the window is
told to nobody. Here an object's change from good to bad, or back, begins a new window for it. Bounded.
"""

from __future__ import annotations

from collections import OrderedDict

from sluice.core.alert_routing import repeat_key
from sluice.core.event import Event

WINDOW = 300.0
MAX_KEPT = 10_000


class Repeats:
    """What was told within the window. Times are seconds of one clock, and do not go back."""

    def __init__(self, window: float = WINDOW, most: int = MAX_KEPT) -> None:
        self._window = window
        self._most = most
        self._told: OrderedDict[tuple[bytes, int], float] = OrderedDict()
        self._states: OrderedDict[tuple[str, str, str], tuple[str, int]] = OrderedDict()

    def is_repeat(self, event: Event, now: float) -> bool:
        """True when the same was told within the window; otherwise it counts as told from now on."""
        key = (repeat_key(event), self._turns(event))
        told = self._told.get(key)
        if told is not None and now - told < self._window:
            return True
        self._told[key] = now
        self._told.move_to_end(key)
        while len(self._told) > self._most or now - next(iter(self._told.values())) >= self._window:
            self._told.popitem(last=False)
        return False

    def _turns(self, event: Event) -> int:
        """How often the object has gone from good to bad or back, as far as is remembered."""
        subject = event.involved_object
        key = (subject.kind, subject.namespace, subject.name)
        severity, turns = self._states.get(key, (event.severity, 0))
        turns += severity != event.severity
        self._states[key] = (event.severity, turns)
        self._states.move_to_end(key)
        if len(self._states) > self._most:
            self._states.popitem(last=False)
        return turns
