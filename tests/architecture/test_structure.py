"""The rules of the code's shape that no linter knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.core.codes import CODES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "sluice"
FILES = sorted(SOURCE.rglob("*.py"))
PURE = [path for path in FILES if path.parts[len(SOURCE.parts)] in {"core", "api"}]
IMPURE_NAMES = {"asyncio", "threading", "socket", "subprocess", "os", "pathlib", "time", "random", "logging", "uuid"}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval"}
BANNED_STEMS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

MOST_LINES_OF_A_FILE = 600
MOST_LINES_OF_A_FUNCTION = 80
MOST_PARAMETERS = 9


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_core_and_api_do_no_input_or_output(path: Path) -> None:
    faults = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            faults += [alias.name for alias in node.names if alias.name.split(".")[0] in IMPURE_NAMES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in IMPURE_NAMES:
            faults.append(node.module or "")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            faults.append(f"{node.func.id}()")
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"now", "utcnow"}
        ):
            faults.append(f".{node.func.attr}()")
        elif isinstance(node, ast.Global):
            faults.append("global")
    assert not faults


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_module_says_what_it_turns_into_what(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "a module needs a docstring"
    assert path.stem not in BANNED_STEMS


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_too_large_to_hold_in_mind(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES_OF_A_FILE
    for function in functions(path):
        assert (function.end_lineno or 0) - function.lineno < MOST_LINES_OF_A_FUNCTION, function.name
        parameters = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        if "overload" not in {d.id for d in function.decorator_list if isinstance(d, ast.Name)}:
            assert len([p for p in parameters if p.arg not in {"self", "cls"}]) <= MOST_PARAMETERS, function.name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_public_functions_and_classes_are_documented(path: Path) -> None:
    bare = [
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not is_shape(node)
        and not ast.get_docstring(node)
    ]
    assert not bare


def is_shape(node: ast.stmt) -> bool:
    """A struct that repeats somebody else's JSON, whose fields are documented where they come from."""
    return isinstance(node, ast.ClassDef) and any(ast.unparse(b) in {"msgspec.Struct", "ApiStruct"} for b in node.bases)


# Working state of one call, never handed on: a tree of positions, an expression's evaluation.
WORKING_STATE = {"Node", "Evaluator"}


def test_values_of_the_pure_middle_are_frozen() -> None:
    thawed = set()
    for path in PURE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                for decorator in node.decorator_list:
                    text = ast.unparse(decorator)
                    if text.startswith("dataclass") and "frozen=True" not in text:
                        thawed.add(node.name)
    assert thawed <= WORKING_STATE


def test_codes_are_unique_and_in_their_ranges() -> None:
    numbers = [code.number for code in CODES]
    assert len(numbers) == len(set(numbers))
    assert len({code.name for code in CODES}) == len(CODES)
    assert all(number[0] in "EW" and number[1:].isdecimal() and len(number) == 4 for number in numbers)
