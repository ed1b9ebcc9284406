"""Strangers who flood, hold or repeat calls: whoever is meant to call is heard all the same."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.integration.receivers.hook_calls import Hook
from tests.integration.receivers.test_receivers import REQUESTED, asked, slow_sync
from tests.operator_fixture import Bench, config_map, poll

pytestmark = pytest.mark.cluster
WRONG = {"X_GitHub_Event": "push", "X_Hub_Signature_256": f"sha256={'0' * 64}"}


def test_f119_a_flood_of_wrong_signatures_has_no_effect_and_a_push_in_it_is_live(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync, events=["push"])
    path, audit = hook.address(), bench.audit()
    codes: list[int] = []
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            codes.append(hook.call(path, b"{}", "POST", **WRONG)[0])

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        poll("the flood is on", lambda: len(codes) > 500)
        assert asked(sync) == ""
        revision = sync.commit({"a.yaml": config_map("a", "2")})
        assert hook.push(path) == 200
        sync.wait_ready(revision)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(codes) == {400}
    assert len([w for w in audit.writes(bench.agent) if w.path == sync.source_path]) == 1


def test_f120_a_thousand_connections_that_say_nothing_leave_room_for_a_call(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync)
    path = hook.address()
    host, _, port = bench.operator.settings.hook_address.rpartition(":")
    held = []
    try:
        for number in range(1_000):
            slow = socket.create_connection((host, int(port)), timeout=60, source_address=("127.0.0.2", 0))
            held.append(slow)
            if number % 2:
                slow.sendall(b"POST /hook/x HTTP/1.1\r\nHost: x\r\n")
        assert hook.push(path) == 200
        assert asked(sync) != ""
    finally:
        for slow in held:
            slow.close()


def test_f121_a_delivery_that_is_sent_a_hundred_times_asks_once(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync)
    path, audit = hook.address(), bench.audit()
    assert [hook.push(path, delivery="one") for _ in range(100)] == [200] * 100
    assert len([w for w in audit.writes(bench.agent) if w.path == sync.source_path]) == 1
    found = bench.api.get(sync.source_path) or {}
    assert found["metadata"]["annotations"][REQUESTED]
