"""The transcripts of the how-to guides: every command as it is typed there prints what the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest

from devcluster import Cluster, ClusterOptions
from devcluster.cluster import kubectl_path
from devcluster.fixture import create_namespace
from devcluster.git_repository import WorkingRepo
from devcluster.images import make_image
from devcluster.registry import Registry
from tests.e2e.guide import Reader
from tests.e2e.transcript import Page, alike, blocks, steps
from tests.image_objects import AUTHOR, Images
from tests.operator_fixture import (
    FAILING_JOB,
    Bench,
    LogCapture,
    OpenBench,
    Sync,
    config_map,
    deployment,
    install_crds,
    log_capture,
    poll,
    settings_for,
)

__all__ = ["log_capture"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def bench(log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A cluster whose names are those of the pages: the operator's namespace is flux-system, that of the app shop."""
    root = tmp_path_factory.mktemp("pages")
    with Cluster.start(ClusterOptions()) as cluster:
        install_crds(cluster)
        for name in ("flux-system", "shop"):
            create_namespace(cluster, name)
        settings = replace(settings_for("flux-system", root), registry_insecure_hosts=("127.0.0.1",))
        with OpenBench(cluster, root, log_capture, settings) as opened:
            yield opened


@pytest.fixture
def fleet(bench: Bench, tmp_path: Path) -> Iterator[Sync]:
    """The GitRepository `fleet` and its checkout; what is made with it goes when the test ends."""
    bench.git.create(tmp_path.name)
    made = Sync(bench, "fleet", "shop", WorkingRepo(tmp_path / "fleet", bench.git.url(tmp_path.name)))
    yield made
    names = bench.cluster.kubectl("get", "ks", "-n", "flux-system", "-o", "name").split()
    for name in names:
        bench.cluster.kubectl("patch", name, "-n", "flux-system", "--type=merge", '-p={"spec":{"suspend":false}}')
        bench.cluster.kubectl("delete", name, "-n", "flux-system", "--wait")
    bench.cluster.kubectl("delete", "gitrepositories,events,cm", "--all", "-n", "flux-system")


@pytest.fixture
def reader(bench: Bench, fleet: Sync, tmp_path: Path) -> Reader:
    """Somebody at a shell, in the checkout."""
    home = tmp_path / "home"
    home.mkdir()
    made = Reader(home, bench.cluster.kubeconfig, kubectl_path(), {}, fleet.repo.path)
    made.equip()
    return made


def app(fleet: Sync, name: str = "shop", path: str = "./apps", **spec: Any) -> Sync:
    """A Kustomization of the fleet."""
    made = replace(fleet, name=name)
    made.create(sourceRef={"kind": "GitRepository", "name": "fleet"}, path=path, **spec)
    return made


def begin(fleet: Sync, files: dict[str, str | None], message: str = "Run the shop", **spec: Any) -> Sync:
    """Commit, make source and Kustomization, and wait until it is applied."""
    revision = fleet.commit(files, message)
    fleet.create_source(url=fleet.repo.remote)
    made = app(fleet, **spec)
    made.wait_ready(revision)
    return made


def follow_all(page: str, reader: Reader) -> None:
    """Every transcript of a page, one after the other."""
    followed = Page(page, reader)
    for _ in blocks(followed.path):
        followed.follow()
    followed.end()


def test_roll_back(fleet: Sync, reader: Reader) -> None:
    web = deployment("web", "web:2.1")
    shop = begin(fleet, {"apps/a.yaml": config_map("greeting"), "apps/web.yaml": web}, wait=True)
    fleet.repo.git("config", "user.name", "Ben Demo")
    shop.wait_ready(fleet.push({"apps/a.yaml": config_map("greeting", "hi")}, "Greet shorter"))
    failed = fleet.push({"apps/job.yaml": FAILING_JOB}, "Migrate")
    shop.wait_failed(failed)
    fleet.repo.git("config", "user.name", "Ada Demo")
    bumped: dict[str, str | None] = {"apps/job.yaml": None, "apps/web.yaml": deployment("web", "web:2.2")}
    shop.wait_ready(fleet.push(bumped, "Bump web to 2.2"))
    follow_all("how-to/roll-back.md", replace(reader, replaced={"31e6846d": failed.partition(":")[2][:8]}))


