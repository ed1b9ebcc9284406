"""The variables of postBuild substitution: substituteFrom in order, then the inline ones win."""

from __future__ import annotations

import base64

import msgspec

from sluice.api.kustomization import Kustomization, SubstituteReference
from sluice.core import codes
from sluice.core.errors import NotReady
from sluice.core.problem import Problem
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.reconcilers.sync_facts import sync_id


class _Data(msgspec.Struct, frozen=True):
    data: dict[str, str] = {}


async def read_variables(client: KubeClient, sync: Kustomization) -> dict[str, str]:
    """All variables of one sync. Raises NotReady when a ConfigMap or Secret that is not optional is missing."""
    build = sync.spec.postBuild
    if build is None:
        return {}
    variables: dict[str, str] = {}
    for reference in build.substituteFrom:
        variables |= await _read(client, sync, reference)
    return {name: value.replace("\n", "") for name, value in (variables | build.substitute).items()}


async def _read(client: KubeClient, sync: Kustomization, reference: SubstituteReference) -> dict[str, str]:
    namespace, kind = sync.metadata.namespace, reference.kind
    resource = Resource(group="", version="v1", kind=kind, plural=f"{kind.lower()}s", namespaced=True)
    raw = await client.get(resource, namespace, reference.name)
    if raw is None:
        if reference.optional:
            return {}
        raise NotReady(
            Problem(
                codes.REFERENCE_MISSING,
                f"{kind} {namespace}/{reference.name} does not exist",
                subject=sync_id(sync),
                field="spec.postBuild.substituteFrom",
                cause="its values are substituted into the manifests",
                fix="create it, correct the name, or set optional: true",
            )
        )
    data = msgspec.json.decode(raw, type=_Data).data
    if kind == "Secret":
        return {k: base64.b64decode(v).decode("utf-8", "replace") for k, v in data.items()}
    return data
