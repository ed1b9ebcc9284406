"""What chaos plays with: a few syncs, what each may look like when it is quiet, and what is not to be touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from devcluster.git_repository import WorkingRepo
from tests.faults.oracle import TOOLKIT, Live, Verdict, as_wanted, desired_of, judge, owned_by, record_of
from tests.operator_fixture import FAILING_JOB, Api, Bench, Json, Sync, condition, config_map, deployment

Files = dict[str, str]
SPEC = {"wait": True, "timeout": "30s", "retryInterval": "2s"}
BROKEN = {
    "broken.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: broken, namespace: $NS}\ndata: [\n",
    "refused.yaml": config_map("refused").replace("\ndata:", "\ndatum:"),
}
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: $N, namespace: $NS}\nspec: {ports: [{port: $P}]}\n"
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: $N, namespace: $NS, annotations: {v: v$P}}\n"


def text_of(name: str, value: int) -> str:
    """The YAML of one object; what it is follows from the first letter of its name."""
    match name[0]:
        case "w":
            return deployment(name, f"nginx:{value}")
        case "s":
            return (
                SERVICE.replace("$NS", "\0").replace("$N", name).replace("$P", str(1000 + value)).replace("\0", "$NS")
            )
        case "a":
            return ACCOUNT.replace("$NS", "\0").replace("$N", name).replace("$P", str(value)).replace("\0", "$NS")
        case _:
            return config_map(name, str(value))


def _object(file: str) -> str:
    """The name of the object in a file."""
    return file.removesuffix(".yaml").removeprefix("moved-")


@dataclass
class Player:
    """One sync and its model.

    `allowed` are the revisions it may be at when quiet: the head alone when that can be applied; otherwise the last
    that could, or one of those that came since. `recreated` are objects that may have another UID than before.
    """

    sync: Sync
    files: Files
    allowed: list[tuple[str, Files]] = field(default_factory=list)
    head: str = ""
    bad: str = ""
    edited: bool = False
    recreated: set[str] = field(default_factory=set)
    before: Live = field(default_factory=dict)
    others: dict[str, Json | None] = field(default_factory=dict)

    def start(self, api: Api) -> None:
        """Make it, with bystanders in its namespace; one of them carries our owner labels."""
        place = self.sync.at("configmaps", "x").rpartition("/")[0]
        labels = {f"{TOOLKIT}/name": self.sync.name, f"{TOOLKIT}/namespace": self.sync.namespace}
        for name, marks in (("by-plain", {}), ("by-labelled", labels)):
            body = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "labels": marks},
                "data": {"k": "1"},
            }
            api.create(place, body)
            self.others[f"{place}/{name}"] = api.get(f"{place}/{name}")
        self.head = self.sync.commit(self.files)
        self.allowed = [(self.head, dict(self.files))]
        self.sync.create_source()
        self.sync.create(**SPEC)

    # --- what people do -----------------------------------------------------------------------------------------

    def commit(self, changes: Mapping[str, str | None], bad: str = "") -> None:
        """Commit and push. `bad` says why this revision can't be applied."""
        had_bad = {name: None for name in (*BROKEN, "job.yaml") if name in self.files}
        merged = {**self.files, **had_bad, **changes}
        self.head = self.sync.commit({**had_bad, **changes})
        self.files = {name: text for name, text in merged.items() if text is not None}
        self.bad = bad
        if not bad:
            self.allowed.append((self.head, dict(self.files)))

    def good_change(self, rng: Random) -> dict[str, str | None]:
        """Change, add, remove, rename an object, or move one to another file; never the last one away."""
        names = sorted(name for name in self.files if name not in BROKEN and name != "job.yaml")
        change: dict[str, str | None] = {}
        for _ in range(rng.randint(1, 3)):
            kind = rng.choice(["change", "change", "add", "remove", "rename", "move"])
            chosen = rng.choice(names)
            name = _object(chosen)
            new = rng.choice("cccas") + str(rng.randint(0, 9))
            if chosen in change:
                continue
            match kind:
                case "change":
                    change[chosen] = text_of(name, rng.randint(2, 99))
                case "add" | "rename":
                    if new in {_object(n) for n in {*self.files, *change}}:
                        continue
                    change[f"{new}.yaml"] = text_of(new, 1)
                    if kind == "rename":
                        change[chosen] = None
                case "remove":
                    if len(names) > 3:
                        change[chosen] = None
                case _:
                    moved = f"{name}.yaml" if chosen.startswith("moved-") else f"moved-{name}.yaml"
                    change |= {moved: self.files[chosen], chosen: None}
        return change or {names[0]: text_of(_object(names[0]), rng.randint(2, 99))}

    def bad_change(self, rng: Random) -> tuple[dict[str, str | None], str]:
        """A good change with something in it that can't be read, is refused, or fails once it runs."""
        change = self.good_change(rng)
        kind = rng.choice(["broken.yaml", "refused.yaml", "job.yaml"])
        text = FAILING_JOB if kind == "job.yaml" else BROKEN[kind]
        return {**change, kind: text}, kind.removesuffix(".yaml")

    def objects(self) -> list[tuple[str, str]]:
        """Kind (as in a path) and name of each object at the head that somebody could edit."""
        plural = {"w": "apps/v1/deployments", "s": "services", "a": "serviceaccounts", "c": "configmaps"}
        names = [_object(name) for name in sorted(self.files)]
        return [(plural[n[0]], n) for n in names]

    # --- what has to be true when it is quiet --------------------------------------------------------------------

    def verdict(self, api: Api) -> Verdict:
        """Judge the live objects against each revision it may be at; the best verdict counts."""
        live = {key: body for key, body in owned_by(api, self.sync).items() if not key.name.startswith("by-")}
        record = record_of(api, self.sync)
        before = {key: body for key, body in self.before.items() if key.name not in self.recreated}
        best: Verdict | None = None
        choices = self.allowed if self.bad else self.allowed[-1:]
        for revision, files in reversed(choices):
            found = judge(live, desired_of(files, self.sync.target), before, record, exact=False)
            found.half += self._claims(revision)
            if not found.wrong:
                self.settled = (revision, files, live)
                best = found
                break
            best = best if best is not None and len(best.wrong) <= len(found.wrong) else found
        assert best is not None
        best.lost += [f"{path} was touched" for path, body in self.others.items() if api.get(path) != body]
        return best

    def _claims(self, revision: str) -> list[str]:
        """What is wrong with what status says."""
        found = self.sync.get()
        status, ready = found.get("status", {}), condition(found, "Ready")
        wrong = []
        # A process that dies after the record and before the status can't report what a refused head hides.
        known = {revision, self.allowed[0][0]} if self.bad else {revision}
        if status.get("lastAppliedRevision") not in known:
            wrong.append(f"status says {status.get('lastAppliedRevision')} was applied, it is {revision}")
        if status.get("lastAttemptedRevision") != self.head:
            wrong.append(f"status says {status.get('lastAttemptedRevision')} was tried, the head is {self.head}")
        if ready.get("status") != ("False" if self.bad else "True"):
            wrong.append(f"Ready is {ready}")
        return wrong

    def claims_too_early(self, api: Api) -> str:
        """Ready at the head is a claim about every object; what is wrong with it, if it stood before and after."""
        first = self.sync.get()
        if self.bad or self.edited or not self._claims_head(first):
            return ""
        live, second = owned_by(api, self.sync), self.sync.get()
        if first["metadata"]["resourceVersion"] != second["metadata"]["resourceVersion"]:
            return ""
        desired = desired_of(self.files, self.sync.target)
        wrong = [str(key) for key, wanted in desired.items() if not as_wanted(live.get(key), wanted)]
        wrong += [str(key) for key in live if key not in desired and not key.name.startswith("by-")]
        return f"{self.sync.name} is Ready at {self.head}, but not so: {wrong}" if wrong else ""

    def _claims_head(self, found: Json) -> bool:
        return (
            condition(found, "Ready").get("status") == "True"
            and found.get("status", {}).get("lastAppliedRevision") == self.head
        )

    settled: tuple[str, Files, Live] = ("", {}, {})

    def settle(self) -> None:
        """From now on the state just judged is the one before."""
        revision, files, live = self.settled
        self.allowed, self.before = [(revision, files)], live
        self.edited = False
        self.recreated.clear()


def start_players(bench: Bench, count: int) -> list[Player]:
    """Syncs with a few objects each, being installed."""
    players = []
    for n in range(count):
        files = {
            f"{name}.yaml": text_of(name, 1) for name in ("c0", "c1", "c2", "a0", "s0", *(["w0"] if n == 0 else []))
        }
        player = Player(named_sync(bench, f"s{n}"), files)
        player.start(bench.api)
        players.append(player)
    return players


def named_sync(bench: Bench, name: str) -> Sync:
    """A sync whose names are the same in each run of a seed."""
    sync = bench.source(name)
    assert isinstance(sync.repo, WorkingRepo)
    return sync
