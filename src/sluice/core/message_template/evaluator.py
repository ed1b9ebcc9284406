"""A template's tree and its data to text, with Go's rules for fields, variables, branches and calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sluice.core import codes
from sluice.core.message_template.fault import Failure, TemplateRefused, TooMuch, limit, refused
from sluice.core.message_template.function import Callee, checked
from sluice.core.message_template.node import (
    Action,
    Branch,
    Chain,
    Command,
    Dot,
    Field,
    Function,
    Include,
    Literal,
    Nil,
    Node,
    Number,
    Operand,
    Pipe,
    Template,
    Text,
    Variable,
)
from sluice.core.message_template.value import (
    MAX_ITEMS,
    MAX_TEXT,
    Struct,
    is_integer,
    is_true,
    show,
    sorted_items,
    type_name,
)

MAX_STEPS = 200_000
MAX_INCLUDES = 50
SIZE_OF_A_STEP = 25

_NOTHING = object()


class _Jumped(Exception):
    """`break` or `continue`, on its way to its range."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class Evaluation:
    """One evaluation of a template. Raises TemplateRefused, with the line, for whatever stops it."""

    def __init__(self, template: Template, functions: Mapping[str, Callee]) -> None:
        self.template = template
        self.functions = functions
        self.parts: list[str] = []
        self.size = self.steps = self.includes = self.line = 0
        self.variables: list[tuple[str, Any]] = []
        self.weights: dict[int, tuple[Any, int]] = {}

    def run(self, data: Any) -> str:
        """Evaluate the template with this data."""
        self.variables = [("$", data)]
        try:
            self.walk_all(self.template.body, data)
        except RecursionError as error:
            raise limit("it is nested too deep", self.line) from error
        return "".join(self.parts)

    def failed(self, cause: str) -> TemplateRefused:
        """The error for what went wrong on the present line."""
        return refused(codes.TEMPLATE_FAILED, cause, self.line, "correct the template")

    def step(self, line: int = 0) -> None:
        self.line = line or self.line
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise limit(f"it takes more than {MAX_STEPS:,} steps", self.line)

    def write(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_TEXT:
            raise limit(f"the message has more than {MAX_TEXT:,} characters", self.line)
        self.parts.append(text)

    def walk_all(self, nodes: Iterable[Node], dot: Any) -> None:
        for node in nodes:
            self.walk(node, dot)

    def walk(self, node: Node, dot: Any) -> None:
        self.step()
        if isinstance(node, Text):
            self.write(node.text)
        elif isinstance(node, Action):
            value = self.pipe(node.pipe, dot)
            if not node.pipe.declares:
                self.write("<no value>" if value is None else self.shown(value))
        elif isinstance(node, Branch):
            self.branch(node, dot)
        elif isinstance(node, Include):
            self.include(node, dot)
        else:
            raise _Jumped(node.word)

    def shown(self, value: Any) -> str:
        try:
            return show(value)
        except TooMuch as much:
            raise limit(str(much), self.line) from much

    def branch(self, node: Branch, dot: Any) -> None:
        mark = len(self.variables)
        value = self.pipe(node.pipe, dot)
        if node.word == "range":
            self.loop(node, value, dot)
        elif is_true(value):
            self.walk_all(node.body, value if node.word == "with" else dot)
        elif node.otherwise is not None:
            self.walk_all(node.otherwise, dot)
        del self.variables[mark:]

    def loop(self, node: Branch, value: Any, dot: Any) -> None:
        mark = len(self.variables)
        for index, item in self.entries(node.pipe, value):
            self.step()
            self.bind(node.pipe, index, item)
            try:
                self.walk_all(node.body, item)
            except _Jumped as jump:
                if jump.word == "break":
                    return
            finally:
                del self.variables[mark:]
        if node.otherwise is not None and not self.entries(node.pipe, value):
            self.walk_all(node.otherwise, dot)

    def entries(self, pipe: Pipe, value: Any) -> list[tuple[Any, Any]]:
        self.line = pipe.line
        if value is None:
            return []
        if isinstance(value, list):
            return list(enumerate(value))
        if isinstance(value, dict):
            return sorted_items(value)
        if not is_integer(value):
            raise self.failed(f"range can't go over a {type_name(value)}")
        if len(pipe.declares) > 1:
            raise self.failed("range over a number has one variable")
        if value > MAX_STEPS:
            raise limit(f"range over {value}", self.line)
        return [(None, type(value)(number)) for number in range(value)]

    def bind(self, pipe: Pipe, index: Any, item: Any) -> None:
        names = pipe.declares
        values = (item,) if len(names) == 1 else (index, item)
        for place, (name, value) in enumerate(zip(names, values, strict=False)):
            if pipe.is_assignment:
                self.assign(name, value)
            else:
                self.variables[len(self.variables) - len(names) + place] = (name, value)

    def assign(self, name: str, value: Any) -> None:
        for place in reversed(range(len(self.variables))):
            if self.variables[place][0] == name:
                self.variables[place] = (name, value)
                return
        raise self.failed(f"the variable {name} is not defined")

    def include(self, node: Include, dot: Any) -> None:
        self.step(node.line)
        body = self.template.defined.get(node.name)
        if body is None:
            raise self.failed(f"there is no template {node.name!r}")
        self.includes += 1
        if self.includes > MAX_INCLUDES:
            raise limit(f"templates are nested deeper than {MAX_INCLUDES}", self.line)
        value = None if node.pipe is None else self.pipe(node.pipe, dot)
        outer, self.variables = self.variables, [("$", value)]
        self.walk_all(body, value)
        self.variables = outer
        self.includes -= 1

    def pipe(self, pipe: Pipe, dot: Any) -> Any:
        value: Any = _NOTHING
        for command in pipe.commands:
            self.step(pipe.line)
            value = self.command(command, dot, value)
        for name in pipe.declares:
            if pipe.is_assignment:
                self.assign(name, value)
            else:
                self.variables.append((name, value))
        return value

    def command(self, command: Command, dot: Any, final: Any) -> Any:
        first, *rest = command.words
        if isinstance(first, Function):
            return self.call(first.name, rest, dot, final)
        has_arguments = bool(rest) or final is not _NOTHING
        if isinstance(first, Field | Variable | Chain):
            return self.operand(first, dot, has_arguments=has_arguments)
        if has_arguments:
            raise self.failed("arguments are given to what is no function")
        if isinstance(first, Nil):
            raise self.failed("nil is not a command")
        return self.operand(first, dot)

    def operand(self, word: Operand, dot: Any, *, has_arguments: bool = False) -> Any:
        self.step()
        if isinstance(word, Dot):
            return dot
        if isinstance(word, Nil):
            return None
        if isinstance(word, Literal):
            return word.value
        if isinstance(word, Number):
            return word.ideal
        if isinstance(word, Function):
            return self.call(word.name, [], dot, _NOTHING)
        if isinstance(word, Pipe):
            return self.pipe(word, dot)
        if isinstance(word, Field):
            value, names = dot, word.names
        elif isinstance(word, Variable):
            value, names = self.variable(word.name), word.names
            if has_arguments and not names:
                raise self.failed(f"arguments are given to {word.name}, which is no function")
        else:
            value, names = self.operand(word.of, dot), word.names
        for place, name in enumerate(names):
            value = self.field(value, name, has_arguments=has_arguments and place == len(names) - 1)
        return value

    def variable(self, name: str) -> Any:
        for held, value in reversed(self.variables):
            if held == name:
                return value
        raise self.failed(f"the variable {name} is not defined")

    def field(self, value: Any, name: str, *, has_arguments: bool) -> Any:
        if value is None:
            return None
        if isinstance(value, Struct) and name in value.methods:
            if has_arguments:
                raise self.failed(f"{name} takes no arguments")
            return self.weighed(value.methods[name]())
        has_names = isinstance(value, dict) and not any(isinstance(key, Struct) for key in value)
        if (isinstance(value, Struct) and name in value.fields) or has_names:
            if has_arguments:
                raise self.failed(f"{name} is no function, but is given arguments")
            return value.fields[name] if isinstance(value, Struct) else value.get(name)
        if isinstance(value, Struct) and name in value.removed:
            cause = f"the field {name} is there no longer"
            raise refused(codes.TEMPLATE_FIELD, cause, self.line, f"use {value.removed[name]} instead")
        raise self.failed(f"there is no field {name} in a {type_name(value)}")

    def call(self, name: str, words: list[Operand], dot: Any, final: Any) -> Any:
        callee = self.functions[name]
        given = [] if final is _NOTHING else [final]
        try:
            callee.check_count(name, len(words) + len(given))
            if name in {"and", "or"}:
                return self.first_that(words, dot, given, wanted=name == "or")
            arguments = [self.argument(word, callee.wanted(place), dot) for place, word in enumerate(words)]
            arguments += [checked(value, callee.wanted(len(words))) for value in given]
            self.pay(callee, arguments)
            return self.weighed(callee.call(*arguments))
        except TooMuch as much:
            raise limit(f"{name}: {much}", self.line) from much
        except Failure as failure:
            raise self.failed(f"{name}: {failure}") from failure

    def pay(self, callee: Callee, arguments: list[Any]) -> None:
        """Count a call by what it has to go through: long texts and lists are as much work as many steps."""
        size = sum(len(value) // 2 if isinstance(value, str) else self.weight(value) for value in arguments)
        self.steps += size * callee.cost * (1 + len(arguments) // 8) // SIZE_OF_A_STEP
        self.step()

    def first_that(self, words: list[Operand], dot: Any, given: list[Any], *, wanted: bool) -> Any:
        """`or` gives the first value that is true, `and` the first that is not; what follows is not evaluated."""
        value: Any = None
        for word in words:
            value = self.argument(word, "a", dot)
            if is_true(value) == wanted:
                return value
        return given[0] if given else value

    def argument(self, word: Operand, wanted: str, dot: Any) -> Any:
        if isinstance(word, Number) and wanted in "if":
            number = word.integer if wanted == "i" else word.real
            if number is None:
                raise Failure("an integer is expected")
            return number
        if isinstance(word, Nil) and wanted not in "am":
            raise Failure("nil is not possible here")
        return checked(self.operand(word, dot), wanted)

    def weighed(self, value: Any) -> Any:
        """Give a value back unless it holds too much, counting what is in it more than once as often as it is there."""
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise limit(f"a text of more than {MAX_TEXT:,} characters", self.line)
        if self.weight(value) > MAX_ITEMS:
            raise limit(f"a list of more than {MAX_ITEMS:,} values", self.line)
        return value

    def weight(self, value: Any) -> int:
        if not isinstance(value, list | dict):
            return 1
        known = self.weights.get(id(value))
        if known is not None:
            return known[1]
        items = value if isinstance(value, list) else value.values()
        weight = 1 + sum(self.weight(item) for item in items)
        self.weights[id(value)] = (value, weight)  # the value is kept, so that its id stays its own
        return weight
