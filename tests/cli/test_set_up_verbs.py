"""`sluice check`, `create`, `export` and `delete`: the objects of ours, from flags to a cluster and back to a file."""

from __future__ import annotations

import secrets
import tarfile

import pytest
import yaml

from tests.cli.conftest import Sluice
from tests.operator_fixture import Bench, config_map

pytestmark = pytest.mark.cluster
HELD = 'finalizers: ["example.com/held"]'


def test_a_source_and_a_sync_are_made_from_flags_and_waited_for(cli: Sluice, bench: Bench) -> None:
    made = bench.source()
    made.commit({"apps/a.yaml": config_map("a")})
    ran = cli("create", "source", "git", made.name, "--url", bench.git.url(made.name), "--branch", "main")
    assert ran.code == 0, ran.err
    assert f"git/{made.name} is ready at main@" in ran.out
    arguments = ("--source", f"GitRepository/{made.name}", "--path", "./apps", "--prune", "--wait", "--label", "team=a")
    ran = cli("create", "kustomization", made.name, *arguments, "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.json["items"][0]["state"] == "Ready"
    assert made.config("a")["data"] == {"key": "1"}
    assert made.get()["metadata"]["labels"] == {"team": "a"}
    changed = cli("create", "ks", made.name, *arguments, "--interval", "5m", "-o", "name")
    assert changed.out == f"kustomization.kustomize.toolkit.fluxcd.io/{made.name}\n"
    assert made.get()["spec"]["interval"] == "5m"


def test_what_does_not_become_ready_is_exit_3_with_its_problem(cli: Sluice, bench: Bench) -> None:
    made = bench.source()
    made.commit({"a.yaml": config_map("a")})
    ran = cli("create", "source", "git", made.name, "--url", bench.git.url(made.name), "--branch", "mian")
    assert (ran.code, ran.out, "error[E102]" in ran.err) == (3, "", True)


def test_with_export_it_is_printed_and_no_cluster_is_asked(sluice: Sluice) -> None:
    ran = sluice(
        *("create", "source", "git", "fleet", "--url", "https://git.example/f.git", "--tag-semver", ">=1.0.0"),
        *("--secret-ref", "key", "--ignore-paths", "docs/,*.md", "--export", "-n", "shop"),
    )
    assert ran.code == 0, ran.err
    assert yaml.safe_load(ran.out) == {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": "shop"},
        "spec": {
            "interval": "1m",
            "url": "https://git.example/f.git",
            "ref": {"semver": ">=1.0.0"},
            "secretRef": {"name": "key"},
            "ignore": "docs/\n*.md",
        },
    }
    ran = sluice(
        *(
            "create",
            "ks",
            "web",
            "--source",
            "GitRepository/fleet.infra",
            "--depends-on",
            "base/db",
            "--depends-on",
            "api",
        ),
        *("--health-check", "Deployment/web.shop", "--health-check-timeout", "2m", "--export"),
    )
    assert ran.code == 0, ran.err
    spec = yaml.safe_load(ran.out)["spec"]
    assert spec["sourceRef"] == {"kind": "GitRepository", "name": "fleet", "namespace": "infra"}
    assert spec["dependsOn"] == [{"name": "db", "namespace": "base"}, {"name": "api"}]
    assert spec["healthChecks"] == [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "shop"}]
    assert spec["prune"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("source", "git", "a"), 2, "--url is needed"),
        (("ks", "a"), 2, "--source is needed"),
        (("ks", "a", "--source", "x", "--url", "https://x"), 2, "--url does not belong"),
        (("ks",), 2, "name one"),
        (("ks", "a", "--source", "x", "--label", "nothing"), 2, "--label"),
        (("ks", "a", "--source", "x", "--health-check", "Deployment/web"), 2, "names no namespace"),
        (("ks", "a", "--source", "OCIRepository/x"), 3, "E244"),
        (("ks", "a", "--source", "x", "--path", "../out"), 3, "E230"),
        (("source", "git", "a", "--url", "file:///etc"), 3, "E106"),
        (("source", "git", "a", "--url", "https://x/y", "--interval", "soon"), 3, "E245"),
    ],
)
def test_what_the_operator_would_refuse_is_refused_before_it_is_committed(
    sluice: Sluice, arguments: tuple[str, ...], code: int, text: str
) -> None:
    ran = sluice("create", *arguments, "--export")
    assert (ran.code, ran.out) == (code, "")
    assert text in ran.err


