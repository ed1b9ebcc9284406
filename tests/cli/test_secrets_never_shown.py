"""A canary in every place where a secret can stand: no log, event, status, answer, metric or bundle ever shows it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from devcluster.registry import Registry
from sluice.api.crds import KINDS
from sluice.reconcilers.notification_ledger import LedgerPage, read_page
from sluice.runtime.logging import without_secrets
from sluice.runtime.scrape import exposition
from tests.canary import CANARY
from tests.cli.conftest import Sluice
from tests.image_objects import Images
from tests.integration.notifications.conftest import sink
from tests.integration.receivers.hook_calls import Hook
from tests.notification_objects import Notifications
from tests.notification_sink import Answer, NotificationSink
from tests.operator_fixture import (
    Bench,
    LogCapture,
    Sync,
    bench_with,
    condition,
    free_port,
    poll,
)

__all__ = ["sink"]
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
SECRET = """apiVersion: v1
kind: Secret
metadata: {name: %s, namespace: $NS}
%s
"""


@dataclass
class Canaries:
    """Values that nobody must see, each with the place in which it was planted."""

    planted: dict[str, str] = field(default_factory=dict)

    def plant(self, where: str) -> str:
        """A value of its own for that place, which a URL, a header and YAML take as it is."""
        value = f"{CANARY}{secrets.token_hex(8)}"
        self.planted[value] = where
        return value

    def seen_in(self, text: str) -> set[str]:
        """The places whose value the text shows, plainly or as base64."""
        encoded = {base64.b64encode(value.encode()).decode()[:16]: where for value, where in self.planted.items()}
        return {where for value, where in (*self.planted.items(), *encoded.items()) if value in text}


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    """Those of the module."""
    return Canaries()


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, canaries: Canaries, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """An operator with everything on, in a namespace of its own."""
    token = tmp_path_factory.mktemp("fluxd") / "token"
    token.write_text(canaries.plant("token of fluxd's API"))
    addresses = {"hook_address": f"127.0.0.1:{free_port()}", "fluxd_address": f"127.0.0.1:{free_port()}"}
    with bench_with(cluster, log_capture, tmp_path_factory, **addresses, fluxd_token_file=token) as opened:
        yield opened


def make_secret(bench: Bench, name: str, **values: str) -> str:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
    bench.api.create(f"/api/v1/namespaces/{bench.namespace}/secrets", body)
    return name


def has_failed(bench: Bench, path: str) -> bool:
    """True when an object's Ready is False."""
    return bool(condition(bench.api.get(path) or {}, "Ready").get("status") == "False")


def plant_in_git_access(bench: Bench, canaries: Canaries, folder: Path) -> list[Sync]:
    """Passwords that are refused, in a Secret and in a URL."""
    with GitHttpServer(folder, user="ana", password="hunter-right") as locked:
        locked.create("fleet")
        wrong, inline = bench.source(), bench.source()
        name = make_secret(bench, wrong.name, username="ana", password=canaries.plant("password of git"))
        wrong.create_source(url=locked.url("fleet"), secretRef={"name": name})
        password = canaries.plant("password in a URL")
        inline.create_source(url=locked.url("fleet").replace("://", f"://ana:{password}@"))
        for sync in (wrong, inline):
            sync.create()
            sync.wait_condition("Ready", "False", "ArtifactFailed")
            poll("the source has failed", partial(has_failed, bench, sync.source_path))
    return [wrong, inline]


def plant_in_manifests(bench: Bench, canaries: Canaries) -> list[Sync]:
    """Secrets that are applied and drift, and some that are refused, each in another way."""
    good = bench.synced(
        {"s.yaml": SECRET % ("good", f"stringData: {{key: {canaries.plant('a Secret in git')}}}")}, drift="Warn"
    )
    edited = canaries.plant("an edit of a Secret")
    bench.api.patch(good.at("secrets", "good"), {"stringData": {"key": edited}}, manager="somebody")
    good.wait_condition("Drifted", "True")
    refused = [
        f"data: {{key: {canaries.plant('a Secret without base64')}!}}",
        f"stringData: {{key: {{deep: {canaries.plant('a Secret with a map for a value')}}}}}",
        f"stringData: {{key: {canaries.plant('a Secret with an unknown field')}}}\nunknown: 1",
        f"type: kubernetes.io/tls\nstringData: {{tls.key: {canaries.plant('a TLS Secret without a certificate')}}}",
        f'stringData: {{key: "{canaries.plant("a Secret of broken YAML")}',
        f"stringData: {{? {{a: b}} : {canaries.plant('a Secret with a map for a key')}}}",
    ]
    syncs = []
    for content in refused:
        sync = bench.source()
        sync.commit({"s.yaml": SECRET % ("bad", content)})
        sync.create_source()
        sync.create()
        syncs.append(sync)
    for sync in syncs:
        sync.wait_condition("Ready", "False")
    return [good, *syncs]


