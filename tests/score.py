"""`make score`: how usable Sluice is, point by point, by the tests that show it.

A point is worth 2 (fully), 1 (partly) or 0 (not there). It gets what it is worth only when every test that shows it
passes here and now; `lacks` says what keeps it from 2. A point that only a person with a stopwatch can judge is 0
until one has. `python -m tests.score 4 7` judges some points only.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_VERSION_SECONDS = 0.150
RUNS = 20


@dataclass(frozen=True)
class Point:
    """One line of the table; `tests` are folders, files or node ids."""

    number: int
    text: str
    worth: int
    tests: tuple[str, ...] = ()
    lacks: str = ""


CLI = "tests/cli"
VERBS = f"{CLI}/test_cluster_verbs.py"
ENGINE = "tests/integration/engine"
REFUSALS = f"{ENGINE}/test_refusals.py"
MASKED = f"{VERBS}::test_the_values_of_secrets_are_never_shown"
COMPARED = (
    f"{VERBS}::test_diff_shows_fields_of_a_working_tree_and_writes_nothing",
    f"{VERBS}::test_no_difference_is_exit_0_and_drift_is_one",
    f"{VERBS}::test_a_revision_that_would_be_refused_is_exit_3_with_its_lines",
)
PLACES = f"{CLI}/test_why.py::test_why_names_the_true_cause_with_its_place_and_fix"
SUSPENDED = f"{CLI}/test_suspend_and_resume.py"
TOGETHER = (
    f"{REFUSALS}::test_all_problems_of_a_revision_are_told_at_once_and_the_last_good_state_keeps_running",
    f"{REFUSALS}::test_all_broken_files_of_a_revision_are_told_at_once",
    f"{VERBS}::test_validate_finds_all_problems_of_a_checkout_without_a_cluster",
)
EXITS = (
    *(f"{CLI}/test_exit_matrix.py", f"{CLI}/test_exit_codes.py"),
    *(f"{CLI}/test_arguments.py", f"{CLI}/test_set_up_verbs.py"),
)
PIPED = f"{CLI}/test_output_contract.py::test_a_pipe_gets_no_escape_codes_and_with_ascii_no_glyphs"
COMPLETED = (f"{CLI}/test_kubectl_plugin.py", f"{VERBS}::test_completion_knows_live_names")
NOTIFICATIONS = "tests/integration/notifications"
V1_VERBS = ("tests/contract/fluxctl", f"{CLI}/test_release.py", f"{CLI}/test_asked_updates.py", f"{CLI}/test_images.py")
LATER = "not there yet"
POINTS = (
    Point(
        1,
        "first green app without cluster or account, one command",
        1,
        ("tests/e2e/test_demo.py",),
        "the first run builds the control plane, which takes minutes",
    ),
    Point(2, "synced app on a cluster in three commands", 0, (), "not measured with a person; no published image"),
    Point(3, "bootstrap checks rights first and resumes", 0, (), LATER),
    Point(
        4,
        "why is it not live, in one command",
        1,
        (f"{CLI}/test_why.py",),
        "23 of the 25 commonest failures; the two of charts are told as a kind that is not acted on",
    ),
    Point(5, "errors give file:line@commit", 2, (PLACES,)),
    Point(6, "all build and validation errors at once", 2, TOGETHER),
    Point(
        7,
        "every error has a code, a fix and a page",
        2,
        ("tests/unit/core/test_code_pages.py", f"{CLI}/test_explain.py"),
    ),
    Point(8, "exit codes as documented", 2, EXITS),
    Point(
        9,
        "-o json, yaml, name, wide on every read verb",
        2,
        (f"{CLI}/test_output_contract.py", f"{CLI}/test_answer_schemas.py", f"{CLI}/test_images.py"),
    ),
    Point(10, "stdout clean for pipes, no escape codes", 2, (PIPED, f"{CLI}/test_exit_matrix.py")),
    Point(11, "namespace from the context; says which it used", 2, (f"{CLI}/test_arguments.py",)),
    Point(12, "diff from a checkout, no write, exit 0/1/more", 1, COMPARED, "Kustomizations only: no HelmRelease yet"),
    Point(
        13,
        "diff shows prunes, replacements, masked secrets, fights",
        1,
        (f"{CLI}/test_plan.py", MASKED),
        "fights are told by status and why",
    ),
    Point(
        14,
        "a pull request's comment never fails on size",
        1,
        (f"{CLI}/test_preview_markdown.py",),
        "it is printed for CI to post; nothing edits one sticky comment",
    ),
    Point(
        15,
        "live progress on a terminal, transition lines in CI",
        1,
        (f"{CLI}/test_progress.py",),
        "lines, no tree",
    ),
    Point(16, "tree shows health and origin", 2, (f"{CLI}/test_object_tree.py",)),
    Point(17, "completion with live names, also as a plugin", 1, COMPLETED, "its time is not measured"),
    Point(18, "start-up", 1, (), "get with 1,000 syncs is measured by make bench"),
    Point(19, "suspend carries who, why, until", 1, (SUSPENDED,), "no --until; no page and no alerts yet"),
    Point(
        20,
        "the flux CLI's contracts hold",
        1,
        ("tests/contract/flux",),
        "for the kinds that are there: no Helm, OCI, Bucket",
    ),
    Point(21, "Flux v1's verbs", 2, V1_VERBS),
    Point(22, "page with 500 apps", 0, (), LATER),
    Point(23, "live update within a second", 0, (), LATER),
    Point(24, "accessibility", 0, (), LATER),
    Point(25, "every state of the page has a URL", 0, (), LATER),
    Point(
        26,
        "one message when it opens, one when it is resolved",
        1,
        (f"{NOTIFICATIONS}/test_incidents.py",),
        "its messages link to no page yet",
    ),
    Point(27, "commit status never green before healthy", 2, (f"{NOTIFICATIONS}/test_commit_health.py",)),
    Point(
        28,
        "actions obey the viewer's rights and are audited",
        1,
        (f"{CLI}/test_asked_updates.py::test_who_may_not_write_to_the_sync_is_refused_by_the_api_server",),
        "shown for releases alone; who asked is in the commit and in the API server's audit log, not in one of ours",
    ),
    Point(
        29,
        "docs of four kinds, generated reference current",
        1,
        ("tests/architecture/test_docs.py",),
        "not every transcript is run; no migration guide from Argo CD",
    ),
    Point(
        30,
        "migration in and back out without a restart",
        2,
        (f"{ENGINE}/test_takeover.py", "tests/e2e/test_migration.py"),
    ),
)


@dataclass(eq=False)
class Outcomes:
    """What pytest told: the node ids that ran, and those that failed."""

    ran: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for each phase of each test."""
        self.ran.add(report.nodeid)
        if report.failed:
            self.failed.add(report.nodeid)

    def shown(self, test: str) -> bool:
        """True when at least one test of it ran and none failed."""
        of_it = {node for node in self.ran if node == test or node.startswith((f"{test}/", f"{test}::", f"{test}["))}
        return bool(of_it) and not of_it & self.failed


