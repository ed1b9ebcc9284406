"""The image kinds on the command line: the flux CLI's words, and tables in which the chosen image is seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster.registry import Registry
from tests.cli.conftest import Sluice
from tests.image_objects import Images, deployment_of
from tests.operator_fixture import Bench, condition

pytestmark = pytest.mark.cluster


@pytest.fixture
def images(bench: Bench, registry: Registry) -> Iterator[Images]:
    """An image that has found its way into git."""
    sync = bench.source()
    made = Images.beside(sync, registry)
    made.push("1.0.0", "1.1.0")
    sync.commit({"web.yaml": deployment_of(made, "1.0.0")})
    sync.create_source()
    made.scan()
    made.choose()
    made.write()
    made.wait_pushed()
    yield made
    for kind in ("ImageUpdateAutomation", "ImagePolicy", "ImageRepository"):
        bench.api.delete(made.path(kind))


def test_get_shows_what_was_found_chosen_and_written(cli: Sluice, images: Images) -> None:
    ran = cli("get", "images", "all")
    assert ran.code == 0, ran.err
    rows = {line.split()[0]: line for line in ran.out.splitlines()[1:]}
    assert "successful scan: found 2 tags with checksum" in rows[f"imgrepo/{images.name}"]
    assert f"{images.image}:1.1.0" in rows[f"imgpol/{images.name}"]
    assert "repository up-to-date" in rows[f"imgupd/{images.name}"]
    assert "main@" in rows[f"imgupd/{images.name}"]
    one = cli("get", "image", "policy", images.name, "-o", "json").json
    assert one["kind"] == "ImagePolicyList"
    assert one["items"][0]["image"] == f"{images.image}:1.1.0"
    assert one["items"][0]["revision"] is None
    assert one["items"][0]["source"] == f"ImageRepository/{images.name}"


def test_reconcile_scans_now_and_says_how_it_ended(cli: Sluice, images: Images) -> None:
    images.push("1.2.0")
    ran = cli("reconcile", "image", "repository", images.name)
    assert ran.code == 0, ran.err
    images.wait_chosen("1.2.0")
    ran = cli("reconcile", "image", "policy", images.name)
    assert f"imgpol/{images.name} is ready at {images.image}:1.2.0" in ran.out
    assert cli("reconcile", "image", "update", images.name).code == 0


def test_a_policy_that_fails_is_exit_3_with_code_and_fix_and_is_in_the_status(cli: Sluice, images: Images) -> None:
    images.edit("ImagePolicy", {"policy": {"semver": {"range": "not a range"}}})
    ran = cli("reconcile", "image", "policy", images.name)
    assert ran.code == 3
    assert "error[E504]" in ran.err
    status = cli("status")
    assert status.code == 1
    assert f"imgpol/{images.name}" in status.out
    assert "IMAGES" in status.out


def test_suspend_and_resume_take_the_image_kinds(cli: Sluice, images: Images) -> None:
    assert cli("suspend", "image", "update", images.name, "--reason", "freeze").code == 0
    assert images.get("ImageUpdateAutomation")["spec"]["suspend"] is True
    refused = cli("reconcile", "image", "update", images.name)
    assert "freeze" in refused.err
    resumed = cli("resume", "image", "update", images.name)
    assert resumed.code == 0, resumed.err
    assert condition(images.get("ImageUpdateAutomation"), "Ready")["status"] == "True"
