"""An operator as one would write it in an afternoon: it proves that the faults find what they are there to find."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from devcluster.cluster import Cluster
from tests.faults.adapter import Site, SyncSpec
from tests.faults.fault_proxy import Asked
from tests.faults.naive_operator import AGENT, FAILED, LABEL, READY
from tests.operator_fixture import Api

ROOT = Path(__file__).parent.parent.parent


@dataclass
class NaiveProcess:
    """The process of `naive_operator`."""

    site: Site
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def _log(self) -> Path:
        return self.site.folder / "log"

    @property
    def running(self) -> bool:
        """True while it lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "tests.faults.naive_operator"]
        command += [str(self.site.kubeconfig), self.site.namespace, str(self.site.folder / "clones")]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)

    def wait_ready(self) -> None:
        """It works from its first breath; only that it lives is waited for."""
        time.sleep(0.5)
        assert self.running, self.tail()

    def kill(self) -> None:
        """SIGKILL it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)

    def wait_dead(self, seconds: float) -> bool:
        """True once it has ended."""
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """It has nothing to tidy up."""
        if self.running:
            self.kill()
            self.wait_dead(10)

    def tail(self, characters: int = 3000) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-characters:]


class NaiveAdapter:
    """Its syncs are labelled ConfigMaps, and so is all that it says."""

    name = "naive"

    def install(self, cluster: Cluster) -> None:
        """It needs nothing."""

    def process(self, site: Site) -> NaiveProcess:
        """One of its own."""
        return NaiveProcess(site)

    def counts(self, asked: Asked) -> bool:
        """What it writes to namespaces other than its own."""
        return asked.agent == AGENT and f"/{LABEL}-" not in asked.path

    def create(self, api: Api, sync: SyncSpec) -> None:
        """A ConfigMap."""
        metadata = {"name": f"{LABEL}-{sync.name}", "labels": {LABEL: "true"}}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        api.create(_at(sync).rpartition("/")[0], {**body, "data": {"url": sync.url}})

    def look_now(self, api: Api, sync: SyncSpec) -> None:
        """It looks all the time; an edit does no harm."""
        api.patch(_at(sync), {"data": {"asked": secrets.token_hex(4)}})

    def ready_at(self, api: Api, sync: SyncSpec) -> str:
        """What it wrote there."""
        return str((api.get(_at(sync)) or {}).get("data", {}).get(READY, ""))

    def failed_at(self, api: Api, sync: SyncSpec) -> str:
        """What it wrote there."""
        return str((api.get(_at(sync)) or {}).get("data", {}).get(FAILED, ""))


def _at(sync: SyncSpec) -> str:
    return f"/api/v1/namespaces/{sync.namespace}/configmaps/{LABEL}-{sync.name}"


ADAPTER = NaiveAdapter()
