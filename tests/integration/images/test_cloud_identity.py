"""An ImageRepository that asks for the cloud identity of a ServiceAccount: Kubernetes' part of it, for real."""

from __future__ import annotations

import base64
import json
import secrets

import pytest

from devcluster.cluster import Cluster
from devcluster.registry import Registry
from sluice.api.image_repository import ImageRepository, ImageRepositorySpec
from sluice.api.kinds import ObjectMeta
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.kube.client import KubeClient
from sluice.kube.config import load_kubeconfig
from sluice.kube.service_account_token import service_account_token
from sluice.reconcilers.registry_access import registry_access
from sluice.registry.cloud.clouds import Clouds
from sluice.registry.errors import RegistryError
from tests.image_objects import Images
from tests.operator_fixture import Api, Bench

pytestmark = pytest.mark.cluster
ECR_HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ROLE = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/shop"}


def make_account(api: Api, namespace: str) -> str:
    name = f"images-{secrets.token_hex(3)}"
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "annotations": ROLE}}
    api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", body)
    return name


async def test_a_token_is_of_that_account_for_that_cloud_alone_and_short(cluster: Cluster, namespace: str) -> None:
    api = Api(cluster)
    name = make_account(api, namespace)
    async with KubeClient(load_kubeconfig(cluster.kubeconfig)) as client:
        token = await service_account_token(client, namespace, name, "sts.amazonaws.com")
    api.close()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["sub"] == f"system:serviceaccount:{namespace}:{name}"
    assert claims["exp"] - claims["iat"] == 600


def repository(namespace: str, account: str) -> ImageRepository:
    spec = ImageRepositorySpec(image=f"{ECR_HOST}/web", interval="1h", provider="aws", serviceAccountName=account)
    return ImageRepository(metadata=ObjectMeta(name="web", namespace=namespace), spec=spec)


async def test_the_account_s_identity_is_used_and_never_the_operator_s(cluster: Cluster, namespace: str) -> None:
    api = Api(cluster)
    name = make_account(api, namespace)
    wanted, subject = (
        repository(namespace, name),
        ResourceId("image.toolkit.fluxcd.io", "ImageRepository", namespace, "web"),
    )
    own = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
    async with KubeClient(load_kubeconfig(cluster.kubeconfig)) as client, Clouds(own, of_objects=True) as clouds:
        (exchange,) = (await registry_access(client, clouds, wanted, subject)).exchanges
        assert exchange.name.startswith(f"aws {namespace}/{name} ")
        api.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
        with pytest.raises(RegistryError, match=f"Kubernetes gives no token of ServiceAccount {namespace}/{name}"):
            await exchange.login(ECR_HOST)
    api.close()
    async with KubeClient(load_kubeconfig(cluster.kubeconfig)) as client, Clouds(own) as clouds:
        api = Api(cluster)
        again = make_account(api, namespace)
        api.close()
        with pytest.raises(UserError, match="ObjectLevelWorkloadIdentity"):
            await registry_access(client, clouds, repository(namespace, again), subject)


def test_an_operator_that_may_not_use_it_refuses_the_object_and_says_which_flag(
    bench: Bench, registry: Registry
) -> None:
    images = Images.beside(bench.source(), registry)
    account = make_account(bench.api, images.namespace)
    spec = {"image": f"{ECR_HOST}/web", "interval": "1h", "provider": "aws", "serviceAccountName": account}
    images.create("ImageRepository", spec)
    images.wait_ready("ImageRepository", "False", text="--feature-gates=ObjectLevelWorkloadIdentity=true")
