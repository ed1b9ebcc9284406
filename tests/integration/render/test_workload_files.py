"""Images and policies of generated workloads, changed by a patch file or by updaters: exactly so, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.core.image import parse
from sluice.core.image_update.policy_annotation import PolicyUpdate, automate, deautomate
from sluice.core.image_update.release import ContainerUpdate, locate_workloads
from sluice.core.image_update.result import ImageUpdate
from sluice.core.image_update.workload import WorkloadId
from sluice.render.generators import Generators
from sluice.render.workload_files import Place, WorkloadFiles
from tests.trees import COMMIT, MemoryBlobs, tree_of

WEB = WorkloadId("shop", "deployment", "web")
DB = WorkloadId("shop", "statefulset", "db")
RELEASE = WorkloadId("shop", "helmrelease", "blog")
PRINTED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {fluxcd.io/tag.main: 'glob:1.*'}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: 'ghcr.io/acme/web:1.0', args: [--a]}
      - {name: side, image: 'side:1.0'}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec: {template: {spec: {containers: [{name: db, image: 'db:1.0'}]}}}
---
apiVersion: helm.fluxcd.io/v1
kind: HelmRelease
metadata: {name: blog, namespace: shop}
spec:
  chart: {name: blog}
  values: {image: {repository: ghcr.io/acme/blog, tag: '1.0'}}
"""
PATCHED = "version: 1\npatchUpdated:\n  generators:\n  - command: cat $PWD/../*.in\n  patchFile: patch.yaml\n"
SED = "sed -i \"s#$FLUX_IMG:.*'#$FLUX_IMG:$FLUX_TAG'#\" ../web.in"
COMMANDED = f"""\
version: 1
commandUpdated:
  generators:
  - command: cat ../*.in
  updaters:
  - containerImage:
      command: {SED}
    policy:
      command: env | grep ^FLUX | sort > policies.txt; ./policy
"""
POLICY = """\
#!/bin/sh
[ "$FLUX_POLICY" = automated ] || exit 3
if [ "$FLUX_POLICY_VALUE" ]; then sed -i "s#annotations: {#annotations: {fluxcd.io/automated: 'true', #" ../web.in
else sed -i "s#fluxcd.io/automated: 'true', ##" ../web.in; fi
"""


class Repo:
    """A tree in memory whose path `prod` is generated."""

    def __init__(self, tmp_path: Path, flux: str, files: dict[str, str] | None = None) -> None:
        self.files: dict[str, str | bytes] = {"prod/.flux.yaml": flux, "web.in": PRINTED, **(files or {})}
        self.generators = Generators(tmp_path)
        self.work = tmp_path

    async def open(self, *paths: str) -> WorkloadFiles:
        tree, blobs = tree_of(self.files, blobs=MemoryBlobs())
        return await WorkloadFiles.read(Place(tree, blobs, paths or ("prod",), commit=COMMIT), self.generators)

    async def release(self, *wanted: tuple[WorkloadId, str, str], paths: tuple[str, ...] = ("prod",)) -> ImageUpdate:
        updates = [ContainerUpdate(workload, container, parse(image)) for workload, container, image in wanted]
        return self.take(await (await self.open(*paths)).update_containers(updates))

    async def change(self, *updates: PolicyUpdate) -> ImageUpdate:
        return self.take(await (await self.open()).update_policies(updates))

    def take(self, update: ImageUpdate) -> ImageUpdate:
        """As if it were committed."""
        self.files |= update.files
        assert not list(self.work.glob("build-*"))
        return update

    def text(self, path: str = "prod/patch.yaml") -> str:
        data = self.files[path]
        return data if isinstance(data, str) else data.decode()

    async def images(self, *paths: str) -> dict[str, str]:
        files = await self.open(*paths)
        located = locate_workloads(files.contents, [WEB, DB, RELEASE])
        return {
            f"{id_.name}/{each.name}": str(each.image)
            for id_, (_, workload) in located.workloads.items()
            for each in workload.containers
        }


BEFORE = {
    "web/main": "ghcr.io/acme/web:1.0", "web/side": "side:1.0", "db/db": "db:1.0",
    "blog/chart-image": "ghcr.io/acme/blog:1.0",
}  # fmt: skip


async def test_a_first_release_makes_the_patch_file_with_what_differs_and_nothing_else(tmp_path: Path) -> None:
    repo = Repo(tmp_path, PATCHED)
    assert await repo.images() == BEFORE
    update = await repo.release((WEB, "main", "ghcr.io/acme/web:1.1"))
    assert update.files.keys() == {"prod/patch.yaml"}
    assert repo.text() == (
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\n"
        "spec:\n  template:\n    spec:\n      containers:\n"
        "        - name: main\n          image: ghcr.io/acme/web:1.1\n"
    )
    assert await repo.images() == {**BEFORE, "web/main": "ghcr.io/acme/web:1.1"}
    [change] = update.changes
    assert (change.path, change.line, change.field) == ("prod/patch.yaml", 7, "main")
    assert (change.old, change.new) == ("ghcr.io/acme/web:1.0", "ghcr.io/acme/web:1.1")


