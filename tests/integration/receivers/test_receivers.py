"""Git hosts and registries tell us of something new; nothing else that calls has any effect."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import threading

import pytest

from tests.integration.receivers.hook_calls import Hook
from tests.operator_fixture import Bench, Sync, config_map, poll

pytestmark = pytest.mark.cluster
REQUESTED = "reconcile.fluxcd.io/requestedAt"


def slow_sync(bench: Bench) -> Sync:
    """A sync whose source would not be looked at again for an hour."""
    sync = bench.source()
    first = sync.commit({"a.yaml": config_map("a")})
    sync.create_source(interval="1h")
    sync.create()
    sync.wait_ready(first)
    return sync


def asked(sync: Sync) -> str:
    found = sync.bench.api.get(sync.source_path)
    assert found is not None
    return str(found["metadata"].get("annotations", {}).get(REQUESTED, ""))


def test_a_push_that_a_git_host_tells_of_is_live_without_a_poll(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync, events=["ping", "push"])
    path = hook.address()
    ready = hook.wait(text=f"Receiver initialized for path: {path}")
    assert ready["status"]["observedGeneration"] == 1
    revision = sync.commit({"a.yaml": config_map("a", "2")})
    assert hook.push(path) == 200
    sync.wait_ready(revision)
    assert sync.config("a")["data"] == {"key": "2"}


def test_what_is_not_signed_as_agreed_has_no_effect_and_all_of_it_gets_the_same_answer(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync, events=["push"])
    path = hook.address()
    signed = {"X_GitHub_Event": "push"}
    answers = {
        "unsigned": hook.call(path, b"{}", "POST", **signed),
        "sha1": hook.call(
            path, b"{}", "POST", X_Hub_Signature="sha1=da39a3ee5e6b4b0d3255bfef95601890afd80709", **signed
        ),
        "empty": hook.call(path, b"{}", "POST", X_Hub_Signature_256="", **signed),
        "no hash": hook.call(path, b"{}", "POST", X_Hub_Signature_256="md5=00", **signed),
        "wrong": hook.call(path, b"{}", "POST", X_Hub_Signature_256=f"sha256={'0' * 64}", **signed),
        "not ascii": hook.call(path, b"{}", "POST", X_Hub_Signature_256="sha256=\xe9", **signed),
    }
    assert set(answers.values()) == {(400, "refused\n")}, answers
    assert hook.push(path, token="another") == 400
    assert hook.push(path, event="issues") == 400
    assert asked(sync) == ""
    assert hook.push(path, event="ping") == 200
    assert asked(sync) == ""


def test_only_the_address_itself_answers_and_only_to_what_a_caller_sends(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook, other = Hook.beside(sync, "generic"), Hook.beside(sync, "generic")
    path = hook.address()
    assert [hook.call(path, method=method)[0] for method in ("GET", "PUT", "DELETE")] == [405, 405, 405]
    for wrong in (f"{path}0", f"{path}/", "/hook/", f"/{path}", path.replace("/hook/", "/hook/%2e%2e/"), "/"):
        assert hook.call(wrong)[0] == 404, wrong
    assert hook.call(path, b"x" * (1024 * 1024 + 1))[0] == 413
    assert hook.call(path, gzip.compress(b"{}"), Content_Encoding="gzip")[0] == 415
    assert asked(sync) == ""
    assert hook.call(path)[0] == 200
    assert asked(sync) != ""
    assert other.address() != path


def test_a_delivery_that_is_repeated_is_done_once(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync)
    path = hook.address()
    assert hook.push(path, delivery="one") == 200
    first = asked(sync)
    assert hook.push(path, delivery="one") == 200
    assert asked(sync) == first
    assert hook.push(path, delivery="two") == 200
    assert asked(sync) != first


def test_a_flood_of_calls_asks_an_object_a_few_times_and_after_the_last_of_them(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync, "generic")
    path, audit = hook.address(), bench.audit()
    codes: list[int] = []

    def several() -> None:
        codes.extend(hook.call(path)[0] for _ in range(10))

    threads = [threading.Thread(target=several) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 200
    patches = [w for w in audit.writes(bench.agent) if w.path == sync.source_path]
    assert 1 <= len(patches) < 40


def test_a_suspended_receiver_says_so_and_a_deleted_one_is_nobodys(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync, "generic")
    path = hook.address()
    hook.edit(suspend=True)
    poll("it is suspended", lambda: hook.call(path)[0] == 503)
    hook.edit(suspend=False)
    poll("it answers again", lambda: hook.call(path)[0] == 200)
    bench.api.delete(hook.path)
    poll("it is gone", lambda: hook.call(path)[0] == 404)


def test_a_filter_chooses_whom_to_ask_by_labels_and_by_what_the_call_says(bench: Bench) -> None:
    one, two = slow_sync(bench), slow_sync(bench)
    for sync, team in ((one, "a"), (two, "b")):
        bench.api.patch(sync.source_path, {"metadata": {"labels": {"team": team, "hooked": "yes"}}})
    every = [{"kind": "GitRepository", "name": "*", "matchLabels": {"hooked": "yes"}}]
    hook = Hook.beside(one, "generic-hmac", resourceFilter="res.metadata.labels.team == req.team")
    hook.edit(resources=every)
    hook.wait()
    path = hook.address()

    def call(body: bytes) -> int:
        digest = hmac.new(hook.token.encode(), body, hashlib.sha512).hexdigest()
        return hook.call(path, body, X_Signature=f"sha512={digest}")[0]

    assert call(json.dumps({"team": "b"}).encode()) == 200
    assert asked(one) == ""
    assert asked(two) != ""
    assert call(b"not json") == 400
    assert call(b"[" * 100_000) == 400
    assert call(b"{}") == 500  # the filter has no answer for it


def test_what_is_wrong_with_a_receiver_is_said_at_its_field(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync, resourceFilter="res.metadata.name ==")
    hook.wait("False", "InvalidCELExpression", "spec.resourceFilter can't be read")
    hook.edit(resourceFilter="nobody.name == 'x'")
    hook.wait("False", "InvalidCELExpression", "there is no variable nobody")
    hook.edit(resourceFilter=None, resources=[{"kind": "Widget", "name": "x"}])
    hook.wait("False", "Failed", "without an apiVersion")
    hook.edit(resources=[{"kind": "GitRepository", "name": "*"}])
    hook.wait("False", "Failed", "and no labels")
    hook.edit(resources=[{"kind": "GitRepository", "name": sync.name}], secretRef={"name": "absent"})
    hook.wait("False", "TokenNotFound", "absent does not exist")
    hook.edit(secretRef={"name": hook.name})
    assert hook.push(hook.address()) == 200


def test_an_object_that_can_not_be_asked_is_an_error_of_the_call_and_the_others_are_asked(bench: Bench) -> None:
    sync = slow_sync(bench)
    hook = Hook.beside(sync, "generic")
    kind = "GitRepository"
    hook.edit(resources=[{"kind": kind, "name": "absent"}, {"kind": kind, "name": sync.name}])
    path = hook.wait()["status"]["webhookPath"]
    poll("the edit is in force", lambda: hook.call(path)[0] == 500)
    assert asked(sync) != ""
