"""Step 2: a typo is committed beside a good change. Neither is applied, and the error names file, line and fix."""

from __future__ import annotations

from sluice.api.kustomization import Kustomization
from sluice.cli.demo.checkout import Pushed
from sluice.cli.demo.lookout import NotObserved
from sluice.cli.demo.place import Place, ready_message
from sluice.cli.demo.script import Script
from sluice.cli.demo.tour import BANNER, LIVE, WEB, Step, Tour, banner_now, web_now
from sluice.cli.demo.views import Deployment
from sluice.core import condition

RIGHT, TYPO = "\n  replicas: 2\n", "\n  replica: 4\n"
WELCOME, SALE = "Welcome to the shop", "Sale! Everything must go"
MESSAGE = "Scale web to 4, announce the sale"


async def _break(tour: Tour) -> None:
    place, script, checkout = tour.place, tour.place.script, tour.place.checkout
    tour.require_unbroken()
    before, said = await web_now(place), await banner_now(place)
    changes = {WEB: (RIGHT, TYPO)}
    script.command(f"edit {WEB}   # a typo: `replica: 4`")
    if WELCOME in checkout.read(BANNER):
        changes[BANNER] = (WELCOME, SALE)
        script.command(f"edit {BANNER}       # and a good change: a new text")
    script.command(f'git commit -am "{MESSAGE}" && git push')
    pushed = await checkout.edit(changes, MESSAGE)
    tour.broken = pushed
    script.pending("refused", f"waiting for {pushed.short}")
    where = f"{WEB}:{checkout.line_of(WEB, TYPO.strip())}"
    seen = await place.observe(
        place.app("web"), lambda sync: _refuses(sync, pushed, where), f"web to refuse {pushed.short} for {where}", LIVE
    )
    script.refused("refused", f"all of {pushed.short}, the good change too", seen.at - pushed.at)
    if seen.item is not None:
        _explain(script, ready_message(seen.item), where, TYPO.strip())
    await _see_untouched(place, before, said)


def _refuses(sync: Kustomization | None, pushed: Pushed, where: str) -> bool:
    """True when the app says that it refused that commit, and where in it the typo is."""
    if sync is None or not sync.status.lastAttemptedRevision.endswith(pushed.commit):
        return False
    ready = condition.find_condition(sync.status.conditions, condition.READY)
    return ready is not None and ready.status == "False" and where in ready.message and pushed.short in ready.message


def _explain(script: Script, message: str, where: str, line: str) -> None:
    """Show the message of the Ready condition, which is one line, by its parts."""
    what, _, rest = message.partition(f" at {where}")
    place, _, why = rest.partition(": ")
    cause, _, remedy = why.partition("; fix: ")
    script.detail("what", what)
    script.detail("where", f"{where}{place}   {line}")
    script.detail("why", cause)
    script.detail("fix", remedy)


async def _see_untouched(place: Place, before: Deployment, said: str) -> None:
    """Raises NotObserved when anything of the refused commit was written."""
    after, says = await web_now(place), await banner_now(place)
    if (after.metadata.uid, after.metadata.generation) != (before.metadata.uid, before.metadata.generation):
        raise NotObserved(f"the refused commit changed Deployment web: {after}")
    if says != said:
        raise NotObserved(f"the refused commit changed the banner: {says}")
    place.script.done("still running", f"Deployment web: {after}")
    if said:
        place.script.done("not written", f"the banner still says: {says}")


BREAK = Step("2", "break", "a typo is committed, beside a good change", _break)
