"""The functions that a template may call, with the types of their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sluice.core.message_template.fault import Failure
from sluice.core.message_template.value import is_integer, type_name

# A letter for each parameter, and the type that it stands for.
_WANTED: dict[str, str] = {
    "s": "string", "i": "int", "f": "float64", "b": "bool", "m": "map[string]interface {}", "a": "interface {}"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Callee:
    """A function. `parameters` has a letter for each; behind the last a `*` means any number of them."""

    call: Callable[..., Any]
    parameters: str
    cost: int = 1  # how much more than going through its arguments once it does

    @property
    def fixed(self) -> str:
        """The parameters that must be given."""
        return self.parameters[:-2] if self.parameters.endswith("*") else self.parameters

    @property
    def repeated(self) -> str:
        """The parameter that may come any number of times, or nothing."""
        return self.parameters[-2] if self.parameters.endswith("*") else ""

    def wanted(self, index: int) -> str:
        """The letter of a parameter by its place."""
        return self.fixed[index] if index < len(self.fixed) else self.repeated

    def check_count(self, name: str, count: int) -> None:
        """Raises Failure when that is not the number of arguments which the function takes."""
        if count < len(self.fixed) or (count > len(self.fixed) and not self.repeated):
            least = "at least " if self.repeated else ""
            raise Failure(f"{name} takes {least}{len(self.fixed)} arguments, not {count}")


def checked(value: Any, wanted: str) -> Any:
    """Give a value back if a parameter takes it. Raises Failure if its type is another."""
    fits = {
        "s": isinstance(value, str),
        "i": is_integer(value) and type(value) is int,
        "f": isinstance(value, float),
        "b": isinstance(value, bool),
        "m": value is None or type(value) is dict,
        "a": True,
    }[wanted]
    if not fits:
        raise Failure(f"a {_WANTED[wanted]} is expected, not {type_name(value)}")
    return value
