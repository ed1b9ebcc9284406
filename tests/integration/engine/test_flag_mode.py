"""One repository, one operator, no CRDs: the same engine from fluxd's flags."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from sluice.core.flag_source import FlagSource
from sluice.core.git_url import parse_url
from sluice.core.image import parse
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.workload import WorkloadId
from sluice.git.head import Head
from sluice.git.mirrors import Mirrors
from sluice.git.write_back import Draft, Written, write_back
from sluice.kube.config import load_kubeconfig
from sluice.render.generators import Generators
from sluice.render.workload_files import Place, WorkloadFiles
from sluice.settings import Settings
from tests.git_servers import LOOPBACK
from tests.git_writing import wanted
from tests.keyring import SshKey, signed
from tests.notification_sink import Answer, NotificationSink
from tests.operator_fixture import AGENT, Api, Audit, Json, LogCapture, RunningOperator, config_map, deployment, poll


@dataclass
class FlagBench:
    """A cluster without our CRDs, a repository, and an operator that knows it by flags."""

    cluster: Cluster
    api: Api
    repo: WorkingRepo
    operator: RunningOperator
    target: str

    def commit(self, files: dict[str, str | None]) -> str:
        """Commit and push; `$NS` becomes the target namespace."""
        return self.repo.commit({k: v and v.replace("$NS", self.target) for k, v in files.items()}, "change")

    def live(self, name: str) -> Json | None:
        """A live ConfigMap."""
        return self.api.get(f"/api/v1/namespaces/{self.target}/configmaps/{name}")

    def said(self, text: str) -> bool:
        """True when the log has a line with that text."""
        self.operator.check()
        return any(text in str(entry.get("event", "")) for entry in self.operator.logged)

    @property
    def web(self) -> WorkloadId:
        """The Deployment `web` of the target namespace."""
        return WorkloadId(self.target, "deployment", "web")

    async def release(self, path: str, update: ContainerUpdate) -> Written:
        """Write an image into git as the operator does, and push it."""
        cache = self.operator.settings.storage.parent / "writer"
        generators = Generators(cache / "commands")

        async def plan(head: Head) -> Draft:
            place = Place(await head.tree(), head.blobs, (path,), commit=head.commit)
            found = await (await WorkloadFiles.read(place, generators)).update_containers([update])
            assert not found.skipped
            return Draft(found.files, "Release")

        source = self.operator.settings.flag_source
        assert source is not None
        async with Mirrors(cache, policy=LOOPBACK) as mirrors:
            return await write_back(mirrors.open(parse_url(source.url)), wanted(), plan)

    def flags(self, **changes: object) -> None:
        """Change flags; they count from the next start."""
        source = self.operator.settings.flag_source
        assert source is not None
        self.operator.settings = replace(self.operator.settings, flag_source=replace(source, **changes))  # type: ignore[arg-type]


def fluxd(name: str, **labels: str) -> float:
    """What a scrape says, 0 for what it does not say."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def flag_bench(fresh_cluster: Callable[..., Cluster], log_capture: LogCapture, tmp_path: Path) -> Iterator[FlagBench]:
    cluster = fresh_cluster(audit=True, nodes=1)
    target = f"apps-{secrets.token_hex(3)}"
    for name in ("sluice-system", target):
        create_namespace(cluster, name)
    with GitHttpServer(tmp_path / "git") as git:
        git.create("fleet")
        repo = WorkingRepo(tmp_path / "work", git.url("fleet"), branch="main")
        flags = FlagSource(url=git.url("fleet"), branch="main", poll_interval="1s", sync_interval="5m")
        settings = Settings(
            namespace="sluice-system", storage=tmp_path / "data", git_allow_loopback=True, flag_source=flags
        )
        operator = RunningOperator(settings, load_kubeconfig(cluster.kubeconfig))
        log_capture.sinks.append(operator.logged)
        api = Api(cluster)
        yield FlagBench(cluster, api, repo, operator, target)
        operator.stop()
        api.close()


