"""The verbs against the real API server."""

from __future__ import annotations

import json

import msgspec
import pytest

from sluice.core import codes
from sluice.core.errors import ClusterError, UserError
from sluice.core.live import LiveManagers
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from tests.contract.kube.objects import config_map, deployment

pytestmark = pytest.mark.cluster


class Data(msgspec.Struct):
    data: dict[str, str]


async def test_an_apply_creates_and_then_changes_nothing(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    first = await client.apply(config_maps, namespace, "a", config_map("a", data={"k": "v"}), manager="m")
    again = await client.apply(config_maps, namespace, "a", config_map("a", data={"k": "v"}), manager="m")
    changed = await client.apply(config_maps, namespace, "a", config_map("a", data={"k": "w"}), manager="m")
    assert (first.created, again.created, changed.created) == (True, False, False)
    assert first.meta.resource_version == again.meta.resource_version != changed.meta.resource_version
    assert first.meta.uid == changed.meta.uid
    assert json.loads(changed.raw)["data"] == {"k": "w"}


async def test_a_dry_run_answers_as_an_apply_would_and_writes_nothing(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    dry = await client.apply(config_maps, namespace, "dry", config_map("dry"), manager="m", dry_run=True)
    assert dry.created
    assert dry.meta.name == "dry"
    assert await client.get(config_maps, namespace, "dry") is None


async def test_field_managers_are_decoded_only_when_asked_for(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    applied = await client.apply(config_maps, namespace, "m", config_map("m", data={"k": "v"}), manager="alpha")
    managers = msgspec.json.decode(applied.raw, type=LiveManagers).managers
    assert [(m.manager, m.operation) for m in managers] == [("alpha", "Apply")]
    assert json.loads(bytes(managers[0].fields_v1)) == {"f:data": {"f:k": {}}}


async def test_an_apply_without_force_leaves_a_field_to_its_manager(
    client: KubeClient, namespace: str, deployments: Resource
) -> None:
    await client.apply(deployments, namespace, "d", deployment("d"), manager="alpha")
    with pytest.raises(ClusterError) as caught:
        await client.apply(deployments, namespace, "d", deployment("d", replicas=1), manager="beta", force=False)
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    assert [(p.code, p.field) for p in caught.value.problems] == [(codes.FIELD_CONFLICT_LIVE, "spec.replicas")]
    assert '"alpha"' in caught.value.problems[0].title
    forced = await client.apply(deployments, namespace, "d", deployment("d", replicas=1), manager="beta")
    assert json.loads(forced.raw)["spec"]["replicas"] == 1


async def test_warnings_of_the_server_are_kept(client: KubeClient, namespace: str, deployments: Resource) -> None:
    pod = {
        "nodeSelector": {"beta.kubernetes.io/os": "linux"},
        "containers": [{"name": "c", "image": "i"}],
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    applied = await client.apply(deployments, namespace, "w", deployment("w", template=template), manager="m")
    assert len(applied.warnings) >= 1
    assert any("beta.kubernetes.io/os" in text for text in applied.warnings)
    assert not any(text.startswith("299") for text in applied.warnings)


async def test_get_answers_none_for_what_is_not_there(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    await client.apply(config_maps, namespace, "a", config_map("a", labels={"x": "y"}), manager="m")
    meta = await client.get_metadata(config_maps, namespace, "a")
    assert meta is not None
    assert (meta.name, meta.namespace, meta.labels) == ("a", namespace, {"x": "y"})
    assert await client.get(config_maps, namespace, "b") is None
    assert await client.get_metadata(config_maps, namespace, "b") is None
    assert await client.get(config_maps, "no-such-namespace", "b") is None
    assert not await client.delete(config_maps, "no-such-namespace", "b")


@pytest.mark.parametrize(("group", "plural"), [("nope.io", "nopes"), ("apps", "nopes")])
async def test_a_kind_that_is_not_served_is_not_taken_for_an_absent_object(
    client: KubeClient, namespace: str, group: str, plural: str
) -> None:
    unserved = Resource(group, "v1", "Nope", plural, namespaced=True)
    requests = (
        client.get(unserved, namespace, "b"),
        client.get_metadata(unserved, namespace, "b"),
        client.delete(unserved, namespace, "b"),
        client.list_metadata(unserved, namespace),
    )
    for request in requests:
        with pytest.raises(ClusterError) as caught:
            await request
        assert caught.value.problems[0].code is codes.UNKNOWN_KIND


async def test_a_list_is_the_same_in_pages_of_two_and_in_one(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    for index in range(5):
        labels = {"even": str(index % 2 == 0).lower()}
        text = config_map(f"a{index}", data={"n": str(index)}, labels=labels)
        await client.apply(config_maps, namespace, f"a{index}", text, manager="m")
    whole = await client.list_metadata(config_maps, namespace)
    paged = await client.list_metadata(config_maps, namespace, limit=2)
    assert [i.name for i in paged.items] == [i.name for i in whole.items]
    assert {i.name for i in paged.items} >= {f"a{index}" for index in range(5)}
    assert paged.resource_version
    even = await client.list(config_maps, namespace, labels="even=true", item_type=Data, limit=2)
    assert [item.data["n"] for item in even.items] == ["0", "2", "4"]
    one = await client.list_metadata(config_maps, namespace, fields="metadata.name=a3")
    assert [item.name for item in one.items] == ["a3"]


async def test_an_item_that_is_not_of_the_type_is_named_and_hides_no_other(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    await client.apply(
        config_maps, namespace, "good", config_map("good", data={"k": "v"}, labels={"t": "1"}), manager="m"
    )
    await client.apply(config_maps, namespace, "odd", config_map("odd", labels={"t": "1"}), manager="m")
    found = await client.list(config_maps, namespace, labels="t=1", item_type=Data)
    assert [item.data for item in found.items] == [{"k": "v"}]
    assert [str(problem.subject) for problem in found.problems] == [f"ConfigMap {namespace}/odd"]


async def test_create_refuses_what_exists(client: KubeClient, namespace: str, config_maps: Resource) -> None:
    await client.create(config_maps, namespace, config_map("c"), manager="m")
    with pytest.raises(ClusterError) as caught:
        await client.create(config_maps, namespace, config_map("c"), manager="m")
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")


async def test_a_replace_of_an_old_version_is_a_conflict(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    old = json.loads(await client.create(config_maps, namespace, config_map("r", data={"k": "0"}), manager="m"))
    await client.replace(config_maps, namespace, "r", json.dumps({**old, "data": {"k": "1"}}).encode())
    with pytest.raises(ClusterError) as caught:
        await client.replace(config_maps, namespace, "r", json.dumps({**old, "data": {"k": "2"}}).encode())
    assert caught.value.reason == "Conflict"
    assert not caught.value.is_temporary


async def test_patches_merge_and_edit(client: KubeClient, namespace: str, config_maps: Resource) -> None:
    await client.create(config_maps, namespace, config_map("p", data={"a": "1", "b": "2"}), manager="m")
    merged = await client.merge_patch(config_maps, namespace, "p", b'{"data":{"a":null,"c":"3"}}', manager="m")
    assert json.loads(merged)["data"] == {"b": "2", "c": "3"}
    edited = await client.json_patch(
        config_maps, namespace, "p", b'[{"op":"replace","path":"/data/b","value":"9"}]', manager="m"
    )
    assert json.loads(edited)["data"] == {"b": "9", "c": "3"}


async def test_the_status_is_written_through_its_subresource_only(
    client: KubeClient, namespace: str, deployments: Resource
) -> None:
    await client.apply(deployments, namespace, "s", deployment("s"), manager="m")
    status = b'{"status":{"observedGeneration":99}}'
    ignored = json.loads(await client.merge_patch(deployments, namespace, "s", status))
    assert ignored["status"].get("observedGeneration", 0) != 99
    written = await client.merge_patch(deployments, namespace, "s", status, subresource="status")
    assert json.loads(written)["status"]["observedGeneration"] == 99


async def test_delete_obeys_its_preconditions(client: KubeClient, namespace: str, config_maps: Resource) -> None:
    made = await client.apply(config_maps, namespace, "x", config_map("x"), manager="m")
    for uid, version in (("00000000-0000-0000-0000-000000000000", ""), ("", "1")):
        with pytest.raises(ClusterError) as caught:
            await client.delete(config_maps, namespace, "x", uid=uid, resource_version=version)
        assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    uid, version = made.meta.uid, made.meta.resource_version
    assert await client.delete(config_maps, namespace, "x", uid=uid, dry_run=True)
    assert await client.get(config_maps, namespace, "x") is not None
    assert await client.delete(config_maps, namespace, "x", uid=uid, resource_version=version)
    assert not await client.delete(config_maps, namespace, "x", uid=uid)


async def test_an_apply_that_carries_a_uid_can_not_bring_back_what_was_deleted(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    made = await client.apply(config_maps, namespace, "u", config_map("u"), manager="m")
    await client.delete(config_maps, namespace, "u")
    text = json.loads(config_map("u"))
    text["metadata"]["uid"] = made.meta.uid
    with pytest.raises(ClusterError) as caught:
        await client.apply(config_maps, namespace, "u", json.dumps(text).encode(), manager="m")
    assert caught.value.reason == "Conflict"
    assert await client.get(config_maps, namespace, "u") is None


@pytest.mark.parametrize("name", ["", ".", "..", "../secrets/s", "a/b", "a%2fb", "a\nb", "a\x00b"])
async def test_a_hostile_name_can_not_address_anything_else(
    client: KubeClient, namespace: str, config_maps: Resource, name: str
) -> None:
    await client.apply(config_maps, namespace, "kept", config_map("kept"), manager="m")
    for request in (client.get(config_maps, namespace, name), client.delete(config_maps, namespace, name)):
        with pytest.raises(UserError) as caught:
            await request
        assert caught.value.problems[0].code is codes.BAD_NAME
    assert await client.get(config_maps, namespace, "kept") is not None


@pytest.mark.parametrize("name", ["a?dryRun=All", "a#b", "a b", "ü", "kept?x"])
async def test_a_name_with_the_signs_of_a_url_is_only_a_name(
    client: KubeClient, namespace: str, config_maps: Resource, name: str
) -> None:
    await client.apply(config_maps, namespace, "kept", config_map("kept"), manager="m")
    assert not await client.delete(config_maps, namespace, name)
    assert await client.get(config_maps, namespace, "kept") is not None


async def test_a_namespaced_kind_needs_a_namespace(client: KubeClient, config_maps: Resource) -> None:
    with pytest.raises(UserError) as caught:
        await client.get(config_maps, "", "x")
    assert caught.value.problems[0].code is codes.NAMESPACE_MISSING


async def test_version_and_readiness_can_be_read(client: KubeClient) -> None:
    assert (await client.version()).git_version.startswith("v1.")
    assert await client.get_path("/readyz") == b"ok"


async def test_a_client_that_impersonates_has_the_rights_of_the_other_and_shares_the_connections(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    nobody = client.impersonating("system:serviceaccount:apps:nobody", ["system:serviceaccounts"])
    with pytest.raises(ClusterError) as caught:
        await nobody.get(config_maps, namespace, "x")
    problem = caught.value.problems[0]
    assert problem.code is codes.FORBIDDEN
    assert "system:serviceaccount:apps:nobody" in problem.cause
    async with client.impersonating("anyone", ["system:masters"]) as master:
        assert await master.get(config_maps, namespace, "x") is None
    assert await client.get(config_maps, namespace, "x") is None


@pytest.mark.parametrize("user", ["", " ", "a\r\nImpersonate-Group: system:masters", " a", "ü"])
def test_nobody_can_not_be_impersonated(client: KubeClient, user: str) -> None:
    with pytest.raises(ValueError, match="impersonated"):
        client.impersonating(user)
    with pytest.raises(ValueError, match="impersonated"):
        client.impersonating("someone", [user])
