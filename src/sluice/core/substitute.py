"""Shell-like variables in a text: `${name}` and its functions, with the meaning that Flux gives them.

A small recursive-descent evaluator. A substituted value is never read again, so variables can't refer to each other.
Only the form with braces is a variable; `$$` is one dollar sign. Lengths and positions count bytes, as in Flux.
Wider than Flux in one point: `${v-d}` is a default, as in a shell, where Flux refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sluice.core.glob import matching_prefixes

MAX_NESTING = 20
_DEFAULTS = frozenset(("-", "+", "=", "?", ":-", ":+", ":=", ":?"))


class BadExpression(ValueError):
    """The text is no valid substitution; the error's text says why."""


@dataclass(slots=True)
class Evaluator:
    """Evaluates texts with one set of variables. `undefined` collects, in order, the names that had no value."""

    variables: Mapping[str, str]
    strict: bool = True
    undefined: list[str] = field(default_factory=list)

    def evaluate(self, text: str) -> str:
        """Replace every variable of the text. Raises BadExpression.

        >>> Evaluator({"A": "x"}).evaluate("${A}-${B:=y} $A $${A}")
        'x-y $A ${A}'
        """
        return _Scanner(text, self).text()

    def value(self, name: str, *, has_default: bool) -> str:
        """Look a variable up, noting it when it is missing and nothing stands in for it."""
        if name in self.variables:
            return self.variables[name]
        if self.strict and not has_default and name not in self.undefined:
            self.undefined.append(name)
        return ""


