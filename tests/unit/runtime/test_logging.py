"""A log line as a machine reads it, as a person reads it, and what neither ever sees."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from sluice.runtime.logging import configure_logging

TURN = {"reconcileID": "0123", "name": "web", "namespace": "shop", "controllerKind": "Kustomization"}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is the process's: what a test sets up goes with it."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(encoding: str, level: str = "info") -> tuple[Any, io.StringIO]:
    """A logger, and what it writes to."""
    stream = io.StringIO()
    configure_logging(level, encoding, stream)
    return structlog.get_logger(), stream


def test_a_json_line_begins_with_the_keys_that_the_flux_command_line_reads() -> None:
    log, stream = logged("json")
    with bound_contextvars(**TURN):
        log.error("not reconciled", revision="main@sha1:abc", error="no answer")
    line = json.loads(stream.getvalue())
    assert list(line)[:6] == ["ts", "level", "msg", "error", "controllerKind", "namespace"]
    del line["ts"]
    assert line == {
        "level": "error",
        "msg": "not reconciled",
        "error": "no answer",
        "revision": "main@sha1:abc",
        **TURN,
    }


def test_a_warning_is_an_info_line_and_one_without_error_has_no_such_key() -> None:
    log, stream = logged("json")
    log.warning("drift stands", error="")
    line = json.loads(stream.getvalue())
    assert (line["level"], "error" in line) == ("info", False)


def test_a_warning_with_an_error_is_an_error_line_which_flux_logs_chooses_by_level() -> None:
    log, stream = logged("json")
    log.warning("not reconciled", error="no answer")
    line = json.loads(stream.getvalue())
    assert (line["level"], line["error"]) == ("error", "no answer")


def test_the_line_of_an_exception_names_it_as_its_error() -> None:
    log, stream = logged("json")
    try:
        int("https://ann:hunter2@git.example")
    except ValueError:
        log.exception("bug")
    line = json.loads(stream.getvalue())
    assert line["error"] == "ValueError: invalid literal for int() with base 10: 'https://***@git.example'"
    assert line["exception"][0]["frames"]


def test_what_a_library_logs_goes_the_same_way_under_its_own_name() -> None:
    _, stream = logged("json")
    logging.getLogger("asyncio").warning("slow: %s", "https://ann:hunter2@git.example")
    line = json.loads(stream.getvalue())
    assert (line["logger"], line["msg"]) == ("asyncio", "slow: https://***@git.example")


def test_a_line_for_people_names_the_object_in_one_word_and_ends_with_the_error() -> None:
    log, stream = logged("console")
    with bound_contextvars(**TURN):
        log.error("not reconciled", reason="Undone", error="no answer")
    text = stream.getvalue()
    assert "object=Kustomization/shop/web" in text
    assert text.rstrip().endswith("reason=Undone error='no answer'")
    assert "reconcileID" not in text


def test_what_is_below_the_level_is_not_written() -> None:
    log, stream = logged("json", "error")
    log.info("reconciled")
    assert not stream.getvalue()


@pytest.mark.parametrize("encoding", ["json", "console"])
@pytest.mark.parametrize(
    "fields",
    [
        {"token": "hunter2"},
        {"url": "https://ann:hunter2@git.example"},
        {"urls": ["https://ann:hunter2@git.example"]},
        {"secret": {"Password": "hunter2"}},
        {"deep": [{"also": ({"git_token": "hunter2"},)}]},
        {"error": ValueError("https://ann:hunter2@git.example")},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_no_secret_reaches_a_line_however_deep_it_stands(encoding: str, fields: dict[str, Any]) -> None:
    log, stream = logged(encoding)
    log.info("asked", **fields)
    assert "asked" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_a_value_without_end_ends_in_a_line() -> None:
    log, stream = logged("json")
    endless: list[Any] = []
    endless.append(endless)
    log.info("asked", endless=endless)
    assert "…" in stream.getvalue()
