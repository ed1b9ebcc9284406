"""`sluice run`: the operator, with the flags of Flux's controllers and, for one repository without CRDs, fluxd's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sluice import settings
from sluice.cli.automation_flags import automation_of, automation_options, git_writing_of
from sluice.cli.exit_codes import ExitCode
from sluice.cli.feature_gates import OBJECT_IDENTITIES, gates_of
from sluice.cli.flags import Flags, namespace_of, seconds_of, usage
from sluice.cli.fluxd_api_flags import DEPLOY_SECRET, fluxd_api_options, fluxd_api_settings
from sluice.cli.fluxd_flags import refused_options
from sluice.cli.generation_flags import generator_path_of
from sluice.core import codes
from sluice.core.errors import StateError, UserError
from sluice.core.flag_source import FlagSource
from sluice.core.problem import Origin, Problem
from sluice.settings import Settings

_DURATIONS = ("git_poll_interval", "sync_interval", "git_timeout", "sync_timeout")
_NEEDS_URL = (
    "git_branch",
    "git_path",
    "git_poll_interval",
    "sync_interval",
    "git_timeout",
    "sync_timeout",
    "git_sync_tag",
    "k8s_secret_name",
    "git_verify_signatures",
    "git_verify_signatures_mode",
    "drift",
    "drift_ignore",
    "connect",
    "manifest_generation",
    "generator_path",
)


def switch(*names: str, about: str, default: bool = False, **more: Any) -> Callable[[Any], Any]:
    """A flag that is switched on by its name alone, and takes `=true` and `=false` as Go's flags do."""
    return click.option(*names, type=bool, is_flag=False, flag_value="true", default=default, help=about, **more)


