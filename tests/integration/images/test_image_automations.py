"""An ImageUpdateAutomation writes what policies choose into git: byte for byte, once, never over another's commits."""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devcluster.images import make_image
from devcluster.registry import Registry
from tests.image_objects import AUTHOR, Images, deployment_of
from tests.keyring import SshKey, signed
from tests.operator_fixture import Bench, Json, Sync, condition, poll

pytestmark = pytest.mark.cluster
WEB = "apps/web.yaml"


@pytest.fixture
def sync(bench: Bench) -> Sync:
    """A repository with a source; what is in it is not applied unless a test asks for that."""
    return bench.source()


@pytest.fixture
def images(sync: Sync, registry: Registry) -> Images:
    """An image of two versions, scanned and chosen: 1.1.0."""
    images = Images.beside(sync, registry)
    images.push("1.0.0", "1.1.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.1.0")
    return images


def begin(sync: Sync, images: Images, files: dict[str, str] | None = None, **spec: Any) -> str:
    """Commit files (a Deployment at 1.0.0), make source and automation; returns the first commit."""
    first = sync.commit(files or {WEB: deployment_of(images, "1.0.0")})
    sync.create_source()
    images.write(**spec)
    return first.rpartition(":")[2]


def git(sync: Sync, *arguments: str) -> str:
    """Ask the server's repository."""
    folder = sync.bench.git.root / f"{sync.name}.git"
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


def at(sync: Sync, path: str, ref: str = "main") -> str:
    """A file's content on the server."""
    return git(sync, "show", f"{ref}:{path}")


def test_only_the_bytes_of_the_value_change_and_the_commit_says_who_and_what(sync: Sync, images: Images) -> None:
    first = begin(sync, images)
    commit = images.wait_pushed()
    before = deployment_of(images, "1.0.0").replace("$NS", sync.target)
    assert at(sync, WEB) == before.replace(":1.0.0", ":1.1.0")
    assert git(sync, "log", "-1", "--format=%an <%ae>, %cn <%ce>, %P").strip() == (
        f"Image Bot <bot@example.com>, Image Bot <bot@example.com>, {first}"
    )
    assert git(sync, "log", "-1", "--format=%s").strip() == "Update from image update automation"
    found = images.wait_ready("ImageUpdateAutomation", text="repository up-to-date")
    status = found["status"]
    assert status["observedSourceRevision"] == f"main@sha1:{commit}"
    assert status["observedPolicies"] == {images.name: {"name": images.image, "tag": "1.1.0"}}
    assert status["lastPushTime"]
    assert status["lastAutomationRunTime"]
    poll("the event of the push", lambda: pushed_events(images, commit))


def pushed_events(images: Images, commit: str) -> list[Json]:
    events = images.bench.api.get(f"/api/v1/namespaces/{images.namespace}/events") or {"items": []}
    text = f"pushed commit '{commit[:7]}' to branch 'main'\nUpdate from image update automation"
    return [
        event
        for event in events["items"]
        if event["involvedObject"]["kind"] == "ImageUpdateAutomation" and event["message"].startswith(text)
    ]


def test_the_source_sees_our_commit_at_once(sync: Sync, images: Images) -> None:
    begin(sync, images)
    commit = images.wait_pushed()
    # The source's own interval is an hour.
    poll("the source has it", lambda: revision_of(sync) == f"main@sha1:{commit}")


def revision_of(sync: Sync) -> str:
    source = sync.bench.api.get(sync.source_path) or {}
    return str(source.get("status", {}).get("artifact", {}).get("revision", ""))


def test_a_run_with_nothing_new_makes_no_commit(sync: Sync, images: Images) -> None:
    begin(sync, images)
    commit = images.wait_pushed()
    token = images.request("ImageUpdateAutomation")
    handled(images, token)
    images.bench.operator.restart()
    handled(images, images.request("ImageUpdateAutomation"))
    assert git(sync, "rev-parse", "main").strip() == commit
    images.wait_ready("ImageUpdateAutomation")


def handled(images: Images, token: str) -> Json:
    return images.wait(
        "ImageUpdateAutomation", f"{token} handled", lambda i: i["status"].get("lastHandledReconcileAt") == token
    )


