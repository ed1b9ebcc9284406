"""Flux's normalisations, one by one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sluice.core.ids import ResourceId
from sluice.core.normalise import normalise


def normalised(group: str, kind: str, **value: Any) -> dict[str, Any]:
    normalise(value, ResourceId(group, kind, "", "x"))
    return value


def test_string_data_is_folded_into_data_and_wins() -> None:
    found = normalised(
        "", "Secret", data={"a": "b2xk", "b": None, "c": "aGVs\nbG8="}, stringData={"a": "new", "d": None}
    )
    assert found == {"data": {"a": base64.b64encode(b"new").decode(), "b": "", "c": "aGVsbG8=", "d": ""}}


def test_a_secret_without_data_stays_without() -> None:
    assert normalised("", "Secret", type="Opaque") == {"type": "Opaque"}


@pytest.mark.parametrize(
    ("group", "kind", "path"),
    [
        ("", "Pod", "spec"),
        ("apps", "Deployment", "spec template spec"),
        ("apps", "StatefulSet", "spec template spec"),
        ("apps", "DaemonSet", "spec template spec"),
        ("apps", "ReplicaSet", "spec template spec"),
        ("batch", "Job", "spec template spec"),
        ("batch", "CronJob", "spec jobTemplate spec template spec"),
    ],
)
def test_a_container_port_is_tcp_unless_it_says_otherwise(group: str, kind: str, path: str) -> None:
    pod: dict[str, Any] = {
        "containers": [{"ports": [{"containerPort": 1}, {"containerPort": 2, "protocol": "UDP"}]}, {}]
    }
    value: dict[str, Any] = pod
    for step in reversed(path.split()):
        value = {step: value}
    normalised(group, kind, **value)
    assert [port["protocol"] for port in pod["containers"][0]["ports"]] == ["TCP", "UDP"]


def test_a_service_port_is_tcp_unless_it_says_otherwise() -> None:
    assert normalised("", "Service", spec={"ports": [{"port": 1}]}) == {
        "spec": {"ports": [{"port": 1, "protocol": "TCP"}]}
    }


@pytest.mark.parametrize("spec", [None, [], "x", {"ports": None}, {"ports": {}}, {"ports": [1, None]}])
def test_parts_of_an_unexpected_type_are_left_alone(spec: Any) -> None:
    assert normalised("", "Service", spec=spec) == {"spec": spec}


@pytest.mark.parametrize(
    ("bundle", "is_kept"),
    [("Cg==", False), ("!", False), (base64.b64encode(b"-----BEGIN CERTIFICATE-----\nx").decode(), True)],
)
def test_a_placeholder_for_a_conversion_webhook_s_certificate_is_dropped(bundle: str, is_kept: bool) -> None:
    config = {"caBundle": bundle, "service": {}}
    normalised(
        "apiextensions.k8s.io", "CustomResourceDefinition", spec={"conversion": {"webhook": {"clientConfig": config}}}
    )
    assert ("caBundle" in config) is is_kept