@click.command(short_help="Run the operator.")
@click.option("--runtime-namespace", metavar="NAME", help="Namespace of records and leases (env RUNTIME_NAMESPACE).")
@click.option(
    "--storage-path", type=click.Path(path_type=Path), help="Folder of mirrors and artifacts (/data in a pod)."
)
@click.option("--storage-adv-addr", metavar="HOST", help="Host under which artifacts' URLs are advertised.")
@click.option("--storage-addr", default="", metavar="ADDR", help="Where artifacts are served, like :9090.")
@click.option("--hook-addr", default="", metavar="ADDR", help="Where Receivers are called, like :9292; nowhere unset.")
@click.option("--metrics-addr", default="", metavar="ADDR", help="Where /metrics is served, like :8080; nowhere unset.")
@click.option("--health-addr", default="", metavar="ADDR", help="Where /healthz and /readyz are served, like :9440.")
@click.option("--log-level", default="info", type=click.Choice(("trace", "debug", "info", "error")), show_default=True)
@click.option("--log-encoding", default="json", type=click.Choice(("json", "console")), show_default=True)
@switch("--no-cross-namespace-refs", about="Refuse references to other namespaces.")
@switch("--allow-cross-namespace-alerts", about="Let alerts tell of objects in other namespaces, as Flux's do.")
@click.option(
    "--default-service-account",
    default="",
    metavar="NAME",
    help="Whom Kustomizations without serviceAccountName apply as, in their own namespace. [the operator itself]",
)
@click.option(
    "--feature-gates",
    multiple=True,
    metavar="NAME=true",
    help="What Flux does only so, too: ObjectLevelWorkloadIdentity=true uses the cloud identities of ServiceAccounts.",
)
@switch("--watch-all-namespaces", default=True, about="Watch everywhere; =false: the runtime namespace only.")
@click.option(
    "--identity", hidden=True, help="Who holds the leases; a restarted process with the same one need not wait."
)
@switch("--git-allow-loopback", about="Let sources name addresses of this machine (tests).")
@switch("--git-insecure-http-credentials", about="Send credentials over plain http.")
@switch("--registry-allow-loopback", about="Let images name registries of this machine (tests).")
@click.option(
    "--registry-insecure-host",
    multiple=True,
    metavar="HOST",
    help="A registry that may be without TLS, or with a certificate that nobody trusts; repeat it for more.",
)
@click.option(
    "--registry-realm-host",
    multiple=True,
    metavar="HOST",
    help="A host that gives out tokens for registries of other domains; repeat it for more.",
)
@click.option("--registry-rps", default=50.0, metavar="N", help="Requests a second to one registry. [50]")
@click.option("--registry-burst", default=125, metavar="N", help="Requests at once to one registry. [125]")
@click.option(
    "--egress-allow",
    multiple=True,
    metavar="NET|HOST",
    help="A private network (10.0.0.0/8) or host (*.svc.cluster.local) that notifications may be sent to; repeatable.",
)
@click.option(
    "--otlp-endpoint", default="", metavar="URL", help="Send traces there by OTLP/HTTP, like http://collector:4318."
)
@click.option("--git-url", default="", metavar="URL", help="Flag mode: sync this one repository, without any CRD.")
@click.option("--git-branch", metavar="NAME", help="Flag mode: branch. [master]")
@click.option("--git-path", multiple=True, metavar="PATH", help="Flag mode: folder; repeat it, or separate by commas.")
@click.option("--git-poll-interval", metavar="DURATION", help="Flag mode: how often to fetch. [5m]")
@click.option("--sync-interval", metavar="DURATION", help="Flag mode: how often the whole is checked. [5m]")
@click.option("--git-timeout", metavar="DURATION", help="Flag mode: limit of one git operation. [20s]")
@click.option("--sync-timeout", metavar="DURATION", help="Flag mode: limit of one sync. [--sync-interval less 30s]")
@switch("--sync-garbage-collection", about="Flag mode: delete what left git.")
@switch("--git-readonly", about="Never write to git: what would be committed is told instead.")
@switch("--git-verify-signatures", about="Flag mode: as --git-verify-signatures-mode=all.")
@click.option(
    "--git-verify-signatures-mode",
    type=click.Choice(("none", "all", "first-parent")),
    help="Flag mode: which commits must be signed; the newest after which one is not is not synced. [none]",
)
@click.option("--connect", default="", metavar="URL", help="Flag mode: post fluxd's events there (/v6/events).")
@click.option("--k8s-secret-name", metavar="NAME", help="Flag mode: Secret with the deploy key or password.")
@click.option("--k8s-default-namespace", metavar="NAME", help="Flag mode: for objects that name none. [default]")
@click.option(
    "--drift",
    type=click.Choice(("Correct", "Warn", "Ignore")),
    help="Flag mode: what changes of others lead to. [Correct]",
)
@click.option(
    "--drift-ignore",
    multiple=True,
    metavar="[KIND:]POINTER",
    help="Flag mode: a field left to the cluster, like Deployment:/spec/replicas; repeat it for more.",
)
@automation_options
@fluxd_api_options
@switch("--manifest-generation", about="Flag mode: run the commands of a .flux.yaml for its paths' manifests.")
@click.option(
    "--generator-path",
    metavar="DIRS",
    help="Flag mode: folders of the programs for these commands, separated by colons. [the system's]",
)
@refused_options
@click.pass_context
def run(context: click.Context, /, **given: Any) -> ExitCode:
    """Run the operator until it is told to stop (SIGTERM, SIGINT).

    \b
    Example: sluice run --git-url https://git.example/fleet --git-path apps
    """
    import asyncio

    flags: Flags = context.obj
    chosen = settings_of(flags, given)
    access = settings.cluster_access(chosen.kubeconfig, chosen.context)
    _prepare(chosen.storage)

    from sluice.runtime.logging import configure_logging

    configure_logging(chosen.log_level, chosen.log_format)
    return asyncio.run(_run(chosen, access))


