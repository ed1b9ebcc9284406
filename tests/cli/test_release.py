"""The verbs that edit a checkout: what they change, what they commit, what they refuse, and how they exit."""

from __future__ import annotations

import os
import pty
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from devcluster.images import make_image
from devcluster.registry import Registry
from sluice.render.sandbox import confinement
from tests.cli.conftest import Ran, Sluice

WEB = """\
# the shop   keep   me
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  template:
    spec:
      containers:
        - name: main
          image: $IMAGE:1.1.0   # this one
        - {name: side, image: "nginx:1.26"}
"""
OTHER = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop, annotations: {fluxcd.io/locked: "true", fluxcd.io/locked_msg: freeze}}
spec: {template: {spec: {containers: [{name: db, image: "$IMAGE:1.1.0"}]}}}
"""


@dataclass(frozen=True)
class Checkout:
    """A git checkout with two workloads, and a folder that is no repository's business."""

    sluice: Sluice
    root: Path

    def __call__(self, *arguments: str) -> Ran:
        return self.sluice.within(self.root, *arguments)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=self.sluice.env(), capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def read(self, path: str = "apps/web.yaml") -> str:
        return (self.root / path).read_text()


@pytest.fixture
def image() -> str:
    return "ghcr.io/acme/web"


@pytest.fixture
def checkout(sluice: Sluice, tmp_path: Path, image: str) -> Checkout:
    made = Checkout(sluice, tmp_path / "fleet")
    (made.root / "apps").mkdir(parents=True)
    (made.root / "apps/web.yaml").write_text(WEB.replace("$IMAGE", image))
    (made.root / "apps/web.yaml").chmod(0o755)
    (made.root / "apps/db.yaml").write_text(OTHER.replace("$IMAGE", image))
    made.git("init", "-q", "-b", "main")
    made.git("config", "user.name", "Ada")
    made.git("config", "user.email", "ada@example.com")
    made.git("add", ".")
    made.git("commit", "-q", "-m", "begin")
    return made


NAMED = ("release", "--local", ".", "--unchecked", "--image", "ghcr.io/acme/web:1.2.0")


def test_a_release_changes_the_tag_and_no_other_byte_and_commits_nothing(checkout: Checkout) -> None:
    before = checkout.read()
    ran = checkout(*NAMED, "-w", "shop:deploy/web")
    assert ran.code == 0, ran.err
    assert checkout.read() == before.replace("web:1.1.0", "web:1.2.0")
    assert os.access(checkout.root / "apps/web.yaml", os.X_OK)
    assert "shop:deployment/web   success" in ran.out
    assert "main: ghcr.io/acme/web:1.1.0 -> ghcr.io/acme/web:1.2.0   apps/web.yaml:12" in ran.out
    assert "nothing is committed" in ran.err
    assert checkout.git("log", "--format=%s") == "begin"
    again = checkout(*NAMED, "-w", "shop:deploy/web")
    assert (again.code, "image(s) up to date" in again.out, "nothing to do" in again.err) == (0, True, True)


def test_a_dry_run_says_the_same_and_writes_nothing(checkout: Checkout) -> None:
    ran = checkout(*NAMED, "-w", "shop:deploy/web", "--dry-run", "-o", "json")
    assert ran.code == 0, ran.err
    assert (ran.json["written"], ran.json["commit"]) == (False, None)
    assert ran.json["items"] == [
        {
            "workload": "shop:deployment/web",
            "status": "success",
            "reason": None,
            "problem": None,
            "updates": [
                {
                    "field": "main",
                    "from": "ghcr.io/acme/web:1.1.0",
                    "to": "ghcr.io/acme/web:1.2.0",
                    "path": "apps/web.yaml",
                    "line": 12,
                }
            ],
        }
    ]
    assert checkout.git("status", "--porcelain") == ""


