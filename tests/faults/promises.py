"""The promise of a transaction as faults that any operator can be put to: `python -m tests.faults.promises ADAPTER`.

ADAPTER is a module that offers an `Adapter`. Prints a line for each fault, and what is wrong; exits with 1 when
something is.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from devcluster import Cluster, ClusterOptions
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from tests.faults.adapter import Adapter, Process, Site, SyncSpec, load_adapter
from tests.faults.fault_proxy import Asked, Fault, FaultProxy
from tests.operator_fixture import Api, Json, config_map, poll

SETTLE_SECONDS = 60.0
# A peer may write much for a small change; killing it at each of the first so many shows what it is like.
MOST_KILLS = 16
MANY = {f"{n}.yaml": config_map(f"c{n:03}") for n in range(200)}
KEEP = {"keep.yaml": config_map("keep")}
POD = """apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: $NS}
spec:
  containers: [{name: main, image: "nginx:1", resources: {requests: {cpu: 100m}}}]
"""
Files = Mapping[str, str | None]


@dataclass
class Place:
    """One sync, its repository, and the namespace that it fills."""

    stand: Stand
    spec: SyncSpec
    repo: WorkingRepo

    def commit(self, files: Files) -> str:
        """Commit and push; `$NS` becomes the target. Returns the commit."""
        target = self.spec.target
        return self.repo.commit({k: v if v is None else v.replace("$NS", target) for k, v in files.items()}, "change")

    def push(self, files: Files) -> str:
        """The same, and have the operator look."""
        commit = self.commit(files)
        self.stand.adapter.look_now(self.stand.api, self.spec)
        return commit

    def come_back(self, files: Files) -> str:
        """Commit while it is dead, and start it again; a part of it that has lived on is told to look."""
        commit = self.commit(files)
        self.stand.ensure()
        self.stand.adapter.look_now(self.stand.api, self.spec)
        return commit

    def leftovers(self) -> list[str]:
        """What is there and not in git, once git has only KEEP."""
        return [name for name in self.names() if name != "keep"]

    def begin(self) -> None:
        """Have the operator sync it."""
        self.stand.adapter.create(self.stand.api, self.spec)

    def ready_at(self) -> str:
        """What the operator claims."""
        return self.stand.adapter.ready_at(self.stand.api, self.spec)

    def wait_ready(self, commit: str) -> None:
        """Wait for its claim. Raises AssertionError."""
        poll(f"{self.stand.adapter.name} is ready at {commit[:8]}", lambda: self.ready_at() == commit, SETTLE_SECONDS)

    def wait_judged(self, commit: str) -> None:
        """Wait until it claims either way."""
        adapter, api = self.stand.adapter, self.stand.api
        poll(
            "it says how it went",
            lambda: commit in {self.ready_at(), adapter.failed_at(api, self.spec)},
            SETTLE_SECONDS,
        )

    def objects(self, kind: str) -> dict[str, Json]:
        """What is there, by name; what every namespace has left out."""
        listed = self.stand.api.get(f"/api/v1/namespaces/{self.spec.target}/{kind}") or {"items": []}
        items = {item["metadata"]["name"]: item for item in listed["items"]}
        return {name: item for name, item in items.items() if name != "kube-root-ca.crt"}

    def names(self, kind: str = "configmaps") -> list[str]:
        """The names alone."""
        return sorted(self.objects(kind))


@dataclass
class Stand:
    """One operator behind one proxy."""

    adapter: Adapter
    cluster: Cluster
    api: Api
    proxy: FaultProxy
    process: Process
    git: GitHttpServer
    site: Site

    def place(self) -> Place:
        """A repository and a namespace that nobody has used."""
        name = f"s-{secrets.token_hex(3)}"
        create_namespace(self.cluster, name)
        self.git.create(name)
        self.proxy.arm()
        self.ensure()
        spec = SyncSpec(name, self.site.namespace, self.git.url(name), name)
        return Place(self, spec, WorkingRepo(self.site.folder / "work" / name, self.git.url(name)))

    def ensure(self) -> None:
        """Start it again, without faults, once what a dead one had sent has arrived."""
        if not self.process.running:
            self.proxy.settle()
            self.proxy.arm()
            self.process.start()
            self.process.wait_ready()


@contextmanager
def open_stand(cluster: Cluster, adapter: Adapter, root: Path) -> Iterator[Stand]:
    """A running operator of its own namespace; the adapter has installed what it needs."""
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    with ExitStack() as stack:
        api = Api(cluster)
        stack.callback(api.close)
        git = stack.enter_context(GitHttpServer(root / "git"))
        proxy = stack.enter_context(FaultProxy(cluster, adapter.counts))
        site = Site(proxy.write_kubeconfig(root / f"{name}.kubeconfig"), name, root)
        process = adapter.process(site)
        process.start()
        stack.callback(process.stop)
        process.wait_ready()
        yield Stand(adapter, cluster, api, proxy, process, git, site)


# --- the faults -----------------------------------------------------------------------------------------------------


def _killed_half_way(stand: Stand) -> Place:
    """A place whose operator was killed when it had created half of 200 objects."""
    place = stand.place()
    place.commit({**MANY, **KEEP})

    def trap(asked: Asked) -> Fault | None:
        return Fault(after=stand.process.kill, answer=False) if asked.number == len(MANY) // 2 else None

    stand.proxy.arm(trap)
    place.begin()
    assert stand.process.wait_dead(SETTLE_SECONDS), "it was never half-way"
    stand.proxy.settle()
    stand.proxy.arm()
    return place


def orphans_after_a_kill(stand: Stand) -> list[str]:
    """Killed while it applies, and what it was applying has left git before it comes back."""
    place = _killed_half_way(stand)
    commit = place.come_back(dict.fromkeys(MANY))
    place.wait_ready(commit)
    deadline = time.monotonic() + 10
    while (left := place.leftovers()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [f"{len(left)} objects that git does not have are left for ever"] if left else []


def ready_with_leftovers(stand: Stand) -> list[str]:
    """The same, looked at in the moment in which it says that it is where git is."""
    place = _killed_half_way(stand)
    commit = place.come_back(dict.fromkeys(MANY))
    place.wait_ready(commit)
    left = place.leftovers()
    return [f"it said Ready with {len(left)} leftovers"] if left else []


def half_behind_a_quota(stand: Stand) -> list[str]:
    """A revision of 42 pods, of which a quota allows 25: all or none."""
    place = stand.place()
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}}
    where = f"/api/v1/namespaces/{place.spec.target}/resourcequotas"
    stand.api.create(where, {**quota, "spec": {"hard": {"requests.cpu": "2500m"}}})
    poll("the quota counts", lambda: (stand.api.get(f"{where}/q") or {}).get("status", {}).get("used"))
    commit = place.commit({f"{n}.yaml": POD.replace("NAME", f"p{n}") for n in range(42)})
    place.begin()
    place.wait_judged(commit)
    deadline = time.monotonic() + 10
    while (left := place.names("pods")) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [f"{len(left)} of 42 pods are left"] if left else []


BEFORE = {"a.yaml": config_map("a"), "b.yaml": config_map("b"), "c.yaml": config_map("c")}
CHANGE: Files = {"a.yaml": config_map("a", "2"), "c.yaml": None, "d.yaml": config_map("d")}
AFTER = {"a": "2", "b": "1", "d": "1"}


def killed_at_each_write(stand: Stand) -> list[str]:
    """An update, a creation and a prune in one commit, killed before and after each write of it."""
    wrong: list[str] = []
    for number in range(1, MOST_KILLS + 1):
        for after in (False, True):
            found = _killed_at(stand, number, after=after)
            if found is None:
                return wrong
            wrong += [f"write {number}, {'after' if after else 'before'}: {each}" for each in found]
    return wrong


def _killed_at(stand: Stand, number: int, *, after: bool) -> list[str] | None:
    """What is wrong in the end; None when there is no such write."""
    place = stand.place()
    commit = place.commit(BEFORE)
    place.begin()
    place.wait_ready(commit)
    uids = {name: item["metadata"]["uid"] for name, item in place.objects("configmaps").items()}

    def trap(asked: Asked) -> Fault | None:
        if asked.number != number:
            return None
        kill = stand.process.kill
        return Fault(after=kill, answer=False) if after else Fault(before=kill, forward=False)

    stand.proxy.arm(trap)
    commit = place.push(CHANGE)
    poll("it dies or is done", lambda: not stand.process.running or place.ready_at() == commit, SETTLE_SECONDS)
    stand.process.wait_dead(0.3)  # the last writes of a change may come after its claim
    if stand.process.running:
        return None
    stand.ensure()
    place.wait_ready(commit)
    live = place.objects("configmaps")
    wrong = [f"{name} is {'not as git says' if name in live else 'missing'}" for name, value in AFTER.items()
             if live.get(name, {}).get("data") != {"key": value}]  # fmt: skip
    wrong += [f"{name} is left" for name in live if name not in AFTER]
    return wrong + [
        f"{name} was made anew" for name in uids if name in live and live[name]["metadata"]["uid"] != uids[name]
    ]


PROMISES: tuple[Callable[[Stand], list[str]], ...] = (
    orphans_after_a_kill,
    ready_with_leftovers,
    half_behind_a_quota,
    killed_at_each_write,
)


def try_promise(stand: Stand, promise: Callable[[Stand], list[str]]) -> list[str]:
    """What is wrong; an operator that does not come to an end is wrong, too."""
    try:
        return promise(stand)
    except AssertionError as error:
        return [str(error).partition("\n")[0]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Put the operator of one adapter to every fault."""
    parser = argparse.ArgumentParser(
        description="Put an operator to the faults that a transaction promises to outlast."
    )
    parser.add_argument("adapter", nargs="?", default="tests.faults.adapter_sluice", metavar="ADAPTER")
    adapter = load_adapter(parser.parse_args(arguments).adapter)
    kept = 0
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="promises-")))
        cluster = stack.enter_context(Cluster.start(ClusterOptions()))
        adapter.install(cluster)
        stand = stack.enter_context(open_stand(cluster, adapter, root))
        for promise in PROMISES:
            wrong = try_promise(stand, promise)
            kept += not wrong
            print(f"{promise.__name__.replace('_', ' '):<24} {'kept' if not wrong else 'broken'}", flush=True)
            for each in wrong:
                print(f"    {each}", flush=True)
    print(f"{adapter.name}: promises kept {kept}/{len(PROMISES)}")
    return 0 if kept == len(PROMISES) else 1


if __name__ == "__main__":
    sys.exit(main())