def test_flags_alone_sync_a_repository_without_crds_and_keep_state_in_a_secret(flag_bench: FlagBench) -> None:
    bench = flag_bench
    first = bench.commit({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    bench.operator.start()
    live = poll("a is there", lambda: bench.live("a"))
    assert live["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] == "flag"
    poll("it says so", lambda: bench.said(f"Applied revision: main@sha1:{first}"))
    assert bench.api.get("/apis/kustomize.toolkit.fluxcd.io/v1") is None
    records = bench.api.get("/api/v1/namespaces/sluice-system/secrets?labelSelector=sluice.dev/record") or {}
    assert len(records["items"]) == 1

    # A commit arrives by itself; without garbage collection what left git stays.
    second = bench.commit({"a.yaml": config_map("a", "2"), "b.yaml": None})
    poll("applied", lambda: bench.said(f"Applied revision: main@sha1:{second}"))
    assert (bench.live("a") or {})["data"] == {"key": "2"}
    assert bench.live("b") is not None

    # Drift is corrected.
    bench.api.patch(f"/api/v1/namespaces/{bench.target}/configmaps/a", {"data": {"key": "edited"}})
    poll("a is right again", lambda: (bench.live("a") or {})["data"] == {"key": "2"})

    # A broken commit is explained with its place, and nothing is written.
    audit = Audit(bench.cluster)
    bench.commit({"c.yaml": config_map("c") + "datas: {}\n"})
    poll("the place", lambda: bench.said(f"ConfigMap {bench.target}/c at c.yaml:6:1"))
    here = f"/namespaces/{bench.target}/"
    assert [w for w in audit.writes(AGENT) if here in w.path and not w.dry_run] == []
    assert bench.live("c") is None

    # Alerts made for fluxd see all of it.
    assert fluxd("flux_git_ready") == 1
    poll("the broken commit is told", lambda: fluxd("flux_daemon_sync_manifests", success="false") == 1)
    assert fluxd("flux_daemon_sync_duration_seconds_count", success="true") >= 2

    # A restart sends nothing that is unchanged; with garbage collection on, what leaves git now goes.
    bench.operator.stop()
    bench.flags(garbage_collection=True)
    third = bench.commit({"c.yaml": config_map("c")})
    bench.operator.start()
    poll("applied", lambda: bench.said(f"Applied revision: main@sha1:{third}"))
    assert bench.live("b") is not None, "it was let go when garbage collection was off"
    fourth = bench.commit({"c.yaml": None})
    poll("applied", lambda: bench.said(f"Applied revision: main@sha1:{fourth}"))
    assert bench.live("c") is None
    assert bench.live("a") is not None


def test_flags_set_the_drift_mode_and_leave_fields_to_the_cluster(flag_bench: FlagBench) -> None:
    bench = flag_bench
    bench.flags(drift="Warn", ignored=(("ConfigMap", "/data/theirs"),))
    first = bench.commit({"a.yaml": config_map("a") + "  theirs: x\n", "b.yaml": config_map("b")})
    bench.operator.start()
    poll("it says so", lambda: bench.said(f"Applied revision: main@sha1:{first}"))
    where = f"/api/v1/namespaces/{bench.target}/configmaps"
    bench.api.patch(f"{where}/a", {"data": {"theirs": "y"}})
    bench.api.patch(f"{where}/b", {"data": {"key": "edited"}})

    def told() -> list[str]:
        return [str(e["drift"]) for e in bench.operator.logged if e.get("event") == "drift stands"]

    poll("b's drift is told", told)
    assert all(f"field .data.key of ConfigMap {bench.target}/b changed by kubectl-edit" in text for text in told())
    assert (bench.live("b") or {})["data"] == {"key": "edited"}
    second = bench.commit({"a.yaml": config_map("a", "2") + "  theirs: x\n"})
    poll("applied", lambda: bench.said(f"Applied revision: main@sha1:{second}"))
    assert (bench.live("a") or {})["data"] == {"key": "2", "theirs": "y"}
    assert (bench.live("b") or {})["data"] == {"key": "1"}


def test_a_lost_record_is_rebuilt_from_git_and_what_git_has_no_more_is_told_and_left(flag_bench: FlagBench) -> None:
    bench = flag_bench
    bench.flags(garbage_collection=True)
    first = bench.commit({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    bench.operator.start()
    poll("it says so", lambda: bench.said(f"Applied revision: main@sha1:{first}"))
    bench.operator.stop()
    where = "/api/v1/namespaces/sluice-system/secrets"
    for item in (bench.api.get(f"{where}?labelSelector=sluice.dev/record") or {})["items"]:
        bench.api.delete(f"{where}/{item['metadata']['name']}")
    second = bench.commit({"b.yaml": None})
    bench.operator.start()
    told = f"1 object left in place: ConfigMap {bench.target}/b"
    poll("it is told", lambda: bench.said(told))
    assert bench.said(f"Applied revision: main@sha1:{second}")
    assert bench.live("b") is not None
    third = bench.commit({"a.yaml": None, "c.yaml": config_map("c")})
    poll("applied", lambda: bench.said(f"Applied revision: main@sha1:{third}"))
    assert bench.live("a") is None, "what git had was ours again"


def test_syncs_are_posted_to_fluxds_upstream_once_each_and_again_when_it_was_down(flag_bench: FlagBench) -> None:
    bench = flag_bench
    with NotificationSink() as sink:
        bench.operator.settings = replace(bench.operator.settings, upstream=f"{sink.url}/")
        first = bench.commit({"a.yaml": config_map("a")})
        bench.operator.start()
        poll("the first sync was told", lambda: sink.received)
        sink.answer = lambda _: Answer(status=503)
        second = bench.commit({"a.yaml": config_map("a", "2")})
        poll("the upstream was down", lambda: len(sink.received) >= 2)
        tried = len(sink.received)
        sink.answer = lambda _: Answer()
        poll("the second sync was told", lambda: len(sink.received) > tried)
        bad = bench.commit({"b.yaml": "kind: [\n"})
        poll("the failure was told", lambda: "errors" in sink.bodies()[-1]["metadata"])
        bench.operator.restart()
        last = bench.commit({"b.yaml": None, "a.yaml": config_map("a", "3")})
        poll("the last sync was told", lambda: last in str(sink.bodies()[-1]))

        assert {(r.method, r.path) for r in sink.received} == {("POST", "/v6/events")}
        told = sink.bodies()
        assert {event["type"] for event in told} == {"sync"}
        commits = [event["metadata"]["commits"][0]["revision"] for event in told]
        assert list(dict.fromkeys(commits)) == [each.rpartition(":")[2] for each in (first, second, bad, last)]
        assert told[0]["metadata"]["initialSync"]
        assert told[0]["serviceIDs"] == [f"{bench.target}:configmap/a"]
        assert not told[-1]["metadata"]["initialSync"]
        [error] = next(event["metadata"]["errors"] for event in told if "errors" in event["metadata"])
        assert "E202" in error["Error"]


def test_nothing_after_the_first_commit_that_is_not_signed_is_synced_also_after_a_restart(
    flag_bench: FlagBench, tmp_path: Path
) -> None:
    bench, ada = flag_bench, SshKey(tmp_path, "ada")
    (tmp_path / "team.sshpub").write_text(ada.public)
    bench.flags(signatures="all", key_files=(str(tmp_path / "team.sshpub"),))
    ada.sign_commits(bench.repo)

    def commit(name: str) -> str:
        return signed(bench.repo, {f"{name}.yaml": config_map(name).replace("$NS", bench.target)})

    commit("a")
    second = commit("b")
    bench.commit({"c.yaml": config_map("c")})
    commit("d")
    bench.operator.start()
    poll("the signed ones are there", lambda: bench.live("b"))
    poll("it says so", lambda: bench.said(f"Applied revision: main@sha1:{second}"))
    poll("it says what is wrong", lambda: bench.said("found invalid GPG signature for commit"))
    bench.operator.stop()
    bench.operator.logged.clear()
    bench.operator.start()
    poll("it stands where it stood", lambda: bench.said(f"Applied revision: main@sha1:{second}"))
    assert bench.live("c") is None
    assert bench.live("d") is None
    # What is signed anew, on top of what is signed, is synced: the branch is put right by a push of that.
    bench.repo.git("reset", "-q", "--hard", second)
    bench.repo.push(f"{second}:refs/heads/main", force=True)
    signed(bench.repo, {"e.yaml": config_map("e").replace("$NS", bench.target)})
    poll("the branch is good again", lambda: bench.live("e"))
    assert bench.live("c") is None


def test_only_the_first_parents_need_signatures_where_flags_say_so(flag_bench: FlagBench, tmp_path: Path) -> None:
    bench, ada = flag_bench, SshKey(tmp_path, "ada")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/team.sshpub").write_text(ada.public)
    bench.flags(signatures="first-parent", key_files=(str(tmp_path / "keys"),))
    ada.sign_commits(bench.repo)
    signed(bench.repo, {"a.yaml": config_map("a").replace("$NS", bench.target)})
    bench.repo.git("checkout", "-q", "-b", "side")
    bench.repo.commit({"b.yaml": config_map("b").replace("$NS", bench.target)}, "unsigned", push=False)
    bench.repo.git("checkout", "-q", "main")
    bench.repo.git("merge", "-q", "-S", "--no-ff", "-m", "merge", "side")
    bench.repo.push()
    bench.operator.start()
    poll("the merge is applied", lambda: bench.live("b"))


SCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: $NS}
spec:
  minReplicas: 1
  maxReplicas: 4
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: another}
"""
GENERATED = {
    "base/kustomization.yaml": "resources: [web.yaml, scaler.yaml]\n",
    "base/web.yaml": deployment("web", "nginx:1.25"),
    "base/scaler.yaml": SCALER,
    ".flux.yaml": (
        "version: 1\npatchUpdated:\n  generators:\n  - command: kustomize build .\n  patchFile: flux-patch.yaml\n"
    ),
    "prod/kustomization.yaml": "resources: [../base]\npatches:\n- path: scaler.yaml\n",
    "prod/scaler.yaml": SCALER.replace("minReplicas: 1", "minReplicas: 2").replace("  maxReplicas: 4\n", ""),
    "prod/flux-patch.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: $NS\n"
        "  annotations: {fluxcd.io/automated: 'true'}\n"
        "spec: {template: {spec: {containers: [{name: main, image: 'nginx:1.26'}]}}}\n"
    ),
}


def test_a_path_with_a_flux_yaml_is_what_its_generators_print_with_its_patches(flag_bench: FlagBench) -> None:
    bench = flag_bench
    bench.flags(paths=("prod",), manifest_generation=True, garbage_collection=True)
    first = bench.commit(dict(GENERATED))
    bench.operator.start()
    poll("it says so", lambda: bench.said(f"Applied revision: main@sha1:{first}"))
    web = bench.api.get(f"/apis/apps/v1/namespaces/{bench.target}/deployments/web") or {}
    assert web["metadata"]["annotations"]["fluxcd.io/automated"] == "true"
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.26"
    scaler = bench.api.get(f"/apis/autoscaling/v2/namespaces/{bench.target}/horizontalpodautoscalers/web") or {}
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 4)

    # A generator that fails is told with its place and its words, and nothing is written.
    audit = Audit(bench.cluster)
    bench.commit({"base/kustomization.yaml": "resources: [web.yaml, gone.yaml]\n"})
    poll("the place", lambda: bench.said("`kustomize build .` ended with status 1 [E681] at .flux.yaml:4"))
    poll("the words", lambda: bench.said("gone.yaml"))
    assert [w for w in audit.writes(AGENT) if f"/namespaces/{bench.target}/" in w.path and not w.dry_run] == []

    # What is generated no more is pruned, like what leaves git.
    fixed = {"base/kustomization.yaml": "resources: [web.yaml]\n", "prod/kustomization.yaml": "resources: [../base]\n"}
    third = bench.commit(dict(fixed))
    poll("applied", lambda: bench.said(f"Applied revision: main@sha1:{third}"))
    assert bench.api.get(f"/apis/autoscaling/v2/namespaces/{bench.target}/horizontalpodautoscalers/web") is None

    # A new image goes into the patch file, nothing else changes, and it is rolled out from there.
    written = asyncio.run(bench.release("prod", ContainerUpdate(bench.web, "main", parse("nginx:1.27"))))
    assert (written.outcome, written.files) == ("pushed", ("prod/flux-patch.yaml",))
    bench.repo.git("fetch", "--quiet", "origin", "main")
    patch = bench.repo.git("show", "FETCH_HEAD:prod/flux-patch.yaml") + "\n"
    assert patch == GENERATED["prod/flux-patch.yaml"].replace("$NS", bench.target).replace("nginx:1.26", "nginx:1.27")
    poll("applied", lambda: bench.said(f"Applied revision: main@sha1:{written.commit}"))
    web = bench.api.get(f"/apis/apps/v1/namespaces/{bench.target}/deployments/web") or {}
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"


def test_a_command_that_failed_is_run_again_without_a_commit(flag_bench: FlagBench, tmp_path: Path) -> None:
    bench = flag_bench
    tools = tmp_path / "tools"
    tools.mkdir()
    bench.flags(manifest_generation=True, generator_path=f"{tools}:/usr/bin:/bin", sync_interval="1s")
    flux = "version: 1\ncommandUpdated: {generators: [{command: make-it}]}\n"
    first = bench.commit({".flux.yaml": flux, "c.in": config_map("c")})
    bench.operator.start()
    poll("it fails", lambda: bench.said("make-it: not found"))
    (tools / "make-it.new").write_text("#!/bin/sh\ncat c.in\n")
    (tools / "make-it.new").chmod(0o755)
    (tools / "make-it.new").rename(tools / "make-it")
    poll("it says so", lambda: bench.said(f"Applied revision: main@sha1:{first}"))
    assert bench.live("c") is not None


def test_a_flag_sync_has_its_history_and_a_rollback_names_the_commits_that_git_has_to_take_back(
    flag_bench: FlagBench,
) -> None:
    bench = flag_bench
    first = bench.commit({"a.yaml": config_map("a")})
    bench.operator.start()
    poll("it says so", lambda: bench.said(f"Applied revision: main@sha1:{first}"))
    second = bench.commit({"a.yaml": config_map("a", "2")})
    poll("applied", lambda: bench.said(f"Applied revision: main@sha1:{second}"))

    def sluice(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sluice", *words, "-n", "sluice-system"]
        env = {**os.environ, "KUBECONFIG": str(bench.cluster.kubeconfig)}
        return subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=60)

    told = sluice("history", "flag", "-o", "name")
    assert told.stdout.split() == [f"main@sha1:{second}", f"main@sha1:{first}"], told.stderr
    assert "change" in sluice("history", "flag").stdout

    refused = sluice("rollback", "flag")
    assert refused.returncode == 3, refused.stderr
    assert "error[E351]" in refused.stderr
    command = re.search(r"git revert .* && git push", refused.stderr)
    assert command is not None, refused.stderr
    bench.repo.git("config", "push.autoSetupRemote", "true")
    subprocess.run(["sh", "-c", command[0]], check=True, cwd=bench.repo.path, env=bench.repo.env)
    poll("git's revert is followed", lambda: (bench.live("a") or {})["data"] == {"key": "1"})
    assert "E350" in sluice("rollback", "flag", "--to", "deadbeef").stderr
    missing = sluice("rollback", "other")
    assert "E604" in missing.stderr
    assert "by flags alone" in missing.stderr
