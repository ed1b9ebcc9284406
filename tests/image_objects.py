"""One image's way from a registry into git: an ImageRepository, a policy, an automation, made and watched by a test."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from devcluster.images import make_image
from devcluster.registry import Registry
from tests.operator_fixture import PATIENCE, REQUESTED_AT, Bench, Json, Sync, condition, poll

IMAGES = "/apis/image.toolkit.fluxcd.io/v1"
KINDS = {
    "ImageRepository": "imagerepositories",
    "ImagePolicy": "imagepolicies",
    "ImageUpdateAutomation": "imageupdateautomations",
}
AUTHOR = {"commit": {"author": {"name": "Image Bot", "email": "bot@example.com"}}}


@dataclass
class Images:
    """Objects of the image kinds, all by the name of the sync that they belong to."""

    bench: Bench
    registry: Registry
    name: str
    namespace: str

    @staticmethod
    def beside(sync: Sync, registry: Registry) -> Images:
        """For the objects of one sync, in its namespace."""
        return Images(sync.bench, registry, sync.name, sync.namespace)

    def push(self, *tags: str) -> str:
        """Push one image for each tag; returns the last one's digest."""
        return [self.registry.push(self.name, tag, make_image(content=tag)) for tag in tags][-1]

    @property
    def image(self) -> str:
        """The image's name, without a tag."""
        return self.registry.image(self.name)

    def path(self, kind: str, name: str = "") -> str:
        """An object's path in the API."""
        return f"{IMAGES}/namespaces/{self.namespace}/{KINDS[kind]}/{name or self.name}"

    def create(self, kind: str, spec: Json, *, name: str = "", labels: dict[str, str] | None = None) -> None:
        """Make an object."""
        metadata = {"name": name or self.name, "namespace": self.namespace, "labels": labels or {}}
        body = {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
        self.bench.api.create(self.path(kind).rpartition("/")[0], body)

    def scan(self, **spec: Any) -> None:
        """Make the ImageRepository."""
        self.create("ImageRepository", {"image": self.image, "interval": "1h", "insecure": True, **spec})

    def choose(self, name: str = "", labels: dict[str, str] | None = None, **spec: Any) -> None:
        """Make an ImagePolicy: any version, unless `spec` says otherwise."""
        base = {"imageRepositoryRef": {"name": self.name}, "policy": {"semver": {"range": "*"}}}
        self.create("ImagePolicy", {**base, **spec}, name=name, labels=labels)

    def write(self, git: Json | None = None, **spec: Any) -> None:
        """Make the ImageUpdateAutomation."""
        source = {"kind": "GitRepository", "name": self.name}
        base = {"sourceRef": source, "interval": "1h", "git": AUTHOR if git is None else git}
        self.create("ImageUpdateAutomation", {**base, **spec})

    def edit(self, kind: str, spec: Json, name: str = "") -> None:
        """Change fields of a spec; None removes one."""
        self.bench.api.patch(self.path(kind, name), {"spec": spec})

    def request(self, kind: str, name: str = "") -> str:
        """Ask for a turn; returns the token."""
        token = f"request-{secrets.token_hex(4)}"
        self.bench.api.patch(self.path(kind, name), {"metadata": {"annotations": {REQUESTED_AT: token}}})
        return token

    def get(self, kind: str, name: str = "") -> Json:
        """The object; it must exist."""
        found = self.bench.api.get(self.path(kind, name))
        assert found is not None, f"{kind} {name or self.name} is gone"
        found.setdefault("status", {})
        return found

    def wait(self, kind: str, what: str, check: Any, *, name: str = "", seconds: float = PATIENCE) -> Json:
        """Poll an object until `check` holds; fails with its status."""
        last: Json = {}

        def look() -> Json | None:
            self.bench.operator.check()
            last.clear()
            last.update(self.get(kind, name))
            return last if check(last) else None

        try:
            return dict(poll(f"{kind}: {what}", look, seconds))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(last.get('status'), indent=1)}") from error

    def wait_ready(self, kind: str, status: str = "True", reason: str = "", text: str = "", *, name: str = "") -> Json:
        """Wait until Ready has that status, reason and text; returns the object."""

        def check(item: Json) -> bool:
            ready = condition(item, "Ready")
            return (
                ready.get("status") == status
                and reason in {"", ready.get("reason")}
                and text in ready.get("message", "")
                and (status != "True" or item["status"].get("observedGeneration") == item["metadata"]["generation"])
            )

        return self.wait(kind, f"Ready={status} {reason} {text!r}", check, name=name)

    def wait_chosen(self, tag: str, name: str = "") -> Json:
        """Wait until the policy has chosen that tag; returns the policy."""
        return self.wait("ImagePolicy", f"chose {tag}", lambda p: chosen(p).get("tag") == tag, name=name)

    def wait_pushed(self, commit: str = "") -> str:
        """Wait until the automation has pushed another commit than `commit`; returns it."""
        found = self.wait(
            "ImageUpdateAutomation",
            "pushed",
            lambda a: a["status"].get("lastPushCommit", "") not in {"", commit},
        )
        return str(found["status"]["lastPushCommit"])


def chosen(policy: Json) -> Json:
    """What a policy's status says."""
    return dict(policy.get("status", {}).get("latestRef") or {})


def deployment_of(images: Images, tag: str, *, name: str = "web", policy: str = "") -> str:
    """The YAML of a Deployment with a marked image, as people write them; `policy` is the marker's, with its part."""
    marker = f"{images.namespace}:{policy or images.name}"
    return f"""# {name}: do not touch   the   spacing
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: $NS}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: main
          image: {images.image}:{tag}   # {{"$imagepolicy": "{marker}"}}

"""