def test_a_commit_that_was_pushed_but_not_recorded_is_not_made_again(sync: Sync, images: Images) -> None:
    begin(sync, images)
    commit = images.wait_pushed()
    bench = images.bench
    bench.operator.stop()
    lost = {"lastPushCommit": None, "observedSourceRevision": None, "observedPolicies": None}
    bench.api.patch(f"{images.path('ImageUpdateAutomation')}/status", {"status": lost})
    bench.operator.start()
    found = images.wait("ImageUpdateAutomation", "recorded", lambda i: i["status"].get("observedSourceRevision"))
    assert found["status"]["observedSourceRevision"] == f"main@sha1:{commit}"
    assert git(sync, "rev-list", "--count", "main").strip() == "2"


def test_markers_of_name_and_tag_and_of_what_is_not_there_are_each_treated_on_their_own(
    sync: Sync, images: Images
) -> None:
    ns, name = images.namespace, images.name
    text = f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: values, namespace: $NS}}
data:
  repository: "old.example/x" # {{"$imagepolicy": "{ns}:{name}:name"}}
  tag: '1.0.0' # {{"$imagepolicy": "{ns}:{name}:tag"}}
  other: "1" # {{"$imagepolicy": "elsewhere:{name}"}}
  typo: "1" # {{"$imagepolicy": "{ns}:{name}-typo"}}
