"""An ImageRepository says what its registry lists, and forgets nothing for want of an answer."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.certificates import Authority
from devcluster.registry import Registry
from tests.image_objects import Images
from tests.operator_fixture import Bench, Json, condition, poll

pytestmark = pytest.mark.cluster
PASSWORD = "hunter horse"


@pytest.fixture
def images(bench: Bench, registry: Registry) -> Images:
    """An image of its own, without objects."""
    return Images(bench, registry, f"i-{secrets.token_hex(3)}", bench.namespace)


@pytest.fixture
def private(bench: Bench, tmp_path: Path) -> Iterator[Images]:
    """The same in a registry that wants a login."""
    with Registry(tmp_path / "private", user="ada", password=PASSWORD) as registry:
        yield Images(bench, registry, f"p-{secrets.token_hex(3)}", bench.namespace)


def secret(images: Images, name: str, data: dict[str, bytes], kind: str = "Opaque") -> None:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind, "data": encoded}
    images.bench.api.create(f"/api/v1/namespaces/{images.namespace}/secrets", body)


def login(images: Images, name: str, password: str = PASSWORD) -> None:
    auth = base64.b64encode(f"ada:{password}".encode()).decode()
    config = json.dumps({"auths": {images.registry.host: {"auth": auth}}}).encode()
    secret(images, name, {".dockerconfigjson": config}, "kubernetes.io/dockerconfigjson")


def listings(images: Images) -> int:
    """How often the image's tags were asked for so far."""
    return sum(r.path.startswith(f"/v2/{images.name}/tags/list") for r in images.registry.requests())


def result(item: Json) -> Json:
    return dict(item["status"]["lastScanResult"])


def test_a_scan_tells_count_checksum_and_the_last_ten_tags(images: Images) -> None:
    images.push(*(f"1.{minor:02}" for minor in range(12)), "1.11.sig")
    images.scan()
    found = images.wait_ready("ImageRepository", text="successful scan: found 12 tags with checksum ")
    assert result(found)["tagCount"] == 12
    assert result(found)["latestTags"] == [f"1.{minor:02}" for minor in range(11, 1, -1)]
    assert condition(found, "Ready")["message"].endswith(result(found)["revision"])
    assert found["status"]["canonicalImageName"] == images.image
    assert found["status"]["observedExclusionList"] == [r"^.*\.sig$"]
    assert condition(found, "Ready")["reason"] == "Succeeded"
    assert not condition(found, "Reconciling")
    images.edit("ImageRepository", {"exclusionList": [r"\.0"]})
    again = images.wait("ImageRepository", "scanned again", lambda i: result(i)["tagCount"] == 3)
    assert result(again)["latestTags"] == ["1.11.sig", "1.11", "1.10"]


def test_a_cloud_as_provider_has_no_login_for_the_registry_of_another(images: Images) -> None:
    images.push("1.0.0")
    images.scan(provider="aws")
    assert result(images.wait_ready("ImageRepository"))["tagCount"] == 1


def test_a_request_is_answered_by_one_listing_and_an_unchanged_list_changes_no_status(images: Images) -> None:
    images.push("1.0.0")
    images.scan()
    before = images.wait_ready("ImageRepository")
    count = listings(images)
    token = images.request("ImageRepository")
    after = images.wait(
        "ImageRepository", "request handled", lambda i: i["status"].get("lastHandledReconcileAt") == token
    )
    assert listings(images) == count + 1
    assert {k: v for k, v in after["status"].items() if k != "lastHandledReconcileAt"} == before["status"]


@pytest.mark.parametrize(
    ("spec", "reason", "text"),
    [
        ({"image": "https://ghcr.io/org/app"}, "ImageURLInvalid", "remove https://"),
        ({"image": "ghcr.io/org/app:v1"}, "ImageURLInvalid", "write ghcr.io/org/app"),
        ({"image": "ghcr.io/Org/app"}, "ImageURLInvalid", "lower case"),
        ({"exclusionList": ["("]}, "ReadOperationFailed", "spec.exclusionList[0]"),
    ],
    ids=["scheme", "tag", "capital", "pattern"],
)
def test_a_spec_that_can_not_be_used_stalls_with_its_field(images: Images, spec: Json, reason: str, text: str) -> None:
    images.scan(**spec)
    found = images.wait_ready("ImageRepository", "False", reason)
    assert condition(found, "Stalled")["status"] == "True"
    assert text in condition(found, "Ready")["message"]
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    assert listings(images) == 0