def test_stop_and_resume(fleet: Sync, reader: Reader) -> None:
    begin(fleet, {"apps/a.yaml": config_map("greeting")})
    follow_all("how-to/stop-and-resume.md", reader)


def test_decide_what_happens_to_drift(fleet: Sync, reader: Reader) -> None:
    web = deployment("web", replicas=2)
    shop = begin(fleet, {"apps/a.yaml": config_map("greeting", "good-morning"), "apps/web.yaml": web})
    page = Page("how-to/decide-what-happens-to-drift.md", reader)
    page.follow()
    page.follow()
    page.follow()
    rule = {"paths": ["/spec/replicas"], "target": {"kind": "Deployment", "name": "web"}}
    shop.edit(drift=None, ignore=[rule])
    shop.wait_ready(fleet.push({"apps/web.yaml": deployment("web", "nginx:2", replicas=2)}))
    page.follow()
    shop.edit(ignore=None)
    shop.reconcile()

    def insist() -> bool:
        shop.bench.api.patch(shop.at("apps/v1/deployments", "web"), {"spec": {"replicas": 3}}, manager="kubectl-patch")
        return shop.condition("Drifted").get("reason") == "FightDetected"

    poll("the fight is found", insist, 90)
    page.follow()
    page.end()


ROOT = Path(__file__).parents[2]


