"""The operator's list as a table: what is in it is found however it is written, and can't be read out of it."""

import csv
import hashlib
import hmac
from datetime import date
from pathlib import Path

import pytest

from services.identity.verifications import population
from services.identity.verifications.population import NoPopulationTable, PopulationTable, WrongRow

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
TODAY = date(2024, 1, 9)
NUMBER, SECOND = "11010519491231002X", "440524188001010014"
HEAD = list(population.COLUMNS)
ROWS = [HEAD, ["测试甲", "111", NUMBER], ["阿卜杜拉•买买提", "111", SECOND]]


def _table(folder: Path, *rows: list[str], key: bytes = KEY) -> Path:
    file = folder / "population.table"
    population.write(file, population.prepare(rows or ROWS, key, TODAY))
    return file


def test_who_is_in_it_is_found_by_name_and_number_together(tmp_path: Path) -> None:
    table = PopulationTable(_table(tmp_path), KEY)
    assert table.has("测试甲", "111", NUMBER)
    assert table.has("阿卜杜拉·买买提", "111", SECOND)
    assert not table.has("测试乙", "111", NUMBER)
    assert not table.has("测试甲", "111", SECOND)
    assert not table.has("测试甲", "112", NUMBER)
    table.close()


def test_every_row_is_found_and_nobody_else(tmp_path: Path) -> None:
    rows = [["测试甲", "414", f"E{number:08d}"] for number in range(0, 2000, 2)]
    table = PopulationTable(_table(tmp_path, HEAD, *rows), KEY)
    assert [number for number in range(2000) if table.has("测试甲", "414", f"E{number:08d}")] == list(range(0, 2000, 2))
    table.close()


def test_the_file_holds_digests_by_its_key_and_nothing_else(tmp_path: Path) -> None:
    content = _table(tmp_path, HEAD, ["测试甲", "111", NUMBER.lower()]).read_bytes()
    # Worked out here and not by the code: what the documentation of the file says.
    known = hmac.new(KEY, f"测试甲\0{111}\0{NUMBER}".encode(), hashlib.sha256).digest()
    assert content == b"TBPOPU01" + known
    assert (tmp_path / "population.table").stat().st_mode & 0o077 == 0


def test_under_another_key_nobody_is_found(tmp_path: Path) -> None:
    table = PopulationTable(_table(tmp_path), OTHER_KEY)
    assert not table.has("测试甲", "111", NUMBER)
    table.close()


def test_a_table_that_is_replaced_is_taken_up(tmp_path: Path) -> None:
    table = PopulationTable(_table(tmp_path), KEY)
    assert table.has("测试甲", "111", NUMBER)
    _table(tmp_path, HEAD, ["测试乙", "111", SECOND])
    assert not table.has("测试甲", "111", NUMBER)
    assert table.has("测试乙", "111", SECOND)
    table.close()


@pytest.mark.parametrize("content", [b"", b"TBPOPU01" + b"x" * 31, b"ANOTHER1" + b"x" * 32])
def test_what_is_no_table_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "population.table").write_bytes(content)
    with pytest.raises(NoPopulationTable, match="no table"):
        PopulationTable(tmp_path / "population.table", KEY).has("测试甲", "111", NUMBER)


def test_an_empty_list_knows_nobody(tmp_path: Path) -> None:
    table = PopulationTable(_table(tmp_path, HEAD), KEY)
    assert not table.has("测试甲", "111", NUMBER)
    table.close()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["name", "type", "number"]], "line 1: the columns are full_name, document_type, document_number"),
        ([], "line 1: "),
        ([HEAD, ["测试甲", "111"]], "line 2: there are 2 columns"),
        ([HEAD, ["测试甲", "111", NUMBER], [" ", "111", NUMBER]], "line 3: full_name is empty"),
        ([HEAD, ["测试甲", "111", "110105194912310021"]], "line 2: document_number: "),
    ],
)
def test_a_wrong_row_is_told_by_line_and_rule_without_the_person(rows: list[list[str]], told: str) -> None:
    with pytest.raises(WrongRow) as refused:
        population.prepare(rows, KEY, TODAY)
    assert str(refused.value).startswith(told)
    assert "110105" not in str(refused.value)
    assert "测试" not in str(refused.value)


def test_a_short_key_is_none(tmp_path: Path) -> None:
    with pytest.raises(NoPopulationTable, match="32 bytes"):
        population.prepare(ROWS, b"short", TODAY)
    with pytest.raises(NoPopulationTable, match="32 bytes"):
        PopulationTable(tmp_path / "population.table", b"short")


def test_lists_are_read_as_spreadsheets_write_them(tmp_path: Path) -> None:
    with (tmp_path / "list.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(ROWS)
    assert list(population.rows_of(tmp_path / "list.csv")) == ROWS