"""
    begin(sync, images, {WEB: text, "apps/broken.yaml": 'a: b: c # {"$imagepolicy": "x:y"}\n'})
    images.wait_pushed()
    assert at(sync, WEB) == text.replace("$NS", sync.target).replace('"old.example/x"', f'"{images.image}"').replace(
        "'1.0.0'", "'1.1.0'"
    )
    message = condition(images.wait_ready("ImageUpdateAutomation", text="repository up-to-date\n"), "Ready")["message"]
    assert f"{name}-typo" in message
    assert "apps/broken.yaml" in message
    assert "elsewhere" not in message


def test_somebody_who_pushes_meanwhile_loses_nothing(sync: Sync, images: Images) -> None:
    begin(sync, images)
    commit = images.wait_pushed()
    theirs = git(sync, "commit-tree", "main^{tree}", "-p", "main", "-m", "by hand").strip()
    git(sync, "update-ref", "refs/heads/main", theirs)
    images.push("1.2.0")
    images.request("ImageRepository")
    second = images.wait_pushed(commit)
    assert git(sync, "rev-parse", "main~1").strip() == theirs
    assert git(sync, "rev-parse", "main").strip() == second
    assert ":1.2.0" in at(sync, WEB)


def revert(sync: Sync) -> str:
    """Take our last commit back, as a person does; returns the new head."""
    tree = git(sync, "rev-parse", "main~1^{tree}").strip()
    commit = git(sync, "commit-tree", tree, "-p", "main", "-m", "Revert").strip()
    git(sync, "update-ref", "refs/heads/main", commit)
    sync.request(sync.source_path)
    return commit


def test_what_a_person_takes_back_stays_so_until_there_is_another_image(sync: Sync, images: Images) -> None:
    begin(sync, images)
    images.wait_pushed()
    theirs = revert(sync)
    told = images.wait_ready("ImageUpdateAutomation", text="E591")
    rejected = [{"path": WEB, "policy": f"{images.namespace}/{images.name}", "image": f"{images.image}:1.1.0"}]
    assert told["status"]["rejectedImages"] == rejected
    images.bench.operator.restart()
    assert git(sync, "rev-parse", "main").strip() == theirs
    other = git(sync, "commit-tree", "main^{tree}", "-p", "main", "-m", "something else").strip()
    git(sync, "update-ref", "refs/heads/main", other)
    sync.request(sync.source_path)
    images.wait("ImageUpdateAutomation", "sees it", lambda a: a["status"]["observedSourceRevision"].endswith(other))
    assert ":1.0.0" in at(sync, WEB)
    images.push("1.2.0")
    images.request("ImageRepository")
    poll("the newer image is in git", lambda: ":1.2.0" in at(sync, WEB))
    images.wait("ImageUpdateAutomation", "forgets it", lambda a: "rejectedImages" not in a["status"])


def test_what_a_person_took_back_is_written_again_when_a_person_asks(sync: Sync, images: Images) -> None:
    begin(sync, images)
    images.wait_pushed()
    revert(sync)
    images.wait_ready("ImageUpdateAutomation", text="E591")
    done = handled(images, images.request("ImageUpdateAutomation"))
    assert ":1.1.0" in at(sync, WEB)
    assert "rejectedImages" not in done["status"]


def test_a_separate_branch_is_made_and_the_synced_one_stays(sync: Sync, images: Images) -> None:
    first = begin(sync, images, git={**AUTHOR, "push": {"branch": "images"}})
    commit = images.wait_pushed()
    assert git(sync, "rev-parse", "main").strip() == first
    assert git(sync, "rev-parse", "images").strip() == commit
    assert ":1.1.0" in at(sync, WEB, "images")
    handled(images, images.request("ImageUpdateAutomation"))
    images.push("1.2.0")
    images.request("ImageRepository")
    images.wait_pushed(commit)
    assert ":1.2.0" in at(sync, WEB, "images")
    assert git(sync, "rev-parse", "main").strip() == first


def test_a_branch_of_somebody_else_is_left_as_it_is(sync: Sync, images: Images) -> None:
    sync.commit({WEB: deployment_of(images, "1.0.0")})
    theirs = git(sync, "commit-tree", "main^{tree}", "-p", "main", "-m", "by hand").strip()
    git(sync, "update-ref", "refs/heads/images", theirs)
    sync.create_source()
    images.write(git={**AUTHOR, "push": {"branch": "images"}})
    images.wait_ready("ImageUpdateAutomation", "False", "GitOperationFailed", "E574")
    assert git(sync, "rev-parse", "images").strip() == theirs


@pytest.mark.parametrize(
    ("spec", "reason", "text"),
    [
        ({"git": None}, "InvalidSourceConfiguration", "spec.git"),
        ({"git": {**AUTHOR, "push": {"refspec": "+main:main"}}}, "InvalidSourceConfiguration", "E575"),
        ({"git": {**AUTHOR, "push": {"refspec": ":main"}}}, "InvalidSourceConfiguration", "E575"),
        ({"git": {**AUTHOR, "checkout": {"ref": {"tag": "v1"}}}}, "InvalidSourceConfiguration", "E583"),
        ({"update": {"path": "../x"}}, "InvalidSourceConfiguration", "E230"),
        (
            {"policySelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}},
            "InvalidPolicySelector",
            "Near",
        ),
    ],
    ids=["no git", "force", "delete", "tag", "path", "selector"],
)
def test_a_spec_that_can_not_be_meant_stalls_and_writes_nothing(
    sync: Sync, images: Images, spec: Json, reason: str, text: str
) -> None:
    first = sync.commit({WEB: deployment_of(images, "1.0.0")}).rpartition(":")[2]
    sync.create_source()
    base = {"sourceRef": {"kind": "GitRepository", "name": images.name}, "interval": "1h", "git": AUTHOR, **spec}
    images.create("ImageUpdateAutomation", {key: value for key, value in base.items() if value is not None})
    found = images.wait_ready("ImageUpdateAutomation", "False", reason, text)
    assert condition(found, "Stalled")["status"] == "True"
    assert git(sync, "rev-parse", "main").strip() == first


def test_only_selected_policies_and_only_files_below_the_path_are_used(sync: Sync, images: Images) -> None:
    other = f"{images.name}-other"
    images.choose(other, labels={"team": "b"})
    images.wait_chosen("1.1.0", other)
    images.bench.api.patch(images.path("ImagePolicy"), {"metadata": {"labels": {"team": "a"}}})
    files = {
        WEB: deployment_of(images, "1.0.0"),
        "apps/other.yaml": deployment_of(images, "1.0.0", name="other", policy=other),
        "elsewhere/web.yaml": deployment_of(images, "1.0.0"),
    }
    selector = {"matchLabels": {"team": "a"}}
    begin(sync, images, files, policySelector=selector, update={"path": "./apps", "strategy": "Setters"})
    images.wait_pushed()
    assert git(sync, "diff", "--name-only", "main~1", "main").split() == [WEB]
    found = images.wait_ready("ImageUpdateAutomation")
    assert set(found["status"]["observedPolicies"]) == {images.name}
    assert condition(found, "Ready")["message"] == "repository up-to-date"


def test_an_automation_waits_for_its_source_and_is_woken_by_it(sync: Sync, images: Images) -> None:
    images.write()
    images.wait_ready("ImageUpdateAutomation", "False", "SourceManagerFailed", "does not exist")
    sync.commit({WEB: deployment_of(images, "1.0.0")})
    sync.create_source()
    images.wait_pushed()


def test_a_marker_that_somebody_adds_is_acted_on_when_the_source_has_it(sync: Sync, images: Images) -> None:
    begin(sync, images, {WEB: deployment_of(images, "1.0.0").replace("# {", "# not yet {")})
    images.wait_ready("ImageUpdateAutomation")
    sync.push({WEB: deployment_of(images, "1.0.0")})
    images.wait_pushed()
    assert ":1.1.0" in at(sync, WEB)


def test_nothing_is_written_while_it_is_suspended(sync: Sync, images: Images) -> None:
    first = begin(sync, images, suspend=True)
    images.push("1.2.0")
    images.request("ImageRepository")
    images.wait_chosen("1.2.0")
    assert git(sync, "rev-parse", "main").strip() == first
    images.edit("ImageUpdateAutomation", {"suspend": False})
    images.wait_pushed()
    assert ":1.2.0" in at(sync, WEB)


def test_commits_are_signed_with_the_key_of_the_secret(sync: Sync, images: Images, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    name = f"{images.name}-key"
    signing = {"commit": {**AUTHOR["commit"], "signingKey": {"secretRef": {"name": name}, "type": "ssh"}}}
    begin(sync, images, git=signing)
    images.wait_ready("ImageUpdateAutomation", "False", "SourceManagerFailed", f"Secret {images.namespace}/{name}")
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": {"identity": key.read_text()},
    }
    images.bench.api.create(f"/api/v1/namespaces/{images.namespace}/secrets", body)
    images.request("ImageUpdateAutomation")
    images.wait_pushed()
    allowed = tmp_path / "allowed"
    allowed.write_text(f"bot@example.com {(tmp_path / 'key.pub').read_text()}")
    verified = git(sync, "-c", f"gpg.ssh.allowedSignersFile={allowed}", "log", "-1", "--format=%G?", "main")
    assert verified.strip() == "G"


def test_where_signatures_are_required_only_a_signed_commit_on_a_signed_head_is_pushed(
    sync: Sync, images: Images, tmp_path: Path
) -> None:
    ada, bot = SshKey(tmp_path, "ada"), SshKey(tmp_path, "bot")
    secrets = f"/api/v1/namespaces/{images.namespace}/secrets"
    keys = {"metadata": {"name": f"{images.name}-keys"}, "stringData": {"ada.sshpub": ada.public}}
    images.bench.api.create(secrets, keys)
    own = {"metadata": {"name": f"{images.name}-bot"}, "stringData": {"identity": bot.path.read_text()}}
    images.bench.api.create(secrets, own)
    sync.commit({WEB: deployment_of(images, "1.0.0")})
    sync.create_source(verify={"secretRef": {"name": f"{images.name}-keys"}})
    images.write()
    automation = "ImageUpdateAutomation"
    images.wait_ready(automation, "False", "GitOperationFailed", "there is no key to sign with")
    signing = {
        "commit": {**AUTHOR["commit"], "signingKey": {"secretRef": {"name": f"{images.name}-bot"}, "type": "ssh"}}
    }
    images.edit(automation, {"git": signing})
    images.wait_ready(automation, "False", "GitOperationFailed", "is not verified")
    ada.sign_commits(sync.repo)
    head = signed(sync.repo, {})
    images.request(automation)
    images.wait_ready(automation, "False", "GitOperationFailed", "the key that signs our commits is not among")
    assert git(sync, "rev-parse", "main").strip() == head
    both = {"stringData": {"bot.sshpub": bot.public}}
    images.bench.api.patch(f"{secrets}/{images.name}-keys", both)
    images.request(automation)
    images.wait_pushed()
    assert "1.1.0" in at(sync, WEB)


TEMPLATE = """Update {{ .AutomationObject.Name }} in {{ index .Values "cluster" }}

