"""A CRD as it stands in a repository."""

from __future__ import annotations

STORED = ("v1", True)


def crd_text(group: str, *versions: tuple[str, bool], kind: str = "Thing") -> str:
    """A namespaced kind whose objects may hold anything; with each version, whether it is the stored one (`v1`)."""
    plural = f"{kind.lower()}s"
    served = "".join(
        f"    - name: {name}\n      served: true\n      storage: {str(stored).lower()}\n"
        "      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}\n"
        for name, stored in versions or (STORED,)
    )
    return f"""apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  names: {{kind: {kind}, plural: {plural}}}
  scope: Namespaced
  versions:
{served}"""
