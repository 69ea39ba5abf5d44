"""What a log line tells of an exception: its type and its place, never its words or the values that it failed on."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from libs.config import HttpConfig
from libs.observability import logs
from services.identity.oauth.server import HttpServer

SECRET = "张三 110105199003071234"


@pytest.fixture
def configured() -> Iterator[None]:
    """The process's own set-up; taken back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    logs.configure()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _fail() -> None:
    raise ValueError(SECRET)


@pytest.mark.usefixtures("configured")
def test_a_library_s_exception_is_logged_without_its_words() -> None:
    handler = logging.getLogger().handlers[0]
    written = io.StringIO()
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(written)
    try:
        _fail()
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    assert "ValueError" in written.getvalue()
    assert "in _fail" in written.getvalue()
    assert SECRET not in written.getvalue()


@pytest.mark.usefixtures("configured")
def test_our_own_exception_is_logged_without_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        _fail()
    except ValueError:
        structlog.get_logger().error("unexpected", exc_info=True)
    line = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (line["event"], line["error"]) == ("unexpected", "ValueError")
    assert "in _fail" in line["stack"]
    assert SECRET not in str(line)


def test_a_web_server_of_ours_brings_no_formatter_of_its_own() -> None:
    """Its default configuration writes exceptions with all their words, past ours."""
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True

    async def app(_scope: object, _receive: object, _send: object) -> None: ...

    HttpServer(app, HttpConfig(port=1))
    assert [logging.getLogger(name).handlers for name in ("uvicorn", "uvicorn.error")] == [[], []]
    assert all(logging.getLogger(name).propagate for name in ("uvicorn", "uvicorn.error"))
