"""What holds an object of ours up without its status saying so, as problems: suspended, rolled back, missing, going."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sluice.api.kinds import ROLLBACK_BY, ROLLBACK_FROM
from sluice.cli.chain_node import Key, Node, World, source_key
from sluice.cli.view import SUSPEND_REASON, SUSPENDED_BY, short_revision
from sluice.core import codes
from sluice.core.problem import Problem
from sluice.core.problem_text import ToldProblem, read_problems


def told(problem: Problem) -> ToldProblem:
    """A problem found here, in the form in which a status tells one."""
    return read_problems(str(problem))[0]


def suspension(node: Node) -> ToldProblem:
    """That it is suspended, by whom and why, as a problem."""
    view = node.view
    by, reason = view.annotations.get(SUSPENDED_BY, ""), view.annotations.get(SUSPEND_REASON, "")
    cause = f"by {by}" if by else "nobody said by whom"
    return told(
        Problem(
            codes.SUSPENDED,
            f"{view.reference} is suspended",
            node.id,
            cause=f"{cause}: {reason}" if reason else cause,
            fix=f"sluice resume {view.kind.short} {view.name} -n {view.namespace}",
        )
    )


def dependency_missing(world: World, node: Node, key: Key) -> ToldProblem:
    """That a Kustomization named in dependsOn does not exist, with the nearest."""
    fix = _nearest(key[1], (name for namespace, name in world.syncs if namespace == key[0]), "spec.dependsOn")
    title = f"Kustomization {key[0]}/{key[1]} does not exist"
    return told(Problem(codes.DEPENDENCY_NOT_READY, title, node.id, cause="spec.dependsOn names it", fix=fix))


def source_missing(world: World, node: Node) -> ToldProblem:
    """That the source does not exist, with the nearest."""
    namespace, wanted = source_key(node)
    fix = _nearest(wanted, (name for place, name in world.sources if place == namespace), "spec.sourceRef")
    title = f"{node.view.source.replace('/', f' {namespace}/')} does not exist"
    return told(Problem(codes.SOURCE_MISSING, title, node.id, cause="spec.sourceRef names it", fix=fix))


def _nearest(wanted: str, there: Iterable[str], field: str) -> str:
    near = difflib.get_close_matches(wanted, list(there), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"create it, or correct {field}"


def in_a_circle(node: Node, circle: Iterable[Key]) -> ToldProblem:
    """That Kustomizations wait for each other."""
    title = "Kustomizations depend on each other in a circle"
    cause = " → ".join("/".join(key) for key in circle)
    fix = "remove one of these dependencies"
    return told(Problem(codes.DEPENDENCY_CYCLE, title, node.id, cause=cause, fix=fix))


def being_deleted(node: Node) -> ToldProblem:
    """That it is going, and what holds it."""
    view = node.view
    cause = f"it waits for {', '.join(node.finalizers)}" if node.finalizers else "it is going"
    fix = f"see what holds it: sluice events --for {view.reference} -n {view.namespace}"
    return told(Problem(codes.BEING_DELETED, f"{view.reference} is being deleted", node.id, cause=cause, fix=fix))


def rolled_back(node: Node) -> ToldProblem:
    """That somebody asked for an earlier revision than git's."""
    view, notes = node.view, node.view.annotations
    git = notes.get(ROLLBACK_FROM, "")
    return told(
        Problem(
            codes.ROLLED_BACK,
            f"{view.reference} was rolled back to {short_revision(view.revision)}",
            node.id,
            cause=f"by {notes.get(ROLLBACK_BY) or 'somebody'}; git is at {short_revision(git)}",
            fix=f"sluice resume ks {view.name} -n {view.namespace}",
        )
    )


def untried(node: Node, cause: str) -> ToldProblem:
    """That its turn has not come yet."""
    view = node.view
    at = short_revision(view.revision)
    return told(
        Problem(
            codes.NOT_TRIED_YET,
            f"{view.reference} has not been tried since",
            node.id,
            cause=f"{cause}; it is at {at}" if at else cause,
            fix=f"look again in a moment, or ask for it: sluice sync {view.name} -n {view.namespace}",
        )
    )