def version_seconds() -> float:
    """The 95th percentile of `sluice --version`."""
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sluice", "--version"], cwd=ROOT, capture_output=True, check=True)
        taken.append(time.perf_counter() - began)
    return statistics.quantiles(taken, n=20)[-1]


def main() -> None:
    """Judge, print the table, and end with `score S/60`; no table where the tests could not be run."""
    wanted = {int(word) for word in sys.argv[1:]} or {point.number for point in POINTS}
    chosen = [point for point in POINTS if point.number in wanted]
    outcomes = Outcomes()
    tests = sorted({test for point in chosen for test in point.tests})
    if tests:
        ended = pytest.main(["-q", "--no-header", "--tb=line", f"--rootdir={ROOT}", *tests], plugins=[outcomes])
        if ended not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            sys.exit(f"nothing is judged: the tests did not run ({ended!s})")  # that is no usability of zero
    scores: dict[int, int] = defaultdict(int)
    for point in chosen:
        failed = [test for test in point.tests if not outcomes.shown(test)]
        note = f"fails: {', '.join(failed)}" if failed else point.lacks
        scores[point.number] = 0 if failed else point.worth
        if point.number == 18 and (seconds := version_seconds()) > MAX_VERSION_SECONDS:
            scores[18], note = 0, f"--version took {seconds * 1000:.0f} ms, over {MAX_VERSION_SECONDS * 1000:.0f}"
        print(f"{point.number:>2}  {scores[point.number]}/2  {point.text:<58} {note}")
    print(f"score {sum(scores.values())}/{2 * len(POINTS)}")


if __name__ == "__main__":
    main()
