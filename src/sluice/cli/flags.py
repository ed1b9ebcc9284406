"""The flags that every verb takes, before the verb or after it, and what they come to with the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sluice.cli.exit_codes import UsageRefused
from sluice.core import codes
from sluice.core.duration import parse_duration
from sluice.core.name_rules import label_name_fault
from sluice.core.problem import Problem, printable

OUTPUTS = ("table", "wide", "json", "yaml", "name", "github", "md")
# Those that only some verbs have.
OUTPUTS_OF = {"github": ("validate",), "md": ("plan", "diff")}
# A shell's script, a guide for a person, the operator itself: nothing of it is an answer for programs.
WITHOUT_ANSWER = ("completion", "demo", "run")


@dataclass(slots=True)
class Flags:
    """The global flags of one invocation. Times are seconds; `namespace` is empty when nobody named one.

    `output_asked` is true where a flag says so, and no variable of the environment, which is meant for all verbs.

    `folders` are no flag: the verb enters the tops of the folders that it reads, so that problems show their lines.
    """

    namespace: str = ""
    namespace_from: str = ""
    all_namespaces: bool = False
    context: str = ""
    kubeconfig: str = ""
    output: str = "table"
    output_asked: bool = False
    no_headers: bool = False
    color: str = "auto"
    ascii: bool = False
    quiet: bool = False
    verbose: int = 0
    timeout: float = 300.0
    request_timeout: float = 30.0
    no_input: bool = False
    yes: bool = False
    folders: list[Path] = field(default_factory=list)

    @property
    def structured(self) -> bool:
        """True when the answer is for a program."""
        return self.output in {"json", "yaml"}


def usage(title: str, *, cause: str = "", fix: str = "", field: str = "", code: Any = codes.USAGE) -> UsageRefused:
    """The error for a command line that can't be used (exit 2)."""
    return UsageRefused(Problem(code, title, field=field, cause=cause, fix=fix))


def seconds_of(text: str, flag: str) -> float:
    """Read the duration that `flag` was given. Raises UsageRefused."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise usage(f"{flag} is not a duration", cause=str(error), fix=f"write {flag} 5m", field=flag) from None
    if seconds <= 0:
        raise usage(f"{flag} must be longer than nothing", field=flag, fix=f"write {flag} 5m")
    return seconds


def namespace_of(text: str, flag: str) -> str:
    """Check a namespace's name. Raises UsageRefused."""
    fault = label_name_fault(text)
    if fault:
        title = f"{flag} {printable(text)!r} is not a namespace's name"
        raise usage(title, code=codes.BAD_NAME, cause=fault, field=flag)
    return text


def apply_environment(flags: Flags, environment: Mapping[str, str]) -> None:
    """Take the defaults that `SLUICE_…` variables set; a flag given later wins. Raises UsageRefused."""
    if namespace := environment.get("SLUICE_NAMESPACE"):
        flags.namespace = namespace_of(namespace, "SLUICE_NAMESPACE")
        flags.namespace_from = "SLUICE_NAMESPACE"
    flags.context = environment.get("SLUICE_CONTEXT", flags.context)
    output = environment.get("SLUICE_OUTPUT", flags.output)
    if output not in OUTPUTS:
        raise usage(f"SLUICE_OUTPUT={printable(output)!r} is no output format", fix=f"one of {', '.join(OUTPUTS)}")
    flags.output = output
    if timeout := environment.get("SLUICE_TIMEOUT"):
        flags.timeout = seconds_of(timeout, "SLUICE_TIMEOUT")


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Note a flag that was given. The group and the verb share one `Flags`, so a flag may stand in either place."""
    if context.get_parameter_source(parameter.name) is ParameterSource.DEFAULT:
        return
    flags: Flags = context.obj
    match parameter.name:
        case "namespace":
            flags.namespace, flags.namespace_from = namespace_of(value, "--namespace"), "--namespace"
        case "timeout" | "request_timeout":
            setattr(flags, parameter.name, seconds_of(value, f"--{parameter.name.replace('_', '-')}"))
        case "verbose":
            flags.verbose += value
        case "output":
            flags.output, flags.output_asked = value, True
        case name:
            setattr(flags, name, value)


def _option(*names: str, **settings: Any) -> Callable[[], click.Option]:
    return lambda: click.Option(names, expose_value=False, callback=_store, **settings)


_GLOBAL: tuple[Callable[[], click.Option], ...] = (
    _option("-n", "--namespace", metavar="NAME", help="Namespace of the objects."),
    _option("-A", "--all-namespaces", is_flag=True, help="Look in all namespaces."),
    _option("--context", metavar="NAME", help="Context of the kubeconfig."),
    _option("--kubeconfig", metavar="FILE", help="Kubeconfig to use."),
    _option("-o", "--output", type=click.Choice(OUTPUTS), help="Form of the answer."),
    _option("--no-headers", "--no-header", is_flag=True, help="Tables without their first line."),
    _option("--color", type=click.Choice(("auto", "always", "never")), help="Colours; NO_COLOR is honoured."),
    _option("--ascii", is_flag=True, help="Words in place of glyphs."),
    _option("-q", "--quiet", is_flag=True, help="Say nothing but the answer and errors."),
    _option("-v", "--verbose", count=True, help="Say more; -vv adds stack traces of bugs."),
    _option("--timeout", metavar="DURATION", help="How long to wait (5m)."),
    _option("--request-timeout", metavar="DURATION", help="How long one request may take (30s)."),
    _option("--no-input", is_flag=True, help="Never ask; what needs an answer is refused."),
    _option("-y", "--yes", is_flag=True, help="Answer yes to every question."),
)


def global_options() -> list[click.Option]:
    """Fresh option objects: one set for the group and one for each verb."""
    return [make() for make in _GLOBAL]
