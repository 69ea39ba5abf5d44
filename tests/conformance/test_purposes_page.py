"""docs/purposes.md says what the table of purposes says, and the table is the only place that does."""

import importlib.util
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).resolve().parents[2]


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("purposes_page", _ROOT / "proto" / "purposes_page.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


def test_the_page_is_made_from_the_table() -> None:
    maker = _maker()
    assert maker.PAGE.read_text(encoding="utf-8") == maker.rendered(), "./run proto writes it anew"
