"""The failures that people meet most, each as a repository that produces it, with what `why` has to say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.operator_fixture import FAILING_JOB, config_map, deployment

SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web, namespace: $NS}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
CERTIFICATE = """apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web, namespace: $NS}
spec: {secretName: web}
"""
ENCRYPTED = """apiVersion: v1
kind: Secret
metadata: {name: db, namespace: $NS}
stringData: {password: "ENC[AES256_GCM,data:x]"}
sops: {version: 3.9.0, mac: "ENC[AES256_GCM,data:y]"}
"""
RELEASE = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: redis, namespace: $NS}
spec: {interval: 10m, chart: {spec: {chart: redis, sourceRef: {kind: HelmRepository, name: charts}}}}
"""
REPOSITORY = """apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: $NS}
spec: {interval: 10m, url: https://charts.example}
"""
CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: $NS}
spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
GREEDY = deployment("web").replace(
    """image: "nginx:1"}""", """image: "nginx:1", resources: {requests: {cpu: "9000"}}}"""
)
POD = """apiVersion: v1
kind: Pod
metadata: {name: web, namespace: $NS}
spec:
  containers:
    - name: first
      image: app:1
    - name: web
      image: app:1
      $FIELD
"""
JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: $NS}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: app:1, command: [$COMMAND]}]}}}
"""
HEALTH: dict[str, Any] = {"wait": True, "timeout": "4s"}


@dataclass(frozen=True)
class Failure:
    """`code` is the true cause's; `where` its place in git (a part of it); `says` must be among its words."""

    name: str
    code: str
    where: str
    says: str
    files: dict[str, str | None]
    then: dict[str, str | None] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)


GOOD: dict[str, str | None] = {"a.yaml": config_map("a")}

