"""Answers in words: codes, fields, checks, versions."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypedDict

from sluice.cli.answers.parts import Cause, CodeNumber, Version1, one_of


class CodeItem(TypedDict):
    """An error code in words."""

    code: CodeNumber
    name: str
    title: str
    meaning: str
    example: str
    cause: str
    fix: str


class CodePage(CodeItem):
    """`sluice explain E204`."""

    apiVersion: Version1
    kind: Literal["CodePage"]


class CodePageList(TypedDict):
    """`sluice explain`."""

    apiVersion: Version1
    kind: Literal["CodePageList"]
    items: list[CodeItem]


class FieldItem(TypedDict):
    """One field of a kind, its type in kubectl's words, and the fields below it."""

    name: str
    type: str
    required: bool
    description: str
    rules: list[str]
    fields: list[FieldItem]


class FieldPage(FieldItem):
    """`sluice explain KIND.FIELD`: the field at `path` of the kind."""

    apiVersion: Version1
    kind: Literal["FieldPage"]
    ofKind: str
    ofApiVersion: str
    path: str


class CheckItem(TypedDict):
    """One thing that was looked at."""

    part: str
    text: str
    ok: bool
    severity: Annotated[str, one_of("error", "warning")] | None
    cause: Cause | None


class CheckReport(TypedDict):
    """`sluice check`."""

    apiVersion: Version1
    kind: Literal["CheckReport"]
    ok: bool
    items: list[CheckItem]


class Version(TypedDict):
    """`sluice version`; all but `client` with --server."""

    apiVersion: Version1
    kind: Literal["Version"]
    client: str
    operator: NotRequired[str]
    kubernetes: NotRequired[str]
    warnings: NotRequired[list[str]]


class Bundle(TypedDict):
    """`sluice debug --bundle`: what was written."""

    apiVersion: Version1
    kind: Literal["Bundle"]
    path: str
    bytes: int
    files: list[str]
