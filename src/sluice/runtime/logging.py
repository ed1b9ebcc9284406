"""Log lines in the form that `flux logs` and people's log pipelines expect of a controller.

JSON lines have `ts`, `level`, `msg` first, then `error`, `logger`, `controllerKind`, `name`, `namespace` where they
apply. Lines for people have the object as one word, and no `reconcileID`. What other libraries log through the standard
library goes the same way. Values of fields that hold secrets, and credentials in URLs, never get as far as a line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

from sluice.core.git_url import mask_userinfo

LEVELS = {"trace": 10, "debug": 10, "info": 20, "warning": 30, "error": 40}
_SECRET_FIELDS = ("password", "token", "authorization", "secret_value", "private_key", "identity_key")
_DEPTH = 8
Fields = MutableMapping[str, Any]


def configure_logging(level: str = "info", encoding: str = "json", stream: TextIO | None = None) -> None:
    """Set up logging for this process; `encoding` is json or console, `level` one of LEVELS."""
    target = stream if stream is not None else sys.stderr
    threshold = LEVELS[level]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
        if encoding == "json"
        else structlog.processors.format_exc_info,
        without_secrets,
    ]
    last: list[Any] = (
        [in_flux_form, structlog.processors.JSONRenderer(serializer=_json)]
        if encoding == "json"
        else [for_people, structlog.dev.ConsoleRenderer(colors=target.isatty(), timestamp_key="ts", sort_keys=False)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


def in_flux_form(_: Any, __: str, fields: Fields) -> Fields:
    """Rename and order the fields: ts, level, msg, those of `_FIRST` that there are, then the others as given.

    The line of an exception has it as `error` too, which is what `flux logs` shows. A warning that has an error is an
    error line, for `flux logs --level=error` is how people look for what fails.
    """
    ordered: Fields = {"ts": fields.pop("ts", ""), "level": "", "msg": fields.pop("event", "")}
    if not fields.get("error"):
        fields["error"] = _error_of(fields.get("exception"))
    ordered["level"] = _level_name(fields.pop("level", ""), has_error=bool(fields["error"]))
    ordered.update({name: value for name in _FIRST if (value := fields.pop(name, ""))})
    ordered.update(fields)
    return ordered


def _error_of(exception: Any) -> str:
    """The last line of a traceback that `ExceptionDictTransformer` has made."""
    if not isinstance(exception, list) or not exception:
        return ""
    return f"{exception[0].get('exc_type', '')}: {exception[0].get('exc_value', '')}"


def for_people(_: Any, __: str, fields: Fields) -> Fields:
    """Put the object in one word behind the message, the error last, and leave out what only machines look for."""
    fields.pop("reconcileID", None)
    kind, namespace, name = (str(fields.pop(key, "")) for key in ("controllerKind", "namespace", "name"))
    error = fields.pop("error", "")
    where = "/".join(part for part in (kind, namespace, name) if part)
    shown: Fields = {"event": fields.pop("event", ""), **({"object": where} if where else {}), **fields}
    if error:
        shown["error"] = error
    return shown


_FIRST = ("error", "logger", "controllerKind", "namespace", "name")


def _level_name(level: str, *, has_error: bool) -> str:
    """The controllers' logger knows debug, info and error."""
    if level == "warning":
        return "error" if has_error else "info"
    return "error" if level == "critical" else level


def without_secrets(_: Any, __: str, fields: Fields) -> Fields:
    """Mask what must not be logged, however deep it stands."""
    for name, value in fields.items():
        fields[name] = _masked(name, value, _DEPTH)
    return fields


def _masked(name: str, value: Any, depth: int) -> Any:
    if any(word in name.lower() for word in _SECRET_FIELDS):
        return "*****"
    if isinstance(value, str):
        return mask_userinfo(value) if "://" in value else value
    if not isinstance(value, dict | list | tuple | BaseException):
        return value
    if isinstance(value, BaseException):
        return _masked(name, str(value), depth)
    if not depth:
        return "…"
    if isinstance(value, dict):
        return {key: _masked(str(key), each, depth - 1) for key, each in value.items()}
    return [_masked("", each, depth - 1) for each in value]


def _json(fields: Fields, **_: Any) -> str:
    return msgspec.json.encode(fields, enc_hook=str).decode()
