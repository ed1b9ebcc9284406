"""Step 3: somebody changes the cluster by hand. The change is seen as it happens, and taken back."""

from __future__ import annotations

from sluice.cli.demo.lookout import NotObserved
from sluice.cli.demo.place import SHOP
from sluice.cli.demo.tour import CORRECTED, Step, Tour
from sluice.cli.demo.views import Deployment


async def _drift(tour: Tour) -> None:
    place, script = tour.place, tour.place.script
    async with place.watch(place.deployment("api")) as lookout:
        if lookout.now is None:
            raise NotObserved("there is no Deployment api")
        wanted = lookout.now.spec.replicas
        by_hand = wanted + 2
        script.command(f"kubectl -n {SHOP} scale deployment/api --replicas={by_hand}")
        await place.home.kubectl.run("-n", SHOP, "scale", "deployment/api", f"--replicas={by_hand}")
        edited = await lookout.until(lambda api: _has(api, by_hand), f"api to have {by_hand} replicas", CORRECTED)
        script.waits("seen", f"from {wanted} to {by_hand} replicas, {_who_scaled(edited.item)}")
        back = await lookout.until(lambda api: _has(api, wanted), f"api to have {wanted} replicas again", CORRECTED)
        script.done("corrected", f"from {by_hand} back to {wanted} replicas, as git says", back.at - edited.at)


def _has(deployment: Deployment | None, replicas: int) -> bool:
    return deployment is not None and deployment.spec.replicas == replicas


def _who_scaled(deployment: Deployment | None) -> str:
    """Who set `replicas` last, by the object's own record of its field managers. Raises NotObserved."""
    fields = deployment.metadata.managed_fields if deployment is not None else ()
    setters = [each for each in fields if b'"f:replicas"' in bytes(each.fields_v1) and each.subresource != "status"]
    if not setters:
        raise NotObserved("no field manager of Deployment api owns its replicas")
    last = max(setters, key=lambda each: each.time or "")
    return f"by {last.manager}"


DRIFT = Step("3", "drift", "somebody changes the cluster by hand", _drift)
