"""Flux v2's controllers, as the black-box faults see an operator: `FLUX_CONTROLLERS=FOLDER make promises ADAPTER=…`.

FOLDER holds the binaries `source-controller` and `kustomize-controller`, and their CRDs in `crds/`. The second one is
killed: it is the one that writes to the cluster what git says.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from devcluster.cluster import Cluster
from tests.faults.adapter import Site
from tests.faults.adapter_sluice import SluiceAdapter
from tests.faults.fault_proxy import Asked
from tests.operator_fixture import free_port

APPLIES = "kustomize-controller"
FETCHES = "source-controller"
START_SECONDS = 30.0


def folder() -> Path:
    """Where the binaries are. Raises KeyError when nobody has said."""
    return Path(os.environ["FLUX_CONTROLLERS"])


@dataclass
class Controller:
    """One controller's process; its ports stay the same over its lives."""

    name: str
    site: Site
    flags: tuple[str, ...] = ()
    health: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """All that its lives said."""
        return self.site.folder / f"{self.name}.log"

    @property
    def running(self) -> bool:
        """True while it lives."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it, without a lease: there is only one, and its successor is not to wait for one."""
        command = [str(folder() / self.name), "--watch-all-namespaces=false", "--enable-leader-election=false"]
        command += ["--metrics-addr=127.0.0.1:0", f"--health-addr=127.0.0.1:{self.health}", *self.flags]
        kube = {"KUBECONFIG": str(self.site.kubeconfig), "RUNTIME_NAMESPACE": self.site.namespace}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, env=os.environ | kube, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def wait_ready(self) -> None:
        """Return once it says that it is healthy."""
        deadline = time.monotonic() + START_SECONDS
        while not self._healthy():
            assert self.running, self.log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < deadline, f"{self.name} did not become healthy"
            time.sleep(0.1)

    def _healthy(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.health}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def kill(self) -> None:
        """SIGKILL it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)

    def wait_dead(self, seconds: float) -> bool:
        """True once it has ended."""
        assert self.process is not None
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


class FluxProcess:
    """Both controllers; killed is the one that applies, and the other lives on."""

    def __init__(self, site: Site) -> None:
        port, data = free_port(), site.folder / "artifacts"
        data.mkdir(exist_ok=True)
        where = (f"--storage-addr=127.0.0.1:{port}", f"--storage-adv-addr=127.0.0.1:{port}", f"--storage-path={data}")
        self._fetches = Controller(FETCHES, site, where)
        self._applies = Controller(APPLIES, site)

    @property
    def running(self) -> bool:
        """True while the one that applies lives."""
        return self._applies.running

    def start(self) -> None:
        """Start what does not run."""
        for controller in (self._fetches, self._applies):
            if not controller.running:
                controller.start()

    def wait_ready(self) -> None:
        """Return once both are healthy."""
        self._fetches.wait_ready()
        self._applies.wait_ready()

    def kill(self) -> None:
        """SIGKILL the one that applies."""
        self._applies.kill()

    def wait_dead(self, seconds: float) -> bool:
        """True once that one has ended."""
        return self._applies.wait_dead(seconds)

    def stop(self) -> None:
        """Nothing of it outlives the test."""
        for controller in (self._applies, self._fetches):
            if controller.running:
                controller.kill()
                controller.wait_dead(10)

    def tail(self, characters: int = 3000) -> str:
        """The end of what the one that applies has said."""
        return self._applies.log.read_text(errors="replace")[-characters:]


class FluxAdapter(SluiceAdapter):
    """The kinds are the same, and what is asked of them."""

    name = "flux"

    def install(self, cluster: Cluster) -> None:
        """Flux's own CRDs: its controllers watch kinds that we do not have."""
        for file in sorted((folder() / "crds").glob("*.yaml")):
            cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file))
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")

    def process(self, site: Site) -> FluxProcess:  # type: ignore[override]
        """Not started."""
        return FluxProcess(site)

    def counts(self, asked: Asked) -> bool:
        """What the one that applies writes, its own status and events aside."""
        own = asked.path.endswith(("/events", "/status")) or "/leases" in asked.path
        return asked.agent.startswith(APPLIES) and not own


ADAPTER = FluxAdapter()