def files_of(page: Path) -> list[tuple[str, str]]:
    """The files that a page shows, by the names that stand before them."""
    return re.findall(r"^`(/\S+)`:\n\n```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


TWICE = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n"
OPEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {}\nspec:\n  ports: [80, 443\n"
NO_BASE64 = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  k:   '?'\n"


def test_try_a_change_before_pushing(fleet: Sync, reader: Reader) -> None:
    web = deployment("web", replicas=2)
    shop = begin(fleet, {"apps/a.yaml": config_map("greeting"), "apps/web.yaml": web})

    def edit(**files: str) -> None:
        fleet.repo.git("checkout", "-q", ".")
        fleet.repo.git("clean", "-qfd")
        for name, text in files.items():
            file = fleet.repo.path / f"{name.replace('__', '/')}.yaml"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text.replace("$NS", "shop"))

    page = Page("how-to/try-a-change-before-pushing.md", reader)
    edit(broken__a=TWICE, broken__b=OPEN, broken__c=NO_BASE64)
    page.follow()
    edit(apps__extra=config_map("extra"), apps__web=web.replace("replicas: 2", "replicas: 3"))
    page.follow()
    edit(apps__job=FAILING_JOB)
    page.follow()
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"count/jobs.batch": "1"}}}
    path = "/api/v1/namespaces/shop/resourcequotas"
    shop.bench.api.create(path, {"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    poll("the quota counts", lambda: (shop.bench.api.get(f"{path}/small") or {}).get("status", {}).get("used"))
    edit(apps__job=FAILING_JOB, apps__job2=FAILING_JOB.replace("name: migrate,", "name: migrate-more,"))
    page.follow()
    shop.bench.api.delete(f"{path}/small")
    edit(apps__extra=config_map("extra"), apps__web=web.replace("replicas: 2", "replica: 4"))
    page.follow()
    edit()
    names = ("api/a", "api/x", "web/b", "web/old")
    revision = fleet.push({f"{name}.yaml": config_map(name.partition("/")[2]) for name in names})
    group = {"annotations": {"sluice.dev/group": "shop"}}
    for member in [app(fleet, name, f"./{name}", metadata=group) for name in ("api", "web")]:
        member.wait_ready(revision)
    edit(api__a=config_map("a", "2"), web__c=config_map("c"), web__x=config_map("x"))
    for name in ("api/x", "web/old"):
        (fleet.repo.path / f"{name}.yaml").unlink()
    page.follow()
    page.end()


def test_what_is_told_of_a_revision_that_is_refused_or_undone(fleet: Sync, reader: Reader) -> None:
    """One app for the pages that explain it and the record, and refer to the conditions."""
    good: dict[str, str | None] = {"apps/a.yaml": config_map("greeting"), "apps/web.yaml": deployment("web")}
    shop = begin(fleet, good, wait=True)
    follow_all("reference/record-format.md", reader)
    follow_all("decisions/0002-the-record-lives-in-secrets.md", reader)
    fleet.push({"apps/web.yaml": deployment("web").replace("replicas:", "replica:")})
    page = Page("explanation/transaction.md", reader)
    page.follow()
    follow_all("reference/conditions-and-reasons.md", reader)
    shop.wait_ready(fleet.push(good))
    fleet.push({"apps/a.yaml": config_map("greeting", "2"), "apps/migrate.yaml": FAILING_JOB})
    page.follow()
    page.end()
    shop.edit(decryption={"provider": "sops"}, kubeConfig={"secretRef": {"name": "other"}})
    follow_all("reference/not-yet-honoured.md", reader)


def test_run_without_crds(fleet: Sync, reader: Reader, tmp_path: Path) -> None:
    fleet.commit({"apps/a.yaml": config_map("flagged", namespace="default")})
    create_namespace(fleet.bench.cluster, "flagdemo")
    names = {"http://127.0.0.1:8089/fleet.git": fleet.repo.remote, "./data": str(tmp_path / "data")}
    page = Page("how-to/run-without-crds.md", replace(reader, replaced=names))
    (command, _), *_ = steps(blocks(page.path)[0])
    page.pass_by(command.partition(" ")[0])
    with page.reader.running(command) as process:
        page.reader = replace(reader, replaced={"vm_13425": f"{gethostname()}_{process.pid}"})
        page.follow()
    page.follow()
    page.end()
    follow_all("decisions/0010-refused-rather-than-ignored.md", reader)


IMAGES = {"registry.example/db:2.3": "registry.example/db:broken"}


def test_order_things_with_depends_on_and_see_why_a_commit_is_not_live(fleet: Sync, reader: Reader) -> None:
    """One failure for both pages, for it takes the shortest time that health is given: half a minute."""
    revision = fleet.commit({"backend/a.yaml": config_map("backend"), "database/db.yaml": deployment("db")})
    fleet.create_source(url=fleet.repo.remote)
    database = app(fleet, "database", "./database", wait=True, timeout="30s")
    backend = app(fleet, "backend", "./backend", dependsOn=[{"name": "database"}])
    backend.wait_ready(revision)
    broken = deployment("db", IMAGES["registry.example/db:2.3"])
    files = {"database/db.yaml": broken, "backend/a.yaml": config_map("backend", "2")}
    failed = fleet.push({**files, "checkout/a.yaml": config_map("checkout")}, "Bump db to 2.3")
    database.wait_failed(failed, seconds=60)
    backend.wait_condition("Ready", "False", "DependencyNotReady")
    follow_all("how-to/order-things-with-dependson.md", replace(reader, replaced=IMAGES))
    follow_all("how-to/wait-for-health.md", replace(reader, replaced=IMAGES))
    checkout = app(fleet, "checkout", "./checkout", dependsOn=[{"name": "database"}])
    checkout.wait_condition("Ready", "False", "DependencyNotReady")
    backend.bench.api.delete(backend.path)
    backend.wait_gone()
    page = Page("how-to/see-why-a-commit-is-not-live.md", replace(reader, replaced=IMAGES))
    page.follow()
    for each in (checkout, database):
        each.bench.api.delete(each.path)
        each.wait_gone()
    web = deployment("web", replicas=2)
    good: dict[str, str | None] = {"apps/a.yaml": config_map("greeting"), "apps/web.yaml": web}
    revision = fleet.push(good, "Two replicas")
    poll("it is fetched", lambda: revision in str(fleet.bench.api.get(fleet.source_path)))
    shop = app(fleet, wait=True)
    shop.wait_ready(revision)
    failed = fleet.push({"apps/web.yaml": deployment("web").replace("replicas:", "replica:")})
    shop.wait_failed(failed)
    page.follow()
    shop.wait_ready(fleet.push(good, "Two replicas again"))
    pods = fleet.bench.cluster.kubectl("get", "pods", "-n", "shop", "-o", "name", "-l", "app=web").split()
    pod = pods[0].partition("/")[2]
    names = {"web-55f589b4d6-f985x": pod, "web-55f589b4d6": pod.rpartition("-")[0]}
    page.reader = replace(reader, replaced=names | {"https://git.example/fleet.git": fleet.repo.remote})
    page.follow()
    page.follow()
    page.follow()
    page.follow()
    page.end()


def test_substitute_variables(fleet: Sync, reader: Reader) -> None:
    values = "region: ${region}\n  size: ${size:-small}\n  literal: $${region}"
    config = config_map("vars", namespace="default").replace("key: '1'", values).replace('key: "1"', values)
    assert "region" in config
    web = deployment("vars").replace("$NS", "default").replace("replicas: 1", "replicas: ${replicas}")
    fleet.commit({"vars/cm.yaml": config, "vars/web.yaml": web})
    fleet.create_source(url=fleet.repo.remote)
    post = {"substitute": {"region": "eu-west-1"}, "substituteFrom": [{"kind": "ConfigMap", "name": "cluster-vars"}]}
    app(fleet, "vars", "./vars", postBuild=post, wait=True)
    follow_all("how-to/substitute-variables.md", reader)


def test_adopt_existing_objects(fleet: Sync, reader: Reader) -> None:
    kept = {"a.yaml": config_map("a"), "b.yaml": config_map("b")}
    shop = begin(fleet, {**kept}, path="./")
    helm = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop"}
    for name, notes in (("old", {}), ("released", helm)):
        metadata = {"name": name, "annotations": notes}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "0"}}
        shop.bench.api.create("/api/v1/namespaces/shop/configmaps", body)
        text = config_map(name).replace("$NS", "shop").replace("metadata: ", "metadata: ")
        (fleet.repo.path / f"{name}.yaml").write_text(text)
    page = Page("how-to/adopt-existing-objects.md", reader)
    page.follow()
    shop.edit(adopt="IfUnowned")
    page.follow()
    page.end()
    for name in ("old", "released"):
        shop.bench.api.delete(f"/api/v1/namespaces/shop/configmaps/{name}")


