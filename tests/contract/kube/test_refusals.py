"""Each refusal of the real API server becomes the Problem that says what is wrong.

Here every pattern of `sluice.kube.errors` meets the server's own words.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from devcluster.cluster import Cluster
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, ClusterError, SluiceError
from sluice.core.problem import Code
from sluice.kube.auth import FixedAuth
from sluice.kube.client import MERGE_PATCH, KubeClient
from sluice.kube.config import ClusterAccess
from sluice.kube.discovery import Discovery
from sluice.kube.errors import Asked
from sluice.kube.resource import Resource
from sluice.kube.transport import Call
from sluice.net.tls import client_context
from tests.contract.kube.objects import body, config_map, crd, deployment
from tests.contract.kube.webhook import denying_webhook, policy, policy_binding, webhook_configuration

pytestmark = pytest.mark.cluster

SECRETS = Resource("", "v1", "Secret", "secrets", namespaced=True)
SERVICES = Resource("", "v1", "Service", "services", namespaced=True)
PODS = Resource("", "v1", "Pod", "pods", namespaced=True)
NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
QUOTAS = Resource("", "v1", "ResourceQuota", "resourcequotas", namespaced=True)
ROLES = Resource("rbac.authorization.k8s.io", "v1", "Role", "roles", namespaced=True)
CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
ADMISSION = "admissionregistration.k8s.io"
WEBHOOKS = Resource(
    ADMISSION, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", namespaced=False
)
POLICIES = Resource(ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False)
BINDINGS = Resource(
    ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
)


T = TypeVar("T")


async def refused(request: Awaitable[object]) -> ClusterError:
    with pytest.raises(ClusterError) as caught:
        await request
    return caught.value


def findings(error: SluiceError) -> list[tuple[Code, str]]:
    return [(problem.code, problem.field) for problem in error.problems]


async def eventually(attempt: Callable[[], Awaitable[T | None]], seconds: float = 10.0) -> T:
    """What `attempt` answers once it is not None: admission configuration takes a moment to be in force."""
    async with asyncio.timeout(seconds):
        while True:
            found = await attempt()
            if found is not None:
                return found
            await asyncio.sleep(0.05)


async def test_an_unknown_field_of_an_apply_is_named_and_is_not_tried_again(
    client: KubeClient, namespace: str, deployments: Resource
) -> None:
    text = deployment("d", replica=2)
    error = await refused(client.apply(deployments, namespace, "d", text, manager="m", dry_run=True))
    assert findings(error) == [(codes.UNKNOWN_FIELD, "spec.replica")]
    assert (error.status, error.reason, error.is_temporary) == (422, "Invalid", False)
    assert str(error.problems[0].subject) == f"Deployment {namespace}/d"


async def test_unknown_fields_of_a_create_are_all_named(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    error = await refused(client.create(config_maps, namespace, config_map("c", dataa={}, bogus=1), manager="m"))
    assert sorted(problem.field for problem in error.problems) == ["bogus", "dataa"]
    assert {problem.code for problem in error.problems} == {codes.UNKNOWN_FIELD}


async def test_a_key_that_stands_twice_is_named(client: KubeClient, namespace: str, config_maps: Resource) -> None:
    text = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1","a":"2"}}'
    error = await refused(client.create(config_maps, namespace, text, manager="m"))
    assert findings(error) == [(codes.YAML_DUPLICATE_KEY, "data.a")]


async def test_a_value_of_the_wrong_type_is_named(client: KubeClient, namespace: str, deployments: Resource) -> None:
    error = await refused(client.apply(deployments, namespace, "d", deployment("d", replicas="two"), manager="m"))
    assert findings(error) == [(codes.BAD_TYPE, "spec.replicas")]
    assert not error.is_temporary


async def test_a_list_entry_that_stands_twice_is_not_tried_again(
    client: KubeClient, namespace: str, deployments: Resource
) -> None:
    pod = {"containers": [{"name": "x", "image": "x"}, {"name": "x", "image": "x"}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    error = await refused(client.apply(deployments, namespace, "d", deployment("d", template=template), manager="m"))
    assert findings(error) == [(codes.INVALID_OBJECT, "spec.template.spec.containers")]
    assert not error.is_temporary


async def test_a_strict_refusal_never_repeats_a_secret(client: KubeClient, namespace: str) -> None:
    made = json.loads(body("v1", "Secret", "s", stringData={"password": "hunter2"}))
    await client.create(SECRETS, namespace, json.dumps(made).encode(), manager="m")
    call_path = SECRETS.object_path(namespace, "s")
    call = Call("PATCH", call_path, "fieldValidation=Strict", b'{"bogus":1}', MERGE_PATCH, repeatable=False)
    error = await refused(client.send(call, Asked(client.access.server)))
    assert findings(error) == [(codes.UNKNOWN_FIELD, "bogus")]
    told = f"{error} {error.message} {error.causes} {error.problems}"
    assert "hunter2" not in told
    assert "aHVudGVyMg" not in told


@pytest.mark.parametrize("create", [False, True], ids=["apply", "create"])
async def test_a_quantity_that_is_none_is_a_bad_value_and_no_outage(
    client: KubeClient, namespace: str, *, create: bool
) -> None:
    limits = {"resources": {"limits": {"memory": "512Mb"}}}
    text = body("v1", "Pod", "p", spec={"containers": [{"name": "c", "image": "app:1", **limits}]})
    request = (
        client.create(PODS, namespace, text, manager="m")
        if create
        else client.apply(PODS, namespace, "p", text, manager="m", dry_run=True)
    )
    error = await refused(request)
    assert findings(error) == [(codes.BAD_TYPE, "")]
    assert (error.status, error.reason, error.is_temporary) == (422, "Invalid", False)


async def test_a_value_of_another_type_is_told_as_people_write_it(client: KubeClient, namespace: str) -> None:
    container = {"name": "c", "image": "app:1", "env": [{"name": "A", "value": 1}], "ports": [{"containerPort": "80"}]}
    text = body("v1", "Pod", "p", spec={"containers": [container]})
    error = await refused(client.apply(PODS, namespace, "p", text, manager="m", dry_run=True))
    assert {problem.field.rpartition(".")[2]: (problem.cause, problem.fix) for problem in error.problems} == {
        "value": ("expected string, got 1", "quote it"),
        "containerPort": ("expected numeric (int or float), got string", "take the quotes away"),
    }


async def test_an_immutable_selector_is_named(client: KubeClient, namespace: str, deployments: Resource) -> None:
    await client.apply(deployments, namespace, "d", deployment("d"), manager="m")
    error = await refused(client.apply(deployments, namespace, "d", deployment("d", label="other"), manager="m"))
    assert (codes.IMMUTABLE_FIELD, "spec.selector") in findings(error)
    assert error.causes[0].reason == "FieldValueInvalid"


async def test_the_forms_of_immutable_are_all_known(client: KubeClient, namespace: str, config_maps: Resource) -> None:
    cases: list[tuple[Resource, dict[str, Any], dict[str, Any], str]] = [
        (config_maps, {"immutable": True, "data": {"a": "1"}}, {"immutable": True, "data": {"a": "2"}}, "data"),
        (SECRETS, {"type": "x/a"}, {"type": "x/b"}, "type"),
        (
            SERVICES,
            {"spec": {"ports": [{"port": 80}]}},
            {"spec": {"ports": [{"port": 80}], "clusterIP": "10.96.77.77"}},
            "spec.clusterIPs[0]",
        ),
    ]
    for resource, before, after, field in cases:
        await client.apply(resource, namespace, "i", body("v1", resource.kind, "i", **before), manager="m")
        text = body("v1", resource.kind, "i", **after)
        error = await refused(client.apply(resource, namespace, "i", text, manager="m"))
        assert findings(error) == [(codes.IMMUTABLE_FIELD, field)]


async def test_every_cause_of_an_invalid_object_is_a_problem(
    client: KubeClient, namespace: str, deployments: Resource
) -> None:
    template = {"metadata": {"labels": {"app": "other"}}, "spec": {"containers": []}}
    error = await refused(client.apply(deployments, namespace, "d", deployment("d", template=template), manager="m"))
    assert findings(error) == [
        (codes.INVALID_OBJECT, "spec.template.metadata.labels"),
        (codes.MISSING_FIELD, "spec.template.spec.containers"),
    ]


async def test_an_object_that_is_too_large_is_called_so(client: KubeClient, namespace: str) -> None:
    text = body("v1", "Secret", "big", stringData={"a": "x" * 1_100_000})
    error = await refused(client.apply(SECRETS, namespace, "big", text, manager="m"))
    assert findings(error) == [(codes.OBJECT_TOO_BIG, "data")]


async def test_rules_of_a_crd_are_told_with_their_message(client: KubeClient, namespace: str) -> None:
    await client.apply(CRDS, "", "gauges.test.sluice.dev", crd("gauges", "Gauge"), manager="m")
    discovery = Discovery(client)
    gauges = await eventually(lambda: discovery.find("test.sluice.dev/v1", "Gauge"))

    async def attempt(spec: dict[str, Any]) -> ClusterError:
        text = body("test.sluice.dev/v1", "Gauge", "g", spec=spec)
        return await refused(client.apply(gauges, namespace, "g", text, manager="m", dry_run=True))

    unlucky = await attempt({"size": 13})
    assert findings(unlucky) == [(codes.INVALID_OBJECT, "spec")]
    assert "thirteen is unlucky" in unlucky.problems[0].cause
    several = await attempt({"colour": "green"})
    assert findings(several)[:2] == [(codes.INVALID_OBJECT, "spec.colour"), (codes.MISSING_FIELD, "spec.size")]
    assert findings(await attempt({"size": "big"})) == [(codes.BAD_TYPE, "spec.size")]
    assert findings(await attempt({"size": 1, "weight": 2})) == [(codes.UNKNOWN_FIELD, "spec.weight")]


async def test_a_missing_namespace_is_told_from_a_missing_object(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    error = await refused(client.apply(config_maps, "no-such-namespace", "c", config_map("c"), manager="m"))
    assert findings(error) == [(codes.NAMESPACE_ABSENT, "metadata.namespace")]
    absent = await refused(client.merge_patch(config_maps, namespace, "absent", b"{}"))
    assert findings(absent) == [(codes.TARGET_MISSING, "")]
    assert absent.reason == "NotFound"


@pytest.mark.parametrize(("group", "plural"), [("nope.io", "nopes"), ("apps", "nopes")])
async def test_a_kind_that_is_not_served_is_called_so(
    client: KubeClient, namespace: str, group: str, plural: str
) -> None:
    unknown = Resource(group, "v1", "Nope", plural, namespaced=True)
    error = await refused(client.apply(unknown, namespace, "n", body(f"{group}/v1", "Nope", "n"), manager="m"))
    assert findings(error) == [(codes.UNKNOWN_KIND, "")]
    assert (error.status, error.reason) == (404, "NotFound")


async def test_a_namespace_on_its_way_out_is_called_so(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    name = f"{namespace}-going"
    await client.create(NAMESPACES, "", body("v1", "Namespace", name), manager="m")
    held = json.loads(config_map("held"))
    held["metadata"]["finalizers"] = ["test.sluice.dev/held"]
    await client.create(config_maps, name, json.dumps(held).encode(), manager="m")
    await client.delete(NAMESPACES, "", name)
    error = await refused(client.apply(config_maps, name, "c", config_map("c"), manager="m"))
    assert findings(error) == [(codes.NAMESPACE_TERMINATING, "metadata.namespace")]
    await client.merge_patch(config_maps, name, "held", b'{"metadata":{"finalizers":null}}')


async def test_a_quota_is_told_from_missing_rights(client: KubeClient, namespace: str, config_maps: Resource) -> None:
    await client.create(
        QUOTAS, namespace, body("v1", "ResourceQuota", "q", spec={"hard": {"configmaps": "0"}}), manager="m"
    )

    async def attempt() -> ClusterError | None:
        try:
            await client.apply(config_maps, namespace, "c", config_map("c"), manager="m")
        except ClusterError as error:
            # Until the quota has a status, the server says that it does not know yet.
            return error if "exceeded quota: q" in error.message else None
        await client.delete(config_maps, namespace, "c")
        return None

    error = await eventually(attempt)
    assert findings(error) == [(codes.QUOTA_EXCEEDED, "")]
    assert "configmaps=0" in error.problems[0].cause


async def test_missing_rights_and_rights_that_would_be_granted_are_forbidden(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    bob = client.impersonating("bob")
    error = await refused(bob.apply(config_maps, namespace, "c", config_map("c"), manager="m"))
    assert findings(error) == [(codes.FORBIDDEN, "")]
    (problem,) = error.problems
    assert problem.title == f"user bob may not patch configmaps in namespace {namespace}"
    assert (
        f'Role in namespace {namespace} with {{apiGroups: [""], resources: [configmaps], verbs: [patch]}}'
        in problem.fix
    )
    rules = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create", "patch", "get"]}
    may_write_roles = body("rbac.authorization.k8s.io/v1", "Role", "writer", rules=[rules])
    await client.create(ROLES, namespace, may_write_roles, manager="m")
    subject = {"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"}
    role_ref = {"kind": "Role", "name": "writer", "apiGroup": "rbac.authorization.k8s.io"}
    bindings = replace(ROLES, kind="RoleBinding", plural="rolebindings")
    text = body("rbac.authorization.k8s.io/v1", "RoleBinding", "writer", subjects=[subject], roleRef=role_ref)
    await client.create(bindings, namespace, text, manager="m")
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    more = body("rbac.authorization.k8s.io/v1", "Role", "more", rules=[secrets])

    async def attempt() -> ClusterError | None:
        error = await refused(bob.apply(ROLES, namespace, "more", more, manager="m"))
        return error if "attempting to grant" in error.message else None

    assert findings(await eventually(attempt)) == [(codes.FORBIDDEN, "")]


async def test_pod_security_is_an_admission_refusal(client: KubeClient, namespace: str) -> None:
    label = b'{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}'
    await client.merge_patch(NAMESPACES, "", namespace, label)
    pod = body("v1", "Pod", "p", spec={"containers": [{"name": "x", "image": "x"}]})
    error = await refused(client.apply(PODS, namespace, "p", pod, manager="m"))
    assert findings(error) == [(codes.ADMISSION_DENIED, "")]
    assert "PodSecurity" in error.problems[0].cause


@pytest.mark.parametrize("reason", ["Invalid", "Forbidden", "RequestEntityTooLarge"])
async def test_a_policy_that_denies_is_an_admission_refusal_whatever_its_status(
    client: KubeClient, namespace: str, reason: str
) -> None:
    name = f"{namespace}-{reason.lower()}"
    await client.create(POLICIES, "", policy(name, reason), manager="m")
    await client.create(BINDINGS, "", policy_binding(name, namespace), manager="m")

    async def attempt() -> ClusterError | None:
        try:
            await client.apply(SECRETS, namespace, "bad", body("v1", "Secret", "bad"), manager="m", dry_run=True)
        except ClusterError as error:
            return error
        return None

    error = await eventually(attempt)
    await client.delete(BINDINGS, "", name)
    await client.delete(POLICIES, "", name)
    assert findings(error) == [(codes.ADMISSION_DENIED, "")]
    assert error.problems[0].cause == "no bad secrets"
    assert f"'{name}'" in error.problems[0].title


@pytest.mark.parametrize("status", [{"message": "not today", "code": 403}, {"message": "not today", "code": 401}, {}])
async def test_a_webhook_that_denies_is_named(
    client: KubeClient, namespace: str, config_maps: Resource, tmp_path: Path, status: dict[str, Any]
) -> None:
    name = f"{namespace}-deny"
    async with denying_webhook(tmp_path, status) as (url, bundle):
        configuration = webhook_configuration(name, namespace, url, bundle, "configmaps")
        await client.create(WEBHOOKS, "", configuration, manager="m")
        try:
            error = await eventually(lambda: denial(client, namespace, config_maps))
        finally:
            await client.delete(WEBHOOKS, "", name)
    assert findings(error) == [(codes.ADMISSION_DENIED, "")]
    assert f"{name}.test.sluice.dev" in error.problems[0].title
    assert error.problems[0].cause == status.get("message", "without explanation")


async def test_a_webhook_that_does_not_answer_is_named_and_tried_again(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    name = f"{namespace}-dead"
    configuration = webhook_configuration(name, namespace, "https://127.0.0.1:1/x", "", "configmaps")
    await client.create(WEBHOOKS, "", configuration, manager="m")
    try:
        error = await eventually(lambda: denial(client, namespace, config_maps))
    finally:
        await client.delete(WEBHOOKS, "", name)
    assert findings(error) == [(codes.WEBHOOK_UNREACHABLE, "")]
    assert f"{name}.test.sluice.dev" in error.problems[0].title
    assert error.is_temporary


async def denial(client: KubeClient, namespace: str, config_maps: Resource) -> ClusterError | None:
    try:
        await client.apply(config_maps, namespace, "c", config_map("c"), manager="m", dry_run=True)
    except ClusterError as error:
        return error
    return None


async def test_a_conversion_webhook_that_does_not_answer_is_named(client: KubeClient, namespace: str) -> None:
    text = json.loads(crd("dials", "Dial"))
    second = {**text["spec"]["versions"][0], "name": "v2", "storage": False}
    text["spec"]["versions"].append(second)
    config = {"clientConfig": {"url": "https://127.0.0.1:1/convert"}, "conversionReviewVersions": ["v1"]}
    text["spec"]["conversion"] = {"strategy": "Webhook", "webhook": config}
    await client.apply(CRDS, "", "dials.test.sluice.dev", json.dumps(text).encode(), manager="m")
    discovery = Discovery(client)
    v1 = await eventually(lambda: discovery.find("test.sluice.dev/v1", "Dial"))
    v2 = await eventually(lambda: discovery.find("test.sluice.dev/v2", "Dial"))
    try:
        await eventually(lambda: created(client, v1, namespace))
        error = await refused(client.get(v2, namespace, "d"))
    finally:
        await client.delete(CRDS, "", "dials.test.sluice.dev")
    assert findings(error) == [(codes.WEBHOOK_UNREACHABLE, "")]
    assert error.is_temporary


async def created(client: KubeClient, dials: Resource, namespace: str) -> bytes | None:
    with contextlib.suppress(ClusterError):
        return await client.create(
            dials, namespace, body("test.sluice.dev/v1", "Dial", "d", spec={"size": 1}), manager="m"
        )
    return None


async def test_credentials_that_are_not_accepted_are_the_users_to_renew(
    access: ClusterAccess, cluster: Cluster, namespace: str, config_maps: Resource
) -> None:
    anonymous_tls = client_context(cluster.ca.read_bytes())
    stranger = replace(access, auth=FixedAuth.bearer("not-a-token"), ssl=anonymous_tls)
    async with KubeClient(stranger) as client:
        with pytest.raises(AuthenticationFailed) as caught:
            await client.get(config_maps, namespace, "c")
    problem = caught.value.problems[0]
    assert problem.code is codes.UNAUTHENTICATED
    assert access.server in problem.title
    assert "not-a-token" not in str(caught.value)