def test_a_commit_has_the_edited_files_alone_with_message_and_author(checkout: Checkout) -> None:
    (checkout.root / "staged.txt").write_text("mine")
    checkout.git("add", "staged.txt")
    said = ("--commit", "-m", "# 42: the new shop", "--user", "Grace <grace@example.com>")
    ran = checkout(*NAMED, "-w", "shop:deploy/web", *said)
    assert ran.code == 0, ran.err
    assert checkout.git("log", "-1", "--format=%an <%ae>|%cn|%B") == "Grace <grace@example.com>|Ada|# 42: the new shop"
    assert checkout.git("show", "--format=", "--name-only") == "apps/web.yaml"
    assert checkout.git("status", "--porcelain") == "A  staged.txt"
    assert checkout(*NAMED, "--all", "--commit").code == 0
    assert checkout.git("log", "-1", "--format=%s") == "# 42: the new shop"
    checkout("release", "--local", ".", "--unchecked", "-i", "nginx:1.27", "--all", "--commit")
    assert checkout.git("log", "-1", "--format=%an: %s") == "Ada: Release nginx:1.27 to all"


def test_a_commit_never_takes_other_changes_along_and_runs_no_hook(checkout: Checkout) -> None:
    hook = checkout.root / ".git/hooks/post-commit"
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    edited = checkout.read() + "# mine\n"
    (checkout.root / "apps/web.yaml").write_text(edited)
    ran = checkout(*NAMED, "-w", "shop:deploy/web", "--commit")
    assert (ran.code, checkout.read()) == (3, edited)
    assert "error[E751]" in ran.err
    assert "apps/web.yaml" in ran.err
    checkout.git("checkout", "-q", ".")
    assert checkout(*NAMED, "-w", "shop:deploy/web", "--commit").code == 0
    assert not (checkout.root / "ran").exists()


def test_when_git_can_not_commit_the_files_are_as_they_were(checkout: Checkout) -> None:
    before = checkout.read()
    (checkout.root / ".git/index.lock").write_text("")
    ran = checkout(*NAMED, "-w", "shop:deploy/web", "--commit")
    assert (ran.code, checkout.read()) == (3, before)
    assert "error[E754]" in ran.err
    assert "index.lock" in ran.err
    assert not list((checkout.root / "apps").glob(".sluice-*"))


def test_a_lock_holds_a_named_release_up_with_exit_1_until_it_is_forced_or_unlocked(checkout: Checkout) -> None:
    before = checkout.read("apps/db.yaml")
    ran = checkout(*NAMED, "-w", "shop:sts/db")
    assert (ran.code, checkout.read("apps/db.yaml")) == (1, before)
    assert "error[E753]" in ran.err
    assert "freeze" in ran.err
    assert checkout(*NAMED, "-w", "shop:sts/db", "--force").code == 0
    assert "web:1.2.0" in checkout.read("apps/db.yaml")
    both = checkout(*NAMED, "-w", "shop:sts/db", "-w", "shop:deploy/web")
    assert both.code == 1
    assert "web:1.2.0" in checkout.read()
    assert checkout("unlock", "--local", ".", "shop:sts/db").code == 0
    assert "locked" not in checkout.read("apps/db.yaml")


def test_a_pattern_holds_a_named_image_up(checkout: Checkout) -> None:
    assert checkout("policy", "--local", ".", "-w", "shop:deploy/web", "--tag", "main=semver:>=2.0").code == 0
    assert "fluxcd.io/tag.main: semver:>=2.0" in checkout.read()
    ran = checkout(*NAMED, "-w", "shop:deploy/web")
    assert ran.code == 1
    assert 'does not take "1.2.0"' in ran.out
    assert checkout(*NAMED, "-w", "shop:deploy/web", "-f").code == 0


