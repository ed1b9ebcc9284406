"""Log lines in the form that `flux logs` and people's log pipelines expect of a controller.

JSON lines have `ts`, `level`, `msg` first and `error`, `logger`, `controllerKind`, `name`, `namespace` where they
apply. What other libraries log through the standard library takes the same way. Values of fields that hold secrets,
and credentials in URLs, never get as far as a line.
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
        else [structlog.dev.ConsoleRenderer(colors=target.isatty(), timestamp_key="ts")]
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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last], foreign_pre_chain=shared
        )
    )
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


def in_flux_form(_: Any, __: str, fields: Fields) -> Fields:
    """Rename and order the fields: ts, level, msg, error (when there is one), then the others as given."""
    ordered: Fields = {"ts": fields.pop("ts", ""), "level": _LEVEL_NAMES.get(fields["level"], fields.pop("level", ""))}
    fields.pop("level", None)
    ordered["msg"] = fields.pop("event", "")
    if fields.get("error"):
        ordered["error"] = fields["error"]
    fields.pop("error", None)
    ordered.update(fields)
    return ordered


_LEVEL_NAMES = {"warning": "info", "critical": "error"}  # the controllers' logger knows debug, info and error


def without_secrets(_: Any, __: str, fields: Fields) -> Fields:
    """Mask what must not be logged."""
    for name, value in fields.items():
        if any(word in name.lower() for word in _SECRET_FIELDS):
            fields[name] = "*****"
        elif isinstance(value, str) and "://" in value:
            fields[name] = mask_userinfo(value)
    return fields


def _json(fields: Fields, **_: Any) -> str:
    return msgspec.json.encode(fields, enc_hook=str).decode()
