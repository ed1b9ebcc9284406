"""A Helm chart in the path of a sync: one problem in place of one for each of its templates."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.core import codes
from sluice.core.artifact import FileTree
from sluice.core.problem import Origin, Problem
from sluice.render.kustomization_file import NAMES

_CHART = "Chart.yaml"


def fold_charts(problems: Iterable[Problem], tree: FileTree, commit: str) -> tuple[Problem, ...]:
    """The same problems, those of a chart's files as one that says what they are.

    A chart is a folder with a Chart.yaml and templates. A kustomization beside them is nobody's template: it stays.
    """
    found = tuple(problems)
    charts = [chart for chart in _charts(tree) if any(_is_of(chart, each) for each in found)]
    folded = [each for each in found if not any(_is_of(chart, each) for chart in charts)]
    return (*(_problem(chart, commit) for chart in charts), *folded)


def _charts(tree: FileTree) -> Iterable[str]:
    for entry in tree.entries:
        folder, _, name = entry.path.rpartition("/")
        if name == _CHART and tree.under(f"{folder}/templates".lstrip("/")):
            yield folder


def _is_of(chart: str, problem: Problem) -> bool:
    if problem.origin is None:
        return False
    path = problem.origin.path
    return path.startswith(f"{chart}/" if chart else "") and path.rpartition("/")[2] not in NAMES


def _problem(chart: str, commit: str) -> Problem:
    return Problem(
        codes.HELM_CHART,
        f"{chart or 'the source itself'} is a Helm chart",
        origin=Origin(f"{chart}/{_CHART}".lstrip("/"), 1, commit=commit),
        cause="its templates become manifests only when Helm renders them",
        fix="leave it out by spec.path or spec.ignore of the source, or commit what `helm template` prints",
    )
