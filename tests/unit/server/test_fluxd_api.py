"""fluxd's HTTP API on the wire: its routes, who may call, and what comes of hostile calls."""

from __future__ import annotations

import asyncio
import base64
import io
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession
from yarl import URL

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.fluxd_api.change import GitChange, ImageChange
from sluice.core.fluxd_api.fault import ApiFault
from sluice.core.fluxd_api.public_key import PublicKey
from sluice.core.problem import Problem
from sluice.server.fluxd_api import MAX_BODY, FluxdApi
from sluice.server.fluxd_guard import read_token

TOKEN = "hunter-horse-battery-staple"
JSON = {"Accept": "application/json"}


@dataclass
class Answers:
    """Stands where the operator's parts will: says what it was asked."""

    asked: list[Any] = field(default_factory=list)

    def version(self) -> str:
        return "1.2.3"

    async def notify(self, change: GitChange | ImageChange) -> None:
        self.asked.append(change)

    async def services(self, namespace: str, names: Sequence[str]) -> list[dict[str, Any]] | None:
        self.asked.append((namespace, list(names)))
        return None

    async def images(self, namespace: str, names: Sequence[str], fields: Sequence[str]) -> list[dict[str, Any]] | None:
        self.asked.append((namespace, list(names), len(fields)))
        return [{"ID": "a:deployment/b", "Containers": []}]

    async def update(self, body: Any) -> str:
        self.asked.append(body)
        return "job-1"

    async def job(self, job_id: str) -> dict[str, Any]:
        raise ApiFault("missing", f"unknown job {job_id}", "Job not known.")

    async def pending(self, ref: str) -> list[str]:
        if ref == "bad":
            raise UserError(Problem(codes.COMMIT_UNKNOWN, "commit bad is unknown", fix="ask for another"))
        return [ref * 4]

    async def export(self) -> bytes:
        return b"---\n{}\n"

    async def git_config(self, *, regenerate: bool) -> dict[str, Any]:
        self.asked.append(regenerate)
        return {"status": "ready"}

    async def public_key(self, *, regenerate: bool) -> PublicKey | None:
        self.asked.append(regenerate)
        return None


@dataclass
class Site:
    """The API on a real port."""

    port: int
    session: ClientSession
    answers: Answers
    api: FluxdApi

    async def ask(self, method: str, path: str, **more: Any) -> ClientResponse:
        more.setdefault("headers", JSON)
        return await self.session.request(
            method, URL(f"http://127.0.0.1:{self.port}/api/flux{path}", encoded=True), **more
        )


@asynccontextmanager
async def serving(token: str = "") -> AsyncIterator[Site]:
    api, answers = FluxdApi(token), Answers()
    api.service = answers  # type: ignore[assignment]  # it has the same methods
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    async with api.serving(f"127.0.0.1:{port}"), ClientSession() as session:
        yield Site(port, session, answers, api)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer", "asked"),
    [
        ("GET", "/v11/ping", None, 204, None, []),
        ("GET", "/v11/version", None, 200, "1.2.3", []),
        (
            "POST",
            "/v11/notify",
            {"Kind": "git", "Source": {"URL": "u", "Branch": "b"}},
            202,
            None,
            [GitChange("u", "b")],
        ),
        ("GET", "/v6/services?namespace=shop", None, 200, None, [("shop", [])]),
        ("GET", "/v6/services?services=a%3Ab%2Fc", None, 200, None, [("", [])]),
        (
            "GET",
            "/v11/services?namespace=&services=a%3Ab%2Fc%2Ca%3Ab%2Fd",
            None,
            200,
            None,
            [("", ["a:b/c", "a:b/d"])],
        ),
        (
            "GET",
            "/v6/images?service=%3Call%3E",
            None,
            200,
            [{"ID": "a:deployment/b", "Containers": []}],
            [("", [], 9)],
        ),
        (
            "GET",
            "/v10/images?containerFields=Name%2CCurrent&namespace=&service=a%3Ab%2Fc",
            None,
            200,
            [{"ID": "a:deployment/b", "Containers": []}],
            [("", ["a:b/c"], 2)],
        ),
        ("POST", "/v9/update-manifests", {"type": "sync"}, 200, "job-1", [{"type": "sync"}]),
        ("GET", "/v6/sync?ref=0a1b", None, 200, ["0a1b" * 4], []),
        ("GET", "/v6/export", None, 200, base64.b64encode(b"---\n{}\n").decode(), []),
        ("GET", "/v6/identity.pub", None, 200, {"key": "", "fingerprints": {}}, [False]),
        ("POST", "/v6/identity.pub", None, 204, None, [True]),
        (
            "POST",
            "/v6/update-images?service=%3Call%3E&image=nginx%3A1&kind=plan&user=ana&message=m",
            None,
            200,
            "job-1",
            [
                {
                    "type": "image",
                    "cause": {"User": "ana", "Message": "m"},
                    "spec": {"ServiceSpecs": ["<all>"], "ImageSpec": "nginx:1", "Kind": "plan", "Excludes": None},
                }
            ],
        ),
        (
            "PATCH",
            "/v6/policies?user=ana",
            {"a:b/c": {"add": ["locked"]}},
            200,
            "job-1",
            [
                {
                    "type": "policy",
                    "cause": {"User": "ana", "Message": ""},
                    "spec": {"a:b/c": {"add": ["locked"]}},
                }
            ],
        ),
    ],
)
async def test_each_route_of_fluxd_is_answered(
    method: str, path: str, body: Any, status: int, answer: Any, asked: list[Any]
) -> None:
    async with serving() as site:
        found = await site.ask(method, path, json=body)
        assert found.status == status
        text = await found.read()
        assert (await found.json() if text else None) == answer
        assert site.answers.asked == asked
        if text:
            assert found.headers["Content-Type"] == "application/json; charset=utf-8"


