"""Which exit code each verb has for each outcome: the table that `tests/cli/test_exit_matrix.py` runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice.cli.exit_codes import ExitCode

DONE, NO, USAGE, FAILED = ExitCode.DONE, ExitCode.NO, ExitCode.USAGE, ExitCode.FAILED
FORBIDDEN, UNREACHABLE, NOT_FOUND = ExitCode.NOT_PERMITTED, ExitCode.UNREACHABLE, ExitCode.NOT_FOUND


@dataclass(frozen=True)
class Row:
    """The words of a verb when all is well, for what is not there, and for what is not ready; the last may be nothing.

    Capitals stand for names and folders. The codes of the three follow; those of the ways to the cluster are the same
    for all verbs that ask it. `no` is what somebody has forbidden, `late` what does not end in the time that is given.
    """

    well: str
    missing: str
    ill: str
    codes: tuple[ExitCode, ExitCode, ExitCode] = (DONE, NOT_FOUND, DONE)
    no_kubeconfig: ExitCode = FORBIDDEN
    no_answer: ExitCode = UNREACHABLE
    no_rights: ExitCode = FORBIDDEN
    no: str = ""
    late: str = ""


def _edit(verb: str) -> Row:
    """A verb that asks the operator for a change in git; a workload whose file is broken there is held up."""
    return Row(
        f"{verb} -w TARGET:deploy/web --dry-run",
        f"{verb} -w TARGET:deploy/nobody --dry-run",
        f"{verb} -w ILL_TARGET:deploy/web --dry-run",
        (DONE, NOT_FOUND, NO),
        late=f"{verb} -w TARGET:deploy/web --dry-run --timeout 1ms",
    )


LOOSE = "-n SHOP --registry-allow-loopback --registry-insecure-host 127.0.0.1 -w"
MATRIX: dict[str, Row] = {
    # It says how things are: what is failing is a no.
    "status": Row("status NAME", "status nobody", "status ILL", (DONE, NOT_FOUND, NO)),
    "why": Row("why NAME --no-git", "why nobody --no-git", "why ILL --no-git", (DONE, NOT_FOUND, NO)),
    # They show what is there, whatever it is like.
    "get": Row("get ks NAME", "get ks nobody", "get ks ILL"),
    "tree": Row("tree NAME --no-git", "tree nobody --no-git", "tree ILL --no-git"),
    "trace": Row(
        "trace cm/a -n TARGET --no-git", "trace cm/no -n TARGET --no-git", "trace cm/a -n ILL_TARGET --no-git"
    ),
    "events": Row("events NAME", "events nobody", "events ILL"),
    "history": Row("history NAME", "history nobody", "history ILL"),
    "export": Row("export ks NAME", "export ks nobody", "export ks ILL"),
    "images": Row(f"images {LOOSE} deploy/web", f"images {LOOSE} deploy/nobody", f"images {LOOSE} deploy/ill"),
    # A revision that would be refused has no plan.
    "plan": Row(
        "plan NAME --git-allow-loopback",
        "plan nobody --git-allow-loopback",
        "plan ILL --git-allow-loopback",
        (DONE, NOT_FOUND, FAILED),
    ),
    "diff": Row(
        "diff NAME --git-allow-loopback",
        "diff nobody --git-allow-loopback",
        "diff ILL --git-allow-loopback",
        (DONE, NOT_FOUND, FAILED),
    ),
    "check": Row("check", "", "check", (DONE, DONE, NO)),
    # A bundle of what could be read is worth having: what could not is written down in it.
    "debug": Row("debug --bundle NEW", "", "debug --bundle NEW", no_answer=DONE, no_rights=DONE),
    "version": Row("version --server", "", ""),
    # Neither asks a cluster. What is no code is a word that can't be used; a folder that is absent is no object.
    "explain": Row("explain E204", "explain E999", "", (DONE, USAGE, DONE), DONE, DONE, DONE),
    "validate": Row("validate FOLDER", "validate absent", "validate ILL_FOLDER", (DONE, FAILED, NO), DONE, DONE, DONE),
    "completion": Row("completion bash", "completion tcsh", "", (DONE, USAGE, DONE), DONE, DONE, DONE),
    "logs": Row("logs NAME", "logs deploy/nobody --pods -n TARGET", ""),
    # They wait for an outcome, and it is theirs.
    "sync": Row(
        "sync NAME",
        "sync nobody",
        "sync ILL",
        (DONE, NOT_FOUND, FAILED),
        no="sync PAUSED",
        late="sync NAME --timeout 1ms",
    ),
    "suspend": Row("suspend ks PAUSED", "suspend ks nobody", ""),
    "resume": Row(
        "resume ks NAME",
        "resume ks nobody",
        "resume ks ILL",
        (DONE, NOT_FOUND, FAILED),
        late="resume ks NAME --timeout 1ms",
    ),
    "rollback": Row(
        "rollback REWOUND --to FIRST",
        "rollback nobody",
        "rollback NAME --to main@ffffffff",
        (DONE, NOT_FOUND, FAILED),
        no="rollback PAUSED",
        late="rollback REWOUND --to FIRST --timeout 1ms",
    ),
    "release": replace(
        _edit("release --image IMAGE:1.1.0"), no="release -w LOCKED_TARGET:deploy/web --image IMAGE:1.1.0 --dry-run"
    ),
    "automate": _edit("automate"),
    "deautomate": _edit("deautomate"),
    "lock": _edit("lock"),
    "unlock": _edit("unlock"),
    "policy": _edit("policy --tag-all glob:1.*"),
    "create": Row(
        "create source git MADE --url URL --branch main",
        "",
        "create source git MADE --url URL --branch mian",
        (DONE, DONE, FAILED),
        late="create source git MADE --url URL --branch main --timeout 1ms",
    ),
    "delete": Row("delete ks NAME --dry-run", "delete ks nobody", "", late="delete ks HELD --yes --timeout 1ms"),
    # Somebody who leads as Flux does is in the way.
    "install": Row("install --dry-run -n nowhere", "", "install --dry-run -n SHOP", (DONE, DONE, FAILED)),
    "uninstall": Row("uninstall --dry-run -n nowhere", "", ""),
}
# Held elsewhere: one leads a person through a cluster of its own, the other is the operator.
ELSEWHERE = {"demo": "tests/e2e/test_demo.py", "run": "tests/cli/test_run_flags.py"}
