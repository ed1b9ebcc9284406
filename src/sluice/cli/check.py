"""`sluice check`: is the cluster fit for Sluice, is the installation whole, and is somebody at work?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sluice.api.crds import KINDS
from sluice.cli.cluster import Cluster, in_cluster
from sluice.cli.diagnosis import no_operator
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.installation import DEPLOYMENTS, OUR_PODS, Installed, find_installations
from sluice.cli.kinds import GIT
from sluice.cli.lookup import list_views
from sluice.cli.structured import write_structured
from sluice.cli.terminal import one_line
from sluice.cli.version import OLDEST_MINOR, version_skew
from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.health import assess
from sluice.core.problem import Code, Problem
from sluice.core.problem_text import ToldProblem, read_problems
from sluice.kube.resource import Resource
from sluice.kube.well_known import CRDS

if TYPE_CHECKING:
    from sluice.cli.answers import CheckItem, CheckReport

REVIEWS = Resource(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False
)
# What an installation needs from whoever runs it.
_EXTENSIONS = ("onFailure", "drift", "adopt", "pruneLimit", "irreversible", "allowEmpty", "problem")
_NEEDED = (("apiextensions.k8s.io", "customresourcedefinitions", "create"), ("", "namespaces", "create"),
           ("rbac.authorization.k8s.io", "clusterroles", "create"), ("apps", "deployments", "create"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Without a problem it is well; `serious` False is only a warning."""

    part: str
    text: str
    problem: ToldProblem | None = None
    serious: bool = True


@click.command(short_help="Is the cluster fit, the installation whole, the operator at work?")
@click.option("--pre", is_flag=True, help="Only what an installation needs.")
@in_cluster
async def check(cluster: Cluster, *, pre: bool) -> ExitCode:
    """Check the cluster, and (without --pre) the installation, the operator and the sources. Exits 1 on a problem.

    \b
    Example: sluice check --pre
    """
    findings = [*await _cluster(cluster), *await _rights(cluster)] if pre else await _found(cluster)
    wrong = [each for each in findings if each.problem is not None and each.serious]
    if cluster.flags.structured:
        items = [_fields(each) for each in findings]
        answer: CheckReport = {"apiVersion": API_VERSION, "kind": "CheckReport", "ok": not wrong, "items": items}
        write_structured(cluster.terminal, answer)
    else:
        _show(cluster, findings)
    return ExitCode.NO if wrong else ExitCode.DONE


async def _found(cluster: Cluster) -> list[Finding]:
    parts = (_cluster, _installation, _operator, _sources)
    return [finding for part in parts for finding in await part(cluster)]


async def checked(cluster: Cluster) -> list[CheckItem]:
    """Every finding in the output contract's form."""
    return [_fields(each) for each in await _found(cluster)]


def _problem(code: Code, title: str, cause: str = "", fix: str = "", subject: Any = None) -> ToldProblem:
    return read_problems(str(Problem(code, title, subject, cause=cause, fix=fix)))[0]


async def _cluster(cluster: Cluster) -> list[Finding]:
    served = await cluster.client.version()
    skew = [text for text in version_skew("", served.major, served.minor) if "Kubernetes" in text]
    text = f"Kubernetes {served.git_version} (tested from 1.{OLDEST_MINOR})"
    problem = _problem(codes.INSTALLATION, skew[0], fix="use a newer cluster") if skew else None
    return [Finding("cluster", text, problem, serious=False)]


async def _rights(cluster: Cluster) -> list[Finding]:
    return [await _right(cluster, *needed) for needed in _NEEDED]


async def _right(cluster: Cluster, group: str, resource: str, verb: str) -> Finding:
    attributes = {"group": group, "resource": resource, "verb": verb}
    body = {"apiVersion": REVIEWS.api_version, "kind": REVIEWS.kind, "spec": {"resourceAttributes": attributes}}
    raw = await cluster.client.create(REVIEWS, "", msgspec.json.encode(body), manager="sluice-cli")
    status = msgspec.json.decode(raw, type=dict[str, Any]).get("status") or {}
    text = f"you may {verb} {resource}"
    if status.get("allowed"):
        return Finding("rights", text)
    title, cause = f"you may not {verb} {resource}", str(status.get("reason") or "no role of yours allows it")
    fix = "let somebody install who may, or ask for the role"
    return Finding("rights", text, _problem(codes.FORBIDDEN, title, cause, fix))


