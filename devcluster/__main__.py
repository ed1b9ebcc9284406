"""`python -m devcluster`: the cluster for people, one verb per thing to do with it.

Exit codes: 0 done (`status`: it runs), 1 it failed or does not run, 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from devcluster.binary import ensure_binary, kubernetes_version
from devcluster.cluster import Cluster
from devcluster.components import ALL_COMPONENTS, ClusterOptions
from devcluster.directory import named_directory
from devcluster.errors import DevclusterError
from devcluster.layout import log_path
from devcluster.process import processes_in
from devcluster.registry import ensure_registry
from devcluster.services import push_tag, served

DEFAULT_NAME = "default"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code; errors are printed whole, without a traceback."""
    parsed = _parser().parse_args(arguments)
    verb: Callable[[argparse.Namespace], int] = parsed.verb
    try:
        return verb(parsed)
    except DevclusterError as error:
        _say(f"error: {error}")
    except KeyboardInterrupt:
        _say("interrupted")
    except BrokenPipeError:
        # The reader of our output (`| head`) has left: nothing is wrong, and nobody is there to be told.
        sys.stderr.close()
    return 1


def _build(_: argparse.Namespace) -> int:
    print(ensure_binary(_say))
    print(ensure_registry(_say))
    return 0


def _up(parsed: argparse.Namespace) -> int:
    options = ClusterOptions(nodes=parsed.nodes, audit=parsed.audit, fairness=not parsed.no_fairness)
    cluster = Cluster.up(parsed.name, options, _say)
    _say(f"Kubernetes {kubernetes_version()} is up at {cluster.server}; use it with")
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    return 0


def _down(parsed: argparse.Namespace) -> int:
    there = Cluster.down(parsed.name)
    _say(f"cluster {parsed.name} is down" if there else f"there is no cluster {parsed.name}")
    return 0


def _status(parsed: argparse.Namespace) -> int:
    cluster = Cluster.find(parsed.name)
    if cluster is None:
        _say(f"cluster {parsed.name} is not up")
        return 1
    print(f"{parsed.name}  {cluster.server}  {cluster.kubeconfig}")
    pids = {found.component: found.pid for found in processes_in(cluster.directory)}
    for component in cluster.options.components:
        print(f"  {component:<24} {f'running, pid {pids[component]}' if component in pids else 'not running'}")
    return 1 if cluster.missing() else 0


def _serve(parsed: argparse.Namespace) -> int:
    with served(parsed.folder) as exported:
        _say("a git repository and a registry, until Ctrl-C; use them with")
        print(exported, flush=True)
        signal.pause()
    return 0


def _push(parsed: argparse.Namespace) -> int:
    repository, _, tag = parsed.image.rpartition(":")
    host, _, name = repository.partition("/")
    print(push_tag(host, name, tag))
    return 0


def _kubeconfig(parsed: argparse.Namespace) -> int:
    print(_running(parsed.name).kubeconfig)
    return 0


def _logs(parsed: argparse.Namespace) -> int:
    directory = named_directory(parsed.name)
    chosen = [parsed.component] if parsed.component else list(ALL_COMPONENTS)
    files = [file for file in (log_path(directory, component) for component in chosen) if file.is_file()]
    if not files:
        raise _not_up(parsed.name)
    for file in files:
        _print_log(file, named=len(files) > 1)
    return 0


def _print_log(file: Path, *, named: bool) -> None:
    if named:
        print(f"==> {file.stem} <==")
    with file.open(errors="replace") as lines:
        for line in lines:
            print(line, end="")


def _running(name: str) -> Cluster:
    cluster = Cluster.find(name)
    if cluster is None or cluster.missing():
        raise _not_up(name)
    return cluster


def _not_up(name: str) -> DevclusterError:
    return DevclusterError(
        f"There is no running cluster {name}",
        "it was never started, or its processes have ended",
        f"`python -m devcluster up --name {name}`",
    )


def _say(line: str) -> None:
    """Tell the person something; standard output is for what a script would read."""
    with suppress(BrokenPipeError):
        print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description="A real Kubernetes control plane here.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text)
        added.set_defaults(verb=run)
        return added

    verb("build", _build, "Build the control plane and the registry if they are not in the cache; print their paths.")
    up = verb("up", _up, "Boot a cluster that stays until `down`; does nothing when it runs.")
    up.add_argument("--nodes", type=_count, default=1, metavar="N", help="simulated nodes (1)")
    up.add_argument("--audit", action="store_true", help="write audit.log beside the kubeconfig")
    up.add_argument("--no-fairness", action="store_true", help="lift the API server's own limits (benchmarks)")
    down = verb("down", _down, "End a cluster and delete its data.")
    status = verb("status", _status, "Say which components run; exits 0 only when all do.")
    kubeconfig = verb("kubeconfig", _kubeconfig, "Print the path of the admin's kubeconfig.")
    logs = verb("logs", _logs, "Print what the components have logged.")
    logs.add_argument("component", nargs="?", choices=ALL_COMPONENTS, help="one component alone")
    serve = verb("serve", _serve, "Serve a git repository and a registry, for trying things out, until interrupted.")
    serve.add_argument("--folder", type=Path, required=True, help="where both keep their data; `env` there names them")
    push = verb("push", _push, "Push a tiny image to a registry without TLS; print its digest.")
    push.add_argument("image", type=_image, metavar="HOST/NAME:TAG")
    for named in (up, down, status, kubeconfig, logs):
        named.add_argument("--name", default=DEFAULT_NAME, help="which cluster (%(default)s)")
    return parser


def _image(text: str) -> str:
    if re.fullmatch(r"[^/\s]+:[0-9]+/[^:\s]+:[^:/\s]+", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT/NAME:TAG")
    return text


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
