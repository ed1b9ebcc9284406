"""`sluice demo` as a newcomer runs it: what it shows was in the API server, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devcluster import Cluster, ClusterOptions, kubectl_path

ROOT = Path(__file__).parents[2]
PATIENCE = 100.0
ESCAPE = "\x1b"
SECONDS = r"(\d+ms|\d+\.\d+s)"


@dataclass
class Newcomer:
    """A person with an empty home; `left_behind` is what a demo has left of itself there."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("state", "tmp"):
            (self.home / folder).mkdir()
        kept = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "HOME", "XDG_CACHE_HOME"}}
        self.environment = kept | {
            "XDG_STATE_HOME": str(self.home / "state"),
            "TMPDIR": str(self.home / "tmp"),
            "PYTHONUTF8": "1",
        }

    def command(self, *flags: str) -> list[str]:
        return [sys.executable, "-m", "sluice", "demo", *flags]

    def run(self, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*flags),
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    @contextmanager
    def start(self, *flags: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            self.command(*flags),
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def left_behind(self) -> list[str]:
        files = [str(path) for path in (self.home / "tmp").iterdir()]
        private = self.home / "state" / "sluice" / "devcluster" / ".private"
        files += [str(path) for path in private.iterdir()] if private.is_dir() else []
        return files + processes_about(self.home)


def processes_about(folder: Path) -> list[str]:
    """The processes that work in the folder or were told of it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = str((entry / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in command or place.startswith(str(folder)):
            found.append(f"{entry.name} {command}")
    return found


@pytest.fixture
def newcomer(tmp_path: Path) -> Newcomer:
    return Newcomer(tmp_path)


@pytest.fixture
def users_cluster() -> Iterator[Cluster]:
    with Cluster.start(ClusterOptions()) as cluster:
        yield cluster


def read_until(process: subprocess.Popen[str], wanted: str) -> str:
    """What the process prints, up to the line that holds `wanted`."""
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if wanted in line:
            return read
    raise AssertionError(f"{wanted!r} never came:\n{read}")


def lines_with(text: str, *patterns: str) -> None:
    """Assert that lines match the patterns, in their order."""
    lines = iter(text.splitlines())
    for pattern in patterns:
        assert any(re.search(pattern, line) for line in lines), f"no line (left) like {pattern!r} in:\n{text}"


TOUR = (
    rf"^✓ control plane  Kubernetes v1\.\d+\.\d+, .* {SECONDS}$",
    rf"^✓ CRDs .* {SECONDS}$",
    rf"^✓ git server     http://127\.0\.0\.1:\d+/fleet\.git, 3 apps at [0-9a-f]{{7}} .*{SECONDS}$",
    rf"^✓ operator .* {SECONDS}$",
    rf"^✓ platform .* {SECONDS}$",
    rf"^✓ api .* {SECONDS}$",
    rf"^✓ web .* {SECONDS}$",
    r"^1 bump  ",
    rf"^✓ live           Deployment web has nginx:1\.28-alpine .*{SECONDS}$",
    rf"^✓ rolled out     2 of 2 pods run it .*{SECONDS}$",
    r"^2 break  ",
    rf"^✗ refused        all of [0-9a-f]{{7}}, the good change too .*{SECONDS}$",
    r"^    what    unknown field spec\.replica \[E204\] Deployment demo-shop/web$",
    r"^    where   apps/web/deployment\.yaml:7:3@[0-9a-f]{7}   replica: 4$",
    r"^    why     \S",
    r'^    fix     did you mean "replicas"\?$',
    r"^✓ still running  Deployment web: nginx:1\.28-alpine, 2 of 2 pods ready$",
    r"^✓ not written    the banner still says: Welcome to the shop$",
    r"^3 drift  ",
    r"^◷ seen           from 3 to 5 replicas, by kubectl$",
    rf"^✓ corrected      from 5 back to 3 replicas, as git says .*{SECONDS}$",
    r"^4 fix  ",
    rf"^✓ ready          all 3 apps are at [0-9a-f]{{7}} .*{SECONDS}$",
    r"^5 prune  ",
    rf"^✓ pruned         ConfigMap banner is gone .*{SECONDS}$",
    r"^✓ kept           Deployment web: nginx:1\.28-alpine, 2 of 2 pods ready$",
)

IMAGE = (
    r"^6 image  ",
    rf"^✓ followed       greeter:1\.0\.0 runs, the registry is watched .*{SECONDS}$",
    r"^✓ committed      [0-9a-f]{7} by Sluice: apps/web/greeter\.yaml:17 has 1\.1\.0$",
    rf"^✓ live           Deployment greeter has greeter:1\.1\.0 .*{SECONDS}$",
    rf"^✓ rolled out     its pod runs it .*{SECONDS}$",
)


def test_without_a_terminal_every_step_is_observed_and_nothing_is_left_behind(newcomer: Newcomer) -> None:
    outcome = newcomer.run()
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stderr == ""
    lines_with(
        outcome.stdout, *TOUR, *IMAGE, r"^✓ done           6 steps seen in the API server; nothing is left behind"
    )
    assert ESCAPE not in outcome.stdout
    assert [line for line in outcome.stdout.splitlines() if len(line) > 80 and str(newcomer.home) not in line] == []
    assert newcomer.left_behind() == []


def test_the_readme_shows_such_a_run() -> None:
    blocks = (ROOT / "README.md").read_text().split("```")
    (shown,) = [block for block in blocks if "$ make demo" in block]
    lines_with(shown, *TOUR, *IMAGE, r"^✓ done           6 steps seen in the API server; nothing is left behind")


@pytest.mark.parametrize(("number", "moment"), [(signal.SIGINT, "CRDs"), (signal.SIGTERM, "1 bump")])
def test_an_interrupted_demo_leaves_nothing_behind(newcomer: Newcomer, number: signal.Signals, moment: str) -> None:
    with newcomer.start("--no-input") as process:
        read_until(process, moment)
        process.send_signal(number)
        rest = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert rest.splitlines()[-1] == "interrupted; nothing is left behind"
    assert newcomer.left_behind() == []


def test_a_kept_demo_takes_a_persons_commit_and_ends_with_ctrl_c(newcomer: Newcomer) -> None:
    with newcomer.start("--keep", "--no-input") as process:
        shown = read_until(process, "Everything stays up until Ctrl-C")
        checkout = Path(one_match(r"files +(\S+)$", shown))
        kubeconfig = one_match(r"export KUBECONFIG=(\S+)$", shown)
        flag = checkout / "apps/platform/new-checkout.yaml"
        flag.write_text(flag.read_text().replace("share: 20", "share: 35"))
        git(newcomer, checkout, "commit", "-q", "-a", "-m", "More visitors")
        git(newcomer, checkout, "push", "-q")
        commit = git(newcomer, checkout, "rev-parse", "--short=7", "HEAD").strip()
        read_until(process, f"ready at main@{commit}")
        share = kubectl(
            kubeconfig, "get", "featureflag", "new-checkout", "-n", "demo-shop", "-o=jsonpath={.spec.share}"
        )
        assert share == "35"
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, rest
    assert "nothing is left behind" in rest
    assert newcomer.left_behind() == []


def one_match(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    assert found is not None, f"no {pattern!r} in:\n{text}"
    return found.group(1)


def git(newcomer: Newcomer, checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    done = subprocess.run(command, env=newcomer.environment, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


def kubectl(kubeconfig: str | Path, *arguments: str) -> str:
    command = [str(kubectl_path()), f"--kubeconfig={kubeconfig}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_on_a_terminal_keys_start_the_steps(newcomer: Newcomer) -> None:
    process, master = on_a_terminal(newcomer)
    try:
        shown = type_after(master, "q quit", "4")
        shown += type_after(master, "nothing is broken", "2")
        shown += type_after(master, "the banner still says", "1")
        shown += type_after(master, "fix it first (4)", "4")
        shown += type_after(master, "2 of 2 pods ready", "q")
        shown += type_after(master, "nothing is left behind", "")
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    lines_with(shown, r"4 fix", r"not now", r"2 break", r"✗.*refused", r"1 bump", r"4 fix", r"✓.*all 3 apps are at")
    assert f"{ESCAPE}[32m✓" in shown
    assert newcomer.left_behind() == []


def on_a_terminal(newcomer: Newcomer) -> tuple[subprocess.Popen[bytes], int]:
    master, slave = pty.openpty()
    environment = newcomer.environment | {"TERM": "xterm"}
    process = subprocess.Popen(
        newcomer.command(), cwd=newcomer.home, env=environment, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    return process, master


def type_after(master: int, wanted: str, key: str) -> str:
    """Read the terminal until it shows `wanted`, then press the key."""
    read, deadline = b"", time.monotonic() + PATIENCE
    while wanted.encode() not in read:
        left = deadline - time.monotonic()
        assert left > 0, f"{wanted!r} was never shown:\n{read.decode()}"
        if select.select([master], [], [], left)[0]:
            read += os.read(master, 65536)
    os.write(master, key.encode())
    return read.decode()


def demos_objects(cluster: Cluster) -> list[str]:
    listed = json.loads(kubectl(cluster.kubeconfig, "get", "namespaces,customresourcedefinitions", "-o", "json"))
    names: list[str] = [item["metadata"]["name"] for item in listed["items"]]
    return [name for name in names if "demo" in name or "fluxcd" in name]


def test_in_a_users_cluster_it_asks_first_and_leaves_it_as_it_was(newcomer: Newcomer, users_cluster: Cluster) -> None:
    there = f"--kubeconfig={users_cluster.kubeconfig}"
    unasked = newcomer.run(there, "--no-input")
    assert unasked.returncode == 2
    assert "nobody said yes" in unasked.stderr
    assert demos_objects(users_cluster) == []

    outcome = newcomer.run(there, "--no-input", "--yes")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    lines_with(outcome.stdout, r"^✓ cluster        devcluster, Kubernetes v1", *TOUR[1:], r"^✓ cleaned up", r"^✓ done")
    assert demos_objects(users_cluster) == []
    assert newcomer.left_behind() == []


def test_a_cluster_with_flux_or_sluice_in_it_is_refused(newcomer: Newcomer, users_cluster: Cluster) -> None:
    crds = [f"--filename={path}" for path in (ROOT / "deploy" / "crds").glob("*.yaml")]
    kubectl(users_cluster.kubeconfig, "apply", "--server-side", *crds)
    theirs = demos_objects(users_cluster)
    outcome = newcomer.run(f"--kubeconfig={users_cluster.kubeconfig}", "--no-input", "--yes")
    assert outcome.returncode == 3
    assert "error[E605]: the demo does not go into this cluster" in outcome.stderr
    assert "CustomResourceDefinition alerts.notification.toolkit.fluxcd.io" in outcome.stderr  # the first of ours
    assert demos_objects(users_cluster) == theirs


def denial(image: str) -> list[dict[str, Any]]:
    """An admission policy that refuses Deployments with that image, and its binding."""
    rules = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}]
    check = f"object.spec.template.spec.containers.all(c, c.image != '{image}')"
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "no-such-image"}}
    spec = {
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": check, "message": f"{image} is not allowed here"}],
    }
    binding = {"policyName": "no-such-image", "validationActions": ["Deny"]}
    return [
        {**kind, "kind": "ValidatingAdmissionPolicy", "spec": spec},
        {**kind, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]


def test_what_is_not_observed_fails_the_demo_and_says_what_was_seen_instead(
    newcomer: Newcomer, users_cluster: Cluster
) -> None:
    for body in denial("nginx:1.28-alpine"):
        path = f"/apis/admissionregistration.k8s.io/v1/{body['kind'].lower().replace('policy', 'policies', 1)}"
        path = path.replace("policiesbinding", "policybindings")
        status, answer = users_cluster.api.request("POST", path, body)
        assert status == 201, answer
    outcome = newcomer.run(f"--kubeconfig={users_cluster.kubeconfig}", "--no-input", "--yes")
    assert outcome.returncode == 3, outcome.stdout + outcome.stderr
    lines_with(
        outcome.stdout,
        r"^1 bump",
        r"^✗ not observed   waited 20 s for .* nginx:1\.28-alpine; instead: nginx:1\.27-alpine, 2 of 2 pods ready",
        r"^    web     ReconciliationFailed: ",
        r"^✗ failed",
    )
    assert "nginx:1.28-alpine is not allowed here; fix: meet the policy" in " ".join(outcome.stdout.split())
    assert "2 break" not in outcome.stdout
    assert demos_objects(users_cluster) == []
    assert newcomer.left_behind() == []
