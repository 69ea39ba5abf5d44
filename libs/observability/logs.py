"""JSON log lines with trace ids. Personal data never gets here: messages are not logged, only their names."""

import logging
import sys
import traceback
from typing import Any

import structlog

from libs.rpc.call import call_or_none

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _add_trace(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    call = call_or_none()
    if call is not None and call.trace_id:
        event["trace_id"], event["span_id"] = call.trace_id, call.span_id
    return event


def configure(service: str, region: str, level: str = "info") -> None:
    """Sets up structlog for this process: one JSON object a line on standard output."""
    structlog.configure(
        processors=[
            _add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, region=region)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def place_of(error: BaseException) -> dict[str, str]:
    """Returns what a log line may tell of an unknown exception: its type and where it came from.

    Never its own words: those of a driver hold the values of the statement that failed.
    """
    return {"error": type(error).__qualname__, "stack": "".join(traceback.format_tb(error.__traceback__))}


def logger(name: str) -> Any:
    """Returns the logger of a module."""
    return structlog.get_logger(module=name)
