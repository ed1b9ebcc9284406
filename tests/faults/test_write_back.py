"""Two automations, a person and faults write into one real repository, in any order.

After every step: no commit of a person has left a branch, no decision has been carried out twice, each of our commits
changed its own file and nothing else.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from sluice.core.errors import SluiceError
from sluice.core.git_url import parse_url
from sluice.git.head import Head
from sluice.git.mirrors import Mirrors
from sluice.git.write_back import Draft, write_back
from tests.faults.git_proxy import GitProxy, once
from tests.faults.proxying import LOSE_ANSWER
from tests.git_servers import LOOPBACK
from tests.git_writing import git, hook, mark, show, wanted

Fault = Literal["", "race", "lost", "race, lost", "declined"]
BRANCHES = ("main", "bot")


@dataclass(frozen=True)
class Update:
    """An automation decides on a newer value of its file.

    `again` tries once more as after a crash without a record, when a person has set the file on main back meanwhile.
    """

    who: str
    branch: str
    fault: Fault
    again: bool


Step = Update | Literal["human on main", "human on bot", "merge bot", "delete bot"]

updates = st.builds(
    Update,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "bot"]),
    st.sampled_from(["", "race", "lost", "race, lost", "declined"]),
    st.booleans(),
)
people = st.sampled_from(["human on main", "human on bot", "merge bot", "delete bot"])
walks = st.lists(st.one_of(updates, updates, people), min_size=1, max_size=12)


@dataclass
class World:
    """The server's repository, a person's clone, and the operator's mirrors, which a crash empties."""

    bare: Path
    work: WorkingRepo
    proxy: GitProxy
    count: int = 0
    # Subjects of a person's commits that must be on a branch for ever.
    told: list[str] = field(default_factory=list)
    kept: dict[str, set[str]] = field(default_factory=lambda: {"main": set(), "bot": set()})

    def has(self, branch: str) -> bool:
        return f"refs/heads/{branch}" in git(self.bare, "for-each-ref", "--format=%(refname)").split()

    def log(self, branch: str, form: str) -> list[str]:
        return git(self.bare, "log", f"--format={form}", branch).splitlines() if self.has(branch) else []

    def human(self, branch: str, files: dict[str, str | bytes | None] | None = None) -> None:
        """A person pulls, commits and pushes."""
        if not self.has(branch):
            return
        self.count += 1
        subject = f"human {self.count}"
        self.work.git("fetch", "-q", "origin", branch)
        self.work.git("checkout", "-q", "--detach", "FETCH_HEAD")
        self.work.commit(files or {f"people/{self.count}": "x"}, subject, push=False)
        self.work.push(f"HEAD:refs/heads/{branch}")
        self.kept[branch].add(subject)

    def merge(self) -> None:
        """A person merges the pull request."""
        if self.has("bot"):
            self.work.git("fetch", "-q", "origin", "main", "bot")
            self.work.git("fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*")
            self.work.git("checkout", "-q", "--detach", "origin/main")
            try:
                self.work.git("merge", "-q", "--no-ff", "-m", "merge", "origin/bot")
            except subprocess.CalledProcessError:
                self.work.git("merge", "--abort")  # a conflict: the person leaves it
                return
            self.work.push("HEAD:refs/heads/main")
            self.kept["main"] |= self.kept["bot"]

    def delete(self) -> None:
        """A person deletes the branch, and what was on it."""
        if self.has("bot"):
            self.work.push(":refs/heads/bot")
            self.kept["bot"] = set()

    async def update(self, mirrors: Mirrors, step: Update, number: int) -> None:
        """One decision, as an operator carries it out; an error is for its next turn."""
        path, value = f"{step.who}.yaml", f"{step.who}: {number}\n".encode()
        faults: list[Callable[[], None]] = []
        if "race" in step.fault:
            faults.append(lambda: self.human(step.branch or "main"))
        if "lost" in step.fault:
            faults.append(lambda: self.proxy.arm(once("push", LOSE_ANSWER)))
        if step.fault == "declined":
            faults.append(lambda: hook(self.bare, "pre-receive", "exit 1"))

        async def plan(head: Head) -> Draft | None:
            content = (await head.read([path]))[path]
            while faults:
                await asyncio.to_thread(faults.pop(0))
            return Draft({path: value}, f"{step.who} to {number}") if content != value else None

        want = wanted(branch=step.branch, mark=mark(f"d{number}", step.who), look_back=30)
        try:
            await write_back(mirrors.open(parse_url(self.proxy.address("fleet"))), want, plan)
        except SluiceError as error:
            self.told.append(str(error))
        self.proxy.arm()
        (self.bare / "hooks" / "pre-receive").unlink(missing_ok=True)

    def check(self) -> None:
        """The laws."""
        assert all(re.search(r"\[E\d{3}\]", text) for text in self.told)
        for branch in BRANCHES:
            assert self.kept[branch] <= set(self.log(branch, "%s"))
        there = [branch for branch in BRANCHES if self.has(branch)]
        found = git(self.bare, "log", "--format=%H %(trailers:key=Sluice-Update,valueonly)", *there)
        ours = [line.split() for line in found.splitlines() if len(line.split()) == 3]
        assert not [mark for mark, times in Counter((who, d) for _, who, d in ours).items() if times > 1]
        for commit, who, _ in ours:
            assert git(self.bare, "show", "--format=", "--name-only", commit).split() == [f"{who}.yaml"]


async def play(steps: list[Step], folder: Path) -> None:
    with GitHttpServer(folder / "http") as server, GitProxy(server) as proxy:
        bare = server.create("fleet")
        work = WorkingRepo(folder / "work", bare)
        work.commit({"a.yaml": "a: 0\n", "b.yaml": "b: 0\n"}, "first")
        world = World(bare, work, proxy)
        for number, step in enumerate(steps, 1):
            match step:
                case Update():
                    for turn in range(1 + step.again):
                        if turn:
                            world.human("main", {f"{step.who}.yaml": f"{step.who}: set back {number}\n"})
                        async with Mirrors(folder / f"cache-{number * turn}", policy=LOOPBACK) as mirrors:
                            await world.update(mirrors, step, number)
                case "human on main" | "human on bot":
                    world.human(step.removeprefix("human on "))
                case "merge bot":
                    world.merge()
                case "delete bot":
                    world.delete()
            world.check()
        async with Mirrors(folder / "cache-0", policy=LOOPBACK) as mirrors:
            for who in ("a", "b"):
                await world.update(mirrors, Update(who, "", "", again=False), 1000)
                assert show(bare, "main", f"{who}.yaml") == f"{who}: 1000\n".encode()
        world.check()


def run(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(steps, Path(folder)))


# Without shrinking: a step takes a tenth of a second, and a walk of a dozen steps reads well enough.
SLOW = settings(
    max_examples=2,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
)


@pytest.mark.timeout(600)
@SLOW
@example([Update("a", "bot", "", False), "human on bot", "human on main", Update("b", "bot", "", False)])
@example([Update("a", "", "race, lost", True), Update("b", "bot", "lost", True), "merge bot", "human on main",
          Update("a", "bot", "race, lost", True), "merge bot", "delete bot", Update("b", "bot", "", True)])  # fmt: skip
@given(walks)
def test_no_order_of_writers_and_faults_loses_a_person_s_commit_or_makes_a_decision_twice(steps: list[Step]) -> None:
    run(steps)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@settings(SLOW, max_examples=60, derandomize=False)
@given(walks)
def test_the_same_for_many_more_orders(steps: list[Step]) -> None:
    run(steps)