def test_group_syncs(fleet: Sync, reader: Reader) -> None:
    revision = fleet.commit({"api/a.yaml": config_map("api"), "web/a.yaml": config_map("web")})
    fleet.create_source(url=fleet.repo.remote)
    group = {"annotations": {"sluice.dev/group": "shop"}}
    both = [app(fleet, name, f"./{name}", wait=True, timeout="20s", metadata=group) for name in ("api", "web")]
    for each in both:
        each.wait_ready(revision)
    failed = fleet.push({"api/a.yaml": config_map("api", "2"), "web/job.yaml": FAILING_JOB})
    for each in both:
        each.wait_failed(failed)
    follow_all("how-to/group-syncs.md", reader)


def test_images(fleet: Sync, reader: Reader, registry: Registry) -> None:
    """One image for three pages: it is watched and chosen, then released by hand, then left to the automation."""
    images = Images(fleet.bench, registry, "web", "flux-system")
    for day, tag in enumerate(["1.0.0", "1.1.0", "1.2.0", "nightly"], 1):
        registry.push("acme/web", tag, make_image(content=tag, created=f"2026-01-0{day}T00:00:00Z"))
    image = registry.image("acme/web")
    marked = deployment("web", f"{image}:1.1.0", replicas=3).replace(
        f'{{name: main, image: "{image}:1.1.0"}}',
        f'name: main\n          image: {image}:1.1.0 # {{"$imagepolicy": "flux-system:web"}}',
    )
    begin(fleet, {"apps/web.yaml": marked}, wait=True)
    at = replace(reader, replaced={"ghcr.io/acme/web": image})
    images.scan(image=image)
    images.choose(policy={"semver": {"range": "1.x"}})
    images.wait_chosen("1.2.0")
    watched, released = Page("how-to/update-images.md", at), Page("how-to/release-an-image.md", at)
    watched.follow()
    follow_all("how-to/see-why-an-image-is-not-updated.md", at)
    released.follow()
    released.follow()
    released.end()
    source = {"kind": "GitRepository", "name": "fleet"}
    images.create("ImageUpdateAutomation", {"sourceRef": source, "interval": "1h", "git": AUTHOR}, name="fleet")
    watched.follow()
    watched.end()
    fleet.bench.cluster.kubectl("delete", "imgupd,imgpol,imgrepo", "--all", "-n", "flux-system")


