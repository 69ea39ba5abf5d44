"""The SQL that reads a mounted table: no huge cell is carried, and a table without a unique key tells what it selects."""

import pytest

from services.sharing.core.mounting import TableSource
from services.sharing.data import statements
from services.sharing.data.statements import ReadableTable
from services.sharing.data.values import LONGEST_TEXT

_SOURCE = TableSource("registry", "public", "firms", (("code", "code"), ("name", "firm_name"), ("staff", "staff")))
_TYPES = {"code": "text", "firm_name": "character varying", "staff": "integer"}


@pytest.mark.parametrize("raw", [True, False])
def test_a_text_is_cut_where_it_is_read(raw: bool) -> None:
    """A cell may hold a gigabyte; one more character than can be given tells that it is too large."""
    sql = statements.select(ReadableTable(_SOURCE, _TYPES), ("name",), ("code",), (), raw=raw)
    text = '"firm_name"::text' if raw else '"firm_name"'
    assert f"left({text}, {LONGEST_TEXT + 1})" in sql


def test_only_a_table_without_a_key_is_looked_at_as_a_whole() -> None:
    keyed, keyless = (ReadableTable(_SOURCE, _TYPES, key) for key in (("code",), ()))
    assert "OVER ()" in statements.select(keyless, ("name",), ("code",), ())
    assert "OVER ()" not in statements.select(keyed, ("name",), ("code",), ())


def test_the_order_of_a_key_is_told_from_that_of_another() -> None:
    orders = [ReadableTable(_SOURCE, _TYPES, key).order for key in (("code",), ("firm_name",), ("code", "firm_name"))]
    assert len(set(orders)) == 3 and 0 not in orders
