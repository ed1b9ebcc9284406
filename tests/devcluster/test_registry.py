"""The registry is the real one, and lets in whom it should."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devcluster import paths
from devcluster.binary import binary_path
from devcluster.certificates import Authority
from devcluster.images import OCI_MANIFEST, make_image, make_index
from devcluster.registry import Registry, basic, ensure_registry


def test_a_pushed_image_is_listed_and_served_under_its_digest(registry: Registry) -> None:
    image = make_image(labels={"team": "shop"})
    assert registry.push("served/web", "v1", image) == image.digest
    _, _, tags = registry.call("GET", "/v2/served/web/tags/list")
    assert tags.strip() == b'{"name":"served/web","tags":["v1"]}'
    _, headers, manifest = registry.call("GET", "/v2/served/web/manifests/v1", headers={"Accept": OCI_MANIFEST})
    assert headers["docker-content-digest"] == image.digest
    assert manifest == image.manifest


def test_an_index_is_pushed_with_its_images(registry: Registry) -> None:
    index = make_index([make_image(), make_image(platform="linux/arm64")])
    registry.push("indexed/web", "v1", index)
    for image in index.images:
        path = f"/v2/indexed/web/manifests/{image.digest}"
        assert registry.call("HEAD", path, headers={"Accept": OCI_MANIFEST})[0] == 200


def test_without_the_login_nobody_gets_in(tmp_path: Path) -> None:
    with Registry(tmp_path, user="ada", password="hunter4") as registry:
        registry.push("web", "v1", make_image())
        registry.authorize(basic("ada", "wrong"))
        with pytest.raises(RuntimeError, match="answered 401"):
            registry.call("GET", "/v2/")
        assert [r.status for r in registry.requests() if r.path == "/v2/"] == [401]


def test_it_serves_tls_with_the_certificate_that_it_is_given(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    with Registry(tmp_path / "data", tls=authority.server("registry"), clients=authority) as registry:
        assert registry.url.startswith("https://127.0.0.1:")
        registry.push("web", "v1", make_image())


def test_it_ends_with_its_owner_however_that_dies(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from devcluster.registry import Registry\n"
        "registry = Registry(pathlib.Path(sys.argv[1])); registry.__enter__()\n"
        "print(registry._process.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).parents[2]
    outcome = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False, cwd=root
    )
    pid = int(outcome.stdout)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}/exe").exists() and os.path.lexists(f"/proc/{pid}/cwd"):
        if Path(f"/proc/{pid}/status").read_text().split("State:\t")[1][0] == "Z":
            break
        assert time.monotonic() < deadline, "the registry outlives its owner"
        time.sleep(0.01)


def test_its_build_is_kept_apart_from_the_control_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, control_plane = ensure_registry(), binary_path()
    assert registry.name == paths.REGISTRY
    assert registry.parent != control_plane.parent
