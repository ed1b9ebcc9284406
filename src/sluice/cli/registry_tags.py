"""The tags of images, as registries list them to the person who runs the command: their logins, their cache."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from sluice import __version__, settings
from sluice.cli.terminal import Terminal
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image import ImageRef
from sluice.core.image_pin import pin_mismatch
from sluice.registry.access import RegistryAccess
from sluice.registry.keyring import NO_KEYRING, keyring_of_file
from sluice.registry.limits import RegistryPolicy
from sluice.registry.proxy_rules import proxy_rules
from sluice.registry.registries import Registries
from sluice.registry.scanner import Scanner, ScanResult, TagFilter
from sluice.store.tag_cache import TagCache

MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Reach:
    """Which registries may be asked how: what the flags say."""

    loopback: bool = False
    insecure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """An image whose tags are wanted. `described` says of a tag whether its build time and digest are needed."""

    image: ImageRef
    described: Callable[[str], bool]


def registry_options(command: Any) -> Any:
    """The flags of verbs that ask registries, as `sluice run` has them."""
    command = click.option(
        "--registry-insecure-host",
        "insecure_hosts",
        multiple=True,
        metavar="HOST",
        help="A registry that may be without TLS, or with a certificate that nobody trusts; repeat it for more.",
    )(command)
    about = "Ask registries of this machine, too."
    return click.option("--registry-allow-loopback", "allow_loopback", is_flag=True, help=about)(command)


class TagReader:
    """Lists tags, several repositories at a time."""

    def __init__(self, terminal: Terminal, scanner: Scanner, registries: Registries, access: RegistryAccess) -> None:
        self._terminal = terminal
        self._scanner = scanner
        self._registries = registries
        self._access = access
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def read(self, asked: Mapping[str, Asked]) -> dict[str, ScanResult]:
        """What each registry lists, by the same keys. What goes wrong is in the result, which is then not complete."""
        async with asyncio.TaskGroup() as group:
            tasks = {key: group.create_task(self._one(each)) for key, each in asked.items()}
        return {key: task.result() for key, task in tasks.items()}

    async def check(self, image: ImageRef) -> None:
        """Raise RegistryError (ManifestMissing) when the registry has no such image, and what requests raise.

        Raises UserError (DigestMismatch) for a tag of another image than the digest beside it.
        """
        repository = self._registries.open(image, self._access)
        fetched = await repository.fetch(image.digest or image.tag or "latest")
        if image.tag is not None and image.digest is not None:
            fetched = await repository.fetch(image.tag)
        mismatch = pin_mismatch(image, fetched.digest)
        if mismatch is not None:
            raise UserError(mismatch)

    async def _one(self, asked: Asked) -> ScanResult:
        async with self._turns:
            self._terminal.detail(f"asking {asked.image.host} about {asked.image.repository}")
            wanted = TagFilter(described=asked.described)
            return await self._scanner.scan(asked.image, self._access, wanted, seconds=self._terminal.flags.timeout)


@asynccontextmanager
async def open_tags(terminal: Terminal, reach: Reach) -> AsyncIterator[TagReader]:
    """Open what registries are asked with. Raises UserError (RegistryCredentials) for a Docker configuration."""
    config = settings.docker_config()
    keyring = keyring_of_file(config, field="config.json") if config else NO_KEYRING
    policy = RegistryPolicy(
        allow_loopback=reach.loopback,
        insecure_hosts=frozenset(reach.insecure),
        proxies=proxy_rules(settings.environment()),
    )
    cache = settings.cache_home() / "tags.sqlite"
    with suppress(OSError):  # without a place for it the cache is in memory
        cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with Registries(policy=policy, user_agent=f"sluice/{__version__}") as registries, TagCache(cache) as tags:
        yield TagReader(terminal, Scanner(registries, tags), registries, RegistryAccess(keyring=keyring))


class _Stores(msgspec.Struct, rename="camel"):
    creds_store: str = ""
    cred_helpers: dict[str, str] = {}


def login_hint(result: ScanResult) -> str:
    """What to tell who was refused, and keeps logins where only Docker's helper programs can read them."""
    if not any(problem.code is codes.REGISTRY_AUTH for problem in result.problems):
        return ""
    try:
        stores = msgspec.json.decode(settings.docker_config() or b"{}", type=_Stores)
    except msgspec.MsgspecError:
        return ""
    if not stores.creds_store and not stores.cred_helpers:
        return ""
    return "Docker's configuration keeps logins in a credential helper, which is not asked; only its `auths` are read"