FAILURES = (
    Failure("branch missing", "E102", "", "mian", GOOD, source={"ref": {"branch": "mian"}}),
    Failure("name not resolved", "E104", "", "git.invalid", GOOD, source={"url": "https://git.invalid/fleet.git"}),
    Failure("connection refused", "E104", "", "does not accept", GOOD, source={"url": "http://127.0.0.1:1/fleet.git"}),
    Failure("path missing", "E201", "", "apps/wbe", {"apps/web/a.yaml": config_map("a")}, spec={"path": "./apps/wbe"}),
    Failure("broken YAML", "E202", "a.yaml:1", "", {"a.yaml": "a: b: c\n"}),
    Failure(
        "kustomization lists what is not there",
        "E203",
        "kustomization.yaml:1",
        "deploy.yml",
        {"kustomization.yaml": "resources: [deploy.yml]\n", "deploy.yaml": deployment("web")},
    ),
    Failure(
        "unknown field",
        "E204",
        "web.yaml:5:3",
        'did you mean "replicas"?',
        {"web.yaml": deployment("web").replace("replicas:", "replica:")},
    ),
    Failure(
        "unknown field of a container",
        "E204",
        "web.yaml:10:7",
        'did you mean "imagePullPolicy"?',
        {"web.yaml": POD.replace("$FIELD", "imagePullPolcy: Always")},
    ),
    Failure(
        "number for a text in a container",
        "E215",
        "web.yaml:10:26",
        "expected string, got 8080 quote it",
        {"web.yaml": POD.replace("$FIELD", "env: [{name: PORT, value: 8080}]")},
    ),
    Failure(
        "quantity that is none",
        "E215",
        "web.yaml:10:36",
        "spec.containers[1].resources.limits.memory is no quantity it is '512Mb'",
        {"web.yaml": POD.replace("$FIELD", "resources: {limits: {cpu: 1, memory: 512Mb}}")},
    ),
    Failure(
        "variable without a value",
        "E205",
        "a.yaml:5",
        "TAG",
        {"a.yaml": config_map("a", "${TAG}")},
        spec={"postBuild": {"substitute": {"ENV": "dev"}}},
    ),
    Failure(
        "a key twice",
        "E209",
        "a.yaml:3",
        "kind",
        {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nkind: Secret\nmetadata: {name: a, namespace: $NS}\n"},
    ),
    Failure("no name", "E214", "a.yaml:1", "metadata.name", {"a.yaml": "apiVersion: v1\nkind: ConfigMap\n"}),
    Failure("name that can't be", "E217", "a.yaml:3", "A_B", {"a.yaml": config_map("A_B")}),
    Failure("label that can't be", "E218", "a.yaml:3", "a b", {"a.yaml": config_map("a", extra='labels: {x: "a b"}')}),
    Failure(
        "no base64",
        "E224",
        "s.yaml:4",
        "base64",
        {"s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: $NS}\ndata: {key: '?'}\n"},
    ),
    Failure(
        "remote base",
        "E231",
        "kustomization.yaml:1",
        "git.example",
        {"kustomization.yaml": "resources: ['https://git.example/base//web?ref=v1']\n"},
    ),
    Failure(
        "namespace that does not exist",
        "E322",
        "a.yaml:3",
        "nowhere",
        {"a.yaml": config_map("a", namespace="nowhere")},
    ),
    Failure("still encrypted", "E249", "db.yaml:5:1@", "sops -d", {"db.yaml": ENCRYPTED}),
    Failure(
        "still encrypted in a kustomization",
        "E249",
        "db/secret.yaml:5:1@",
        "SOPS",
        {
            "kustomization.yaml": "resources: [db]\n",
            "db/kustomization.yaml": "resources: [secret.yaml]\n",
            "db/secret.yaml": ENCRYPTED,
        },
    ),
    Failure("kind not installed", "E207", "cert.yaml:1", "Certificate", {"cert.yaml": CERTIFICATE}),
    Failure("chart not acted on", "E207", "redis.yaml:1@", "does not act on kind HelmRelease", {"redis.yaml": RELEASE}),
    Failure(
        "chart repository not acted on",
        "E207",
        "charts.yaml:1@",
        "does not act on kind HelmRepository",
        {"charts.yaml": REPOSITORY},
    ),
    Failure("defined twice", "E208", "yaml:1", "twice", {"a.yaml": config_map("a"), "b.yaml": config_map("a", "2")}),
    Failure(
        "immutable field",
        "E301",
        "web.yaml",
        "can't be changed",
        {"web.yaml": deployment("web")},
        then={"web.yaml": deployment("web", app="other")},
    ),
    Failure(
        "immutable template",
        "E301",
        "job.yaml:4",
        "…: field is immutable give the object",
        {"job.yaml": JOB.replace("$COMMAND", "a")},
        then={"job.yaml": JOB.replace("$COMMAND", "b")},
    ),
    Failure(
        "image not found",
        "E711",
        "web.yaml:11:24",
        "app:broken",
        {"web.yaml": deployment("web", "app:broken")},
        spec=HEALTH,
    ),
    Failure(
        "crash loop", "E712", "web.yaml:11", "exits with 1", {"web.yaml": deployment("web", "app:crash")}, spec=HEALTH
    ),
    Failure(
        "never ready", "E714", "web.yaml:11", "not ready", {"web.yaml": deployment("web", "app:unready")}, spec=HEALTH
    ),
    Failure("job failed", "E712", "job.yaml:6", "exits with 1", {"job.yaml": FAILING_JOB}, spec=HEALTH),
    Failure("no node", "E713", "web.yaml:1", "nsufficient cpu", {"web.yaml": GREEDY}, spec=HEALTH),
    Failure("no volume", "E717", "disk.yaml:1", "StorageClass fast", {"disk.yaml": CLAIM}, spec=HEALTH),
    Failure(
        "empty revision", "E313", "", "allowEmpty", {"a.yaml": config_map("a")}, then={"a.yaml": None, "b.md": "x"}
    ),
    Failure("not honoured", "E244", "", "decryption", GOOD, spec={"decryption": {"provider": "sops"}}),
    Failure(
        "variables missing",
        "E247",
        "",
        "ConfigMap",
        GOOD,
        spec={"postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "vars"}]}},
    ),
)
