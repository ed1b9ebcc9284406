"""The rights of the operator: those it needs for itself, exactly, and apart from them the right to apply.

Where a Kustomization names no service account, its objects are applied with the operator's own identity: whoever may
create it may then do what the operator may. The binding to cluster-admin is therefore an object of its own that an
installation can leave out.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sluice.api.crds import COMPONENT, KINDS
from sluice.api.kinds import IMAGE_GROUP, KUSTOMIZE_GROUP, NOTIFICATION_GROUP, SOURCE_GROUP

Object: TypeAlias = dict[str, Any]

RBAC = "rbac.authorization.k8s.io"
APPLIER = f"{COMPONENT}-applier"
VIEWER = f"{COMPONENT}-view"

_IMAGE_KINDS = ("imagerepositories", "imagepolicies", "imageupdateautomations")

# Leases live in the operator's namespace, and so do the records (Secrets) of what was applied.
_NAMESPACE_RULES: list[Object] = [
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create", "update", "delete"]},
    # The label on the pod that leads, by which fluxctl finds it; and whether its last container ran out of memory.
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch"]},
]
# What automation by annotations needs: to know which images run (the kinds of Helm where they are installed), and to
# write down for people what it says of them.
_READ = ["list", "watch"]
_ANNOTATION_RULES: list[Object] = [
    {"apiGroups": ["apps"], "resources": ["deployments", "daemonsets", "statefulsets"], "verbs": _READ},
    {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": _READ},
    {"apiGroups": ["helm.fluxcd.io", "helm.toolkit.fluxcd.io"], "resources": ["helmreleases"], "verbs": _READ},
]
_ANNOTATION_NAMESPACE_RULES: list[Object] = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]},
]

# Who a caller is, and what they may.
_REVIEW_RULES: list[Object] = [
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
]


def _cluster_rules() -> list[Object]:
    # Ours are watched with their initial events; listed only where the API server can't stream those.
    return [
        {"apiGroups": [SOURCE_GROUP], "resources": ["gitrepositories"], "verbs": ["list", "watch", "patch"]},
        {"apiGroups": [SOURCE_GROUP], "resources": ["gitrepositories/status"], "verbs": ["patch"]},
        {
            "apiGroups": [KUSTOMIZE_GROUP],
            "resources": ["kustomizations"],
            "verbs": ["get", "list", "watch", "patch"],
        },
        {"apiGroups": [KUSTOMIZE_GROUP], "resources": ["kustomizations/status"], "verbs": ["patch"]},
        {"apiGroups": [IMAGE_GROUP], "resources": list(_IMAGE_KINDS), "verbs": ["list", "watch", "patch"]},
        {"apiGroups": [IMAGE_GROUP], "resources": [f"{kind}/status" for kind in _IMAGE_KINDS], "verbs": ["patch"]},
        {"apiGroups": [NOTIFICATION_GROUP], "resources": ["receivers"], "verbs": ["list", "watch", "patch"]},
        {"apiGroups": [NOTIFICATION_GROUP], "resources": ["receivers/status"], "verbs": ["patch"]},
        # They have no status, and nothing is written to them.
        {"apiGroups": [NOTIFICATION_GROUP], "resources": ["providers", "alerts"], "verbs": ["list", "watch"]},
        # Credentials and variables, read by the name that a spec gives: never listed, never watched.
        {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get"]},
        # Whose imagePullSecrets a scan uses, by the name that a spec gives.
        # Whom a sync's objects are applied as, in its own namespace: nobody else can be named, no user and no group.
        {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "impersonate"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
        # Whether the namespace of an object, or of a sync that is deleted, is there to stay; listed when it is many.
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list"]},
        # Which platforms images are looked for; only nodes of other platforms are watched.
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]},
        # Whether there is room for what a revision creates: looked at before its first write.
        {"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["list"]},
        # Which pod, and why, when an object has not become healthy.
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        # Whether a sync is deleted only because its kind is.
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "resources": ["customresourcedefinitions"],
            "resourceNames": [f"kustomizations.{KUSTOMIZE_GROUP}"],
            "verbs": ["get"],
        },
    ]


def access(
    namespace: str,
    labels: dict[str, str],
    *,
    cluster_admin: bool,
    by_annotations: bool = False,
    reviews: bool = False,
) -> list[Object]:
    """The service account with its roles and bindings, and a read-only role for people who have `view`.

    `by_annotations`: the operator is told to automate workloads by fluxd's annotations. `reviews`: it is to ask who
    sends a Kubernetes token.
    """
    more = (_ANNOTATION_RULES, _ANNOTATION_NAMESPACE_RULES) if by_annotations else ([], [])
    subject = {"kind": "ServiceAccount", "name": COMPONENT, "namespace": namespace}
    own = {"name": COMPONENT, "namespace": namespace, "labels": labels}
    everywhere = {"name": COMPONENT, "labels": labels}
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": own},
        _role("ClusterRole", everywhere, [*_cluster_rules(), *more[0], *(_REVIEW_RULES if reviews else ())]),
        _role("ClusterRole", _viewer(labels), _view_rules()),
        _role("Role", own, [*_NAMESPACE_RULES, *more[1]]),
        _binding("ClusterRoleBinding", everywhere, ("ClusterRole", COMPONENT), subject),
        _binding("RoleBinding", own, ("Role", COMPONENT), subject),
    ]
    if cluster_admin:
        applier = {"name": APPLIER, "labels": labels}
        objects.append(_binding("ClusterRoleBinding", applier, ("ClusterRole", "cluster-admin"), subject))
    return objects


def _viewer(labels: dict[str, str]) -> Object:
    aggregate = {f"{RBAC}/aggregate-to-{role}": "true" for role in ("admin", "edit", "view")}
    return {"name": VIEWER, "labels": labels | aggregate}


def _view_rules() -> list[Object]:
    return [
        {
            "apiGroups": [definition.group],
            "resources": [definition.plural],
            "verbs": ["get", "list", "watch"],
        }
        for definition, _ in KINDS
    ]


def _role(kind: str, metadata: Object, rules: list[Object]) -> Object:
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}


def _binding(kind: str, metadata: Object, role: tuple[str, str], subject: Object) -> Object:
    role_kind, role_name = role
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role_name},
        "subjects": [subject],
    }