def test_a_private_registry_needs_the_secret_and_is_scanned_once_it_is_there(private: Images) -> None:
    private.push("1.0.0")
    private.scan(secretRef={"name": private.name})
    missing = private.wait_ready("ImageRepository", "False", "AuthenticationFailed", "does not exist")
    assert f"Secret {private.namespace}/{private.name}" in condition(missing, "Ready")["message"]
    login(private, private.name)
    private.request("ImageRepository")
    private.wait_ready("ImageRepository", text="found 1 tags")


def test_a_wrong_password_is_an_authentication_failure_and_is_shown_nowhere(private: Images) -> None:
    private.push("1.0.0")
    login(private, private.name, password="hunter2-wrong")
    private.scan(secretRef={"name": private.name})
    found = private.wait_ready("ImageRepository", "False", "AuthenticationFailed")
    assert "hunter2" not in json.dumps(found)
    assert not any("hunter2" in str(entry) for entry in private.bench.operator.logged)


def test_the_pull_secrets_of_a_service_account_are_used(private: Images) -> None:
    private.push("1.0.0")
    login(private, private.name)
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": private.name},
        "imagePullSecrets": [{"name": private.name}],
    }
    private.bench.api.create(f"/api/v1/namespaces/{private.namespace}/serviceaccounts", account)
    private.scan(serviceAccountName=private.name)
    private.wait_ready("ImageRepository", text="found 1 tags")


def test_a_private_authority_is_trusted_by_its_certificate_alone(bench: Bench, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    with Registry(tmp_path / "tls", tls=authority.server("registry")) as registry:
        images = Images(bench, registry, f"t-{secrets.token_hex(3)}", bench.namespace)
        images.push("1.0.0")
        images.scan(insecure=False)
        images.wait_ready("ImageRepository", "False", text="certificate")
        secret(images, images.name, {"ca.crt": authority.certificate.read_bytes()})
        images.edit("ImageRepository", {"certSecretRef": {"name": images.name}})
        images.wait_ready("ImageRepository", text="found 1 tags")


def test_a_registry_that_is_away_costs_nothing_that_is_known(bench: Bench, tmp_path: Path) -> None:
    with Registry(tmp_path / "away") as registry:
        images = Images(bench, registry, f"a-{secrets.token_hex(3)}", bench.namespace)
        images.push("1.0.0")
        images.scan()
        images.choose()
        images.wait_chosen("1.0.0")
        before = result(images.get("ImageRepository"))
    images.request("ImageRepository")
    found = images.wait_ready("ImageRepository", "False", "ReadOperationFailed")
    assert result(found) == before
    assert condition(found, "Reconciling")["reason"] == "ProgressingWithRetry"
    images.request("ImagePolicy")
    images.wait_chosen("1.0.0")
    images.wait_ready("ImagePolicy")


def test_nothing_is_asked_while_it_is_suspended_and_at_once_when_it_is_resumed(images: Images) -> None:
    images.push("1.0.0")
    images.scan(suspend=True)
    images.request("ImageRepository")
    images.edit("ImageRepository", {"suspend": False})
    images.wait_ready("ImageRepository", text="found 1 tags")
    assert listings(images) == 1


def test_after_a_restart_what_is_on_the_disk_is_not_asked_again(images: Images) -> None:
    images.push("1.0.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.0.0")
    before, count = images.get("ImagePolicy"), listings(images)
    images.bench.operator.restart()
    token = images.request("ImagePolicy")
    after = images.wait("ImagePolicy", "handled", lambda i: i["status"].get("lastHandledReconcileAt") == token)
    assert after["status"]["latestRef"] == before["status"]["latestRef"]
    assert condition(after, "Ready") == condition(before, "Ready")
    assert listings(images) == count


def test_a_repository_that_is_deleted_goes_and_its_policies_say_so(images: Images) -> None:
    images.push("1.0.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.0.0")
    images.bench.api.delete(images.path("ImageRepository"))
    poll("the repository is gone", lambda: images.bench.api.get(images.path("ImageRepository")) is None)
    images.wait_ready("ImagePolicy", "False", "DependencyNotReady", "does not exist")
    images.bench.api.delete(images.path("ImagePolicy"))
    poll("the policy is gone", lambda: images.bench.api.get(images.path("ImagePolicy")) is None)