async def _installation(cluster: Cluster) -> list[Finding]:
    served = [
        await cluster.discovery.find(f"{definition.group}/{definition.version}", definition.kind)
        for definition, _ in KINDS
    ]
    if not any(served):
        none = _problem(codes.NOT_INSTALLED, "no CRD of Sluice is installed", fix="sluice install")
        return [Finding("crds", "CRDs", none)]
    findings = []
    for (definition, _), resource in zip(KINDS, served, strict=True):
        text = f"CRD {definition.crd_name}"
        problem = None
        if resource is None:
            problem = _problem(codes.NOT_INSTALLED, f"the CRD of {definition.kind} is not installed",
                               f"the API server does not serve {definition.group}/{definition.version}",
                               "sluice install")  # fmt: skip
        elif (extension := await _lacking(cluster, definition.crd_name)) is not None:
            problem = _problem(codes.INSTALLATION, f"{text} lacks fields of this version", extension, "sluice install")
        findings.append(Finding("crds", text, problem, serious=resource is None))
    return findings


async def _lacking(cluster: Cluster, name: str) -> str | None:
    """A sentence about a CRD that is Flux's or older than this version, and prunes our own optional fields."""
    if not name.startswith("kustomizations."):
        return None
    try:
        raw = await cluster.client.get(CRDS, "", name)
    except ClusterError as error:
        if error.status == 403:
            return None
        raise
    missing = [name for name in _EXTENSIONS if raw is not None and f'"{name}":'.encode() not in raw]
    return f"the API server drops fields of ours: {', '.join(missing)}" if missing else None


async def _operator(cluster: Cluster) -> list[Finding]:
    installed = [each for each in await find_installations(cluster) if each.is_ours]
    findings = [await _deployment(cluster, each) for each in installed]
    if not installed:
        findings.append(Finding("operator", "a Deployment of the operator",
                                _problem(codes.INSTALLATION, "no Deployment of the operator is in this cluster",
                                         "it may run elsewhere, or was never installed", "sluice install"),
                                serious=False))  # fmt: skip
    findings.append(Finding("operator", "somebody holds the lease", await no_operator(cluster)))
    return findings


async def _deployment(cluster: Cluster, found: Installed) -> Finding:
    raw = await cluster.client.get(DEPLOYMENTS, found.namespace, found.name)
    obj = msgspec.json.decode(raw, type=dict[str, Any]) if raw is not None else {}
    health = assess({"apiVersion": "apps/v1", "kind": "Deployment", **obj})
    text = f"Deployment {found.namespace}/{found.name} {found.version}"
    if (obj.get("spec") or {}).get("replicas") == 0:
        fix = f"kubectl scale deployment/{found.name} -n {found.namespace} --replicas=1"
        subject = DEPLOYMENTS.id_of(found.namespace, found.name)
        return Finding(
            "operator", text, _problem(codes.INSTALLATION, f"{text} has no replicas", "", fix, subject), serious=False
        )
    if health.is_current:
        return Finding("operator", text)
    subject, fix = (
        DEPLOYMENTS.id_of(found.namespace, found.name),
        f"kubectl get pods -n {found.namespace} -l {OUR_PODS}",
    )
    return Finding(
        "operator", text, _problem(codes.INSTALLATION, f"{text} is not available", health.message, fix, subject)
    )


async def _sources(cluster: Cluster) -> list[Finding]:
    if await cluster.discovery.find(GIT.resource.api_version, GIT.resource.kind) is None:
        return []
    views = await list_views(cluster, GIT, cluster.scope)
    return [
        Finding("sources", f"{view.reference} ({view.namespace})", view.problems[0] if view.problems else None)
        for view in views
    ]


def _show(cluster: Cluster, findings: Iterable[Finding]) -> None:
    terminal = cluster.terminal
    counted = 0
    for each in findings:
        if each.problem is None:
            terminal.answer(f"{each.part:<9} {terminal.glyph('Ready')} {one_line(each.text)}")
            continue
        counted += 1
        glyph = terminal.glyph("Failing") if each.serious else terminal.paint("!", "yellow", terminal.out)
        code = f"  [{each.problem.code}]" if each.problem.code else ""
        terminal.answer(f"{each.part:<9} {glyph} {one_line(each.problem.title)}{code}")
        for word, text in (("why", each.problem.cause), ("fix", each.problem.fix)):
            if text:
                terminal.answer(f"{'':<11} {word}: {one_line(text)}")
    terminal.say(f"{counted} problem{'s' if counted > 1 else ''}" if counted else "all is well")


def _fields(each: Finding) -> CheckItem:
    from sluice.cli.view import problem_fields

    cause = problem_fields(each.problem) if each.problem is not None else None
    severity = None if cause is None else "error" if each.serious else "warning"
    return {"part": each.part, "text": each.text, "ok": cause is None, "severity": severity, "cause": cause}
