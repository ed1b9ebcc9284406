"""Releases: containers of workloads get the images that they are to run, in the form their files have."""

from __future__ import annotations

import json

import pytest

from sluice.core.image import parse
from sluice.core.image_update.release import ContainerUpdate, update_containers
from sluice.core.image_update.workload import WorkloadId, find_workloads
from sluice.core.yaml_text import open_text

POD = """\
# A comment before.
---
apiVersion: apps/v1
kind: {kind}
metadata:
  name: web
  namespace: shop
spec:
  template:
    spec:
      initContainers:
      - name: init
        image: 'ghcr.io/acme/init:v1'   # first
      containers:

      - image: nginx:1.26  # these keys are not sorted
        name: proxy
      - name: app
        image: "quay.io/acme/app:v1"
"""

CRONJOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: web, namespace: shop}
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers: [{name: app, image: quay.io/acme/app:v1}]
"""


def release(text: str, container: str, image: str, workload: str = "shop:deployment/web") -> str:
    wanted = ContainerUpdate(WorkloadId.parse(workload), container, parse(image))
    update = update_containers({"a.yaml": text.encode()}, [wanted])
    assert not update.skipped, update.skipped
    again = update_containers(update.files, [wanted])
    assert (again.files, again.changes, again.skipped) == ({}, (), ())
    return update.files["a.yaml"].decode()


def reason(text: str, update: ContainerUpdate) -> tuple[str, str]:
    done = update_containers({"a.yaml": text.encode()}, [update])
    assert not done.files
    assert not done.changes
    return done.skipped[0].problem.code.number, str(done.skipped[0].problem)


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "StatefulSet"])
@pytest.mark.parametrize(
    ("container", "image", "before", "after"),
    [
        ("proxy", "nginx:1.27", "nginx:1.26 ", "nginx:1.27 "),
        ("proxy", "docker.io/library/nginx:1.27", "nginx:1.26 ", "nginx:1.27 "),
        ("init", "ghcr.io/acme/init:v2", "'ghcr.io/acme/init:v1'", "'ghcr.io/acme/init:v2'"),
        ("app", "quay.io/acme/app:1.10", '"quay.io/acme/app:v1"', '"quay.io/acme/app:1.10"'),
        ("app", "quay.io/acme/other:v1", '"quay.io/acme/app:v1"', '"quay.io/acme/other:v1"'),
        ("app", "quay.io/acme/app:v2@sha256:" + "0" * 64, "acme/app:v1", "acme/app:v2@sha256:" + "0" * 64),
    ],
)
def test_a_container_gets_its_image_and_every_other_byte_stays(
    kind: str, container: str, image: str, before: str, after: str
) -> None:
    text = POD.format(kind=kind)
    assert release(text, container, image, f"shop:{kind.lower()}/web") == text.replace(before, after)


def test_a_cron_job_has_its_containers_one_level_deeper() -> None:
    assert release(CRONJOB, "app", "quay.io/acme/app:v2", "shop:cronjob/web") == CRONJOB.replace(":v1}", ":v2}")


def test_an_object_without_a_namespace_is_in_the_default_one() -> None:
    text = CRONJOB.replace(", namespace: shop", "")
    assert "app:v2" in release(text, "app", "quay.io/acme/app:v2", "default:cronjob/web")


def test_an_item_of_a_list_and_a_document_among_others_are_found() -> None:
    item = "".join(f"  {line}\n" if line else "\n" for line in POD.format(kind="Deployment").splitlines()[2:])
    text = "kind: A\n---\n\n---\nkind: List\nitems:\n- kind: Service\n  metadata: {name: web}\n- " + item[2:]
    assert release(text, "proxy", "nginx:1.27") == text.replace("nginx:1.26", "nginx:1.27")


def test_json_stays_json() -> None:
    pod = {"containers": [{"name": "app", "image": "app:v1"}]}
    held = {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": pod}},
    }
    edited = release(json.dumps(held, indent=1), "app", "app:v2")
    pod["containers"][0]["image"] = "app:v2"
    assert edited == json.dumps(held, indent=1)


HELM = """\
apiVersion: helm.fluxcd.io/v1
kind: HelmRelease
metadata:
  name: web
  namespace: shop
{annotations}spec:
  chart: {{name: web}}
  values:
{values}"""


def helm(values: str, annotations: str = "") -> str:
    lines = "".join(f"    {line}\n" for line in values.splitlines())
    held = "".join(f"    {line}\n" for line in annotations.splitlines())
    return HELM.format(values=lines, annotations=f"  annotations:\n{held}" if held else "")


# The values, the container's name, and the values when it runs quay.io/acme/app:v2.
FORMS: list[tuple[str, str, str]] = [
    ("image: quay.io/acme/app:v1 # c", "chart-image", "image: quay.io/acme/app:v2 # c"),
    ("image: quay.io/acme/app\ntag: v1", "chart-image", "image: quay.io/acme/app\ntag: v2"),
    ("registry: quay.io\nimage: acme/app:v1", "chart-image", "registry: quay.io\nimage: acme/app:v2"),
    ("tag: 'v1'\nimage: acme/app\nregistry: quay.io", "chart-image", "tag: 'v2'\nimage: acme/app\nregistry: quay.io"),
    ("registry: quay.io/acme\nimage: app\ntag: v1", "chart-image", "registry: quay.io/acme\nimage: app\ntag: v2"),
    ("image:\n  repository: quay.io/acme/app:v1", "chart-image", "image:\n  repository: quay.io/acme/app:v2"),
    ("image: {repository: quay.io/acme/app, tag: v1}", "chart-image", "image: {repository: quay.io/acme/app, tag: v2}"),
    (
        "image:\n  registry: quay.io\n  repository: acme/app:v1",
        "chart-image",
        "image:\n  registry: quay.io\n  repository: acme/app:v2",
    ),
    (
        'image:\n  registry: quay.io\n  repository: acme/app\n  tag: "v1"\n  pullPolicy: Always',
        "chart-image",
        'image:\n  registry: quay.io\n  repository: acme/app\n  tag: "v2"\n  pullPolicy: Always',
    ),
    ("db:\n  image: quay.io/acme/app:v1", "db", "db:\n  image: quay.io/acme/app:v2"),
    (
        "db:\n  image:\n    repository: quay.io/acme/app\n    tag: v1",
        "db",
        "db:\n  image:\n    repository: quay.io/acme/app\n    tag: v2",
    ),
    (
        "image:\n  registry: ''\n  repository: quay.io/acme/app\n  tag: v1",
        "chart-image",
        "image:\n  registry: ''\n  repository: quay.io/acme/app\n  tag: v2",
    ),
    (
        "image:\n  repository: quay.io/acme/app\n  tag: # the chart's",
        "chart-image",
        "image:\n  repository: quay.io/acme/app\n  tag: v2 # the chart's",
    ),
    ("image: acme/old\ntag: v1", "chart-image", "image: quay.io/acme/app\ntag: v2"),
    ("registry: ghcr.io\nimage: acme/old\ntag: v1", "chart-image", "registry: quay.io\nimage: acme/app\ntag: v2"),
]


@pytest.mark.parametrize(("before", "container", "after"), FORMS)
def test_a_helm_release_keeps_the_form_of_its_values(before: str, container: str, after: str) -> None:
    assert release(helm(before), container, "quay.io/acme/app:v2", "shop:helmrelease/web") == helm(after)


MAPPED: list[tuple[str, str, str]] = [
    ("repository.fluxcd.io/app: a.b", "a:\n  b: quay.io/acme/app:v1", "a:\n  b: quay.io/acme/app:v2"),
    (
        "repository.fluxcd.io/app: a.b\ntag.fluxcd.io/app: a.v",
        "a:\n  b: quay.io/acme/app\n  v: v1",
        "a:\n  b: quay.io/acme/app\n  v: v2",
    ),
    (
        "repository.fluxcd.io/app: b\nregistry.fluxcd.io/app: r",
        "r: quay.io\nb: acme/app:v1",
        "r: quay.io\nb: acme/app:v2",
    ),
    (
        "repository.fluxcd.io/app: x~1y.b\nregistry.fluxcd.io/app: r\ntag.fluxcd.io/app: t",
        "r: quay.io\nx.y:\n  b: acme/app\nt: v1",
        "r: quay.io\nx.y:\n  b: acme/app\nt: v2",
    ),
]


@pytest.mark.parametrize(("annotations", "before", "after"), MAPPED)
def test_a_mapped_image_is_changed_at_its_paths(annotations: str, before: str, after: str) -> None:
    edited = release(helm(before, annotations), "app", "quay.io/acme/app:v2", "shop:helmrelease/web")
    assert edited == helm(after, annotations)


def test_a_mapping_goes_before_what_would_be_recognised() -> None:
    text = helm("app:\n  image: acme/one:v1\nother: acme/two:v1", "repository.fluxcd.io/app: other")
    workload = find_workloads(open_text(text.encode(), "a.yaml"))[0]
    assert [(container.name, str(container.image)) for container in workload.containers] == [("app", "acme/two:v1")]


def test_containers_come_in_fluxds_order() -> None:
    text = helm("b: {image: b:v1}\na: {image: a:v1}\nimage: top:v1")
    workload = find_workloads(open_text(text.encode(), "a.yaml"))[0]
    assert [container.name for container in workload.containers] == ["chart-image", "a", "b"]
    pod = find_workloads(open_text(POD.format(kind="Deployment").encode(), "a.yaml"))[0]
    assert [container.name for container in pod.containers] == ["proxy", "app", "init"]


WEB = WorkloadId("shop", "deployment", "web")
HELM_WEB = WorkloadId("shop", "helmrelease", "web")
REFUSED: list[tuple[str, ContainerUpdate, str, str]] = [
    (POD.format(kind="Deployment"), ContainerUpdate(WEB, "nope", parse("a:v2")), "E559", "proxy, app, init"),
    (POD.format(kind="Job"), ContainerUpdate(WEB, "app", parse("a:v2")), "E558", "shop:deployment/web is in no file"),
    (
        "# web\nkind: [\n",
        ContainerUpdate(WEB, "app", parse("a:v2")),
        "E558",
        "read: not valid YAML [E202] at a.yaml:3:1",
    ),
    (
        POD.format(kind="Deployment") + "---\n" + POD.format(kind="Deployment"),
        ContainerUpdate(WEB, "app", parse("a:v2")),
        "E567",
        "a.yaml:3, a.yaml:23",
    ),
    (
        POD.format(kind="Deployment"),
        ContainerUpdate(WEB, "app", parse("quay.io/acme/app:v3"), parse("quay.io/acme/app:v2")),
        "E560",
        "the file has quay.io/acme/app:v1",
    ),
    (
        POD.format(kind="Deployment").replace("nginx:1.26", "NGINX:1.26"),
        ContainerUpdate(WEB, "proxy", parse("nginx:1.27")),
        "E559",
        "lower case",
    ),
    (
        POD.format(kind="Deployment").replace("nginx:1.26", "&n nginx:1.26").replace('"quay.io/acme/app:v1"', "*n"),
        ContainerUpdate(WEB, "proxy", parse("nginx:1.27")),
        "E550",
        "anchor",
    ),
    (
        helm("image: acme/app\ntag: 1.10"),
        ContainerUpdate(HELM_WEB, "chart-image", parse("acme/app:v2")),
        "E559",
        "in quotes",
    ),
    (
        helm("a: b", "repository.fluxcd.io/app: x.y"),
        ContainerUpdate(HELM_WEB, "app", parse("acme/app:v2")),
        "E559",
        "no value 'x.y' in spec.values",
    ),
    (
        helm("image: acme/app\ntag: v1"),
        ContainerUpdate(HELM_WEB, "chart-image", parse("acme/app@sha256:" + "0" * 64)),
        "E561",
        "a value of its own",
    ),
]


@pytest.mark.parametrize(("text", "update", "code", "cause"), REFUSED)
def test_what_can_not_be_released_says_why(text: str, update: ContainerUpdate, code: str, cause: str) -> None:
    number, said = reason(text, update)
    assert number == code
    assert cause in said


def test_a_registry_and_its_tag_change_together_or_not_at_all() -> None:
    text = helm("image:\n  repository: acme/old\n  tag: &t v1\nother: *t")
    update = ContainerUpdate(HELM_WEB, "chart-image", parse("acme/new:v2"))
    assert reason(text, update)[0] == "E550"


def test_many_workloads_are_found_among_many_files_without_parsing_the_others() -> None:
    files = {f"{number}.yaml": b"{{ not yaml\n" for number in range(2_000)}
    updates = []
    for number in range(20):
        name = f"web-{number}"
        files[f"apps/{name}.yaml"] = POD.format(kind="Deployment").replace("name: web\n", f"name: {name}\n").encode()
        updates.append(ContainerUpdate(WorkloadId("shop", "deployment", name), "app", parse("quay.io/acme/app:v2")))
    update = update_containers(files, updates)
    assert len(update.files) == len(update.changes) == 20
    assert not update.skipped


@pytest.mark.parametrize("text", ["web", "shop:web", ":deployment/web", "a:b/c/d", "deployment/", ""])
def test_a_text_that_names_no_workload_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="namespace:kind/name"):
        WorkloadId.parse(text)
