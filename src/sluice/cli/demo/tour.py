"""What the steps of the tour share: where it stands, and what they look for in the API server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sluice.cli.demo.checkout import NotPossible, Pushed
from sluice.cli.demo.lookout import NotObserved, Target
from sluice.cli.demo.place import SHOP, Place
from sluice.cli.demo.views import CONFIG_MAPS, ConfigMap, Deployment

WEB = "apps/web/deployment.yaml"
BANNER = "apps/web/banner.yaml"
BANNER_MAP = Target(CONFIG_MAPS, SHOP, "banner", ConfigMap)
# Seconds until the API server must show the outcome of a push, of pods rolling, of a change by hand.
LIVE = 20.0
ROLLOUT = 180.0
CORRECTED = 5.0


@dataclass(slots=True)
class Tour:
    """The tour so far: `broken` is the commit that is refused at present, `busy` is true while a step runs."""

    place: Place
    broken: Pushed | None = None
    busy: bool = False

    @property
    def commits(self) -> set[str]:
        """The commits that the demo itself has pushed."""
        return self.place.checkout.commits

    def require_unbroken(self) -> None:
        """Raise NotPossible while web does not take over any commit."""
        if self.broken is not None:
            raise NotPossible(f"web does not move while {self.broken.short} is broken; fix it first (4)")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the key that starts it, its name, what it shows, and how.

    `run` raises NotObserved when the API server shows something else, NotPossible when the step can't begin.
    """

    key: str
    name: str
    about: str
    run: Callable[[Tour], Awaitable[None]]


async def web_now(place: Place) -> Deployment:
    """Deployment web as it is. Raises NotObserved when it isn't there."""
    async with place.watch(place.deployment("web")) as lookout:
        if lookout.now is None:
            raise NotObserved("there is no Deployment web")
        return lookout.now


async def banner_now(place: Place) -> str:
    """What the banner says in the cluster; empty when it is not there."""
    async with place.watch(BANNER_MAP) as lookout:
        return lookout.now.data.get("text", "") if lookout.now is not None else ""
