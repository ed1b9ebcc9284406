"""Objects of which plans have something to say."""

from __future__ import annotations

from tests.operator_fixture import Bench, Sync


def service(name: str, port: int) -> str:
    """A Service that asks for this port of every node."""
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: $NS}}\n"
        f"spec: {{type: NodePort, ports: [{{port: 80, nodePort: {port}}}]}}\n"
    )


def warn_of_pods(bench: Bench, namespace: str) -> None:
    """Let a namespace warn of pods that a stricter one would refuse."""
    label = {"pod-security.kubernetes.io/warn": "restricted"}
    bench.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": label}})


def told(bench: Bench, sync: Sync, word: str) -> list[str]:
    """The messages of the sync's events with a word, as often as they were told."""
    where = f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=involvedObject.name={sync.name}"
    found = (bench.api.get(where) or {})["items"]
    return [e["message"] for e in found for _ in range(e.get("count") or 1) if word in str(e)]
