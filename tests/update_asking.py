"""A workload in git and in the cluster, and updates of it that a test asks the operator for, by annotation."""

from __future__ import annotations

import json
import secrets
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from devcluster.images import make_image
from devcluster.registry import Registry
from sluice.core.timestamp import rfc3339
from tests.operator_fixture import Bench, Json, Sync

REQUEST = "sluice.dev/update-request"
WEB = """\
# the shop   keep   me
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: $NS
  annotations:
    fluxcd.io/tag.main: semver:*
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: main
          image: $IMAGE:1.0.0   # this one
"""


@dataclass
class Asking:
    """One sync with the Deployment `web`; `image` is its image without a tag."""

    sync: Sync
    registry: Registry

    @staticmethod
    def begin(bench: Bench, registry: Registry, *tags: str, **files: str) -> Asking:
        """Push the tags (1.0.0 and these), commit the workload, and wait until it is applied."""
        asking = Asking(bench.source(), registry)
        asking.push("1.0.0", *tags)
        contents = {"web.yaml": WEB} | {f"{name}.yaml": text for name, text in files.items()}
        revision = asking.sync.commit({name: asking.filled(text) for name, text in contents.items()})
        asking.sync.create_source()
        asking.sync.create()
        asking.sync.wait_ready(revision)
        return asking

    @property
    def image(self) -> str:
        return self.registry.image(self.sync.name)

    @property
    def web(self) -> str:
        """The workload's id."""
        return f"{self.sync.target}:deployment/web"

    def filled(self, text: str) -> str:
        return text.replace("$IMAGE", self.image).replace("$NS", self.sync.target)

    def push(self, *tags: str) -> None:
        for tag in tags:
            self.registry.push(self.sync.name, tag, make_image(content=tag))

    # --- ask ----------------------------------------------------------------------------------------------------

    def ask(self, kind: str, spec: Json, *, dry_run: bool = False, user: str = "Ann <ann@x.org>", why: str = "") -> str:
        """Write a request; returns its nonce."""
        cause = {"Message": why, "User": user}
        return self.write({"dryRun": dry_run, "update": {"type": kind, "cause": cause, "spec": spec}})

    def write(self, request: Json) -> str:
        nonce = secrets.token_hex(8)
        text = json.dumps({"nonce": nonce, "at": rfc3339(datetime.now(UTC)), **request})
        self.sync.bench.api.patch(self.sync.path, {"metadata": {"annotations": {REQUEST: text}}})
        return nonce

    def answered(self, nonce: str, seconds: float = 60.0) -> Json:
        """Wait for the final answer to a request."""

        def is_final(found: Json) -> bool:
            answer = found["status"].get("updateRequest", {})
            return answer.get("nonce") == nonce and answer["state"] in {"succeeded", "failed"}

        return dict(self.sync.wait("the request answered", is_final, seconds)["status"]["updateRequest"])

    def asked(self, kind: str, spec: Json, **more: Any) -> Json:
        """Ask, and wait for the answer."""
        return self.answered(self.ask(kind, spec, **more))

    def release(self, image: str, **more: Any) -> Json:
        """The spec of a release to the workload."""
        return {"ServiceSpecs": [self.web], "ImageSpec": image, "Kind": "execute", "Excludes": None, **more}

    # --- see ----------------------------------------------------------------------------------------------------

    def git(self, *arguments: str) -> str:
        folder = self.sync.bench.git.root / f"{self.sync.name}.git"
        return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout

    def file(self, path: str = "web.yaml") -> str:
        """What git's head has."""
        return self.git("show", f"main:{path}")

    def commits(self) -> int:
        return int(self.git("rev-list", "--count", "main"))