def test_policies_go_into_annotations_and_out_again_to_the_last_byte(checkout: Checkout) -> None:
    before = checkout.read()
    ran = checkout("automate", "--local", "apps", "shop:deploy/web", "--commit")
    assert ran.code == 0, ran.err
    assert checkout.git("log", "-1", "--format=%s") == "Automated: shop:deployment/web"
    ran = checkout("lock", "--local", ".", "shop:deploy/web", "-m", "freeze until Friday", "--commit")
    assert ran.code == 0, ran.err
    text = checkout.read()
    assert "fluxcd.io/locked_user: Ada <ada@example.com>" in text
    assert "fluxcd.io/locked_msg: freeze until Friday" in text
    said = checkout.git("log", "-1", "--format=%B")
    assert said.startswith("freeze until Friday\n\n- Locked: shop:deployment/web\n")
    tags = checkout("policy", "--local", ".", "-w", "shop:deploy/web", "--tag-all", "glob:1.*", "-o", "json")
    assert [(u["field"], u["to"]) for u in tags.json["items"][0]["updates"]] == [
        ("fluxcd.io/tag.main", "glob:1.*"),
        ("fluxcd.io/tag.side", "glob:1.*"),
    ]
    away = ("--tag-all", "*", "--unlock", "--deautomate")
    assert checkout("policy", "--local", ".", "-w", "shop:deploy/web", *away).code == 0
    assert checkout.read() == before
    again = checkout("deautomate", "--local", ".", "shop:deploy/web")
    assert (again.code, "it is so already" in again.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("release", "-w", "deploy/web", "-i", "a:1"), 4, "E601"),
        (("release", "-w", "deploy/web", "-i", "a:1", "--commit"), 2, "E750"),
        (("automate", "deploy/web"), 4, "E601"),
        (("release", "--local", ".", "-w", "deploy/web"), 2, "--image or --all-images"),
        (("release", "--local", ".", "-w", "deploy/web", "-i", "a:1", "--all-images"), 2, "--image or --all-images"),
        (("release", "--local", ".", "-i", "a:1"), 2, "--workload or --all"),
        (("release", "--local", ".", "-i", "a", "--all"), 2, "names no tag"),
        (("release", "--local", ".", "-i", "A:1", "--all"), 2, "lower case"),
        (("release", "--local", ".", "--all", "--all-images", "--force"), 2, "would lift nothing"),
        (("release", "--local", ".", "-w", "web", "-i", "a:1"), 2, "KIND/NAME"),
        (("release", "--local", ".", "-w", "pod/web", "-i", "a:1"), 2, "no kind of workload"),
        (("release", "--local", ".", "-w", "shop:deploy/wbe", "-i", "a:1"), 7, "did you mean shop:deployment/web?"),
        (("release", "--local", "nowhere", "-w", "deploy/web", "-i", "a:1"), 3, "E704"),
        (("release", "--local", ".", "--all", "-i", "a:1", "--commit", "--dry-run"), 2, "exclude each other"),
        (("release", "--local", ".", "--all", "-i", "a:1", "--commit", "--user", "ada"), 2, "--user"),
        (("release", "--local", ".", "--all", "-i", "a:1", "--interactive"), 2, "nobody to ask"),
        (("lock", "--local", "."), 2, "needs a workload"),
        (("policy", "--local", ".", "shop:deploy/web"), 2, "nothing is to change"),
        (("policy", "--local", ".", "shop:deploy/web", "--lock", "--unlock"), 2, "exclude each other"),
        (("policy", "--local", ".", "shop:deploy/web", "--tag", "main=regexp:("), 2, "E503"),
        (("policy", "--local", ".", "shop:deploy/web", "--tag", "mian=glob:1"), 7, "name one of main, side"),
    ],
)
def test_what_can_not_be_asked_for_is_refused_with_a_fix_and_changes_nothing(
    checkout: Checkout, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = checkout(*arguments)
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert said in ran.err
    assert checkout.git("status", "--porcelain") == ""


def test_two_definitions_of_a_workload_and_broken_files_stop_a_release_and_nothing_is_written(
    checkout: Checkout,
) -> None:
    (checkout.root / "apps/copy.yaml").write_text(checkout.read())
    ran = checkout(*NAMED, "-w", "shop:deploy/web")
    assert ran.code == 3
    assert "apps/copy.yaml:2, apps/web.yaml:2" in ran.err
    (checkout.root / "apps/copy.yaml").write_text("a: [\n")
    ran = checkout(*NAMED, "--all", "--dry-run")
    assert (ran.code, "1 file can't be read as YAML" in ran.err) == (0, True)


def test_interactive_asks_about_each_container_and_releases_what_is_wanted(checkout: Checkout) -> None:
    checkout("unlock", "--local", ".", "shop:sts/db", "--commit")
    before = checkout.read()
    near, far = pty.openpty()
    command = checkout.sluice.command(*NAMED, "--all", "--interactive", "--commit")
    try:
        os.write(near, b"y\nn\n")
        done = subprocess.run(
            command,
            cwd=checkout.root,
            env=checkout.sluice.env(),
            stdin=far,
            stderr=far,
            stdout=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(far)
    asked = os.read(near, 65536).decode()
    os.close(near)
    assert done.returncode == 0, asked
    assert "shop:deployment/web main: ghcr.io/acme/web:1.1.0 -> ghcr.io/acme/web:1.2.0? [y/N]" in asked
    assert "success" in done.stdout.decode()
    assert checkout.read() == before.replace("web:1.1.0", "web:1.2.0")
    assert "web:1.1.0" in checkout.read("apps/db.yaml")
    assert checkout.git("log", "-1", "--format=%s") == "Update image refs in shop:deployment/web"


def test_names_in_files_can_not_draw_on_the_terminal(checkout: Checkout) -> None:
    hostile = WEB.replace("$IMAGE", "ghcr.io/acme/web").replace("name: web", 'name: "w\\e[31m\\r"')
    (checkout.root / "apps/hostile.yaml").write_text(hostile.replace("- name: main", '- name: "m\\e[2K"'))
    ran = checkout(*NAMED, "--all", "--dry-run")
    assert ran.code == 0, ran.err
    assert "\\x1b[31m" in ran.out
    assert "\\x1b[2K" in ran.out
    assert "\x1b" not in ran.out + ran.err


def test_links_are_never_written_through(checkout: Checkout, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(checkout.read())
    (checkout.root / "apps/web.yaml").unlink()
    (checkout.root / "apps/web.yaml").symlink_to(outside)
    before = outside.read_text()
    assert checkout(*NAMED, "-w", "shop:deploy/web").code == 7
    assert outside.read_text() == before


def test_b111_a_tag_beside_the_digest_of_another_image_is_not_released(
    sluice: Sluice, tmp_path: Path, registry: Registry
) -> None:
    name = "release-pinned"
    digests = [registry.push(name, tag, make_image(content=tag)) for tag in ("1.1.0", "1.2.0")]
    text = OTHER.replace("$IMAGE", registry.image(name)).replace('fluxcd.io/locked: "true"', "a: b")
    (tmp_path / "db.yaml").write_text(text)
    asked = ("--registry-allow-loopback", "--registry-insecure-host", "127.0.0.1", "--image")
    verb = ("release", "--local", ".", "-w", "shop:sts/db", *asked)
    refused = sluice.within(tmp_path, *verb, f"{registry.image(name)}:1.2.0@{digests[0]}")
    assert (refused.code, "error[E652]" in refused.err) == (3, True), refused.err
    assert (tmp_path / "db.yaml").read_text() == text
    assert sluice.within(tmp_path, *verb, f"{registry.image(name)}:1.2.0@{digests[1]}").code == 0
    assert f"{registry.image(name)}:1.2.0@{digests[1]}" in (tmp_path / "db.yaml").read_text()


def test_all_images_get_the_newest_that_their_patterns_take_and_a_named_one_must_exist(
    sluice: Sluice, tmp_path: Path, registry: Registry
) -> None:
    name = "release-web"
    for day, tag in enumerate(["1.1.0", "1.2.0", "2.0.0"], 1):
        registry.push(name, tag, make_image(content=tag, created=f"2026-01-0{day}T00:00:00Z"))
    root = tmp_path / "plain"
    root.mkdir()
    text = OTHER.replace("$IMAGE", registry.image(name)).replace('fluxcd.io/locked: "true"', "a: b")
    (root / "db.yaml").write_text(text)
    asked = ("--registry-allow-loopback", "--registry-insecure-host", "127.0.0.1")
    verb = ("release", "--local", ".", "-w", "shop:sts/db", *asked)
    assert sluice.within(root, "policy", "--local", ".", "shop:sts/db", "--tag", "db=semver:~1").code == 0
    ran = sluice.within(root, *verb, "--update-all-images")
    assert ran.code == 0, ran.err
    assert f'image: "{registry.image(name)}:1.2.0"' in (root / "db.yaml").read_text()
    sluice.within(root, "policy", "--local", ".", "shop:sts/db", "--tag", "db=*")
    assert sluice.within(root, *verb, "--all-images").code == 0
    written = (root / "db.yaml").read_text()
    assert f'image: "{registry.image(name)}:2.0.0"' in written
    gone = sluice.within(root, *verb, "--update-image", f"{registry.image(name)}:9.9.9")
    assert (gone.code, "error[E529]" in gone.err, (root / "db.yaml").read_text()) == (7, True, written)
    assert sluice.within(root, *verb, "--update-image", f"{registry.image(name)}:1.1.0").code == 0
    unreachable = sluice.within(root, "release", "--local", ".", "--all", "--all-images")
    assert unreachable.code != 0
    assert "error[E" in unreachable.err


GENERATED = {
    "apps/.flux.yaml": (
        "version: 1\npatchUpdated:\n  generators:\n  - command: kustomize build .\n  patchFile: patch.yaml\n"
    ),
    "apps/prod/kustomization.yaml": "resources: [../../base]\nnamespace: prod\n",
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": WEB.replace("$IMAGE", "ghcr.io/acme/web").replace("  namespace: shop\n", ""),
}


@pytest.fixture
def generated(checkout: Checkout) -> Checkout:
    for path, text in GENERATED.items():
        (checkout.root / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout.root / path).write_text(text)
    checkout.git("add", ".")
    checkout.git("commit", "-q", "-m", "generate")
    return checkout


PROD = ("--local", "apps/prod", "-w", "prod:deploy/web", "--manifest-generation")


def test_a_generated_workload_is_released_and_automated_by_its_patch_file(generated: Checkout) -> None:
    ran = generated("release", "--unchecked", "--image", "ghcr.io/acme/web:1.2.0", *PROD, "--commit")
    assert ran.code == 0, ran.err
    assert "prod:deployment/web   success" in ran.out
    assert "main: ghcr.io/acme/web:1.1.0 -> ghcr.io/acme/web:1.2.0   apps/prod/patch.yaml:7" in ran.out
    assert "committed 1 file" in ran.err
    assert generated.git("show", "--name-status", "--format=%s") == (
        "Release ghcr.io/acme/web:1.2.0 to prod:deployment/web\n\nA\tapps/prod/patch.yaml"
    )
    ran = generated("automate", *PROD, "--commit")
    assert ran.code == 0, ran.err
    patch = generated.read("apps/prod/patch.yaml")
    assert "  annotations:\n    fluxcd.io/automated: 'true'\n" in patch
    assert "          image: ghcr.io/acme/web:1.2.0\n" in patch
    assert generated.git("status", "--porcelain") == ""
    again = generated("automate", *PROD)
    assert (again.code, "nothing to do" in again.err) == (0, True)


def test_a_new_patch_file_that_git_does_not_commit_is_gone_again(generated: Checkout) -> None:
    generated.git("config", "gpg.program", "/bin/false")
    generated.git("config", "commit.gpgsign", "true")
    ran = generated("release", "--unchecked", "--image", "ghcr.io/acme/web:1.2.0", *PROD, "--commit")
    assert ran.code == 3, ran.err
    assert "[E754]" in ran.err
    assert not (generated.root / "apps/prod/patch.yaml").exists()
    assert generated.git("status", "--porcelain") == ""


def test_nothing_of_a_checkout_is_run_unless_a_person_says_so(generated: Checkout) -> None:
    marker = generated.root.parent / "ran"
    (generated.root / "apps/.flux.yaml").write_text(
        GENERATED["apps/.flux.yaml"].replace("kustomize build .", f"echo x > {marker}; touch here; kustomize build .")
    )
    without = [word for word in PROD if word != "--manifest-generation"]
    ran = generated("release", "--unchecked", "--image", "ghcr.io/acme/web:1.2.0", *without)
    assert ran.code == 7, ran.err
    assert "= why:    apps/.flux.yaml says that commands make what is in it" in ran.err
    assert "= fix:    add --manifest-generation, and they are run here" in ran.err
    assert not marker.exists()
    ran = generated("release", "--unchecked", "--image", "ghcr.io/acme/web:1.2.0", *PROD)
    assert ran.code == 0, ran.err
    assert not (generated.root / "apps/prod/here").exists()
    assert marker.exists() is bool(confinement())
    ran = generated("release", "--unchecked", "--image", "ghcr.io/acme/web:1.2.0", *PROD, "--generator-path", "bin")
    assert (ran.code, "--generator-path 'bin' is not a list of folders" in ran.err) == (2, True)


def kustomized(checkout: Checkout, files: dict[str, str]) -> None:
    for path, text in files.items():
        (checkout.root / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout.root / path).write_text(text)


@pytest.mark.parametrize("folder", ["apps", "."])
def test_an_image_that_an_entry_of_images_replaces_is_released_there_as_the_operator_does(
    checkout: Checkout, image: str, folder: str
) -> None:
    entry = f"resources: [web.yaml]\nimages:\n- name: {image}\n  newTag: 1.0.9   # here\n"
    kustomized(checkout, {"apps/kustomization.yaml": entry})
    before = checkout.read()
    done = checkout("release", "--local", folder, "-w", "shop:deploy/web", "--image", f"{image}:1.2.0", "--unchecked")
    assert done.code == 0, done.err
    assert f"main: {image}:1.0.9 -> {image}:1.2.0" in done.out
    assert "apps/kustomization.yaml:4" in done.out
    assert checkout.read("apps/kustomization.yaml") == entry.replace("1.0.9 ", "1.2.0 ")
    assert checkout.read() == before


def test_an_entry_that_serves_another_workload_too_is_refused_and_nothing_is_written(
    checkout: Checkout, image: str
) -> None:
    entry = f"resources: [web.yaml, db.yaml]\nimages:\n- name: {image}\n  newTag: 1.0.9\n"
    kustomized(checkout, {"apps/kustomization.yaml": entry})
    done = checkout("release", "--local", ".", "-w", "shop:deploy/web", "--image", f"{image}:1.2.0", "--unchecked")
    assert done.code != 0
    assert "error[E568]" in done.err
    assert "--> apps/kustomization.yaml:3" in done.err
    assert "shop:statefulset/db db would become" in done.err
    assert checkout.read("apps/kustomization.yaml") == entry


def test_an_entry_above_the_named_folder_is_refused_with_the_folder_to_name(checkout: Checkout, image: str) -> None:
    entry = f"resources: [apps/web.yaml]\nimages:\n- name: {image}\n  newTag: 1.0.9\n"
    kustomized(checkout, {"kustomization.yaml": entry})
    done = checkout("release", "--local", "apps", "-w", "shop:deploy/web", "--image", f"{image}:1.2.0", "--unchecked")
    assert "error[E568]" in done.err
    assert "--> kustomization.yaml:3" in done.err
    assert "name . with --local" in done.err


BASE_FILE = """apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec: {template: {spec: {containers: [{name: main, image: 'ghcr.io/acme/api:1.0'}]}}}
"""
OVERLAYS = {
    "base/kustomization.yaml": "resources: [api.yaml]\n",
    "base/api.yaml": BASE_FILE,
    "live/kustomization.yaml": "namespace: live\nresources: [../base]\n",
}
API = ("release", "--local", ".", "--unchecked", "--image", "ghcr.io/acme/api:1.1", "-w", "live:deploy/api")


def test_a_workload_is_found_in_the_namespace_that_its_overlay_gives_it(checkout: Checkout) -> None:
    kustomized(checkout, OVERLAYS)
    done = checkout(*API)
    assert done.code == 0, done.err
    assert checkout.read("base/api.yaml") == BASE_FILE.replace("1.0", "1.1")
    assert checkout("automate", "--local", ".", "live:deploy/api").code == 0
    assert "fluxcd.io/automated: 'true'" in checkout.read("base/api.yaml")


def test_a_base_of_two_overlays_is_refused_with_both_until_the_overlay_says_its_image(checkout: Checkout) -> None:
    test = OVERLAYS["live/kustomization.yaml"].replace("live", "test")
    kustomized(checkout, {**OVERLAYS, "test/kustomization.yaml": test})
    for verb in (API, ("automate", "--local", ".", "live:deploy/api")):
        done = checkout(*verb)
        assert done.code == 7
        assert "error[E558]" in done.err
        assert "--> base/api.yaml:1" in done.err
        assert "is taken in by live/kustomization.yaml, test/kustomization.yaml" in done.err
    assert checkout("lock", "--local", "base", "deploy/api").code == 0
    assert checkout("unlock", "--local", "base", "deploy/api").code == 0
    entry = "images: [{name: ghcr.io/acme/api, newTag: '1.0'}]\n"
    kustomized(checkout, {"live/kustomization.yaml": OVERLAYS["live/kustomization.yaml"] + entry})
    done = checkout(*API)
    assert done.code == 0, done.err
    assert checkout.read("live/kustomization.yaml").endswith(entry.replace("1.0", "1.1"))
    assert checkout.read("base/api.yaml") == BASE_FILE


def test_a_workload_that_two_overlays_build_is_released_in_the_one_that_is_named(checkout: Checkout) -> None:
    overlay = "namespace: live\nresources: [../base]\nimages: [{name: ghcr.io/acme/api, newTag: '1.0'}]\n"
    kustomized(checkout, {**OVERLAYS, "live/kustomization.yaml": overlay, "test/kustomization.yaml": overlay})
    done = checkout(*API)
    assert done.code != 0
    assert "live:deployment/api is built by live, test" in done.err
    done = checkout(*("test" if word == "." else word for word in API))
    assert done.code == 0, done.err
    assert "1.1" in checkout.read("test/kustomization.yaml")
    assert checkout.read("live/kustomization.yaml") == overlay


def test_all_workloads_are_each_released_once_where_they_stand_and_what_stays_is_told(checkout: Checkout) -> None:
    entry = OVERLAYS["live/kustomization.yaml"] + "images: [{name: ghcr.io/acme/api, newTag: '1.0'}]\n"
    patch = BASE_FILE.partition("spec:")[0] + "spec: {replicas: 2}\n"
    overlays = {
        "live/kustomization.yaml": entry + "patches: [{path: more.yaml}]\n",
        "live/more.yaml": patch,
        "test/kustomization.yaml": OVERLAYS["live/kustomization.yaml"].replace("live", "test"),
    }
    kustomized(checkout, {**OVERLAYS, **overlays})
    done = checkout("release", "--local", ".", "--unchecked", "--image", "ghcr.io/acme/api:1.1", "--all", "-o", "json")
    assert done.code == 0, done.err
    written = [each for each in done.json["items"] if each["updates"]]
    assert [(each["workload"], each["updates"][0]["path"]) for each in written] == [
        ("live:deployment/api", "live/kustomization.yaml")
    ]
    assert "test:deployment/api is at base/api.yaml:1" in done.err
