"""Expressions in CEL that users write in specs: checked when they are read, and bounded in what they may cost.

The language can't loop for ever, but nested comprehensions over a long list can take hours. A call is refused whose
input has more values than the expression's comprehensions allow: the number of values to the power of their number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_LENGTH = 2048
MAX_COST = 1_000_000
_COMPREHENSION = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*(\w*)")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)


class CelError(ValueError):
    """The expression can't be read, or has no answer for this input; the text says why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression over the variables that it was read with."""

    text: str
    program: Any
    comprehensions: int

    def holds(self, variables: Mapping[str, Any]) -> bool:
        """Whether it is true. Raises CelError when it has no answer, another than yes or no, or would cost too much."""
        answer = self._answer(variables)
        if not isinstance(answer, bool):
            raise CelError(f"its answer is no yes or no, but {type(answer).__name__}")
        return answer

    def value_for(self, variables: Mapping[str, Any]) -> Any:
        """Whatever it makes. Raises CelError when it has no answer, or would cost too much."""
        return self._answer(variables)

    def text_for(self, variables: Mapping[str, Any]) -> str:
        """The text that it makes. Raises CelError when it has no answer, another than text, or would cost too much."""
        answer = self._answer(variables)
        if not isinstance(answer, str):
            raise CelError(f"its answer is no text, but {type(answer).__name__}")
        return answer

    def _answer(self, variables: Mapping[str, Any]) -> Any:
        if self.comprehensions and size_of(variables) ** self.comprehensions > MAX_COST:
            raise CelError("the input is too large for an expression with comprehensions")
        try:
            return self.program.execute(dict(variables))
        except KeyError as error:
            raise CelError(f"no such field: {error.args[0] if error.args else ''}") from None
        except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
            raise CelError(_first_line(str(error))) from None


def parse_cel(text: str, *variables: str) -> Expression:
    """Read an expression that may use these variables; without any named, all that it is given.

    Raises CelError when it can't be read or uses others.
    """
    if len(text) > MAX_LENGTH:
        raise CelError(f"it has {len(text)} characters, limit {MAX_LENGTH}")
    try:
        program = _compile(text)
    except ValueError as error:
        raise CelError(_first_line(str(error))) from None
    bound = _COMPREHENSION.findall(_STRING.sub("''", text))
    unknown = sorted(set(program.variables()) - {*variables, *bound}) if variables else []
    if unknown:
        raise CelError(f"there is no variable {unknown[0]}; it may use {', '.join(variables)}")
    return Expression(text, program, len(bound))


def _compile(text: str) -> Any:
    import cel  # it brings a shell of its own, with all that one needs: only who has an expression pays for that

    return cel.compile(text)


def size_of(value: Any) -> int:
    """How many values there are in a JSON value, itself included."""
    count, left = 0, [value]
    while left:
        found = left.pop()
        count += 1
        if isinstance(found, Mapping):
            left.extend(found.values())
        elif isinstance(found, list | tuple):
            left.extend(found)
    return count


def _first_line(text: str) -> str:
    line = text.partition("\n")[0]
    return line.rpartition("ERROR: <input>:")[2] if "ERROR: <input>:" in line else line
