"""The parts of a parsed template. All are values; `line` counts from 1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`, the value at hand."""


@dataclass(frozen=True, slots=True)
class Nil:
    """`nil`."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, or true or false."""

    value: str | bool


@dataclass(frozen=True, slots=True)
class Number:
    """A number. What it is depends on who takes it: an integer, a float, or as it is written (`ideal`)."""

    ideal: int | float
    integer: int | None
    real: float


@dataclass(frozen=True, slots=True)
class Field:
    """`.A.B`: fields of the value at hand."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """`$x.A`: a variable and fields of it."""

    name: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """`(…).A`: fields of a value that is computed."""

    of: Operand
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """The name of a function."""

    name: str


@dataclass(frozen=True, slots=True)
class Command:
    """A word with its arguments."""

    words: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands, each given the result of the one before; the last result goes to the variables of `declares`."""

    commands: tuple[Command, ...]
    declares: tuple[str, ...]
    is_assignment: bool
    line: int


Operand = Dot | Nil | Literal | Number | Field | Variable | Chain | Function | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    """What is written out as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """`{{ … }}`: a pipe whose result is written out."""

    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, `with` or `range` (`word`), with its `else`."""

    word: str
    pipe: Pipe
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...] | None


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    word: str


@dataclass(frozen=True, slots=True)
class Include:
    """`template "name" pipe`."""

    name: str
    pipe: Pipe | None
    line: int


Node = Text | Action | Branch | Jump | Include


@dataclass(frozen=True, slots=True)
class Template:
    """A template with the templates that it defines."""

    body: tuple[Node, ...]
    defined: dict[str, tuple[Node, ...]]
