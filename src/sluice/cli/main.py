"""Arguments to an exit code: finds the verb, imports only that, runs it, and tells people what went wrong."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from sluice import __version__, settings
from sluice.cli import exit_codes
from sluice.cli.error_output import show_problems
from sluice.cli.exit_codes import ExitCode, UsageRefused, exit_code_of
from sluice.cli.flags import OUTPUTS_OF, WITHOUT_ANSWER, Flags, apply_environment, global_options, usage
from sluice.cli.secret_arguments import refuse_secrets
from sluice.cli.terminal import Terminal
from sluice.core.errors import SluiceError
from sluice.core.problem import Problem, printable


@dataclass(frozen=True, slots=True)
class _Verb:
    """Where a verb's command is, and its line in `--help` (empty: not listed)."""

    target: str
    about: str


_GROUPS: dict[str, dict[str, _Verb]] = {
    "Look": {
        "status": _Verb("sluice.cli.status:status", "One screen: problems first, then counts."),
        "why": _Verb("sluice.cli.why:why", "The cause of what is not live, and its fix."),
        "get": _Verb("sluice.cli.get:get", "Tables of Kustomizations, sources and image kinds."),
        "tree": _Verb("sluice.cli.tree:tree", "What an app owns, with health and file."),
        "trace": _Verb("sluice.cli.trace:trace", "From an object back to file and commit."),
        "events": _Verb("sluice.cli.events:events", "What happened, merged and counted."),
        "logs": _Verb("sluice.cli.logs:logs", "What the operator, or an app's pods, say."),
        "images": _Verb("sluice.cli.images:images", "Images that run, the newer tags, and why one is not updated."),
        "history": _Verb("sluice.cli.history:history", "Revisions of an app: when, how it ended, what changed."),
    },
    "Try before you push": {
        "validate": _Verb("sluice.cli.validate:validate", "All problems of a folder; no cluster needed."),
        "plan": _Verb("sluice.cli.plan:plan", "What the operator would do with a folder or a branch."),
        "diff": _Verb("sluice.cli.diff:diff", "Field by field, what would change in the cluster."),
        "explain": _Verb("sluice.cli.explain:explain", "An error code, or a field of a kind, in words."),
    },
    "Act": {
        "sync": _Verb("sluice.cli.sync:sync", "Fetch and apply now, and wait for the outcome."),
        "suspend": _Verb("sluice.cli.suspend:suspend", "Stop syncing an object, with a reason."),
        "rollback": _Verb("sluice.cli.rollback:rollback", "Take an app back to an earlier revision."),
        "resume": _Verb("sluice.cli.resume:resume", "Sync it again, and wait until it is ready."),
    },
    "Images": {
        "release": _Verb("sluice.cli.release:release", "A new image for workloads, into git."),
        "automate": _Verb("sluice.cli.automate:automate", "Let new images of a workload be released."),
        "deautomate": _Verb("sluice.cli.automate:deautomate", "Release no image that nobody asked for."),
        "lock": _Verb("sluice.cli.lock:lock", "Let nobody release images of a workload, with a reason."),
        "unlock": _Verb("sluice.cli.lock:unlock", "Take a lock away."),
        "policy": _Verb("sluice.cli.policy:policy", "Which tags the containers of a workload may get."),
    },
    "Set up": {
        "check": _Verb("sluice.cli.check:check", "Is the cluster fit, the installation whole, the operator at work?"),
        "create": _Verb("sluice.cli.create:create", "A source or a sync, from flags."),
        "export": _Verb("sluice.cli.export:export", "Objects as they would stand in git."),
        "delete": _Verb("sluice.cli.delete:delete", "Take a source or a sync away."),
        "demo": _Verb("sluice.cli.demo:demo", "Everything on this machine, no account needed."),
        "run": _Verb("sluice.cli.run:run", "Run the operator."),
        "install": _Verb("sluice.cli.install:install", "Put the operator into a cluster."),
        "uninstall": _Verb("sluice.cli.uninstall:uninstall", "Take it out; workloads stay."),
    },
    "Other": {
        "debug": _Verb("sluice.cli.debug:debug", "A file for a report of a problem, without secrets."),
        "version": _Verb("sluice.cli.version:version", "This version, and with --server the cluster's."),
        "completion": _Verb("sluice.cli.completion:completion", "Completion for bash, zsh or fish."),
    },
}
ALIASES = {"reconcile": "sync", "list-images": "images"}
_VERBS: dict[str, _Verb] = {name: verb for group in _GROUPS.values() for name, verb in group.items()}
SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Root(click.Group):
    """The `sluice` command: knows its verbs by name and imports one only to run it or to print its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs that are listed."""
        return [name for group in _GROUPS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb."""
        found = _VERBS.get(ALIASES.get(cmd_name, cmd_name))
        if found is None:
            return None
        module, _, attribute = found.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return with_global_options(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or name the nearest ones."""
        name = args[0]
        if not name.startswith("-") and name not in _VERBS and name not in ALIASES:
            _refuse_verb(name)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs by what they are for, and the exit codes, without importing any verb."""
        for title, verbs in _GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, verb.about) for name, verb in verbs.items()])
        with formatter.section("Exit codes"):
            for line in exit_codes.table().splitlines():
                formatter.write(f"{line}\n")


def with_global_options(command: click.Command) -> click.Command:
    """The command with the global flags behind its own; one that it defines itself stays its own."""
    if not getattr(command, "takes_global_options", False):
        own = {name for parameter in command.params for name in parameter.opts}
        command.params += [option for option in global_options() if not own & set(option.opts)]
        command.context_settings = {**SETTINGS, **command.context_settings}
        command.takes_global_options = True  # type: ignore[attr-defined]
        _refuse_outputs(command)
    return command


def _refuse_outputs(command: click.Command) -> None:
    """An output format that the verb does not have ends before the verb begins."""
    run = command.callback

    def checked(*given: Any, **more: Any) -> Any:
        flags: Flags = click.get_current_context().obj
        verbs = OUTPUTS_OF.get(flags.output, (command.name,))
        if command.name not in verbs:
            raise usage(
                f"-o {flags.output} is for {' and '.join(map(str, verbs))}", fix="one of table, wide, json, yaml, name"
            )
        if command.name in WITHOUT_ANSWER and flags.output_asked and flags.output != "table":
            raise usage(f"{command.name} has no answer for programs", field="--output", fix="leave out -o")
        return run(*given, **more) if run is not None else None

    command.callback = checked


def _refuse_verb(name: str) -> NoReturn:
    near = difflib.get_close_matches(name, [*_VERBS, *ALIASES], n=3, cutoff=0.5)
    fix = f"did you mean {' or '.join(near)}?" if near else "see sluice --help for all verbs"
    raise usage(f"there is no verb {printable(name)!r}", fix=fix)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"sluice {__version__}")
        ctx.exit()


root = Root(
    name="sluice",
    help="GitOps for Kubernetes in which a revision is a transaction.\n\n"
    "Example: sluice sync apps --namespace flux-system",
    params=[
        *global_options(),
        click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_print_version),
    ],
    context_settings=SETTINGS,
    no_args_is_help=True,
)


def run_cli(argv: Sequence[str], program: str = "sluice") -> int:
    """Run one command line and return its exit code. Errors are printed; no exception leaves.

    `program` is what people have typed, for usage texts.
    """
    flags = Flags()
    code = ExitCode.FAILED
    try:
        code = _run(list(argv), flags, program)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        code = ExitCode.DONE
    return int(code)


def _run(argv: list[str], flags: Flags, program: str) -> ExitCode:
    terminal = Terminal(flags)
    try:
        refuse_secrets(argv)
        apply_environment(flags, settings.cli_environment())
        answer = _invoke(argv, flags, program)
    except click.exceptions.NoArgsIsHelpError as error:
        terminal.warn(error.format_message())
        return ExitCode.USAGE
    except click.ClickException as error:
        flags.output = _output_of(argv, flags)
        return _failed(terminal, _usage_of(error))
    except (KeyboardInterrupt, click.Abort):
        terminal.warn("interrupted; what the cluster was asked to do goes on there: look with `sluice status`")
        return ExitCode.INTERRUPTED
    except SluiceError as error:
        flags.output = _output_of(argv, flags)
        return _failed(terminal, error)
    except BrokenPipeError:
        raise
    except BaseExceptionGroup as group:
        return _failed_together(terminal, group)
    except Exception as error:  # noqa: BLE001 - a person must never see a bare traceback
        return _crashed(terminal, error)
    return answer if isinstance(answer, ExitCode) else ExitCode(answer or 0)


def _invoke(argv: list[str], flags: Flags, program: str) -> Any:
    """What `root.main` does, but for its own handling of interrupts and closed pipes."""
    if instruction := settings.environment().get("_SLUICE_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(root, {"obj": flags}, "sluice", "_SLUICE_COMPLETE", instruction)
    try:
        with root.make_context(program, argv, obj=flags) as context:
            return root.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code


def _output_of(argv: list[str], flags: Flags) -> str:
    """The output format when the command line could not be parsed as far as its -o."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        for flag in ("-o", "--output"):
            value = following if word == flag else word.removeprefix(flag).lstrip("=") if word.startswith(flag) else ""
            if value in {"json", "yaml"}:
                return value
    return flags.output


def _usage_of(error: click.ClickException) -> UsageRefused:
    if isinstance(error, click.NoSuchOption):
        near = " or ".join(error.possibilities or ())
        title = f"there is no flag {printable(error.option_name)}"
        return usage(title, fix=f"did you mean {near}?" if near else _help_of(error.ctx))
    text = printable(error.format_message().rstrip(".")).replace("\\n", " ")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return usage(text[:1].lower() + text[1:], fix=_help_of(context))


def _help_of(context: click.Context | None) -> str:
    return f"see {context.command_path if context is not None else 'sluice'} --help"


def _failed(terminal: Terminal, error: SluiceError) -> ExitCode:
    show_problems(terminal, error.problems)
    return exit_code_of(error)


def _failed_together(terminal: Terminal, group: BaseExceptionGroup[BaseException]) -> ExitCode:
    """Errors of several tasks: every problem once; the first decides the exit code."""
    leaves = _leaves(group)
    if any(isinstance(leaf, BrokenPipeError) for leaf in leaves):
        raise BrokenPipeError
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        terminal.warn("interrupted; what the cluster was asked to do goes on there: look with `sluice status`")
        return ExitCode.INTERRUPTED
    known = [leaf for leaf in leaves if isinstance(leaf, SluiceError)]
    unknown = [leaf for leaf in leaves if not isinstance(leaf, SluiceError)]
    if unknown:
        return _crashed(terminal, unknown[0])
    problems: list[Problem] = []
    for leaf in known:
        problems += [problem for problem in leaf.problems if problem not in problems]
    show_problems(terminal, problems)
    return exit_code_of(known[0])


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for each in group.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found


def _crashed(terminal: Terminal, error: BaseException) -> ExitCode:
    """A bug of ours, or an error of the operating system that nobody translated: one line, the stack with -vv."""
    if isinstance(error, OSError):
        place = f" {error.filename}" if error.filename else ""
        terminal.warn(f"error: {error.strerror or type(error).__name__}{printable(place)}")
    else:
        terminal.warn(f"error: this is a bug in sluice: {type(error).__name__}: {printable(str(error))[:500]}")
        terminal.warn("  = fix:    report it with the output of the same command and -vv")
    if terminal.flags.verbose > 1:
        import traceback

        terminal.warn("".join(traceback.format_exception(error)))
    return ExitCode.FAILED


def _abandon_stdout() -> None:
    """The reader of our output has left: nothing more is written, not even by the interpreter at its exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
