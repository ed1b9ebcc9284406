"""Step 1: a new image is committed. The Deployment has it a moment later, and its pods after that."""

from __future__ import annotations

from sluice.cli.demo.arrival import is_rolled_out
from sluice.cli.demo.tour import LIVE, ROLLOUT, WEB, Step, Tour

IMAGES = ("nginx:1.27-alpine", "nginx:1.28-alpine")


async def _bump(tour: Tour) -> None:
    place, script, checkout = tour.place, tour.place.script, tour.place.checkout
    tour.require_unbroken()
    old, new = IMAGES if IMAGES[0] in checkout.read(WEB) else IMAGES[::-1]
    async with place.watch(place.deployment("web")) as lookout:
        script.command(f"sed -i s/{old}/{new}/ {WEB}")
        script.command(f'git commit -am "Bump web to {new}" && git push')
        pushed = await checkout.edit({WEB: (f"image: {old}", f"image: {new}")}, f"Bump web to {new}")
        script.pending("live", f"waiting for {pushed.short}")
        live = await lookout.until(
            lambda web: web is not None and web.image == new, f"Deployment web to have {new}", LIVE
        )
        script.done("live", f"Deployment web has {new}", live.at - pushed.at)
        script.pending("rolled out", "waiting for its pods")
        done = await lookout.until(is_rolled_out, f"the pods of web to run {new}", ROLLOUT)
        pods = done.item.spec.replicas if done.item is not None else 0
        script.done("rolled out", f"{pods} of {pods} pods run it", done.at - pushed.at)


BUMP = Step("1", "bump", "a new image is committed", _bump)