def plant_in_variables(bench: Bench, canaries: Canaries) -> Sync:
    """A Secret's value that is put into an object, where somebody changes it."""
    sync = bench.source()
    name = make_secret(bench, f"{sync.name}-vars", TOKEN=canaries.plant("a variable"))
    sync.commit({"s.yaml": SECRET % ("made", "stringData: {key: '${TOKEN}'}")})
    sync.create_source()
    sync.create(postBuild={"substituteFrom": [{"kind": "Secret", "name": name}]})
    sync.wait_condition("Ready", "True")
    return sync


def plant_in_notifications(bench: Bench, canaries: Canaries, sync: Sync, sink: NotificationSink) -> None:
    """A provider whose address and token are secret, and whose server sends both back with an error."""
    sink.answer = lambda received: Answer(500, f"{received.path} {received.headers.get('authorization')}".encode())
    objects, plant = Notifications(bench, sync), canaries.plant
    hub = f"Endpoint=sb://{sink.url.partition('//')[2]}/;UseDevelopmentEmulator=true;EntityPath=flux;"
    signed = f"{hub}SharedAccessKeyName=send;SharedAccessKey={plant('key of an event hub')}"
    closed = f"nats://127.0.0.1:{free_port()}"
    secrets_of: dict[str, dict[str, str]] = {
        "generic": {"address": f"{sink.url}/{plant('address of a provider')}", "token": plant("token of a provider")},
        "otel": {"address": sink.url, "token": plant("token of a collector"), "headers": f"X-A: {plant('a header')}"},
        "azureeventhub": {"address": signed},
        "nats": {"address": closed, "username": "ana", "password": plant("password of NATS")},
    }
    told = []
    for type_, values in secrets_of.items():
        channel = {"channel": "flux.events"} if type_ == "nats" else {}
        provider = objects.provider(type_, secretRef={"name": objects.secret(**values)}, **channel)
        told.append(objects.alert(provider))
    sync.commit({"bad.yaml": "a: b: c\n"})
    sync.request(sync.source_path)
    sync.wait_condition("Ready", "False")
    poll("it was sent", lambda: sink.received)
    for alert in told:
        poll("that it failed is told", partial(objects.complaints, alert))


def plant_in_receivers(bench: Bench, canaries: Canaries, sync: Sync) -> list[str]:
    """A token that calls are held against; returns the answers."""
    hook = Hook(bench, f"{sync.name}-hook", canaries.plant("token of a receiver"))
    hook.make_secret(hook.token)
    resources = [{"kind": "GitRepository", "name": sync.name}]
    hook.create(type="github", resources=resources, secretRef={"name": hook.name})
    path = hook.address()
    signed = {"X_GitHub_Event": "push", "X_Hub_Signature_256": "sha256=00"}
    return [hook.call(path, b"{}", **signed)[1], hook.call(f"{path}0", b"{}")[1], str(hook.push(path))]


def fluxctl(bench: Bench) -> str:
    """What fluxd's API says to somebody with its token, and to somebody without."""
    settings = bench.operator.settings
    assert settings.fluxd_token_file is not None
    token = settings.fluxd_token_file.read_text()
    said = []
    for sent in (token, f"{token}x"):
        for path in ("/v6/services", "/v6/images?service=%3Call%3E", "/v6/export", "/v6/identity.pub", "/v6/jobs?id=1"):
            connection = HTTPConnection(settings.fluxd_address, timeout=30)
            connection.request("GET", f"/api/flux{path}", headers={"Authorization": f"Scope-Probe token={sent}"})
            answer = connection.getresponse()
            said.append(answer.read().decode())
            assert (answer.status == 401) == (sent != token), said[-1]
            connection.close()
    return "\n".join(said)


