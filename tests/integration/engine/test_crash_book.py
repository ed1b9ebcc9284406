"""What is known after a death: it counts against what was worked on only where it came from inside."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from sluice.core.crashes import LIMIT, Work
from sluice.core.errors import NotReady, UserError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.kube.client import KubeClient
from sluice.kube.config import load_kubeconfig
from sluice.runtime.crash_book import NAME, CrashBook
from tests.operator_fixture import Api, poll

pytestmark = pytest.mark.cluster

SYNC = ResourceId("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "web")
WORK = Work("shop/web", "1")
ABORTED = "Fatal Python error: Aborted\n\nThread 0x1 (most recent call first):\n  File x, line 1 in y\n"
STOOD_STILL = "Timeout (0:00:30)!\nThread 0x1 (most recent call first):\n  File x, line 1 in y\n"
POD = "sluice-0"
UNENDED: list[object] = []


@pytest.fixture
def home(cluster: Cluster) -> str:
    name = f"flux-{secrets.token_hex(3)}"
    create_namespace(cluster, name)
    return name


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    api = Api(cluster)
    yield api
    api.close()


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[KubeClient]:
    async with KubeClient(load_kubeconfig(cluster.kubeconfig)) as client:
        yield client


async def opened(client: KubeClient, home: str, storage: Path, pod: str = "") -> CrashBook:
    """The book as the next process has it."""
    book = CrashBook(client, home, storage)
    await book.load(NamespacedName(home, pod) if pod else None)
    return book


async def die(book: CrashBook, storage: Path, words: str, work: Work = WORK) -> None:
    """A process that ends in the middle of the work, leaving `words`: nothing that it holds is ever ended."""
    begun = book.handling(SYNC, work)
    await begun.__aenter__()
    UNENDED.append(begun)
    (storage / "last-words").write_text(words)


async def is_refused(book: CrashBook, work: Work = WORK) -> bool:
    try:
        async with book.reading(SYNC, work):
            return False
    except UserError as error:
        return error.problems[0].code.number == "E375"


def make_pod(api: Api, home: str) -> None:
    spec = {"schedulerName": "nobody", "containers": [{"name": "manager", "image": "sluice:1"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
    path = f"/api/v1/namespaces/{home}/pods"
    poll("the pod is taken", lambda: api.request("POST", path, body)[0] == 201)  # its account comes a moment later


def tell_end(api: Api, home: str, reason: str, at: datetime) -> None:
    """What the kubelet writes of a container that ended and was started again."""
    ended = {"exitCode": 137, "reason": reason, "startedAt": None, "finishedAt": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    container = {"name": "manager", "image": "", "imageID": "", "ready": True, "restartCount": 1}
    status = {"containerStatuses": [{**container, "lastState": {"terminated": ended}}]}
    api.patch(f"/api/v1/namespaces/{home}/pods/{POD}/status", {"status": status})


@pytest.mark.parametrize("words", [ABORTED, STOOD_STILL])
async def test_three_deaths_from_inside_are_too_many_and_a_lost_disk_does_not_forget_them(
    client: KubeClient, home: str, tmp_path: Path, words: str
) -> None:
    for death in range(LIMIT):
        book = await opened(client, home, tmp_path)
        assert not await is_refused(book), f"after {death} deaths"
        await die(book, tmp_path, words)
    assert await is_refused(await opened(client, home, tmp_path))
    assert await is_refused(await opened(client, home, tmp_path / "another"))


@pytest.mark.parametrize("words", ["", "Killed\n"])
async def test_a_process_that_somebody_killed_says_nothing_about_what_it_worked_on(
    client: KubeClient, api: Api, home: str, tmp_path: Path, words: str
) -> None:
    for _ in range(LIMIT + 1):
        await die(await opened(client, home, tmp_path), tmp_path, words)
    assert not await is_refused(await opened(client, home, tmp_path))
    assert api.get(f"/api/v1/namespaces/{home}/secrets/{NAME}") is None


async def test_a_process_that_was_told_to_end_has_nothing_under_way(
    client: KubeClient, api: Api, home: str, tmp_path: Path
) -> None:
    begun = asyncio.Event()

    async def work(book: CrashBook) -> None:
        async with book.handling(SYNC, WORK):
            begun.set()
            await asyncio.sleep(60)

    for _ in range(LIMIT + 1):
        task = asyncio.create_task(work(await opened(client, home, tmp_path)))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        (tmp_path / "last-words").write_text(ABORTED)  # whatever came after
    assert not await is_refused(await opened(client, home, tmp_path))
    assert api.get(f"/api/v1/namespaces/{home}/secrets/{NAME}") is None


@pytest.mark.parametrize(("reason", "counts"), [("OOMKilled", True), ("Error", False)])
async def test_in_a_pod_the_kubelet_says_whether_memory_ran_out(
    client: KubeClient, api: Api, home: str, tmp_path: Path, reason: str, counts: bool
) -> None:
    make_pod(api, home)
    for _ in range(LIMIT):
        await die(await opened(client, home, tmp_path, POD), tmp_path, "")
        tell_end(api, home, reason, datetime.now(UTC))
    assert await is_refused(await opened(client, home, tmp_path, POD)) == counts


async def test_what_the_kubelet_says_of_an_earlier_end_is_no_word_about_this_one(
    client: KubeClient, api: Api, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.runtime.crash_book.POD_SECONDS", 0.0)
    make_pod(api, home)
    for _ in range(LIMIT):
        tell_end(api, home, "OOMKilled", datetime.now(UTC) - timedelta(seconds=60))
        await die(await opened(client, home, tmp_path, POD), tmp_path, "")
    assert not await is_refused(await opened(client, home, tmp_path, POD))


async def test_other_inputs_have_one_try_each_and_one_that_goes_well_forgets_the_rest(
    client: KubeClient, home: str, tmp_path: Path
) -> None:
    for _ in range(LIMIT):
        await die(await opened(client, home, tmp_path), tmp_path, ABORTED)
    other = Work(WORK.owner, "2")
    await die(await opened(client, home, tmp_path), tmp_path, ABORTED, other)
    book = await opened(client, home, tmp_path)
    assert await is_refused(book)
    assert await is_refused(book, other)
    async with book.handling(SYNC, Work(WORK.owner, "3")):
        pass
    assert not await is_refused(await opened(client, home, tmp_path))


async def test_a_sync_that_is_refused_for_another_reason_has_not_ended_the_process(
    client: KubeClient, home: str, tmp_path: Path
) -> None:
    for _ in range(LIMIT + 1):
        await die(await opened(client, home, tmp_path), tmp_path, ABORTED)
        book = await opened(client, home, tmp_path)
        with pytest.raises(NotReady):
            async with book.handling(SYNC, WORK):
                raise NotReady
    assert not await is_refused(await opened(client, home, tmp_path))


async def test_suspects_are_read_one_at_a_time_and_others_beside_them(
    client: KubeClient, home: str, tmp_path: Path
) -> None:
    book, other = await opened(client, home, tmp_path), Work("shop/api", "1")
    await die(book, tmp_path, ABORTED)
    await die(book, tmp_path, ABORTED, other)
    book = await opened(client, home, tmp_path)
    async with book.reading(SYNC, WORK):
        waiting = asyncio.create_task(is_refused(book, other))
        async with book.reading(SYNC, Work("shop/new", "1")):
            assert not waiting.done()
    assert not await waiting


async def test_a_book_that_was_damaged_is_begun_anew_and_a_disk_that_is_full_stops_nothing(
    client: KubeClient, api: Api, home: str, tmp_path: Path
) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "data": {"suspects": "e30x"}}
    api.create(f"/api/v1/namespaces/{home}/secrets", body)
    (tmp_path / "under-way").write_text("no folder can be made here")
    with capture_logs() as lines:
        assert not await is_refused(await opened(client, home, tmp_path))
    assert [line["event"] for line in lines] == [
        "which syncs have ended the process before is not known",
        "what is worked on can't be noted: who ends the process will not be known",
    ]
