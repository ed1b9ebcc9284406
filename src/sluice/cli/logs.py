"""`sluice logs`: what the operator says about an object of ours, or what the pods of a workload say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sluice.api.kinds import POD_LABELS
from sluice.cli.any_object import find_objects
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import seconds_of, usage
from sluice.cli.installation import DEPLOYMENTS, OUR_PODS, OURS, operator_namespace
from sluice.cli.kinds import choose
from sluice.cli.structured import write_structured
from sluice.cli.terminal import one_line
from sluice.core import codes
from sluice.core.errors import ClusterError, UserError
from sluice.core.problem import Problem, printable
from sluice.kube.pod_log import LogRequest
from sluice.kube.well_known import PODS
from sluice.runtime.root_cause import pods_of

if TYPE_CHECKING:
    from sluice.cli.answers import PodLine

MAX_STREAMS = 20
Object = dict[str, Any]
# A pod, its container and a line of it, to what is shown of it: text for people, a map for programs.
_Form = Callable[[Object, str, str], str | Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What of the logs is wanted."""

    follow: bool
    seconds: int
    tail: int
    level: str
    container: str
    previous: bool


@click.command(short_help="What the operator, or an app's pods, say.")
@click.argument("words", nargs=-1, metavar="[KIND/NAME]")
@click.option("--pods", "of_pods", is_flag=True, help="The pods' own lines; of any workload, like deploy/web.")
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@click.option("--since", default="", metavar="DURATION", help="Only newer lines, like 1h.")
@click.option("--tail", type=click.IntRange(min=0), default=0, metavar="N", help="Only the last N lines of each pod.")
@click.option("--level", type=click.Choice(("info", "error", "debug")), default=None, help="Only lines of this level.")
@click.option("-c", "--container", default="", metavar="NAME", help="With --pods: this container.")
@click.option("--previous", is_flag=True, help="With --pods: of the container's run before.")
@in_cluster
async def logs(cluster: Cluster, *, words: tuple[str, ...], of_pods: bool, level: str | None, **given: Any) -> ExitCode:
    """Print the operator's lines (about one object, when it is named), or with --pods those of a workload's pods.

    \b
    Examples: sluice logs ks/apps --since 1h
              sluice logs deploy/web --pods -n shop -f
    """
    seconds = int(seconds_of(given["since"], "--since")) if given["since"] else 0
    wish = _Wish(given["follow"], seconds, given["tail"], level or "", given["container"], given["previous"])
    if of_pods:
        pods = await _pods_of(cluster, words)
        structured, many = cluster.flags.structured, len(pods) > 1
        form = _pod_fields if structured else lambda pod, _, line: _pod_line(pod, line, many=many)
        await _print_all(cluster, pods, wish, form)
        return ExitCode.DONE
    if wish.container or wish.previous:
        raise usage("--container and --previous are for --pods", fix="add --pods")
    wanted = _filter(cluster, words, wish)
    structured = cluster.flags.structured
    pods = await _operator_pods(cluster)
    await _print_all(cluster, pods, wish, lambda _, __, line: _told(line, wanted, structured=structured))
    return ExitCode.DONE


async def _pods_of(cluster: Cluster, words: Sequence[str]) -> list[Object]:
    if not words:
        raise usage("--pods needs a workload", fix="sluice logs deploy/web --pods -n shop")
    pods: list[Object] = []
    for _, obj in await find_objects(cluster, words):
        pods += await pods_of(cluster.client, obj)
    if not pods:
        raise UserError(Problem(codes.TARGET_MISSING, f"{words[0]} has no pods", fix=f"sluice why {words[0]}"))
    return pods


async def _operator_pods(cluster: Cluster) -> list[Object]:
    namespace = await operator_namespace(cluster)
    found = (await cluster.client.list(PODS, namespace, labels=OUR_PODS, item_type=Object)).items
    if not found:
        subject = DEPLOYMENTS.id_of(namespace, OURS)
        title = f"the operator has no pod in namespace {namespace}"
        raise UserError(Problem(codes.TARGET_MISSING, title, subject, fix="sluice check names what is wrong"))
    return found


async def _print_all(cluster: Cluster, pods: list[Object], wish: _Wish, form: _Form) -> None:
    """All pods at once when they are followed, else one after the other, so that lines of one stay together."""
    requests = [(pod, name) for pod in pods for name in _containers(pod, wish.container)][:MAX_STREAMS]

    async def one(pod: Object, container: str) -> None:
        meta = pod["metadata"]
        request = LogRequest(
            meta["namespace"], meta["name"], container, wish.seconds, wish.tail, wish.follow, wish.previous
        )
        try:
            async with contextlib.aclosing(cluster.client.log(request)) as lines:
                async for line in lines:
                    answer = form(pod, container, line)
                    if isinstance(answer, str):
                        cluster.terminal.answer(answer)
                    elif answer is not None:
                        write_structured(cluster.terminal, answer, one_line=True)
                    cluster.terminal.out.flush()
        except ClusterError as error:
            if error.status != 400:
                raise
            cluster.terminal.say(f"{meta['name']}: {one_line(error.message)}")  # it has not started: no log yet

    if wish.follow:
        async with asyncio.TaskGroup() as group:
            for pod, name in requests:
                group.create_task(one(pod, name))
    else:
        for pod, name in requests:
            await one(pod, name)


def _containers(pod: Object, wanted: str) -> list[str]:
    names = [c.get("name", "") for c in (pod.get("spec") or {}).get("containers") or ()]
    if "manager" in names and not wanted and POD_LABELS.items() <= pod["metadata"].get("labels", {}).items():
        return ["manager"]
    return [name for name in names if wanted in {"", name}]


def _pod_line(pod: Object, line: str, *, many: bool) -> str:
    return f"{pod['metadata']['name']}  {printable(line)}" if many else printable(line)


def _pod_fields(pod: Object, container: str, line: str) -> PodLine:
    meta = pod["metadata"]
    return {"namespace": meta["namespace"], "pod": meta["name"], "container": container, "line": line}


def _filter(cluster: Cluster, words: Sequence[str], wish: _Wish) -> Callable[[Object], bool]:
    """Which of the operator's lines are wanted: the keys are those of Flux's controllers."""
    chosen = choose(words, default="ks") if words else None
    kinds = {kind.resource.kind for kind in chosen.kinds} if chosen is not None else set()
    names = set(chosen.names) if chosen is not None else set()

    def wanted(entry: Object) -> bool:
        if wish.level and entry.get("level") != wish.level:
            return False
        if chosen is None:
            return not cluster.scope or entry.get("namespace") in {None, cluster.scope}
        of_kind = entry.get("controllerKind") in kinds
        return of_kind and (not names or entry.get("name") in names) and entry.get("namespace") == cluster.namespace

    return wanted


def _told(line: str, wanted: Callable[[Object], bool], *, structured: bool) -> str | Object | None:
    try:
        entry = msgspec.json.decode(line, type=Object)
    except msgspec.MsgspecError:
        return None
    if not wanted(entry):
        return None
    if structured:
        return entry
    about = (
        f" {entry['controllerKind']}/{entry.get('name')}.{entry.get('namespace')}" if "controllerKind" in entry else ""
    )
    error = f": {entry['error']}" if entry.get("error") else ""
    return one_line(f"{entry.get('ts', '')} {entry.get('level', '')}{about} - {entry.get('msg', '')}{error}")