{{ range $file, $objects := .Changed.FileChanges }}- {{ $file }}
{{ end }}{{ range .Changed.Changes }}{{ .OldValue }} -> {{ .NewValue }}{{ end }}"""


def test_the_message_is_made_by_the_template(sync: Sync, images: Images) -> None:
    commit = {**AUTHOR["commit"], "messageTemplate": TEMPLATE, "messageTemplateValues": {"cluster": "prod"}}
    begin(sync, images, git={"commit": commit})
    images.wait_pushed()
    assert git(sync, "log", "-1", "--format=%B").startswith(
        f"Update {images.name} in prod\n\n- {WEB}\n{images.image}:1.0.0 -> {images.image}:1.1.0\n"
    )


def test_a_template_that_uses_what_flux_removed_stalls_before_anything_is_written(sync: Sync, images: Images) -> None:
    commit = {**AUTHOR["commit"], "messageTemplate": "{{ range .Updated.Images }}{{ . }}{{ end }}"}
    first = begin(sync, images, git={"commit": commit})
    found = images.wait_ready("ImageUpdateAutomation", "False", "RemovedTemplateField", ".Changed")
    assert condition(found, "Stalled")["status"] == "True"
    assert git(sync, "rev-parse", "main").strip() == first


def test_two_automations_of_one_repository_both_get_their_commit(sync: Sync, images: Images) -> None:
    other = f"{images.name}-other"
    images.choose(other, labels={"team": "b"})
    images.wait_chosen("1.1.0", other)
    files = {
        "a/web.yaml": deployment_of(images, "1.0.0"),
        "b/web.yaml": deployment_of(images, "1.0.0", name="other", policy=other),
    }
    begin(sync, images, files, update={"path": "a"})
    source = {"kind": "GitRepository", "name": images.name}
    spec = {"sourceRef": source, "interval": "1h", "git": AUTHOR, "update": {"path": "b"}}
    images.create("ImageUpdateAutomation", spec, name=other)
    images.wait_pushed()
    images.wait("ImageUpdateAutomation", "pushed", lambda a: a["status"].get("lastPushCommit", "") != "", name=other)
    assert ":1.1.0" in at(sync, "a/web.yaml")
    assert ":1.1.0" in at(sync, "b/web.yaml")
    assert git(sync, "rev-list", "--count", "main").strip() == "3"


def test_a_storm_of_tags_gives_few_commits_and_the_newest_wins(sync: Sync, images: Images) -> None:
    begin(sync, images)
    images.wait_pushed()
    for patch in range(12):
        images.registry.push(images.name, f"1.2.{patch}", make_image(content=str(patch)))
        images.request("ImageRepository")
        images.wait_chosen(f"1.2.{patch}")
    poll("the newest is in git", lambda: ":1.2.11" in at(sync, WEB), 40)
    assert int(git(sync, "rev-list", "--count", "main")) <= 1 + 10


def test_a_read_only_operator_tells_what_it_would_have_to_commit(bench: Bench, registry: Registry) -> None:
    sync = bench.source(f"ro-{secrets.token_hex(3)}")
    images = Images.beside(sync, registry)
    images.push("1.1.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.1.0")
    bench.operator.stop()
    usual = bench.operator.settings
    bench.operator.settings = replace(usual, git_read_only=True)
    bench.operator.start()
    try:
        first = begin(sync, images)
        images.wait_ready("ImageUpdateAutomation", "False", "GitOperationFailed", "E581")
        assert git(sync, "rev-parse", "main").strip() == first
    finally:
        bench.operator.stop()
        bench.operator.settings = usual
        bench.operator.start()


def test_a_policy_and_a_person_do_not_change_an_image_to_and_fro_for_ever(sync: Sync, images: Images) -> None:
    first = begin(sync, images)
    commit = images.wait_pushed()
    set_back(sync, first)
    images.request("ImageUpdateAutomation")
    commit = images.wait_pushed(commit)
    theirs = set_back(sync, first)
    images.request("ImageUpdateAutomation")
    found = images.wait_ready("ImageUpdateAutomation", text="E585")
    message = condition(found, "Ready")["message"]
    assert f"{images.image}:1.0.0 and {images.image}:1.1.0" in message
    assert "Ada <ada@example.com>" in message
    assert WEB in message
    assert git(sync, "rev-parse", "main").strip() == theirs
    images.push("1.2.0")  # what neither had written before is no fight
    images.request("ImageRepository")
    images.wait_pushed(commit)
    assert ":1.2.0" in at(sync, WEB)


def set_back(sync: Sync, commit: str) -> str:
    """A person commits the files of an earlier commit."""
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    theirs = git(sync, *person, "commit-tree", f"{commit}^{{tree}}", "-p", "main", "-m", "set back").strip()
    git(sync, "update-ref", "refs/heads/main", theirs)
    return theirs
