"""Workloads as people name them: `deploy/web`, `shop:deployment/web`, and what is meant by each."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

import click

from sluice.cli.flags import usage
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image_update.workload import KINDS, WorkloadId
from sluice.core.name_rules import label_name_fault, name_fault
from sluice.core.problem import Problem, printable

_SHORT = {
    "deploy": "deployment",
    "deployments": "deployment",
    "ds": "daemonset",
    "daemonsets": "daemonset",
    "sts": "statefulset",
    "statefulsets": "statefulset",
    "cj": "cronjob",
    "cronjobs": "cronjob",
    "hr": "helmrelease",
    "helmreleases": "helmrelease",
}


def workload_option(*, about: str = "A workload: [NAMESPACE:]KIND/NAME; repeat it.") -> Callable[[Any], Any]:
    """The flag by which fluxctl names workloads."""
    names = ("-w", "--workload", "-c", "--controller")
    return click.option(*names, "workloads", multiple=True, metavar="WORKLOAD", help=about)


def names_a_workload(text: str) -> bool:
    """True when a kind of workload stands before the slash; everything else may be an image.

    >>> names_a_workload("shop:deploy/web"), names_a_workload("ghcr.io/acme/web:1.2")
    (True, False)
    """
    return text.rpartition("/")[0].rpartition(":")[2].lower() in {*KINDS, *_SHORT}


def workload_id(text: str, namespace: str, field: str = "--workload") -> WorkloadId:
    """Read a workload's name; `namespace` is that of a name without one. Raises UsageRefused."""
    try:
        found = WorkloadId.parse(text, namespace)
    except ValueError:
        title = f"{printable(text)!r} names no workload"
        raise usage(title, field=field, fix="write it as [NAMESPACE:]KIND/NAME, such as deploy/web") from None
    kind = _SHORT.get(found.kind, found.kind)
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, (*KINDS, *_SHORT), n=2, cutoff=0.6)
        fix = f"did you mean {' or '.join(near)}?" if near else f"one of {', '.join(KINDS)}"
        raise usage(f"{printable(kind)!r} is no kind of workload that has images to update", field=field, fix=fix)
    fault = label_name_fault(found.namespace) or name_fault("apps", "", found.name)
    if fault:
        raise usage(f"{printable(text)!r} names no workload", code=codes.BAD_NAME, cause=fault, field=field)
    return WorkloadId(found.namespace, kind, found.name)


def missing_workloads(missing: Iterable[WorkloadId], known: Iterable[WorkloadId], where: str) -> UserError:
    """The error that names each workload that is not there, with the nearest that are."""
    names = sorted(map(str, known))
    problems = []
    for identity in missing:
        near = difflib.get_close_matches(str(identity), names, n=3, cutoff=0.8)
        elsewhere = [name for name in names if name.partition(":")[2] == str(identity).partition(":")[2]]
        found = elsewhere or near
        fix = f"did you mean {' or '.join(found[:3])}?" if found else f"there: {', '.join(names[:10]) or 'none'}"
        problems.append(Problem(codes.TARGET_MISSING, f"there is no workload {identity} {where}", fix=fix))
    return UserError(*problems)
