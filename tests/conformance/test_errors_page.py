"""docs/errors.md says what the contract says."""

import importlib.util
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_made_from_the_contract() -> None:
    spec = importlib.util.spec_from_file_location("errors_page", _ROOT / "proto" / "errors_page.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    image = (_ROOT / "proto" / "gen" / "tongban.binpb").read_bytes()
    assert maker.PAGE.read_text(encoding="utf-8") == maker.rendered(image), "./run proto writes it anew"
