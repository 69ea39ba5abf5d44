"""JSON log lines with trace ids. Personal data never gets here: messages are not logged, only their names."""

import logging
import sys
import traceback
from typing import Any

import structlog

from libs.rpc.call import served

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _add_trace(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    call = served()
    if call is not None and call.trace_id:
        event["trace_id"], event["span_id"] = call.trace_id, call.span_id
    return event


def _place_of_exc_info(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    error = event.pop("exc_info", None)
    error = sys.exc_info()[1] if error is True else error
    if isinstance(error, BaseException):
        event.update(place_of(error))
    return event


class _PlaceFormatter(logging.Formatter):
    """Writes of an exception what ``place_of`` tells: libraries log theirs with the values that they failed on."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        place = place_of(ei[1])
        return f"{place['error']}\n{place['stack']}"


def _calm_libraries() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlaceFormatter("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def configure(level: str = "info") -> None:
    """Sets up structlog for this interpreter: one JSON object a line on standard output, which is one as well."""
    structlog.configure(
        processors=[
            _add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _place_of_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    _calm_libraries()


def place_of(error: BaseException) -> dict[str, str]:
    """Returns what a log line may tell of an unknown exception: its type and where it came from.

    Never its own words: those of a driver hold the values of the statement that failed.
    """
    return {"error": type(error).__qualname__, "stack": "".join(traceback.format_tb(error.__traceback__))}


def logger(name: str) -> Any:
    """Returns the logger of a module."""
    return structlog.get_logger(module=name)
