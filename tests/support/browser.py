"""Debian's Chromium, as tests drive it, and how the pages are looked at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""It calls nobody by itself, and runs as root."""
LOOKS = (
    pytest.param(("zh-CN", {"width": 1280, "height": 800}), id="desktop"),
    pytest.param(("en", {"width": 390, "height": 844}), id="phone"),
)
"""Somebody who reads Chinese at a desk, and somebody who reads English on a phone."""


@asynccontextmanager
async def chromium_running() -> AsyncIterator[Browser]:
    """Runs it without a screen."""
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        await found.close()


@asynccontextmanager
async def looking(chromium: Browser, look: Any, seconds: float, **more: Any) -> AsyncIterator[BrowserContext]:
    """A browser without a memory, of somebody by one of LOOKS; what it waits for must come within ``seconds``."""
    language, viewport = look
    made = await chromium.new_context(locale=language, viewport=viewport, **more)
    made.set_default_timeout(seconds * 1000)
    yield made
    await made.close()
