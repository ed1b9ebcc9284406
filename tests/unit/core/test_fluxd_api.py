"""The values of fluxd's HTTP API: what clients are told, in the form that they read, and what they may ask."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core import codes
from sluice.core.errors import RemoteError, UserError
from sluice.core.fluxd_api.change import GitChange, ImageChange, is_same_remote, read_change
from sluice.core.fluxd_api.fault import ApiFault, fault_of, malformed, rendered
from sluice.core.fluxd_api.git_config import RepoFacts, config_shape
from sluice.core.fluxd_api.image_list import ContainerTags, container_shape, read_fields
from sluice.core.fluxd_api.local_host import is_local
from sluice.core.fluxd_api.workload_list import workload_shape
from sluice.core.image import ImageTag, parse
from sluice.core.image_policy.workload_policies import read_policies
from sluice.core.problem import Problem
from sluice.core.running_workload import running_workload

ALL = read_fields("")
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "main", "image": "acme/web:1.2.0"}]}}},
}


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def listed(text: str, image: str, *tags: ImageTag, fields: tuple[str, ...] = ALL) -> dict[str, Any]:
    policies = read_policies({"fluxcd.io/tag.main": text} if text else {})
    return container_shape(ContainerTags("main", parse(image), tags), policies, fields)


def names(container: dict[str, Any]) -> list[str]:
    return [image["ID"].rpartition(":")[2] for image in container["Available"]]


# --- images ---------------------------------------------------------------------------------------------------------


def test_all_tags_are_listed_in_the_patterns_order_and_the_counts_are_of_those_it_takes() -> None:
    tags = [ImageTag(name) for name in ("1.2.0", "latest", "2.0.0", "1.10.0", "1.3.0", "nightly")]
    found = listed("semver:~1", "acme/web:1.3.0", *tags)
    assert names(found) == ["2.0.0", "1.10.0", "1.3.0", "1.2.0", "nightly", "latest"]
    assert found["LatestFiltered"] == {"ID": "acme/web:1.10.0"}
    assert (found["AvailableImagesCount"], found["NewAvailableImagesCount"]) == (6, 2)
    assert (found["FilteredImagesCount"], found["NewFilteredImagesCount"]) == (3, 1)


def test_without_a_version_pattern_the_newest_is_first_and_an_unknown_age_last() -> None:
    tags = [ImageTag("a", created=day(2)), ImageTag("none"), ImageTag("c", created=day(3)), ImageTag("b", None, day(2))]
    found = listed("", "acme/web:b", *tags)
    assert names(found) == ["c", "a", "b", "none"]
    assert found["NewAvailableImagesCount"] == 1
    assert found["Current"] == {"ID": "acme/web:b", "CreatedAt": "2026-01-02T00:00:00Z"}


def test_what_is_zero_is_left_out_but_the_two_images_never() -> None:
    found = container_shape(ContainerTags("main", parse("acme/web:1"), None), read_policies({}), ALL)
    assert found == {
        "Name": "main",
        "Current": {"ID": "acme/web:1"},
        "LatestFiltered": {"ID": ""},
        "AvailableError": "image data not available",
    }
    assert listed("", "acme/web:1", fields=("Name",)) == {
        "Name": "main",
        "Current": {"ID": ""},
        "LatestFiltered": {"ID": ""},
    }


def test_a_pattern_that_can_not_be_read_takes_no_tag() -> None:
    found = listed("semver:>>1", "acme/web:1.0.0", ImageTag("1.0.0"), ImageTag("2.0.0"))
    assert names(found) == ["2.0.0", "1.0.0"]
    assert "FilteredImagesCount" not in found


def test_a_field_that_there_is_not_is_named() -> None:
    with pytest.raises(ApiFault, match="Size is an invalid field") as refused:
        read_fields("Name,Size")
    assert refused.value.status == 400


# --- workloads ------------------------------------------------------------------------------------------------------


def test_a_workload_has_its_policies_from_git_and_its_images_from_the_cluster() -> None:
    running = running_workload(DEPLOYMENT)
    assert running is not None
    annotations = {"fluxcd.io/automated": "true", "flux.weave.works/tag.main": "glob:v*", "fluxcd.io/locked_msg": "x"}
    shape = workload_shape(running, "", annotations, "")
    assert shape["ID"] == "shop:deployment/web"
    assert shape["Containers"] == [{"Name": "main", "Current": {"ID": "acme/web:1.2.0"}, "LatestFiltered": {"ID": ""}}]
    assert (shape["Automated"], shape["Locked"], shape["Ignore"]) == (True, False, False)
    assert shape["Policies"] == {"automated": "true", "tag.main": "glob:v*", "locked_msg": "x"}
    assert set(shape["Rollout"]) == {"Desired", "Updated", "Ready", "Available", "Outdated", "Messages"}
    assert shape["Rollout"]["Messages"] is None


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ([], "short"),
        (["application/json"], "json"),
        (["text/plain"], "help"),
        (["application/json, text/plain"], "json"),
        (["application/json;q=0.1, text/plain;q=0.9"], "help"),
        (["text/plain;q=0.1", "application/json;q=0.9"], "json"),
        (["*/*"], "short"),
        (["application/json;q=0"], "short"),
        (["\x00;;;q=,"], "short"),
    ],
)
def test_an_error_has_the_form_that_the_client_accepts(accept: list[str], kind: str) -> None:
    form = rendered(malformed("it is wrong", "write it right"), accept)
    expected: dict[str, Any] = {
        "short": "it is wrong",
        "help": "it is wrong; fix: write it right",
        "json": {"type": "user", "help": "it is wrong; fix: write it right", "error": "it is wrong"},
    }
    assert form.body == expected[kind]
    assert form.content_type == ("application/json" if kind == "json" else "text/plain")


@pytest.mark.parametrize(
    ("error", "blame", "status"),
    [
        (UserError(Problem(codes.IMAGE_REF, "bad image")), "user", 422),
        (UserError(Problem(codes.WORKLOAD_MISSING, "no such workload")), "missing", 404),
        (RemoteError(Problem(codes.REMOTE_UNREACHABLE, "no answer")), "server", 500),
    ],
)
def test_who_can_mend_it_decides_about_the_status(error: UserError | RemoteError, blame: str, status: int) -> None:
    fault = fault_of(error)
    assert (fault.blame, fault.status) == (blame, status)
    assert error.problems[0].title in fault.help
    assert error.problems[0].code.number in fault.help


# --- changes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"Kind": "git", "Source": {"URL": "git@host:team/app.git", "Branch": "main"}},
            GitChange("git@host:team/app.git", "main"),
        ),
        ({"kind": "git", "source": {"url": "https://host/app"}}, GitChange("https://host/app", "")),
        (
            {"Kind": "image", "Source": {"Name": {"Domain": "", "Image": "nginx"}}},
            ImageChange("docker.io/library/nginx"),
        ),
        (
            {"Kind": "image", "Source": {"Name": {"Domain": "quay.io", "Image": "acme/web"}}},
            ImageChange("quay.io/acme/web"),
        ),
    ],
)
def test_a_change_names_a_branch_or_an_image(body: Any, expected: GitChange | ImageChange) -> None:
    assert read_change(body) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["Kind", "Source", "Name", "URL", "Domain", "Image"]), inner, max_size=4)
        ),
    )
)
def test_whatever_else_is_sent_as_a_change_is_refused_and_breaks_nothing(body: Any) -> None:
    try:
        read_change(body)
    except ApiFault as fault:
        assert fault.status == 400  # noqa: PT017 - either answer is right


@pytest.mark.parametrize(
    ("ours", "told", "same"),
    [
        ("ssh://git@host/team/app", "https://host/team/app.git", True),
        ("https://host/team/app", "git@host:team/app.git", True),
        ("https://host/team/app", "https://host/team/app2", False),
        ("https://host/team/app", "https://other/team/app", False),
        ("https://host:8443/team/app", "https://host/team/app", False),
        ("https://host/team/app", "--upload-pack=x", False),
    ],
)
def test_one_repository_has_several_addresses(ours: str, told: str, same: bool) -> None:
    assert is_same_remote(ours, told) is same


# --- the repository -------------------------------------------------------------------------------------------------


def test_the_password_of_an_address_is_not_told() -> None:
    shape = config_shape(RepoFacts("ready", "https://me:hunter2@host/app", "main", ("", "apps", "infra")))
    assert shape["remote"] == {"url": "https://***@host/app", "branch": "main", "path": "apps,infra"}
    assert shape["publicSSHKey"] == {"key": "", "fingerprints": {}}
    assert config_shape(RepoFacts("new", "ssh://git@host/app"))["remote"]["url"] == "ssh://git@host/app"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST:3030", True),
        ("127.0.0.1:3030", True),
        ("127.9.9.9", True),
        ("[::1]:3030", True),
        ("::1", True),
        ("0.0.0.0:3030", False),
        ("localhost.evil.example", False),
        ("evil.example:127", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_only_this_machine_is_local(host: str, expected: bool) -> None:
    assert is_local(host) is expected
