"""Artifacts over HTTP: the bytes that the status names, and no other file."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from sluice.server.artifact_files import artifact_files

COMMIT = "0a" * 20
PATH = f"gitrepository/shop/fleet/{COMMIT}.tar.gz"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "artifacts"
    folder = root / "gitrepository/shop/fleet"
    folder.mkdir(parents=True)
    (root / PATH).write_bytes(b"\x1f\x8bpacked")
    (folder / ".new-1").write_bytes(b"half")
    (tmp_path / "key").write_text("secret")
    return root


async def test_an_artifact_is_served_as_it_lies_there(root: Path) -> None:
    async with TestClient(TestServer(artifact_files(root))) as client:
        answer = await client.get(f"/{PATH}", headers={"Accept-Encoding": "identity"})
        assert answer.status == 200
        assert await answer.read() == b"\x1f\x8bpacked"
        assert answer.headers["Content-Type"] == "application/gzip"
        assert "Content-Encoding" not in answer.headers
        assert (await client.head(f"/{PATH}")).headers["Content-Length"] == "8"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/gitrepository/shop/fleet",
        "/gitrepository/shop/fleet/.new-1",
        "/gitrepository/shop/fleet/../../../../key",
        "/..%2fkey",
        "/gitrepository/%2e%2e/%2e%2e/key",
        f"/{PATH}/",
        f"/{PATH}%00",
        "/" + "a/" * 4000,
        f"/gitrepository/shop/fleet/{'0b' * 20}.tar.gz",
    ],
)
async def test_any_other_path_is_not_found(root: Path, path: str) -> None:
    async with TestClient(TestServer(artifact_files(root))) as client:
        assert (await client.get(URL(path, encoded=True))).status == 404


async def test_nothing_can_be_written_there(root: Path) -> None:
    async with TestClient(TestServer(artifact_files(root))) as client:
        for method in ("PUT", "POST", "DELETE", "TRACE"):
            assert (await client.request(method, f"/{PATH}")).status == 405