def settings_of(flags: Flags, given: dict[str, Any]) -> Settings:
    """What the operator runs with. Raises UsageRefused for values that can't be used, all rules in this one place."""
    import os
    import socket

    namespace = flags.namespace or settings.runtime_namespace()
    if given["runtime_namespace"]:
        namespace = namespace_of(given["runtime_namespace"], "--runtime-namespace")
    for flag in ("metrics_addr", "health_addr", "storage_addr", "hook_addr"):
        _check_address(given[flag], f"--{flag.replace('_', '-')}")
    _check_address(given["listen"] or "", "--listen")
    return Settings(
        namespace=namespace,
        kubeconfig=flags.kubeconfig,
        context=flags.context,
        storage=given["storage_path"] or _default_storage(),
        artifact_host=given["storage_adv_addr"] or f"source-controller.{namespace}.svc.cluster.local.",
        health_address=given["health_addr"],
        metrics_address=given["metrics_addr"],
        storage_address=given["storage_addr"],
        hook_address=given["hook_addr"],
        log_level=given["log_level"],
        log_format=given["log_encoding"],
        no_cross_namespace_refs=given["no_cross_namespace_refs"],
        object_identities=OBJECT_IDENTITIES in gates_of(given["feature_gates"]),
        cross_namespace_alerts=given["allow_cross_namespace_alerts"],
        default_service_account=_default_account(given),
        watch_namespace="" if given["watch_all_namespaces"] else namespace,
        identity=given["identity"] or f"{socket.gethostname()}_{os.getpid()}",
        flag_source=_flag_source(given),
        git_allow_loopback=given["git_allow_loopback"],
        git_insecure_http_credentials=given["git_insecure_http_credentials"],
        git_read_only=given["git_readonly"],
        **_registries(given),
        egress_allow=_egress(given["egress_allow"]),
        otlp_endpoint=_collector(given["otlp_endpoint"]),
        upstream=_upstream(given["connect"]),
        automation=automation_of(given),
        git_writing=git_writing_of(given),
        **fluxd_api_settings(given),
        pod=settings.pod_name(),
        environment=settings.environment(),
    )


def _registries(given: dict[str, Any]) -> dict[str, Any]:
    for flag in ("registry_rps", "registry_burst"):
        if not 0 < given[flag] <= 10_000:
            name = f"--{flag.replace('_', '-')}"
            raise usage(f"{name} {given[flag]:g} is out of range", field=name, fix="give 1 to 10000")
    return {
        "registry_allow_loopback": given["registry_allow_loopback"],
        "registry_insecure_hosts": given["registry_insecure_host"],
        "registry_realm_hosts": given["registry_realm_host"],
        "registry_rps": given["registry_rps"],
        "registry_burst": given["registry_burst"],
    }


def _default_account(given: dict[str, Any]) -> str:
    account, flag = given["default_service_account"], "--default-service-account"
    if account and given["git_url"]:
        fix = "leave one of them out"
        raise usage(f"{flag} means nothing with --git-url: flag mode has no namespace of its own", field=flag, fix=fix)
    return namespace_of(account, flag) if account else ""


def _egress(entries: tuple[str, ...]) -> tuple[str, ...]:
    from sluice.core.egress import parse_egress

    try:
        parse_egress(entries)
    except ValueError as error:
        fix = "write a network such as 10.0.0.0/8, or a host such as *.svc.cluster.local"
        raise usage(f"--egress-allow: {error}", field="--egress-allow", fix=fix) from None
    return entries


