"""Tokens to a template's tree, with the checks that Go makes before anything is evaluated."""

from __future__ import annotations

from collections.abc import Container

from sluice.core.message_template.fault import syntax
from sluice.core.message_template.lexer import Token, tokens
from sluice.core.message_template.literal import read_character, read_number, read_string
from sluice.core.message_template.node import (
    Action,
    Branch,
    Chain,
    Command,
    Dot,
    Field,
    Function,
    Include,
    Jump,
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

MAX_DEPTH = 50
_END = Token("end of template", "", 0)
_STARTS = frozenset({"word", "dot", "field", "variable", "number", "string", "raw", "character", "("})
_KEYWORDS = frozenset(
    {"if", "else", "end", "range", "with", "define", "block", "template", "break", "continue", "nil", "true", "false"}
)


def parse(source: str, functions: Container[str]) -> Template:
    """Parse a template that may call these functions. Raises TemplateRefused with the line of the fault."""
    parser = _Parser(source, functions)
    body, word = parser.nodes()
    if word:
        raise syntax(f"'{{{{{word}}}}}' has nothing that it could belong to", parser.line)
    return Template(tuple(body), parser.defined)


class _Parser:
    def __init__(self, source: str, functions: Container[str]) -> None:
        self.tokens = list(tokens(source))
        self.at = 0
        self.functions = functions
        self.variables = ["$"]
        self.defined: dict[str, tuple[Node, ...]] = {}
        self.ranges = 0
        self.depth = 0

    @property
    def line(self) -> int:
        """The line of the last token taken."""
        return self.tokens[min(self.at, len(self.tokens)) - 1].line if self.tokens else 1

    def peek(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    def take(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def skip_space(self) -> Token:
        """Step over space and give the next token, which is not taken."""
        while self.peek().kind == "space":
            self.at += 1
        return self.peek()

    def expect(self, kind: str, where: str) -> Token:
        self.skip_space()
        token = self.take()
        if token.kind != kind:
            raise syntax(f"{token.text or token.kind!r} is not expected in {where}", self.line)
        return token

    def nodes(self) -> tuple[list[Node], str]:
        """Nodes up to `{{end}}` or `{{else`, and which of them it was; empty at the template's end."""
        found: list[Node] = []
        while (token := self.take()) is not _END:
            if token.kind == "text":
                found.append(Text(token.text))
                continue
            first = self.skip_space()
            word = first.text if first.kind == "word" else ""
            if word in {"end", "else"}:
                self.take()
                if word == "end":
                    self.expect("close", "{{end}}")
                return found, word
            node = self.action(word)
            if node is not None:
                found.append(node)
        return found, ""

    def action(self, word: str) -> Node | None:
        if word in _KEYWORDS - {"nil", "true", "false"}:
            self.take()
        if word in {"if", "with", "range"}:
            return self.branch(word)
        if word in {"break", "continue"}:
            self.expect("close", word)
            if not self.ranges:
                raise syntax(f"{{{{{word}}}}} is outside of {{{{range}}}}", self.line)
            return Jump(word)
        if word == "template":
            return self.include()
        if word == "define":
            self.define()
            return None
        if word == "block":
            return self.block()
        return Action(self.pipe("an action", "close"))

    def nested(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise syntax(f"it is nested deeper than {MAX_DEPTH}", self.line)

    def branch(self, word: str) -> Branch:
        self.nested()
        mark = len(self.variables)
        pipe = self.pipe(word, "close")
        self.ranges += word == "range"
        body, end = self.nodes()
        self.ranges -= word == "range"
        otherwise: tuple[Node, ...] | None = None
        if end == "else":
            again = self.skip_space().text
            if word in {"if", "with"} and again == word and self.peek().kind == "word":
                self.take()
                otherwise, end = (self.branch(word),), "end"
            else:
                self.expect("close", "{{else}}")
                nodes, end = self.nodes()
                otherwise = tuple(nodes)
        if end != "end":
            raise syntax(f"{{{{{word}}}}} has no {{{{end}}}}", pipe.line)
        del self.variables[mark:]
        self.depth -= 1
        return Branch(word, pipe, tuple(body), otherwise)

    def name(self, where: str) -> str:
        self.skip_space()
        token = self.take()
        if token.kind not in {"string", "raw"}:
            raise syntax(f"{where} needs a name in quotes", self.line)
        return read_string(token.text, token.line)

    def include(self) -> Include:
        name = self.name("template")
        line = self.line
        if self.skip_space().kind == "close":
            self.take()
            return Include(name, None, line)
        return Include(name, self.pipe("template", "close"), line)

    def define(self) -> None:
        name = self.name("define")
        self.expect("close", "define")
        if self.depth:
            raise syntax("{{define}} is inside of another action", self.line)
        self.add(name, "define")

    def block(self) -> Include:
        name, line = self.name("block"), self.line
        pipe = self.pipe("block", "close")
        self.add(name, "block")
        return Include(name, pipe, line)

    def add(self, name: str, where: str) -> None:
        outer, ranges, self.variables, self.ranges = self.variables, self.ranges, ["$"], 0
        self.nested()
        body, end = self.nodes()
        if end != "end":
            raise syntax(f"{{{{{where}}}}} has no {{{{end}}}}", self.line)
        self.depth -= 1
        self.variables, self.ranges = outer, ranges
        if not all(isinstance(node, Text) and not node.text.strip() for node in self.defined.get(name, ())):
            raise syntax(f"the template {name!r} is defined twice", self.line)
        self.defined[name] = tuple(body)

    def pipe(self, where: str, end: str) -> Pipe:
        self.nested()
        self.skip_space()
        line = self.peek().line or self.line
        declares, is_assignment = self.declarations(where)
        commands: list[Command] = []
        while True:
            token = self.skip_space()
            if token.kind == end:
                self.take()
                break
            if token.kind not in _STARTS:
                raise syntax(f"{token.text or token.kind!r} is not expected in {where}", token.line or self.line)
            commands.append(self.command(where))
        if not commands:
            raise syntax(f"{where} has no value", line)
        for command in commands[1:]:
            if isinstance(command.words[0], Literal | Number | Dot | Nil):
                raise syntax("a value can't be given to what is no function", line)
        self.variables += declares
        self.depth -= 1
        return Pipe(tuple(commands), tuple(declares), is_assignment, line)

    def declarations(self, where: str) -> tuple[list[str], bool]:
        """Variables before `:=` or `=`; two of them in a range."""
        start, names = self.at, []
        while self.skip_space().kind == "variable":
            names.append(self.take().text)
            sign = self.skip_space().kind
            if sign in {"declare", "assign"}:
                self.take()
                return names, sign == "assign"
            if sign != ",":
                break
            if where != "range" or len(names) > 1:
                raise syntax(f"too many variables are declared in {where}", self.line)
            self.take()
        self.at = start
        return [], False

    def command(self, where: str) -> Command:
        words: list[Operand] = []
        while True:
            if self.skip_space().kind in _STARTS:
                words.append(self.operand())
            token = self.peek()
            if token.kind == "space":
                continue
            if token.kind == "pipe":
                self.take()
            elif token.kind not in {"close", ")"}:
                raise syntax(f"{token.text or token.kind!r} is not expected in {where}", token.line or self.line)
            return Command(tuple(words))

    def operand(self) -> Operand:
        term = self.term()
        names: list[str] = []
        while self.peek().kind == "field":
            names.append(self.take().text[1:])
        if not names:
            return term
        if isinstance(term, Field):
            return Field((*term.names, *names))
        if isinstance(term, Variable):
            return Variable(term.name, (*term.names, *names))
        if isinstance(term, Literal | Number | Dot | Nil):
            raise syntax("a field is asked of a constant", self.line)
        return Chain(term, tuple(names))

    def term(self) -> Operand:
        token = self.take()
        if token.kind == "(":
            return self.pipe("parentheses", ")")
        if token.kind == "dot":
            return Dot()
        if token.kind == "field":
            return Field((token.text[1:],))
        if token.kind == "variable":
            if token.text not in self.variables:
                raise syntax(f"the variable {token.text!r} is not defined", token.line)
            return Variable(token.text)
        if token.kind in {"string", "raw"}:
            return Literal(read_string(token.text, token.line))
        if token.kind in {"number", "character"}:
            number = read_number if token.kind == "number" else read_character
            return Number(*number(token.text, token.line))
        return self.word(token)

    def word(self, token: Token) -> Operand:
        if token.text in {"true", "false"}:
            return Literal(token.text == "true")
        if token.text == "nil":
            return Nil()
        if token.text in _KEYWORDS:
            raise syntax(f"{token.text!r} is not expected here", token.line)
        if token.text not in self.functions:
            raise syntax(f"there is no function {token.text!r}", token.line)
        return Function(token.text)
