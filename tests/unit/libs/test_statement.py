"""Named parameters of hot statements become numbers once."""

import pytest

from libs.db.statement import Statement


def test_names_become_numbers_in_the_order_they_first_stand() -> None:
    statement = Statement("UPDATE t SET a = :a, b = CAST(:b AS uuid)::text WHERE id = :id AND a <> :a")
    assert statement.text == "UPDATE t SET a = $1, b = CAST($2 AS uuid)::text WHERE id = $3 AND a <> $1"
    assert statement.arguments({"id": 3, "a": 1, "b": 2, "more": 4}) == [1, 2, 3]


def test_a_missing_value_is_a_fault() -> None:
    with pytest.raises(KeyError):
        Statement("SELECT :a").arguments({})
