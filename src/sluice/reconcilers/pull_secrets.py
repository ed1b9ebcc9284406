"""The logins that pods pull an image with: imagePullSecrets of pod templates and of their service accounts.

As fluxd has it, the logins of all workloads that use an image are tried, and those of `--docker-config` after them.
A Secret that does not exist is passed over, as the kubelet does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import msgspec

from sluice.core import codes
from sluice.core.errors import SluiceError, UserError
from sluice.core.problem import Origin, Problem
from sluice.core.running_workload import RunningWorkload
from sluice.kube.client import KubeClient
from sluice.kube.well_known import SECRETS, SERVICE_ACCOUNTS
from sluice.reconcilers.registry_access import ServiceAccount
from sluice.reconcilers.secret_data import SecretData, decode_secret
from sluice.registry.keyring import MAX_CONFIG, NO_KEYRING, Keyring, join, keyring_of_file, keyring_of_secret

FIELD = "imagePullSecrets"


async def pull_keyring(client: KubeClient, workloads: Iterable[RunningWorkload]) -> tuple[Keyring, tuple[Problem, ...]]:
    """The logins of these workloads' pods, and what can't be used of them. Raises ClusterError.

    A pod template's own come before those of its service account.
    """
    accounts = sorted({(each.id.namespace, each.service_account) for each in workloads})
    names: dict[tuple[str, str], None] = {}
    for namespace, account in accounts:
        names |= dict.fromkeys((namespace, name) for name in await _of_account(client, namespace, account))
    names |= dict.fromkeys((each.id.namespace, name) for each in workloads for name in each.pull_secrets)
    keyrings: list[Keyring] = []
    problems: list[Problem] = []
    for namespace, name in names:
        try:
            found = await _secret(client, namespace, name)
            keyrings += [keyring_of_secret(found.values, field=FIELD)] if found is not None else []
        except UserError as error:
            cause = str(error.problems[0])
            title = f"{FIELD} of namespace {namespace} can't all be used"
            problems.append(Problem(codes.PULL_SECRET, title, SECRETS.id_of(namespace, name), cause=cause))
    return join(keyrings), tuple(problems)


async def _of_account(client: KubeClient, namespace: str, name: str) -> list[str]:
    raw = await client.get(SERVICE_ACCOUNTS, namespace, name)
    if raw is None:
        return []
    return [secret.name for secret in msgspec.json.decode(raw, type=ServiceAccount).imagePullSecrets if secret.name]


async def _secret(client: KubeClient, namespace: str, name: str) -> SecretData | None:
    raw = await client.get(SECRETS, namespace, name)
    return None if raw is None else decode_secret(raw)


async def docker_logins(path: str) -> tuple[Keyring, tuple[Problem, ...]]:
    """The logins of a Docker configuration file, read anew each time; none, and why, of one that can't be used."""
    if not path:
        return NO_KEYRING, ()
    try:
        return keyring_of_file(await asyncio.to_thread(_read, Path(path))), ()
    except (OSError, SluiceError) as error:
        cause = error.strerror or "" if isinstance(error, OSError) else str(error)
        title = "--docker-config can't be used"
        return NO_KEYRING, (Problem(codes.FLAG_FILE, title, origin=Origin(path), cause=cause),)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_CONFIG + 1)
