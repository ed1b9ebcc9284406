"""`make chaos SEED=… MINUTES=…`: random faults, commits and edits; after each quiet spell everything has to be right.

Two replicas run, of which one leads; proxies stand between them and the API server, and before git. People commit,
rewrite what they have pushed, and edit objects. A spell is a few actions under some weather of faults, then calm; once
it is calm, every sync has to come to the revision that git asks for (or stay at the last that can be applied), nobody's
object may have been touched, and nothing may be lost, orphaned or left half-way. What a seed does depends on the seed
alone; what hits what depends on timing too, so a failing seed is run again as it is: the trace is printed.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.audit import ApplyAfterDelete
from tests.faults.chaos_faults import Nemesis, Weather
from tests.faults.chaos_world import Player, start_players
from tests.faults.git_proxy import GitProxy
from tests.faults.kill_matrix import ground
from tests.faults.replicas import Replica, open_replicas
from tests.operator_fixture import Audit, Bench, Json, condition

SYNCS = 3
SETTLE_SECONDS = 120.0


@dataclass
class Chaos:
    """One run. `trace` is what was done in the spell under way."""

    bench: Bench
    replicas: list[Replica]
    git: GitProxy
    seed: str
    verbose: bool = False
    players: list[Player] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    actions: int = 0

    def run(self, minutes: float, spells: int = 0) -> list[str]:
        """Go on until the time is over, `spells` are done, or something is wrong: that is returned."""
        self.players = start_players(self.bench, SYNCS + 1, self.git.address)
        nemesis, spell = Nemesis(self.bench, self.replicas, self.git), 0
        wrong = self._settle(nemesis, None)
        while not wrong and time.monotonic() < self.began + minutes * 60 and (not spells or spell < spells):
            spell += 1
            try:
                wrong = self._spell(spell, nemesis)
            except AssertionError as error:
                wrong = [str(error)]
                self._explain(wrong)
        print(f"seed {self.seed}: {spell} spells, {self.actions} actions, {len(wrong)} wrong", flush=True)
        return wrong

    def _spell(self, spell: int, nemesis: Nemesis) -> list[str]:
        rng = Random(f"{self.seed}/{spell}")
        self.trace.clear()
        audit = self.bench.audit()
        weather = Weather.of(rng)
        self._note(f"spell {spell}: {weather}")
        nemesis.rage(weather, f"{self.seed}/{spell}/weather")
        for _ in range(rng.randint(2, 6)):
            self._act(rng, nemesis)
            self._watch(rng.choice([0.0, 0.1, 0.4, 1.0]), nemesis)
        neighbour = self.players[-1]
        neighbour.commit(neighbour.good_change(rng))
        self._ask(neighbour)
        self._watch(rng.uniform(0.0, 2.0), nemesis)
        return self._settle(nemesis, audit)

    def _act(self, rng: Random, nemesis: Nemesis) -> None:
        self.actions += 1
        player = rng.choice(self.players[:-1])
        match rng.choice(["good", "good", "bad", "rewrite", "edit", "edit", "hit", "hit", "suspend"]):
            case "good":
                change = player.good_change(rng)
                player.commit(change)
                self._note(f"{player.sync.name}: commit {player.head[10:18]} {sorted(change)}")
                self._ask(player)
            case "bad" if not player.edited:
                change, why = player.bad_change(rng)
                player.commit(change, why)
                self._note(f"{player.sync.name}: commit {player.head[10:18]} {sorted(change)}, which is {why}")
                self._ask(player)
            case "rewrite" if not player.edited:
                what = player.rewrite(rng)
                self._note(f"{player.sync.name}: pushed by force {player.head[10:18]}: {what}, {player.bad or 'good'}")
                self._ask(player)
            case "edit" if not player.bad:
                self._edit(player, rng)
            case "suspend":
                seconds, part = rng.choice([0.1, 0.5]), rng.choice([*player.parts.values()])
                part.edit(suspend=True)
                self._watch(seconds, nemesis)
                part.edit(suspend=False)
                self._note(f"{part.name}: suspended for {seconds}s")
            case _:
                self._note(nemesis.hit(rng))

    def _edit(self, player: Player, rng: Random) -> None:
        kind, name = rng.choice(player.objects())
        path, api = player.sync.at(kind, name), self.bench.api
        player.edited = True
        player.recreated.add(name)
        what = rng.choice(["value", "delete", "labels", "foreign"])
        owner = {"kustomize.toolkit.fluxcd.io/name": None, "kustomize.toolkit.fluxcd.io/namespace": None}
        bodies: dict[str, Json] = {
            "value": {"data": {"key": "edited"}} if kind == "configmaps" else {"metadata": {"annotations": {"v": "x"}}},
            "labels": {"metadata": {"labels": owner}},
            "foreign": {"metadata": {"annotations": {"example.com/mine": "yes"}}},
        }
        if what == "delete":
            status, _ = api.request("DELETE", path)
        else:
            status, _ = api.request("PATCH", path, bodies[what], "application/merge-patch+json")
        self._note(f"{player.sync.name}: a person's {what} on {kind}/{name}: {status}")

    def _ask(self, player: Player) -> None:
        with suppress(AssertionError):  # the API server may be on its way back
            player.sync.request(player.sync.source_path)

    def _watch(self, seconds: float, nemesis: Nemesis) -> None:
        """Let time pass; the dead rise, and whoever claims too much is caught."""
        until = time.monotonic() + seconds
        while True:
            nemesis.keep_alive()
            for player in self.players:
                early = player.claims_too_early(self.bench.api)
                assert not early, early
            if time.monotonic() > until:
                return
            time.sleep(0.03)

    def _settle(self, nemesis: Nemesis, audit: Audit | None) -> list[str]:
        nemesis.calm()
        self._note("calm")
        for player in self.players:
            self._ask(player)
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            wrong = [f"{p.sync.name}: {w}" for p in self.players for w in p.verdict(self.bench.api).wrong]
            if not wrong or time.monotonic() > deadline:
                break
            nemesis.keep_alive()
            time.sleep(0.1)
        wrong += self._records()
        if audit is not None:
            syncs = [part for player in self.players for part in player.parts.values()]
            wrong += ApplyAfterDelete(audit).found(self.bench.agent, syncs)
        if wrong:
            self._explain(wrong)
        for player in self.players:
            player.settle()
        return wrong

    def _records(self) -> list[str]:
        """Chunks of records that no head names: they would pile up."""
        api = self.bench.api
        listed = api.get(f"/api/v1/namespaces/{self.bench.namespace}/secrets?labelSelector=sluice.dev/record")
        assert listed is not None
        named = set()
        for secret in listed["items"]:
            if secret["metadata"]["labels"]["sluice.dev/record"] == "head":
                named |= set(base64.b64decode(secret["data"].get("chunks", "")).decode().split(","))
        loose = [
            s["metadata"]["name"]
            for s in listed["items"]
            if s["metadata"]["labels"]["sluice.dev/record"] == "chunk" and s["metadata"]["name"] not in named
        ]
        return [f"{len(loose)} chunks of records belong to no record"] if len(loose) > SYNCS else []

    def _note(self, what: str) -> None:
        self.trace.append(f"{time.monotonic() - self.began:7.1f}s {what}")
        if self.verbose:
            print(self.trace[-1], flush=True)

    def _explain(self, wrong: Sequence[str]) -> None:
        print(f"\nseed {self.seed} fails:")
        for line in (*self.trace, *wrong):
            print(f"  {line}")
        for player in self.players:
            if any(w.startswith(player.sync.name) for w in wrong):
                for part in player.parts.values():
                    print(f"  {part.name}: {condition(part.get(), 'Ready')}")
        for replica in self.replicas:
            print(f"  --- {replica.operator.identity}\n{replica.operator.tail(5000)}", flush=True)


@contextmanager
def open_chaos(cluster: Cluster, git: GitHttpServer, root: Path, seed: str) -> Iterator[Chaos]:
    """Two replicas whose leases run out soon, and a proxy before git."""
    patches = ("small-chunks", "short-lease")
    with GitProxy(git) as proxy, open_replicas(cluster, git, root, ("a", "b"), patches) as (bench, replicas):
        yield Chaos(bench, replicas, proxy, seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one seed for some minutes."""
    parser = argparse.ArgumentParser(description="Break things at random; see whether the promises hold.")
    parser.add_argument("--seed", default=str(int(time.time())))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--verbose", action="store_true", help="tell what is done while it is done")
    chosen = parser.parse_args(arguments)
    print(f"make chaos SEED={chosen.seed} MINUTES={chosen.minutes:g}", flush=True)
    with ground() as (cluster, git, root), open_chaos(cluster, git, root, chosen.seed) as chaos:
        chaos.verbose = chosen.verbose
        wrong = chaos.run(chosen.minutes)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
