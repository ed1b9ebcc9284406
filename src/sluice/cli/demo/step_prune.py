"""Step 5: a file is removed from git. Its object is deleted, and nothing else."""

from __future__ import annotations

from sluice.cli.demo.checkout import NotPossible
from sluice.cli.demo.lookout import NotObserved
from sluice.cli.demo.place import is_at
from sluice.cli.demo.tour import BANNER, BANNER_MAP, LIVE, Step, Tour, web_now


async def _prune(tour: Tour) -> None:
    place, script, checkout = tour.place, tour.place.script, tour.place.checkout
    tour.require_unbroken()
    if not checkout.read(BANNER):
        raise NotPossible(f"{BANNER} is gone already; to have it back, revert the commit and push")
    before = await web_now(place)
    async with place.watch(BANNER_MAP) as lookout:
        if lookout.now is None:
            raise NotObserved("there is no ConfigMap banner to be pruned")
        script.command(f"git rm {BANNER}")
        script.command('git commit -m "Take the banner down" && git push')
        pushed = await checkout.remove(BANNER, "Take the banner down")
        script.pending("pruned", f"waiting for {pushed.short}")
        gone = await lookout.until(lambda banner: banner is None, "ConfigMap banner to be gone", LIVE)
        script.done("pruned", "ConfigMap banner is gone", gone.at - pushed.at)
    await place.observe(place.app("web"), lambda sync: is_at(sync, pushed.commit), "web to be ready without it", LIVE)
    after = await web_now(place)
    if after.metadata.uid != before.metadata.uid or not after.rolled_out:
        raise NotObserved(f"Deployment web is not as it was: {after}")
    script.done("kept", f"Deployment web: {after}")


PRUNE = Step("5", "prune", "a file is removed from git", _prune)
