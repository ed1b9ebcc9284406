"""A YAML file opened for editing: its text, its documents' nodes, and their values as the API server reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.problem import Code, Origin, Problem
from sluice.core.yaml_compose import Chunk, compose
from sluice.core.yaml_error import Fault, dotted
from sluice.core.yaml_node import ALIAS, Node, read_nodes
from sluice.core.yaml_read import decode, split

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Path = tuple[str | int, ...]


class EditRefused(UserError):
    """The file can't be edited so; nothing was changed. Whoever keeps the file can fix it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A value in a file: the document's number, counting from 1 and without empty ones, and the path inside it."""

    document: int
    path: Path

    def step(self, *steps: str | int) -> Address:
        """The address `steps` below this one."""
        return Address(self.document, (*self.path, *steps))

    def __str__(self) -> str:
        return dotted(self.path)


@dataclass(frozen=True, slots=True)
class TextDocument:
    """One document that is not empty: where its text is, its nodes, and its value. Neither may be changed."""

    chunk: Chunk
    root: Node
    value: Any


@dataclass(frozen=True, slots=True)
class YamlText:
    """A whole file that can be read without a problem. Offsets count characters of `text`, which has no BOM."""

    path: str
    text: str
    has_mark: bool
    documents: tuple[TextDocument, ...]
    commit: str = ""

    def document(self, address: Address) -> TextDocument:
        """The document that an address is in. Raises EditRefused when the file has no such document."""
        if not 1 <= address.document <= len(self.documents):
            raise self.refused(codes.VALUE_FORM, "the file has no such document", cause=f"number {address.document}")
        return self.documents[address.document - 1]

    def values(self) -> list[Any]:
        """The documents' values, in order."""
        return [document.value for document in self.documents]

    def branch(self, address: Address) -> list[Node]:
        """The nodes from a document's root to the value at `address`, all of them written out in the text itself.

        Raises EditRefused when the value is not there, or is reached through an alias or a merge, or is repeated by
        an alias: then an edit would change more than this value.
        """
        document = self.document(address)
        nodes = list(document.root.descend(address.path))
        shared = next((node for node in nodes if node.is_shared or node.kind == ALIAS), None)
        if shared is not None or (len(nodes) <= len(address.path) and "<<" in nodes[-1].keys):
            raise self.refused(
                codes.VALUE_SHARED,
                "the value is shared",
                at=shared or nodes[-1],
                address=address,
                cause="an anchor, an alias or '<<' gives it to several places, so that an edit would change them all",
                fix="write the value out where it is to be changed",
            )
        if len(nodes) <= len(address.path):
            raise self.refused(codes.VALUE_FORM, "the value is not in the file", at=nodes[-1], address=address)
        return nodes

    def refused(
        self, code: Code, title: str, *, at: Node | None = None, address: Address | None = None, cause: str = "",
        fix: str = "", subject: ResourceId | None = None,
    ) -> EditRefused:  # fmt: skip
        """Make the error that says why a place of this file is not edited."""
        line, column = (at.named.line, at.named.column) if at is not None else (0, 0)
        document = address.document if address is not None else 0
        origin = Origin(self.path, line, column, document, self.commit)
        return EditRefused(Problem(code, title, subject, origin, str(address or ""), cause, fix))

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """The file's bytes with these spans replaced; every other byte is as it was."""
        parts, at = [], 0
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
            parts += [self.text[at : edit.start], edit.text]
            at = edit.end
        encoded = "".join([*parts, self.text[at:]]).encode()
        return BYTE_ORDER_MARK + encoded if self.has_mark else encoded


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `end` of a file's text become `text`."""

    start: int
    end: int
    text: str


def open_text(data: bytes, path: str, commit: str = "") -> YamlText:
    """Read a file for editing. Raises EditRefused with every problem that its text has."""
    text, problem = decode(data, path, commit)
    if problem is not None:
        raise EditRefused(problem)
    faults: list[Fault] = []
    documents = tuple(_documents(text, faults))
    if faults:
        raise EditRefused(*(fault.problem(path, commit) for fault in faults))
    return YamlText(path, text, data.startswith(BYTE_ORDER_MARK), documents, commit)


def _documents(text: str, faults: list[Fault]) -> Iterator[TextDocument]:
    for chunk in split(text, faults):
        value, _, found = compose(chunk)
        faults += found
        root = None if value is None or found else read_nodes(chunk)
        if root is not None:
            yield TextDocument(chunk, root, value)
