"""What chaos plays with: a few syncs, what each may look like when it is quiet, and what is not to be touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from random import Random

from devcluster.git_repository import WorkingRepo
from sluice.core.ids import ResourceId
from tests.faults.lane import create_members, joint_record, members_of
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
    return PurePosixPath(file).stem.removeprefix("moved-")


def _bad(file: str) -> bool:
    return PurePosixPath(file).name in {*BROKEN, "job.yaml"}


@dataclass
class Player:
    """One sync and its model, or a group of syncs: each of `folders` is applied by a member of its own.

    `allowed` are the revisions it may be at when quiet: the head alone when that can be applied; otherwise the last
    that could, or one of those that came since. `recreated` are objects that may have another UID than before.
    """

    sync: Sync
    files: Files
    url: str
    folders: tuple[str, ...] = ()
    # What git's branch was at, oldest first: commit, files, and why that revision can't be applied.
    past: list[tuple[str, Files, str]] = field(default_factory=list)
    allowed: list[tuple[str, Files]] = field(default_factory=list)
    head: str = ""
    bad: str = ""
    edited: bool = False
    recreated: set[str] = field(default_factory=set)
    before: Live = field(default_factory=dict)
    others: dict[str, Json | None] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, Sync]:
        """The syncs by the folder that each applies."""
        return members_of(self.sync, self.folders)

    def start(self, api: Api) -> None:
        """Make it, with bystanders in its namespace; one of them carries the owner labels of a sync of it."""
        place = self.sync.at("configmaps", "x").rpartition("/")[0]
        owner = next(iter(self.parts.values()))
        labels = {f"{TOOLKIT}/name": owner.name, f"{TOOLKIT}/namespace": owner.namespace}
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
        self.past = [(self.head, dict(self.files), "")]
        create_members(self.sync, self.folders, SPEC, url=self.url, timeout="10s")

    # --- what people do -----------------------------------------------------------------------------------------

    def commit(self, changes: Mapping[str, str | None], bad: str = "") -> None:
        """Commit and push. `bad` says why this revision can't be applied."""
        had_bad = {name: None for name in self.files if _bad(name)}
        merged = {**self.files, **had_bad, **changes}
        self.head = self.sync.commit({**had_bad, **changes})
        self._stands_at({name: text for name, text in merged.items() if text is not None}, bad)

    def _stands_at(self, files: Files, bad: str) -> None:
        # What leaves git may come back with a later commit, as another object if this one was applied.
        self.recreated |= {_object(name) for name in self.files} - {_object(name) for name in files}
        self.files, self.bad = files, bad
        self.past.append((self.head, dict(files), bad))
        if not bad:
            self.allowed.append((self.head, dict(files)))

    def rewrite(self, rng: Random) -> str:
        """Push by force what does not follow from the branch's head; says what. The commits that it drops may go."""
        what = rng.choice(["an older head", "another follower of an older head", "the same without its past"])
        repo = self.sync.repo
        if what == "the same without its past":
            repo.git("reset", "-q", "--soft", repo.git("commit-tree", "HEAD^{tree}", "-m", "squashed"))
            self.head = f"main@sha1:{repo.head()}"
            self.past.clear()
            self._stands_at(self.files, self.bad)
        else:
            del self.past[max(1, len(self.past) - rng.randint(1, 3)) :]
            self.head, files, bad = self.past.pop()
            repo.git("reset", "-q", "--hard", self.head.rpartition(":")[2])
            self._stands_at(files, bad)
            if what != "an older head":
                change = self.good_change(rng)
                # What a commit of ours without a push would be: the force is in the push below.
                self._commit_here(change)
        repo.push(force=True)
        if rng.random() < 0.5:
            bare = self.sync.bench.git.root / f"{self.sync.name}.git"
            repo.git(f"--git-dir={bare}", "gc", "-q", "--prune=now")
            what += ", and the rest is gone"
        return what

    def _commit_here(self, changes: Mapping[str, str | None]) -> None:
        had_bad = {name: None for name in self.files if _bad(name)}
        texts = {k: v if v is None else v.replace("$NS", self.sync.target) for k, v in {**had_bad, **changes}.items()}
        self.head = f"main@sha1:{self.sync.repo.commit(texts, 'rewritten', push=False)}"
        merged = {**self.files, **had_bad, **changes}
        self._stands_at({name: text for name, text in merged.items() if text is not None}, "")

    def good_change(self, rng: Random) -> dict[str, str | None]:
        """Change, add, remove, rename an object, or move one to another file or member; each member keeps one."""
        names = sorted(name for name in self.files if not _bad(name))
        change: dict[str, str | None] = {}
        for _ in range(rng.randint(1, 3)):
            kind = rng.choice(["change", "change", "add", "remove", "rename", "move"])
            chosen = rng.choice(names)
            name = _object(chosen)
            new = rng.choice("cccas") + str(rng.randint(0, 9))
            if chosen in change:
                continue
            if kind in {"remove", "rename", "move"} and self._is_last(chosen, names, change):
                continue
            match kind:
                case "change":
                    change[chosen] = text_of(name, rng.randint(2, 99))
                case "add" | "rename":
                    if new in {_object(n) for n in {*self.files, *change}}:
                        continue
                    change[f"{self._folder(rng)}{new}.yaml"] = text_of(new, 1)
                    if kind == "rename":
                        change[chosen] = None
                case "remove":
                    if len(names) > 3:
                        change[chosen] = None
                case _:
                    file = PurePosixPath(chosen).name
                    moved = f"{name}.yaml" if file.startswith("moved-") else f"moved-{name}.yaml"
                    change |= {f"{self._folder(rng)}{moved}": self.files[chosen], chosen: None}
        return change or {names[0]: text_of(_object(names[0]), rng.randint(2, 99))}

    def _is_last(self, chosen: str, names: Sequence[str], change: Mapping[str, str | None]) -> bool:
        """Whether the folder of a member would be empty without that file: git has no empty folders."""
        folder = PurePosixPath(chosen).parent
        left = {name for name in names if change.get(name, "") is not None}
        return not any(PurePosixPath(name).parent == folder for name in left - {chosen})

    def _folder(self, rng: Random) -> str:
        return rng.choice([*self.parts])

    def bad_change(self, rng: Random) -> tuple[dict[str, str | None], str]:
        """A good change with something in it that can't be read, is refused, or fails once it runs."""
        change = self.good_change(rng)
        kind = rng.choice(["broken.yaml", "refused.yaml", "job.yaml"])
        text = FAILING_JOB if kind == "job.yaml" else BROKEN[kind]
        return {**change, f"{self._folder(rng)}{kind}": text}, kind.removesuffix(".yaml")

    def objects(self) -> list[tuple[str, str]]:
        """Kind (as in a path) and name of each object at the head that somebody could edit."""
        plural = {"w": "apps/v1/deployments", "s": "services", "a": "serviceaccounts", "c": "configmaps"}
        names = [_object(name) for name in sorted(self.files)]
        return [(plural[n[0]], n) for n in names]

    # --- what has to be true when it is quiet --------------------------------------------------------------------

    def verdict(self, api: Api) -> Verdict:
        """Judge the live objects against each revision it may be at; the best verdict counts."""
        before = {key: body for key, body in self.before.items() if key.name not in self.recreated}
        best: Verdict | None = None
        choices = self.allowed if self.bad else self.allowed[-1:]
        for revision, files in reversed(choices):
            found = Verdict()
            for folder, part in self.parts.items():
                record, desired = record_of(api, part), self._desired(files, folder)
                found.add(judge(_live(api, part), desired, before, record, exact=False))
                found.half += self._claims(part, revision)
            if not found.wrong:
                live = {key: body for part in self.parts.values() for key, body in _live(api, part).items()}
                self.settled = (revision, files, live)
                best = found
                break
            best = best if best is not None and len(best.wrong) <= len(found.wrong) else found
        assert best is not None
        joint = joint_record(api, self.sync, self.folders)
        if joint is not None:
            best.half.append(f"the group's record says {joint.phase}")
        best.lost += [f"{path} was touched" for path, body in self.others.items() if api.get(path) != body]
        return best

    def _desired(self, files: Files, folder: str) -> Mapping[ResourceId, Json]:
        """What the sync of `folder` has to hold when git has `files`."""
        return desired_of({f: t for f, t in files.items() if f.startswith(folder)}, self.sync.target)

    def _claims(self, part: Sync, revision: str) -> list[str]:
        """What is wrong with what its status says."""
        found = part.get()
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
        if self.bad or self.edited:
            return ""
        early = (self._claims_early(api, folder, part) for folder, part in self.parts.items())
        return "; ".join(filter(None, early))

    def _claims_early(self, api: Api, folder: str, part: Sync) -> str:
        first = part.get()
        if not self._claims_head(first):
            return ""
        live, second = _live(api, part), part.get()
        if first["metadata"]["resourceVersion"] != second["metadata"]["resourceVersion"]:
            return ""
        desired = self._desired(self.files, folder)
        wrong = [str(key) for key, wanted in desired.items() if not as_wanted(live.get(key), wanted)]
        wrong += [str(key) for key in live if key not in desired]
        return f"{part.name} is Ready at {self.head}, but not so: {wrong}" if wrong else ""

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


def _live(api: Api, part: Sync) -> Live:
    return {key: body for key, body in owned_by(api, part).items() if not key.name.startswith("by-")}


def start_players(bench: Bench, count: int, address: Callable[[str], str]) -> list[Player]:
    """Syncs with a few objects each, being installed; the second is a group of two. `address`: a repository's URL."""
    players = []
    for n in range(count):
        folders = ("a", "b") if n == 1 else ()
        places = [f"{folder}/" for folder in folders] or [""]
        names = ("c0", "c1", "c2", "a0", "s0", *(["w0"] if n == 0 else []))
        files = {f"{places[i % len(places)]}{name}.yaml": text_of(name, 1) for i, name in enumerate(names)}
        player = Player(named_sync(bench, f"s{n}"), files, address(f"s{n}"), folders)
        player.start(bench.api)
        players.append(player)
    return players


def named_sync(bench: Bench, name: str) -> Sync:
    """A sync whose names are the same in each run of a seed."""
    sync = bench.source(name)
    assert isinstance(sync.repo, WorkingRepo)
    return sync
