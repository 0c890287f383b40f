"""Structured logs: one JSON object a line, the same for our own and for libraries' messages."""

import logging
import sys
from typing import TextIO

import structlog
from prometheus_client import Counter
from structlog.typing import EventDict, WrappedLogger

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

LINES_LOST = Counter("roomkeeper_log_lines_lost", "Log lines that could not be written.")


class _Unfailing:
    """A text stream whose full disk or closed pipe never reaches who logs; losses are counted."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            LINES_LOST.inc()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            LINES_LOST.inc()


def quiet() -> None:
    """Log nothing below a warning: a command that answers people says itself what they asked."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def setup(process: str, level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Send every log line of this process to `stream` as JSON that names `process`."""
    if level not in LEVELS:
        raise ValueError(f"log level {level!r}: allowed is {', '.join(LEVELS)}")

    def name_process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.CallsiteParameterAdder(
            [structlog.processors.CallsiteParameter.THREAD_NAME]
        ),
        name_process,
        structlog.processors.format_exc_info,
    ]
    json = structlog.processors.JSONRenderer()
    out = _Unfailing(stream)
    structlog.configure(
        processors=[*shared, json],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=out),  # type: ignore[arg-type]
    )
    handler = logging.StreamHandler(out)
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[remove_meta, json]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell more than an operator wants to read below a warning.
    root.setLevel(max(LEVELS[level], logging.WARNING))
