"""What was delivered, and which incidents stand, in one Secret for all; written some seconds after it changed.

Together with what objects' statuses say it tells a new process what is still to be told (decisions/0014). Losing it
loses no notification: those of the last day that statuses still name are then told once more, under the same keys.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import zlib
from collections.abc import Callable, Iterable

import msgspec
import structlog

from sluice.core.errors import SluiceError
from sluice.core.incident import Incident
from sluice.core.notification import MAX_AGE
from sluice.kube.client import KubeClient
from sluice.kube.well_known import SECRETS
from sluice.reconcilers.incident_book import IncidentBook
from sluice.runtime.record_secret import LABEL, LEDGER

NAME = LEDGER
KEY = "ledger"
MANAGER = "sluice"
# How long what was delivered may stay unwritten: a process that is killed within it repeats that much.
PAUSE = 5.0
LAST_WRITE = 3.0
MAX_DELIVERED = 20_000
MAX_BYTES = 16 << 20
ID_DIGITS = 16
log = structlog.get_logger()


class LedgerPage(msgspec.Struct, omit_defaults=True):
    """What the Secret holds, compressed."""

    key: bytes = b""
    delivered: dict[str, int] = {}
    incidents: dict[str, Incident] = {}


class _Secret(msgspec.Struct):
    data: dict[str, str] = {}


class NotificationLedger:
    """`load` it before anything is asked; `run` it to have it kept."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        incidents: IncidentBook,
        now: Callable[[], float],
        pause: float = PAUSE,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._incidents = incidents
        self._now = now
        self._pause = pause
        self.key = b""
        self._delivered: dict[str, int] = {}
        self._changed = asyncio.Event()

    async def load(self) -> None:
        """Read what earlier processes knew. What is damaged is begun anew, and the log says so. Raises ClusterError."""
        raw = await self._client.get(SECRETS, self._namespace, NAME)
        try:
            page = read_page(raw) if raw is not None else LedgerPage()
        except (ValueError, zlib.error, msgspec.MsgspecError) as error:
            log.warning("what was delivered before is not known", error=str(error))
            page = LedgerPage()
        self.key = page.key or secrets.token_bytes(32)
        self._delivered = {**page.delivered, **self._delivered}
        self._incidents.take(page.incidents)
        if not page.key:
            await self._write()

    def is_delivered(self, notification_id: str) -> bool:
        """True when the notification needs no more tries."""
        return notification_id[:ID_DIGITS] in self._delivered

    def note(self, ids: Iterable[str]) -> None:
        """These were delivered or given up."""
        at = int(self._now())
        for each in ids:
            self._delivered[each[:ID_DIGITS]] = at
        self.touch()

    def touch(self) -> None:
        """Something changed: it is written within some seconds."""
        self._changed.set()

    async def run(self) -> None:
        """Write what changed, until cancelled."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(self._pause)
            await self._write()

    async def close(self) -> None:
        """Write what changed last, where that is soon done: the next process then repeats nothing."""
        if not self._changed.is_set():
            return
        try:
            async with asyncio.timeout(LAST_WRITE):
                await self._write()
        except TimeoutError:
            log.warning("what was delivered last is not written down, and may be told again")

    async def _write(self) -> None:
        self._changed.clear()
        self._forget_old()
        page = LedgerPage(self.key, self._delivered, self._incidents.all())
        try:
            await self._client.put(SECRETS, self._namespace, NAME, write_page(page), manager=MANAGER)
        except SluiceError as error:
            self._changed.set()
            log.warning("what was delivered could not be written down", error=str(error))

    def _forget_old(self) -> None:
        """What is older than any intent that is still looked at, and what is over the bound."""
        oldest = self._now() - 2 * MAX_AGE
        kept = [(each, at) for each, at in self._delivered.items() if at >= oldest]
        self._delivered = dict(kept[-MAX_DELIVERED:])


def write_page(page: LedgerPage) -> bytes:
    """The Secret; without a version, for only the leader writes it, and what is newer is right."""
    data = base64.b64encode(zlib.compress(msgspec.json.encode(page))).decode()
    kind = {"apiVersion": "v1", "kind": "Secret", "type": "sluice.dev/notifications"}
    # Whoever takes the operator's records away takes this, too.
    metadata = {"name": NAME, "labels": {LABEL: "notifications"}}
    return msgspec.json.encode({**kind, "metadata": metadata, "data": {KEY: data}})


def read_page(raw: bytes) -> LedgerPage:
    """What a Secret says. Raises ValueError, or what zlib and msgspec raise, for one that is damaged."""
    text = msgspec.json.decode(raw, type=_Secret).data.get(KEY, "")
    try:
        packed = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error
    if not packed:
        return LedgerPage()
    reader = zlib.decompressobj()
    plain = reader.decompress(packed, MAX_BYTES)
    if reader.unconsumed_tail:
        raise ValueError("it is too large")
    return msgspec.json.decode(plain, type=LedgerPage)