def _collector(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        good = good and not parts.query and not parts.fragment and not parts.username
    except ValueError:
        good = False
    if url and not good:
        flag = "--otlp-endpoint"
        raise usage(f"{flag} is no plain http or https URL", field=flag, fix=f"write {flag} http://collector:4318")
    return url


def _upstream(address: str) -> str:
    from urllib.parse import urlsplit

    try:
        url = urlsplit(address)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        usable = False
    if not address or (usable and address.isprintable() and address.isascii()):
        return address
    fix = "write http://host or https://host; for ws:// the same host with http://, no websocket is spoken"
    raise usage("--connect is no http or https URL", field="--connect", fix=fix)


def _flag_source(given: dict[str, Any]) -> FlagSource | None:
    if not given["git_url"]:
        for name in _NEEDS_URL:
            if given[name]:
                flag = f"--{name.replace('_', '-')}"
                raise usage(f"{flag} means nothing without --git-url", field=flag, fix="give --git-url as well")
        return None
    from sluice.core.git_url import check_ref_name, parse_url

    try:
        url = parse_url(given["git_url"], field="--git-url", scp=True)
        check_ref_name(given["git_branch"] or "master", "--git-branch")
    except UserError as error:
        from sluice.cli.exit_codes import UsageRefused

        raise UsageRefused(*error.problems) from None
    for name in _DURATIONS:
        if given[name]:
            seconds_of(given[name], f"--{name.replace('_', '-')}")
    namespace = given["k8s_default_namespace"]
    values = {
        "branch": given["git_branch"],
        "poll_interval": given["git_poll_interval"],
        "sync_interval": given["sync_interval"],
        "timeout": given["git_timeout"],
        "sync_timeout": given["sync_timeout"],
        "secret_name": given["k8s_secret_name"] or ("" if url.is_http else DEPLOY_SECRET),
        "default_namespace": namespace_of(namespace, "--k8s-default-namespace") if namespace else None,
        "drift": given["drift"],
        "ignored": _ignored(given["drift_ignore"]),
        **_signatures(given),
        "manifest_generation": given["manifest_generation"],
        "generator_path": generator_path_of(given["generator_path"]),
    }
    chosen = {name: value for name, value in values.items() if value}
    paths = _paths(given["git_path"])
    return FlagSource(str(url), paths=paths, garbage_collection=given["sync_garbage_collection"], **chosen)


def _signatures(given: dict[str, Any]) -> dict[str, Any]:
    """fluxd's rule: the old switch means mode all, and the mode goes before it."""
    mode = given["git_verify_signatures_mode"] or ("all" if given["git_verify_signatures"] else "none")
    keys = tuple(path.strip() for text in given["git_gpg_key_import"] for path in text.split(",") if path.strip())
    if mode != "none" and not keys:
        flag = "--git-gpg-key-import"
        fix = f"name the file or folder with the public keys of those who sign, with {flag}"
        raise usage("signatures are to be verified, and no key is named", field=flag, fix=fix)
    return {"signatures": mode if mode != "none" else "", "key_files": keys}


def _paths(given: tuple[str, ...]) -> tuple[str, ...]:
    paths = tuple(dict.fromkeys(path.strip() for text in given for path in text.split(",")))
    for path in paths:
        if path.startswith("/") or ".." in path.split("/"):
            fix = f"write {path.strip('/')!r}" if path.startswith("/") else "name a folder inside the repository"
            raise usage(f"--git-path {path!r} is not a path inside the repository", field="--git-path", fix=fix)
    return paths or ("",)


def _ignored(given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    from sluice.core.ignored_fields import parse_pointer

    found = []
    for text in given:
        kind, _, pointer = ("", "", text) if text.startswith("/") else text.partition(":")
        try:
            parse_pointer(pointer)
        except ValueError as error:
            why = str(error)
        else:
            why = "" if not kind or kind.isalnum() else "the kind is no kind's name"
        if why:
            fix = "write /spec/replicas, or Deployment:/spec/replicas"
            raise usage(f"--drift-ignore {text[:100]!r}: {why}", field="--drift-ignore", fix=fix)
        found.append((kind, pointer))
    return tuple(found)


def _check_address(address: str, flag: str) -> None:
    port = address.rpartition(":")[2]
    if address and not (":" in address and port.isdecimal() and int(port) < 65536):
        raise usage(
            f"{flag} {address!r} is not an address", field=flag, fix=f"write {flag} :8080 or {flag} 127.0.0.1:8080"
        )


def _default_storage() -> Path:
    return Path("/data") if settings.in_cluster() else settings.cache_home() / "operator"


def _prepare(storage: Path) -> None:
    """Make the folders of the storage. Raises UserError when that can't be done: nothing else is tried in its place."""
    try:
        for part in ("mirrors", "artifacts", "render"):
            (storage / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            Problem(
                codes.FILE_MISSING,
                "the storage folder can't be used",
                origin=Origin(str(storage)),
                field="--storage-path",
                cause=error.strerror or type(error).__name__,
                fix="make it writable for this user, or name another with --storage-path",
            )
        ) from None


async def _run(chosen: Settings, access: Any) -> ExitCode:
    import asyncio
    import signal

    import structlog

    from sluice.runtime.last_words import LAST_WORDS, last_words
    from sluice.wiring import LeadershipLost, run_operator

    log = structlog.get_logger()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("starting", namespace=chosen.namespace, identity=chosen.identity, server=access.server)
    try:
        with last_words(chosen.storage / LAST_WORDS):
            await run_operator(chosen, access, stop, lambda: log.info("ready"))
    except* LeadershipLost as lost:
        raise StateError(
            Problem(
                codes.LEASE_HELD,
                "the lease was lost, so nothing may be written any more",
                cause=str(lost.exceptions[0]),
                fix="none needed in a cluster: the process is restarted and waits for its turn",
            )
        ) from None
    return ExitCode.DONE
