"""Objects of which plans have something to say."""

from __future__ import annotations

JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: $NS}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "nginx:1"}]}
"""


def service(name: str, port: int) -> str:
    """A Service that asks for this port of every node."""
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: $NS}}\n"
        f"spec: {{type: NodePort, ports: [{{port: 80, nodePort: {port}}}]}}\n"
    )
