"""`sluice create`: a source or a sync from flags, with the flux CLI's names; applied and waited for, or printed."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from sluice.cli.cluster import open_cluster
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags, usage
from sluice.cli.kinds import GIT, SYNCS, Kind, choose
from sluice.cli.terminal import Terminal

_GIT_FLAGS = (
    "url",
    "branch",
    "tag",
    "tag_semver",
    "commit",
    "ref_name",
    "secret_ref",
    "ignore_paths",
    "recurse_submodules",
)
_SYNC_FLAGS = (
    *("source", "path", "prune", "wait", "depends_on", "target_namespace", "health_check", "health_check_timeout"),
    "retry_interval",
)


@click.command(short_help="A source or a sync, from flags.")
@click.argument("words", nargs=-1, metavar="source git NAME | kustomization NAME")
@click.option("--url", default="", help="Source: address of the repository.")
@click.option("--branch", default="", help="Source: branch to follow.")
@click.option("--tag", default="", help="Source: tag to follow.")
@click.option("--tag-semver", default="", metavar="RANGE", help="Source: newest tag of this range.")
@click.option("--commit", default="", help="Source: full commit hash.")
@click.option("--ref-name", default="", metavar="REF", help="Source: full reference, like refs/heads/main.")
@click.option("--secret-ref", default="", metavar="SECRET", help="Source: Secret with the credentials.")
@click.option("--ignore-paths", default="", metavar="RULES", help="Source: paths to leave out, separated by commas.")
@click.option("--recurse-submodules", is_flag=True, help="Source: fetch submodules, too.")
@click.option("--source", default="", metavar="KIND/NAME[.NS]", help="Sync: what it applies.")
@click.option("--path", default="", metavar="FOLDER", help="Sync: folder in the source.")
@click.option("--prune", is_flag=True, help="Sync: delete what leaves git.")
@click.option("--wait", is_flag=True, help="Sync: ready only once its objects are healthy.")
@click.option("--depends-on", multiple=True, metavar="[NS/]NAME", help="Sync: wait for these.")
@click.option("--target-namespace", default="", metavar="NAME", help="Sync: put all objects there.")
@click.option("--health-check", multiple=True, metavar="KIND/NAME.NS", help="Sync: objects that must be healthy.")
@click.option("--health-check-timeout", default="", metavar="DURATION", help="Sync: how long health may take.")
@click.option("--retry-interval", default="", metavar="DURATION", help="Sync: when to try again after a failure.")
@click.option("--interval", default="", metavar="DURATION", help="How often to look (1m; a sync: 10m).")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="Labels.")
@click.option("--export", "only_print", is_flag=True, help="Print it as YAML (or with -o json), and ask no cluster.")
@click.pass_obj
def create(flags: Flags, /, *, words: tuple[str, ...], only_print: bool, **given: Any) -> ExitCode:
    """Make (or change) a GitRepository or a Kustomization and wait until it is ready. With --export only print it.

    \b
    Examples: sluice create source git fleet --url https://git.example/fleet.git --branch main --export
              sluice create ks apps --source GitRepository/fleet --path ./apps --prune
    """
    chosen = choose(words)
    if chosen.kinds not in {(GIT,), (SYNCS,)} or len(chosen.names) != 1:
        raise usage("name one source or Kustomization", fix="sluice create source git fleet --url …")
    [kind], [name] = chosen.kinds, chosen.names
    _refuse_others(kind, given)
    terminal = Terminal(flags)
    body = _body(kind, name, given)
    if only_print:
        from sluice import settings
        from sluice.cli.structured import to_yaml

        body["metadata"]["namespace"] = flags.namespace or settings.DEFAULT_NAMESPACE
        _check(kind, body)
        if flags.output == "json":
            from sluice.cli.structured import write_structured

            write_structured(terminal, body)
        else:
            terminal.answer(f"---\n{to_yaml(body).rstrip()}")
        return ExitCode.DONE
    import asyncio

    return asyncio.run(_apply(terminal, kind, body))


def _refuse_others(kind: Kind, given: dict[str, Any]) -> None:
    """Flags of the other kind."""
    for name in _SYNC_FLAGS if kind is GIT else _GIT_FLAGS:
        if given[name]:
            flag = f"--{name.replace('_', '-')}"
            raise usage(f"{flag} does not belong to a {kind.resource.kind}", field=flag, fix="see sluice create --help")
    wanted = "url" if kind is GIT else "source"
    if not given[wanted]:
        raise usage(f"--{wanted} is needed", field=f"--{wanted}", fix="see sluice create --help")


def _body(kind: Kind, name: str, given: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": ""}
    if given["label"]:
        metadata["labels"] = dict(sorted(_pair(text, "--label") for text in given["label"]))
    spec = _git_spec(given) if kind is GIT else _sync_spec(given)
    spec = {key: value for key, value in spec.items() if value not in ("", None, [], {})}
    return {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind, "metadata": metadata, "spec": spec}


def _git_spec(given: dict[str, Any]) -> dict[str, Any]:
    ref = {"branch": given["branch"], "tag": given["tag"], "semver": given["tag_semver"]}
    ref |= {"commit": given["commit"], "name": given["ref_name"]}
    return {
        "interval": given["interval"] or "1m",
        "url": given["url"],
        "ref": {key: value for key, value in ref.items() if value},
        "secretRef": {"name": given["secret_ref"]} if given["secret_ref"] else None,
        "ignore": "\n".join(part.strip() for part in given["ignore_paths"].split(",") if part.strip()),
        "recurseSubmodules": given["recurse_submodules"] or None,
    }


def _sync_spec(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "interval": given["interval"] or "10m",
        "retryInterval": given["retry_interval"],
        "path": given["path"] or "./",
        "prune": given["prune"],
        "sourceRef": _source(given["source"]),
        "targetNamespace": given["target_namespace"],
        "dependsOn": [_dependency(text) for text in given["depends_on"]],
        "wait": given["wait"] or None,
        "healthChecks": [_health_check(text) for text in given["health_check"]],
        "timeout": given["health_check_timeout"],
    }


def _pair(text: str, flag: str, sign: str = "=") -> tuple[str, str]:
    key, found, value = text.partition(sign)
    if not found or not key:
        raise usage(f"{flag} {text!r} has no {sign!r}", field=flag, fix=f"{flag} KEY{sign}VALUE")
    return key, value


def _source(text: str) -> dict[str, str]:
    kind, named, rest = text.partition("/")
    name, _, namespace = (rest if named else kind).partition(".")
    found = {"kind": kind if named else "GitRepository", "name": name}
    return found | ({"namespace": namespace} if namespace else {})


def _dependency(text: str) -> dict[str, str]:
    namespace, separator, name = text.rpartition("/")
    return {"name": name, "namespace": namespace} if separator else {"name": name}


def _health_check(text: str) -> dict[str, str]:
    kind, rest = _pair(text, "--health-check", "/")
    name, separator, namespace = rest.rpartition(".")
    if not separator:
        raise usage(f"--health-check {text!r} names no namespace", fix="--health-check Deployment/web.shop")
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "namespace": namespace}


def _check(kind: Kind, body: dict[str, Any]) -> None:
    """The checks that the operator makes of a spec, before anybody commits it. Raises UserError with all problems."""
    from sluice.api.git_repository import GitRepository
    from sluice.api.kustomization import Kustomization
    from sluice.api.validate import SpecRules
    from sluice.api.validate_git_repository import validate_git_repository
    from sluice.api.validate_kustomization import validate_kustomization
    from sluice.core.errors import UserError
    from sluice.core.git_url import parse_url

    raw = msgspec.json.encode(body)
    if kind is GIT:
        source = msgspec.json.decode(raw, type=GitRepository)
        problems = validate_git_repository(source)
        if not problems:
            parse_url(source.spec.url)
    else:
        problems = validate_kustomization(msgspec.json.decode(raw, type=Kustomization), SpecRules())
    if problems:
        raise UserError(*problems)


async def _apply(terminal: Terminal, kind: Kind, body: dict[str, Any]) -> ExitCode:
    """Create or change it, as the person's own field manager, and wait for what becomes of it."""
    from sluice.api.kinds import REQUESTED_AT
    from sluice.cli.error_output import told_text
    from sluice.cli.lookup import Item
    from sluice.cli.progress import Progress
    from sluice.cli.request import MANAGER, new_token, said, wait_until
    from sluice.cli.several import show_views
    from sluice.cli.view import view_of

    async with open_cluster(terminal) as cluster:
        token = new_token()
        body["metadata"]["namespace"] = cluster.namespace
        body["metadata"]["annotations"] = {REQUESTED_AT: token}
        _check(kind, body)
        name = body["metadata"]["name"]
        applied = await cluster.client.apply(
            kind.resource, cluster.namespace, name, msgspec.json.encode(body), manager=MANAGER
        )
        view = view_of(kind, msgspec.json.decode(applied.raw, type=Item))
        terminal.say(f"{view.reference} {'created' if applied.created else 'changed'} in namespace {cluster.namespace}")
        async with Progress(terminal) as progress:
            settled = await wait_until(cluster, view, token, progress)
            progress.end(settled.reference, "Ready" if settled.ready == "True" else "Failing", settled.reason)
        show_views(cluster, [settled])
        if settled.ready == "True":
            if not terminal.flags.structured and terminal.flags.output != "name":
                terminal.answer(f"{terminal.glyph('Ready')} {settled.reference} is {said(settled)}")
            return ExitCode.DONE
        for problem in settled.problems:
            terminal.warn(told_text(terminal, problem))
        return ExitCode.FAILED