class _Scanner:
    def __init__(self, source: str, evaluator: Evaluator) -> None:
        self.source = source
        self.at = 0
        self.depth = 0
        self.evaluator = evaluator

    def text(self) -> str:
        parts = []
        source = self.source
        while True:
            dollar = source.find("$", self.at)
            if dollar < 0 or dollar + 1 >= len(source):
                parts.append(source[self.at :])
                return "".join(parts)
            parts.append(source[self.at : dollar])
            following = source[dollar + 1]
            if following == "{":
                self.at = dollar + 2
                parts.append(self.expression())
            else:
                parts.append("$")
                self.at = dollar + (2 if following == "$" else 1)

    def expression(self) -> str:
        """Evaluate what follows `${`, up to and with its `}`."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise BadExpression(f"expressions are nested more than {MAX_NESTING} deep")
        result = self.length() if self.peek() == "#" else self.operation(self.name())
        self.depth -= 1
        return result

    def length(self) -> str:
        self.at += 1
        name = self.name()
        self.expect("}")
        return str(len(self.evaluator.value(name, has_default=False).encode()))

    def operation(self, name: str) -> str:
        operator = self.operator()
        if operator in _DEFAULTS:
            return self.default(name, operator)
        if operator == ":":
            arguments = self.substring_arguments()
        elif operator[:1] == "/":
            arguments = self.replace_arguments()
        else:
            arguments = [self.argument("}")] if operator[:1] in {"#", "%"} else []
        self.expect("}")
        value = self.evaluator.value(name, has_default=False)
        return _FUNCTIONS[operator](value, arguments)

    def operator(self) -> str:
        for length in (2, 1):
            operator = self.source[self.at : self.at + length]
            if len(operator) == length and (operator in _FUNCTIONS or operator in _DEFAULTS):
                if operator in {"+", "?"}:
                    break
                self.at += length
                return operator
        if self.peek() == "}":
            return ""
        raise BadExpression("no closing brace" if not self.peek() else f"unexpected {self.peek()!r} after the name")

    def default(self, name: str, operator: str) -> str:
        parts = []
        while self.peek() != "}":
            parts.append(self.argument("}"))
        self.at += 1
        return self.evaluator.value(name, has_default=operator in _DEFAULTS) or "".join(parts)

    def substring_arguments(self) -> list[str]:
        arguments = [self.argument(":}")]
        if self.peek() == ":":
            while self.peek() == ":":
                self.at += 1
            arguments.append(self.argument("}"))
        return arguments

    def replace_arguments(self) -> list[str]:
        pattern = self.argument("/", escapes=True)
        self.expect("/")
        while self.peek() == "/":
            self.at += 1
        return [pattern] if self.peek() == "}" else [pattern, self.argument("}", escapes=True)]

    def argument(self, ends: str, *, escapes: bool = False) -> str:
        """Read one argument: an expression, or text up to the first of `ends` or the next expression."""
        if self.source.startswith("${", self.at):
            self.at += 2
            return self.expression()
        parts = []
        while (character := self.peek()) and character not in ends and not self.source.startswith("${", self.at):
            pair = self.source[self.at : self.at + 2]
            self.at += 1
            if escapes and pair in {"$$", "\\/", "\\\\"}:
                parts.append(pair[1])
                self.at += 1
            else:
                parts.append(character)
        if not parts:
            raise BadExpression("no closing brace" if not self.peek() else "an argument is missing")
        return "".join(parts)

    def name(self) -> str:
        start = self.at
        while (character := self.peek()) and (character.isalnum() or character == "_"):
            self.at += 1
        if start == self.at:
            raise BadExpression("a variable's name is missing after '${'")
        return self.source[start : self.at]

    def peek(self) -> str:
        return self.source[self.at : self.at + 1]

    def expect(self, character: str) -> None:
        if self.peek() != character:
            raise BadExpression(f"{character!r} expected" if character != "}" else "no closing brace")
        self.at += 1


def _substring(value: str, arguments: list[str]) -> str:
    raw = value.encode()
    numbers = [_integer(argument) for argument in arguments]
    start = numbers[0]
    if start is None or None in numbers:
        return value
    if start < 0:
        start = max(0, len(raw) + start)
    length = numbers[1] if len(numbers) > 1 else len(raw)
    if length is not None and length < 0 and start + length < len(raw):
        raise BadExpression("a substring's length is negative")
    return raw[start : start + (length or 0)].decode("utf-8", "replace")


def _integer(text: str) -> int | None:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else None


def _replace(value: str, arguments: list[str], count: int) -> str:
    return value.replace(arguments[0], arguments[1] if len(arguments) > 1 else "", count)


def _replace_prefix(value: str, arguments: list[str]) -> str:
    if len(arguments) == 2 and value.startswith(arguments[0]):
        return arguments[1] + value[len(arguments[0]) :]
    return value


def _replace_suffix(value: str, arguments: list[str]) -> str:
    if len(arguments) == 2 and value.endswith(arguments[0]):
        return value[: len(value) - len(arguments[0])] + arguments[1]
    return value


def _trim(value: str, pattern: str, *, longest: bool) -> str:
    lengths = list(matching_prefixes(pattern, value))
    return value[lengths[-1] if longest else lengths[0] :] if lengths else value


def _trim_end(value: str, pattern: str, *, longest: bool) -> str:
    return _trim(value[::-1], pattern[::-1], longest=longest)[::-1]


_FUNCTIONS: dict[str, Callable[[str, list[str]], str]] = {
    "": lambda value, _: value,
    ",": lambda value, _: value[:1].lower() + value[1:],
    ",,": lambda value, _: value.lower(),
    "^": lambda value, _: value[:1].upper() + value[1:],
    "^^": lambda value, _: value.upper(),
    "#": lambda value, arguments: _trim(value, arguments[0], longest=False),
    "##": lambda value, arguments: _trim(value, arguments[0], longest=True),
    "%": lambda value, arguments: _trim_end(value, arguments[0], longest=False),
    "%%": lambda value, arguments: _trim_end(value, arguments[0], longest=True),
    ":": _substring,
    "/": lambda value, arguments: _replace(value, arguments, 1),
    "//": lambda value, arguments: _replace(value, arguments, -1),
    "/#": _replace_prefix,
    "/%": _replace_suffix,
}
