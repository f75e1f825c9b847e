"""One wide line for everything worth telling: on a terminal for people, elsewhere as JSON."""

import logging
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
import structlog

_together: BinaryIO | None = None

# Warnings of these are worth a line, their progress is not.
_QUIET = ("uvicorn", "alembic", "celery", "kombu", "amqp")


def configure(style: str, level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's lines to standard error, as `console` or `json`."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    factory: Any
    if style == "console":
        renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        last = [renderer]
        factory = structlog.WriteLoggerFactory(sys.stderr)
    else:
        renderer = structlog.processors.JSONRenderer()
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=factory,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    global _together
    _together = sys.stderr.buffer if style == "json" and level <= logging.INFO else None
    _configure_standard(shared, renderer, level)


def each(logger: structlog.typing.FilteringBoundLogger, event: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Tell one line for each, as `logger.info(event, **line)` would. As JSON they are written together.

    There is a line for every attempt: one by one they cost more than the requests.
    """
    if _together is None:
        for line in lines:
            logger.info(event, **line)
        return
    told = {"event": event, "level": "info", "timestamp": datetime.now(UTC)}
    option = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    _together.write(b"".join([_dumps({**told, **line}, option=option) for line in lines]))
    _together.flush()


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a module; its lines say what happened by their own name, not by where."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger


def _configure_standard(
    shared: list[structlog.typing.Processor], renderer: structlog.typing.Processor, level: int
) -> None:
    """Let what libraries log look the same."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _dumps(line: Any, *, option: int | None = None, **_: Any) -> bytes:
    return orjson.dumps(line, default=repr, option=option)
