"""`sluice debug --bundle`: everything that a report of a problem needs, in one file, and nothing that is secret.

Only our own objects, their events and the operator's own Deployment and pods are read: no Secret, no ConfigMap, no
log, no manifest. What is left is redacted: credentials in URLs, and values under names that say they are secret.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sluice import __version__
from sluice.cli.check import checked
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.diagnosis import diagnose, no_operator, read_world
from sluice.cli.error_output import API_VERSION
from sluice.cli.events import list_events
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.installation import DEPLOYMENTS, OUR_PODS, OURS, operator_namespace
from sluice.cli.kinds import KINDS
from sluice.cli.lookup import list_items
from sluice.cli.structured import write_structured
from sluice.cli.why import fields_of_report
from sluice.core import codes
from sluice.core.errors import SluiceError, UserError
from sluice.core.git_url import mask_userinfo
from sluice.core.problem import Origin, Problem
from sluice.kube.well_known import PODS

if TYPE_CHECKING:
    from sluice.cli.answers import Bundle, EventItem, WhyItem

_SECRET = re.compile(r"passw|token|secret_?key|private|authorization|credential", re.IGNORECASE)
_DROPPED = frozenset({"managedFields", "kubectl.kubernetes.io/last-applied-configuration"})
MASK = "*****"


@click.command(short_help="A file for a report of a problem, without secrets.")
@click.option("--bundle", type=click.Path(path_type=Path, dir_okay=False), default=None, metavar="FILE.tar.gz",
              help="Write it there; an existing file is not overwritten.")  # fmt: skip
@in_cluster
async def debug(cluster: Cluster, *, bundle: Path | None) -> ExitCode:
    """Collect versions, checks, our objects with status, their causes and events, and how the operator's pods are.

    Nothing of a Secret, a ConfigMap or a log is in it; look through it before you send it all the same.
    What can't be read is written down as that, and is no failure: exit 0.

    \b
    Example: sluice debug --bundle sluice.tar.gz -A
    """
    if bundle is None:
        raise usage("--bundle names the file to write", field="--bundle", fix="sluice debug --bundle sluice.tar.gz")
    parts: dict[str, Callable[[Cluster], Awaitable[Any]]] = {
        "versions.json": _versions,
        "check.json": checked,
        "objects.json": _objects,
        "why.json": _reports,
        "events.json": _events,
        "operator.json": _operator,
    }
    files = {name: await _part(cluster, read) for name, read in parts.items()}
    size = _write(bundle, files)
    if cluster.flags.structured:
        answer: Bundle = {
            "apiVersion": API_VERSION,
            "kind": "Bundle",
            "path": str(bundle),
            "bytes": size,
            "files": [*files],
        }
        write_structured(cluster.terminal, answer)
    else:
        cluster.terminal.answer(str(bundle))
        cluster.terminal.say(f"{len(files)} files, {size // 1024 + 1} KiB; no Secret, ConfigMap or log is in it")
    return ExitCode.DONE


async def _part(cluster: Cluster, read: Callable[[Cluster], Awaitable[Any]]) -> bytes:
    """One file. What can't be read is written down as that: the rest is worth having."""
    try:
        found = await read(cluster)
    except SluiceError as error:
        found = {"problem": str(error)}
    return msgspec.json.format(msgspec.json.encode(redacted(found)), indent=1)


async def _versions(cluster: Cluster) -> dict[str, Any]:
    served = await cluster.client.version()
    return {"client": __version__, "kubernetes": served.git_version, "platform": served.platform}


async def _objects(cluster: Cluster) -> dict[str, Any]:
    found = {}
    for kind in KINDS:
        try:
            found[kind.resource.kind] = await list_items(cluster, kind, cluster.scope)
        except SluiceError as error:
            found[kind.resource.kind] = [{"problem": str(error)}]
    return found


async def _reports(cluster: Cluster) -> list[WhyItem]:
    world, idle = await read_world(cluster), await no_operator(cluster)
    nodes = [node for node in (*world.syncs.values(), *world.sources.values()) if node.view.state != "Ready"]
    nodes = [node for node in nodes if cluster.scope in {"", node.view.namespace}]
    return [fields_of_report(await diagnose(cluster, world, node, idle)) for node in nodes]


async def _events(cluster: Cluster) -> list[EventItem]:
    return await list_events(cluster)


async def _operator(cluster: Cluster) -> dict[str, Any]:
    namespace = await operator_namespace(cluster)
    raw = await cluster.client.get(DEPLOYMENTS, namespace, OURS)
    pods = await cluster.client.list(PODS, namespace, labels=OUR_PODS, item_type=dict[str, Any])
    return {"deployment": msgspec.json.decode(raw) if raw is not None else None, "pods": pods.items}


def redacted(value: Any) -> Any:
    """The value without what is secret, and without what only takes room.

    >>> redacted({"url": "https://ana:pw@git.example/x", "token": "t", "secretRef": {"name": "key"}})
    {'url': 'https://*****@git.example/x', 'token': '*****', 'secretRef': {'name': 'key'}}
    """
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in _DROPPED}
        return {k: MASK if isinstance(v, str) and _SECRET.search(str(k)) else redacted(v) for k, v in kept.items()}
    if isinstance(value, list | tuple):
        return [redacted(each) for each in value]
    return mask_userinfo(value) if isinstance(value, str) and "://" in value else value


def _write(path: Path, files: dict[str, bytes]) -> int:
    """Write the archive and return its size in bytes. Raises UserError (FileMissing)."""
    try:
        with path.open("xb") as out, tarfile.open(fileobj=out, mode="w:gz") as bundle:
            for name, content in files.items():
                entry = tarfile.TarInfo(f"sluice/{name}")
                entry.size, entry.mode = len(content), 0o600
                bundle.addfile(entry, io.BytesIO(content))
        return path.stat().st_size
    except FileExistsError:
        problem = Problem(codes.FILE_MISSING, "the file exists already", origin=Origin(str(path)), fix="name another")
        raise UserError(problem) from None
    except OSError as error:
        cause = error.strerror or type(error).__name__
        problem = Problem(codes.FILE_MISSING, "the file can't be written", origin=Origin(str(path)), cause=cause)
        raise UserError(problem) from None