def test_first_sync(fleet: Sync, reader: Reader, tmp_path: Path) -> None:
    """What the page starts in terminals of their own, a cluster, a git server and the operator, is here already."""
    checkout = tmp_path / "clone"
    (reader.home / ".gitconfig").write_text("[user]\n  name = Ada\n  email = ada@example.com\n")
    # The namespace is one that goes with the sync: the other pages' stays.
    names = {"http://127.0.0.1:8089/fleet.git": fleet.repo.remote, "/tmp/fleet": str(checkout)}
    names |= {"-n shop": "-n store", "Deployment shop/": "Deployment store/"}
    page = Page("tutorial/first-sync.md", replace(reader, replaced=names, folder=ROOT))
    page.pass_by("git clone … sluice && cd sluice")
    page.pass_by("export PATH=$PWD/.venv/bin:$PATH PYTHONPATH=.")
    page.follow()
    page.pass_by("kubectl create namespace flux-system")
    page.pass_by("python - <<'EOF'")
    page.follow()
    for name, text in files_of(page.path):
        here = text.replace("namespace: shop", "namespace: store").replace("name: shop", "name: store")
        Path(name.replace("/tmp/fleet", str(checkout))).write_text(here)
    page.follow()
    page.pass_by("sluice run --git-allow-loopback")
    page.follow()
    page.follow()

    def edit(**changes: tuple[str, str]) -> None:
        for name, (old, new) in changes.items():
            file = checkout / "apps" / f"{name}.yaml"
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))
        reader.run(f"cd {checkout} && git commit -qam Edit && git push -q")

    edit(greeting=("hello", "good-morning"))
    page.follow()
    edit(web=("replicas: 2", "replica: 2"), greeting=("good-morning", "good-night"))
    page.follow()
    page.follow()
    page.follow()
    page.pass_by("python -m devcluster down --name first")
    page.end()


def test_what_varies_is_left_out_and_all_else_counts() -> None:
    shown = "ks/shop  ready 4s  main@0a29c248 at 2026-11-24T20:19:24Z   (…)\n20:17:13 ks/shop  waiting"
    assert alike(shown, "ks/shop ready 1m2s main@1b3f00aa at 2027-01-01T00:00:00Z (so it is)\n")
    assert not alike(shown, "ks/shop failing 4s main@0a29c248 at 2026-11-24T20:19:24Z (…)")
    assert not alike("a\nb", "a")


def test_a_command_goes_on_behind_a_backslash() -> None:
    assert steps("$ a \\\n  b\nprinted\n$ c\n") == [("a \\\n  b", "printed"), ("c", "")]
    assert steps("$ a <<'EOF'\nb: 1\nEOF\nprinted\n") == [("a <<'EOF'\nb: 1\nEOF", "printed")]