def test_what_is_exported_makes_the_same_object_again(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    sync.request()
    assert cli("suspend", "ks", sync.name, "--reason", "freeze").code == 0
    ran = cli("export", "ks", sync.name)
    assert ran.code == 0, ran.err
    [document] = list(yaml.safe_load_all(ran.out))
    assert set(document) == {"apiVersion", "kind", "metadata", "spec"}
    assert document["metadata"] == {"name": sync.name, "namespace": sync.namespace}
    assert document["spec"] == sync.get()["spec"]
    bench.api.apply(sync.path, document, manager="test")
    assert cli("export", "source", "git", sync.name, "-o", "json").json["items"][0]["spec"]["url"]
    names = cli("export", "ks", "--all", "-o", "name").out.split()
    assert f"kustomization.kustomize.toolkit.fluxcd.io/{sync.name}" in names
    assert cli("export", "ks").code == 2
    assert cli("export", "ks", f"{sync.name}x").code == 7


def test_delete_says_what_goes_asks_and_waits_until_it_is_gone(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    asked = cli("delete", "ks", sync.name)
    assert asked.code == 2
    assert "its 2 objects are deleted with it" in asked.err
    assert sync.live("configmaps", "a") is not None
    assert (
        cli("delete", "source", "git", sync.name, "--dry-run").err.strip().startswith(f"git/{sync.name}: read by ks/")
    )
    ran = cli("delete", "ks", sync.name, "-y")
    assert (ran.code, ran.out) == (0, f"ks/{sync.name} is gone\n"), ran.err
    assert bench.api.get(sync.path) is None
    assert sync.live("configmaps", "a") is None
    assert cli("delete", "source", "git", sync.name, "-y", "-o", "json").json["items"][0]["ref"]["name"] == sync.name
    assert cli("delete", "ks", sync.name, "-y").code == 7
    assert cli("delete", "ks", "-y").code == 2


def test_what_stays_is_said_and_what_can_not_go_is_exit_5(cli: Sluice, bench: Bench) -> None:
    kept = bench.synced({"a.yaml": config_map("a")}, prune=False)
    ran = cli("delete", "ks", kept.name, "-y")
    assert (ran.code, "1 object stays in the cluster" in ran.err) == (0, True)
    assert kept.live("configmaps", "a") is not None
    held = bench.synced({"a.yaml": config_map("a")})
    bench.api.patch(held.path, {"metadata": {"finalizers": ["finalizers.fluxcd.io", "example.com/held"]}})
    ran = cli("delete", "ks", held.name, "-y", "--timeout", "1s")
    assert (ran.code, "error[E706]" in ran.err) == (5, True)
    bench.api.patch(held.path, {"metadata": {"finalizers": None}})


def test_check_finds_nothing_wrong_but_what_is(cli: Sluice, bench: Bench) -> None:
    pre = cli("check", "--pre", "-o", "json")
    assert (pre.code, pre.json["kind"], pre.json["ok"]) == (0, "CheckReport", True), pre.err
    assert {item["part"] for item in pre.json["items"]} == {"cluster", "rights"}
    namespace = f"none-{secrets.token_hex(2)}"
    ran = cli("check", "-n", namespace, "-o", "json")
    assert ran.code == 0, ran.out
    assert {item["part"] for item in ran.json["items"]} == {"cluster", "crds", "operator"}
    # The operator of a test has no Deployment: that may be meant, and is only a warning.
    assert [item["cause"]["code"] for item in ran.json["items"] if not item["ok"]] == ["E722"]
    bad = bench.source()
    bad.commit({"a.yaml": config_map("a")})
    bad.create_source(ref={"branch": "mian"})
    assert cli("sync", "git", bad.name).code == 3
    ran = cli("check")
    assert (ran.code, "[E102]" in ran.out) == (1, True)
    assert "\x1b" not in ran.out + ran.err
    bench.api.delete(bad.source_path)


def test_check_says_that_nobody_acts(cli: Sluice, bench: Bench) -> None:
    ran = cli("check", "-o", "json", RUNTIME_NAMESPACE="default")
    assert ran.code == 1
    assert "E710" in [item["cause"]["code"] for item in ran.json["items"] if item["severity"] == "error"]


def test_a_bundle_has_what_a_report_needs_and_no_secret(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a", "not-for-others")})
    bad = bench.source()
    bad.commit({"a.yaml": config_map("a")})
    bad.create_source(url=bench.git.url(bad.name).replace("://", "://ana:hunter2@"))
    bad.create()
    bad.wait_condition("Ready", "False", "ArtifactFailed")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"password": "hunter3"}}
    bench.api.create(f"/api/v1/namespaces/{bench.namespace}/secrets", secret)
    file = cli.home / "bundle.tar.gz"
    ran = cli("debug", "--bundle", str(file))
    assert (ran.code, ran.out) == (0, f"{file}\n"), ran.err
    with tarfile.open(file) as bundle:
        found = {name: bundle.extractfile(name).read().decode() for name in bundle.getnames()}  # type: ignore[union-attr]
    assert {name.removeprefix("sluice/") for name in found} == {
        *("versions.json", "check.json", "objects.json", "why.json", "events.json", "operator.json")
    }
    everything = "".join(found.values())
    assert sync.name in found["sluice/objects.json"]
    assert "E107" in found["sluice/why.json"]
    assert 'problem":' not in found["sluice/events.json"]
    for word in ("hunter2", "hunter3", "not-for-others", "managedFields"):
        assert word not in everything, word
    assert cli("debug", "--bundle", str(file)).code == 3
    assert cli("debug").code == 2
