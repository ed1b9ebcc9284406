"""Step 4: the broken commit is reverted. All apps are ready again, at the revert."""

from __future__ import annotations

import time

from sluice.cli.demo.arrival import see_app
from sluice.cli.demo.checkout import NotPossible
from sluice.cli.demo.place import APPS
from sluice.cli.demo.tour import Step, Tour, web_now


async def _fix(tour: Tour) -> None:
    place, script, broken = tour.place, tour.place.script, tour.broken
    if broken is None:
        raise NotPossible("nothing is broken; break it first (2)")
    script.command(f"git revert --no-edit {broken.short} && git push")
    pushed = await place.checkout.revert(broken.commit)
    tour.broken = None
    script.pending("ready", f"waiting for {pushed.short}")
    for app in APPS:
        await see_app(place, app, pushed.commit)
    script.done("ready", f"all {len(APPS)} apps are at {pushed.short}", time.monotonic() - pushed.at)
    script.done("running", f"Deployment web: {await web_now(place)}")


FIX = Step("4", "fix", "the broken commit is reverted", _fix)
