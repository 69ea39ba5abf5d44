"""docs/errors.md says what the contract says."""

import importlib.util
from pathlib import Path
from types import ModuleType

from libs.rpc import refusals

_ROOT = Path(__file__).resolve().parents[2]


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("errors_page", _ROOT / "proto" / "errors_page.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


def test_the_page_is_made_from_the_contract() -> None:
    maker = _maker()
    image = (_ROOT / "proto" / "gen" / "tongban.binpb").read_bytes()
    assert maker.PAGE.read_text(encoding="utf-8") == maker.rendered(image), "./run proto writes it anew"


def test_the_page_says_in_words_which_reasons_follow_from_declarations() -> None:
    assert list(_maker().IMPLIED) == list(refusals.IMPLIED)