async def test_an_edit_of_a_patch_file_keeps_every_other_byte(tmp_path: Path) -> None:
    patch = (
        "# ours   keep me\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n    name: web\n    namespace: shop\n"
        "spec:\n    replicas: 3   # and me\n    template:\n        spec:\n            containers:\n"
        '            -   name: main\n                image: "ghcr.io/acme/web:1.0"  # this\n'
    )
    repo = Repo(tmp_path, PATCHED, {"prod/patch.yaml": patch})
    await repo.release((WEB, "main", "ghcr.io/acme/web:1.1"))
    assert repo.text() == patch.replace("web:1.0", "web:1.1")
    await repo.release((WEB, "side", "side:1.1"), (RELEASE, "chart-image", "ghcr.io/acme/blog:1.1"))
    text = repo.text()
    assert text.startswith(patch.replace("web:1.0", "web:1.1"))
    assert "            - name: side\n              image: side:1.1\n" in text
    assert text.endswith('spec:\n  values:\n    image:\n      tag: "1.1"\n')
    wanted = {"web/main": "ghcr.io/acme/web:1.1", "web/side": "side:1.1", "blog/chart-image": "ghcr.io/acme/blog:1.1"}
    assert await repo.images() == {**BEFORE, **wanted}


async def test_a_release_of_what_is_so_already_changes_nothing(tmp_path: Path) -> None:
    repo = Repo(tmp_path, PATCHED)
    update = await repo.release((WEB, "main", "ghcr.io/acme/web:1.0"))
    assert update == ImageUpdate()


async def test_policies_go_into_the_patch_and_out_of_it_also_those_that_generators_print(tmp_path: Path) -> None:
    repo = Repo(tmp_path, PATCHED)
    await repo.change(automate(WEB))
    assert "annotations:\n    fluxcd.io/automated: 'true'\n" in repo.text()
    await repo.release((WEB, "main", "ghcr.io/acme/web:1.1"))
    await repo.change(PolicyUpdate(WEB, remove=frozenset({"tag.main"})))
    assert "fluxcd.io/tag.main: null" in repo.text()
    await repo.change(PolicyUpdate(WEB, {"tag.main": "glob:2.*"}), deautomate(WEB))
    located = locate_workloads((await repo.open()).contents, [WEB])
    _, workload = located.workloads[WEB]
    assert workload.annotations == {"fluxcd.io/tag.main": "glob:2.*"}
    assert "automated" not in repo.text()
    assert (await repo.images())["web/main"] == "ghcr.io/acme/web:1.1"


async def test_updaters_run_with_the_variables_of_the_change_and_their_files_are_what_is_committed(
    tmp_path: Path,
) -> None:
    repo = Repo(tmp_path, COMMANDED)
    update = await repo.release((WEB, "main", "ghcr.io/acme/web:1.1"))
    assert update.files.keys() == {"web.in"}
    assert repo.text("web.in") == PRINTED.replace("web:1.0", "web:1.1")
    [change] = update.changes
    assert (change.path, change.line, change.new) == ("prod/.flux.yaml", 6, "ghcr.io/acme/web:1.1")


async def test_every_updater_runs_for_every_change_with_path_and_its_own_variables_only(tmp_path: Path) -> None:
    flux = COMMANDED + "  - containerImage: {command: env | sort >> image.txt}\n"
    repo = Repo(tmp_path, flux)
    await repo.release((WEB, "main", "ghcr.io/acme/web:1.1"), (WEB, "side", "side:1.1"))
    lines = [line for line in repo.text("prod/image.txt").splitlines() if not line.startswith(("PWD=", "_=", "SHLVL"))]
    names = [line.partition("=")[0] for line in lines]
    of_image, of_workload = ("CONTAINER", "IMG", "TAG"), ("WL_KIND", "WL_NAME", "WL_NS", "WORKLOAD")
    assert names == [*(f"FLUX_{name}" for name in (*of_image, *of_workload)), "HOME", "LANG", "PATH", "TMPDIR"] * 2
    for line in ("FLUX_WORKLOAD=shop:deployment/web", "FLUX_WL_NS=shop", "FLUX_WL_KIND=deployment", "FLUX_WL_NAME=web"):
        assert lines.count(line) == 2
    assert {"FLUX_CONTAINER=main", "FLUX_IMG=ghcr.io/acme/web", "FLUX_TAG=1.1", "FLUX_CONTAINER=side"} <= set(lines)


