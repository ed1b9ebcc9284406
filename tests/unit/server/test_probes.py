"""What the kubelet and a person at /readyz are told."""

from __future__ import annotations

from aiohttp.test_utils import TestClient, TestServer

from sluice.server.probes import Readiness, probes


async def answers(ready: Readiness, path: str) -> tuple[int, str]:
    async with TestClient(TestServer(probes(ready))) as client, client.get(path) as answer:
        return answer.status, await answer.text()


async def test_a_process_that_waits_for_its_turn_lives_and_is_not_ready_and_says_who_leads() -> None:
    ready = Readiness()
    ready.waits_for("pod-2")
    assert (await answers(ready, "/healthz"))[0] == 200
    assert await answers(ready, "/readyz") == (503, "starting\n")
    assert await answers(ready, "/readyz?verbose") == (
        503,
        "[-]lease failed: held by pod-2\n[-]turns failed: not begun\nreadyz check failed\n",
    )


async def test_a_leader_that_still_reads_its_objects_is_not_ready() -> None:
    ready = Readiness()
    ready.leads()
    status, text = await answers(ready, "/readyz?verbose")
    assert (status, text.splitlines()[:2]) == (503, ["[+]lease ok", "[-]turns failed: objects are being read"])


async def test_a_leader_that_serves_turns_is_ready() -> None:
    ready = Readiness()
    ready.leads()
    ready.serves()
    assert await answers(ready, "/readyz") == (200, "ok\n")
    assert await answers(ready, "/readyz?verbose") == (200, "[+]lease ok\n[+]turns ok\nreadyz check passed\n")