def ledger(bench: Bench) -> str:
    """What is kept of notifications, unpacked."""

    def page() -> LedgerPage | None:
        found = bench.api.get(f"/api/v1/namespaces/{bench.namespace}/secrets/sluice-notifications")
        read = read_page(msgspec.json.encode(found)) if found is not None else LedgerPage()
        return read if read.key else None

    kept = poll("the ledger is kept", page)
    return str(msgspec.to_builtins({"delivered": kept.delivered, "incidents": kept.incidents}))


def plant_in_registry_access(bench: Bench, canaries: Canaries, sync: Sync, registry: Registry) -> None:
    """A password that a registry does not know."""
    images = Images.beside(sync, registry)
    login = {"auths": {registry.host: {"username": "ana", "password": canaries.plant("password of a registry")}}}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{sync.name}-pull"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json.dumps(login)},
    }
    bench.api.create(f"/api/v1/namespaces/{bench.namespace}/secrets", body)
    images.scan(secretRef={"name": f"{sync.name}-pull"})
    images.wait("ImageRepository", "it was looked at", lambda item: item["status"].get("conditions"))


def test_no_output_shows_what_was_planted(
    cli: Sluice, bench: Bench, canaries: Canaries, registry: Registry, sink: NotificationSink, tmp_path: Path
) -> None:
    failing = plant_in_git_access(bench, canaries, tmp_path / "locked")
    good, *refused = plant_in_manifests(bench, canaries)
    made = plant_in_variables(bench, canaries)
    plant_in_registry_access(bench, canaries, good, registry)
    answers = plant_in_receivers(bench, canaries, good)
    plant_in_notifications(bench, canaries, good, sink)

    shown = {"answers to callers": "\n".join(answers), "metrics": asyncio.run(exposition()).decode()}
    shown["log"] = "\n".join(json.dumps(masked(entry), default=str) for entry in bench.operator.logged)
    shown["fluxd's API"], shown["ledger of notifications"] = fluxctl(bench), ledger(bench)
    shown["events"] = json.dumps(bench.api.get(f"/api/v1/namespaces/{bench.namespace}/events"))
    shown["notifications"] = "\n".join(received.body.decode() for received in sink.received)
    for definition, _ in KINDS:
        path = f"/apis/{definition.group}/{definition.version}/namespaces/{bench.namespace}/{definition.plural}"
        items = (bench.api.get(path) or {})["items"]
        shown[f"status of {definition.kind}"] = json.dumps([item.get("status") for item in items])
    names = [sync.name for sync in (*failing, good, *refused, made)]
    shown |= command_line(cli, names, good.target, tmp_path / "bundle.tar.gz")
    assert len(canaries.planted) >= 18
    assert shown["log"]
    leaks = {where: sorted(seen) for where, text in shown.items() if (seen := canaries.seen_in(text))}
    assert leaks == {}


def masked(entry: Any) -> Any:
    """A log entry as it would be written."""
    return without_secrets(None, "", dict(entry))


def command_line(cli: Sluice, names: list[str], target: str, bundle: Path) -> dict[str, str]:
    """What every read verb says of these syncs, to people and to programs."""
    lines: list[tuple[str, ...]] = [
        *(("get", "all", "-o", form) for form in ("wide", "json")),
        ("status", "-o", "json"),
        ("why", "--all", "--no-git"),
        ("events", "-o", "json"),
        ("trace", "secret/good", "-n", target, "--git-allow-loopback", "-o", "json"),
        ("debug", "--bundle", str(bundle)),
    ]
    for name in names:
        lines += [("why", name, "--git-allow-loopback", "-o", "json"), ("plan", name, "--git-allow-loopback")]
    lines += [(verb, name) for verb in ("history", "tree") for name in names[-1:]]
    lines += [("diff", name, "--git-allow-loopback", "-o", "json") for name in (names[2], names[-1])]
    ran = {" ".join(line): cli(*line) for line in lines}
    found = {name: each.out + each.err for name, each in ran.items()}
    with tarfile.open(fileobj=io.BytesIO(bundle.read_bytes())) as files:
        found["bundle"] = "".join(files.extractfile(name).read().decode() for name in files.getnames())  # type: ignore[union-attr]
    return found