async def test_a_policy_updater_gets_the_policy_and_its_value_and_no_value_takes_it_away(tmp_path: Path) -> None:
    repo = Repo(tmp_path, COMMANDED.replace("./policy", "sh ./policy"), {"prod/policy": POLICY})
    await repo.change(automate(WEB))
    assert "FLUX_POLICY=automated\nFLUX_POLICY_VALUE=true\n" in repo.text("prod/policies.txt")
    assert "FLUX_CONTAINER" not in repo.text("prod/policies.txt")
    assert "fluxcd.io/automated: 'true'" in repo.text("web.in")
    await repo.change(deautomate(WEB))
    assert "FLUX_POLICY_VALUE" not in repo.text("prod/policies.txt")
    assert repo.text("web.in") == PRINTED


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("true", "the updaters changed no file [E686]"),
        ("echo x > new.txt", "Deployment shop/web did not do what was meant [E686] at prod/.flux.yaml@a1b2c3d"),
        ("echo x > new.txt", "web main: ghcr.io/acme/web:1.0, wanted ghcr.io/acme/web:1.1; fix: correct the updater"),
        ("sed -i s/:1.0/:1.1/ ../web.in", "shop:deployment/web side: docker.io/library/side:1.1, wanted "),
        ("sed -i 's/web:1.0/web:1.1/; s/name: db,/name: db2,/' ../web.in", "StatefulSet shop/db is gone"),
        ("rm ../web.in", "an updater deleted a file [E687]"),
        ("ln -s /etc/passwd link", "an updater left something that is no plain file [E687]"),
        ("exit 2", "ended with status 2 [E681] at prod/.flux.yaml:6@a1b2c3d"),
    ],
)  # fmt: skip
async def test_an_updater_that_does_anything_else_than_what_was_meant_changes_nothing(
    tmp_path: Path, command: str, said: str
) -> None:
    repo = Repo(tmp_path, COMMANDED.replace(SED, json.dumps(command)))
    update = await repo.release((WEB, "main", "ghcr.io/acme/web:1.1"))
    assert (update.files, update.changes) == ({}, ())
    [skipped] = update.skipped
    assert said in str(skipped.problem)
    assert (skipped.subject.name, skipped.field) == ("web", "main")


async def test_without_an_updater_for_it_a_change_is_refused(tmp_path: Path) -> None:
    flux = "version: 1\ncommandUpdated:\n  generators:\n  - command: cat ../*.in\n"
    update = await Repo(tmp_path, flux).release((WEB, "main", "ghcr.io/acme/web:1.1"))
    assert "no updater changes images [E685] at prod/.flux.yaml@a1b2c3d" in str(update.skipped[0].problem)


async def test_plain_and_generated_paths_are_updated_together_and_one_that_fails_leaves_the_others(
    tmp_path: Path,
) -> None:
    plain = PRINTED.split("---\n")[1].replace("db", "cache").replace("namespace: shop", "namespace: other")
    broken = COMMANDED.replace("cat ../*.in", "cat blog.txt").replace(SED, "exit 5")
    files = {"plain/a.yaml": plain, "other/.flux.yaml": broken, "other/blog.txt": PRINTED.split("---\n")[2]}
    shop = PRINTED.rpartition("---\n")[0]
    repo = Repo(tmp_path, PATCHED, {**files, "web.in": shop})
    wanted = (
        (WEB, "main", "ghcr.io/acme/web:1.1"),
        (WorkloadId("other", "statefulset", "cache"), "cache", "cache:2.0"),
        (RELEASE, "chart-image", "ghcr.io/acme/blog:1.1"),
        (WorkloadId("shop", "deployment", "nobody"), "main", "x:1"),
    )
    update = await repo.release(*wanted, paths=("prod", "plain", "other"))
    assert update.files.keys() == {"prod/patch.yaml", "plain/a.yaml"}
    assert [skipped.problem.code.number for skipped in update.skipped] == ["E558", "E681"]
    assert "image: 'cache:2.0'" in repo.text("plain/a.yaml")


async def test_one_updater_that_serves_two_paths_changes_both_when_both_are_meant(tmp_path: Path) -> None:
    flux = COMMANDED.replace("cat ../*.in", 'sed "s/ shop/ ${PWD##*/}/" ../web.in')
    repo = Repo(tmp_path, "version: 1\nscanForFiles: {}\n", {".flux.yaml": flux, "a/x": "", "b/x": ""})
    both = [(WorkloadId(name, "deployment", "web"), "main", "ghcr.io/acme/web:1.1") for name in "ab"]
    update = await repo.release(*both, paths=("a", "b"))
    assert update.files.keys() == {"web.in"}
    assert not update.skipped
    alone = await repo.release((both[0][0], "main", "ghcr.io/acme/web:1.2"), paths=("a", "b"))
    assert "b:deployment/web main: ghcr.io/acme/web:1.2, wanted ghcr.io/acme/web:1.1" in str(alone.skipped[0].problem)


async def test_a_plain_file_below_a_generated_path_defines_no_workload(tmp_path: Path) -> None:
    repo = Repo(tmp_path, "version: 1\ncommandUpdated: {generators: [{command: 'true'}]}\n", {"prod/web.yaml": PRINTED})
    assert await repo.images() == {}
    repo.files["prod/.flux.yaml"] = "version: 1\nscanForFiles: {}\n"
    assert await repo.images() == BEFORE
