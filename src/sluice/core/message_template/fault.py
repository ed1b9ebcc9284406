"""What stops a template: a fault at a line of it, and the problem that people see."""

from __future__ import annotations

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Code, Problem

FIELD = "spec.git.commit.messageTemplate"


class TemplateRefused(UserError):
    """The template can't be parsed or stopped with an error: whoever wrote it has to correct it."""


class Failure(ValueError):
    """A function's or an operation's own error, in words; the evaluator adds the line."""


class TooMuch(Failure):
    """What a function would make is larger than a message may need."""


def refused(code: Code, cause: str, line: int, fix: str) -> TemplateRefused:
    """Make the error for a line of the template, counting from 1."""
    title = "the commit message's template is not valid" if code is codes.TEMPLATE_SYNTAX else "the template failed"
    return TemplateRefused(Problem(code, title, None, None, FIELD, f"line {line}: {cause}", fix))


def syntax(cause: str, line: int) -> TemplateRefused:
    """The template can't be parsed."""
    return refused(codes.TEMPLATE_SYNTAX, cause, line, "correct the template; its language is Go's text/template")


def limit(cause: str, line: int) -> TemplateRefused:
    """The template needs more than it may have."""
    return refused(codes.TEMPLATE_LIMIT, cause, line, "make the template smaller")
