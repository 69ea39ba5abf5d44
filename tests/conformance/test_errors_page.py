"""docs/errors.md, docs/bad-input.md and docs/permissions.md say what the contract says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from libs.access.rights import HELD
from libs.rpc import refusals
from tests.support import contracts
from tests.support.broken import broken

_ROOT = Path(__file__).resolve().parents[2]


def _maker(name: str = "errors_page") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, _ROOT / "proto" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


@pytest.mark.parametrize("name", ["errors_page", "bad_input_page", "permissions_page"])
def test_the_page_is_made_from_the_contract(name: str) -> None:
    maker = _maker(name)
    image = (_ROOT / "proto" / "gen" / "tongban.binpb").read_bytes()
    assert maker.PAGE.read_text(encoding="utf-8") == maker.rendered(image), "./run proto writes it anew"


def test_the_page_says_in_words_which_reasons_follow_from_declarations() -> None:
    assert list(_maker().IMPLIED) == list(refusals.IMPLIED)


def test_the_page_names_every_holder_and_tells_all_that_each_holds() -> None:
    maker = _maker("permissions_page")
    assert list(maker.HOLDERS) == list(HELD)
    page = maker.PAGE.read_text(encoding="utf-8")
    for holder in ("RECEIVING", "AUDITING", "PERSON"):
        told = page.partition(f"### {maker.HOLDERS[holder]}\n")[2].partition("\n#")[0]
        assert {line.strip("- `") for line in told.splitlines() if line} == HELD[holder]


def test_the_tables_of_bad_input_tell_of_every_rule_that_is_broken() -> None:
    """They are read off the rules by themselves; what is broken is what services are sent, and answer (test_refusals.py)."""

    def place(field: str) -> str:
        return re.sub(r'\["[^"]*"\]', '["key"]', field.replace("[0]", "[n]"))

    rows = _maker("bad_input_page").rows
    for method in contracts.methods():
        # What no rule of the contract says is a reason, or a family of rules: each has tests of its own.
        told = {(row.field, row.rule) for row in rows(method) if not row.rule.isupper() and not row.rule.endswith(".…")}
        assert told == {(place(each.field), each.rule) for each in broken(method)}, method.name