async def test_git_repo_config_takes_true_and_false_and_nothing_else() -> None:
    async with serving() as site:
        for body, status in ((b"false", 200), (b"true", 200), (b"1", 400), (b'"true"', 400), (b"", 400)):
            assert (await site.ask("POST", "/v9/git-repo-config", data=body)).status == status
        assert site.answers.asked == [False, True]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v6/jobs?id=x", 404, "missing"),
        ("GET", "/v6/jobs", 404, "missing"),
        ("GET", "/v6/sync", 404, "missing"),
        ("GET", "/v6/sync?ref=bad", 422, "user"),
        ("POST", "/v6/update-images?service=x", 404, "missing"),
        ("GET", "/v7/services", 404, "missing"),
        ("GET", "/../../etc/passwd", 404, "missing"),
        ("GET", "/v6/%2e%2e/services", 404, "missing"),
        ("GET", "/v10/images?containerFields=Size", 400, "user"),
        ("GET", "/v6/services?namespace=" + "a" * 2000, 400, "user"),
        ("GET", "/v3/services", 410, "missing"),
        ("POST", "/v5/anything/at/all", 410, "missing"),
        ("DELETE", "/v6/services", 405, "user"),
        ("HEAD", "/v6/services", 405, ""),
    ],
)
async def test_what_can_not_be_answered_is_told_as_fluxctl_reads_it(
    method: str, path: str, status: int, kind: str
) -> None:
    async with serving() as site:
        found = await site.ask(method, path)
        assert found.status == status
        if method == "HEAD":
            return
        body = await found.json()
        assert body["type"] == kind
        assert body["help"]
        assert body["error"]
        plain = await site.ask(method, path, headers={})
        assert plain.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"nul", b'{"Kind": 7}', b'{"Kind":"git","Source":[]}', b"null", b"3"],
)
async def test_a_body_that_is_none_is_refused_in_one_line(body: bytes) -> None:
    async with serving() as site:
        found = await site.ask("POST", "/v11/notify", data=body)
        assert found.status == 400
        assert (await found.json())["type"] == "user"
        assert not site.answers.asked


async def test_a_body_is_bounded_and_never_unpacked() -> None:
    async with serving() as site:
        assert (await site.ask("POST", "/v9/update-manifests", data=io.BytesIO(b"1" * (MAX_BODY + 1)))).status == 413
        packed = {**JSON, "Content-Encoding": "gzip"}
        assert (await site.ask("POST", "/v11/notify", data=b"\x1f\x8b", headers=packed)).status == 415
        assert not site.answers.asked


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        ({"Host": "localhost:3030"}, 204),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:3030"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_a_page_in_a_browser_can_not_call_it(headers: dict[str, str], status: int) -> None:
    async with serving() as site:
        assert (await site.ask("GET", "/v11/ping", headers=headers)).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Scope-Probe token={TOKEN}"}, 204),
        ({"Authorization": f"Scope-Probe token={TOKEN}", "Host": "flux.example"}, 204),
        ({"Authorization": f"Scope-Probe token={TOKEN}", "Origin": "http://flux.example"}, 403),
        ({"Authorization": f"Scope-Probe token={TOKEN}x"}, 401),
        ({"Authorization": "Scope-Probe token="}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": f"Bearer {TOKEN}"}, 401),
        ({}, 401),
    ],
)
async def test_with_a_token_only_who_has_it_is_answered(headers: dict[str, str], status: int) -> None:
    async with serving(TOKEN) as site:
        found = await site.ask("GET", "/v11/ping", headers=headers)
        assert found.status == status
        assert TOKEN not in await found.text()


async def test_until_this_process_leads_it_says_that_it_is_starting() -> None:
    async with serving() as site:
        site.api.service = None
        found = await site.ask("GET", "/v6/services")
        assert (found.status, (await found.json())["type"]) == (503, "server")


async def test_a_bug_is_told_without_what_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the inside")

    async with serving() as site:
        monkeypatch.setattr(site.answers, "pending", broken)
        found = await site.ask("GET", "/v6/sync?ref=0a1b")
        assert (found.status, (await found.json())["type"]) == (500, "server")
        assert "inside" not in await found.text()


async def test_who_sends_no_body_does_not_keep_others_from_being_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.server.fluxd_api.READ_SECONDS", 0.05)
    async with serving() as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"POST /api/flux/v11/notify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        await writer.drain()
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        assert (await site.ask("GET", "/v11/ping")).status == 204
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("text", ["", "short", "two words of one long token", "a" * 600, "tökentökentöken", "a\nb" * 9])
def test_a_token_that_no_header_could_have_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(UserError) as refused:
        read_token(file)
    assert refused.value.problems[0].code is codes.API_TOKEN
    assert not text or text not in str(refused.value)


def test_a_token_is_one_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert read_token(file) == TOKEN
    with pytest.raises(UserError, match="No such file"):
        read_token(tmp_path / "none")
