"""``tongban population`` makes a table of a list, or changes nothing and says which line is wrong."""

from pathlib import Path

from typer.testing import CliRunner

from deploy.local.population_cli import app
from services.identity.verifications.population import PopulationTable

HEAD, GOOD, BAD = (
    "full_name,document_type,document_number\n",
    "测试甲,111,11010519491231002X\n",
    "测试乙,111,110105194912310021\n",
)


def _run(folder: Path, content: bytes) -> tuple[int, str]:
    (folder / "list.csv").write_bytes(content)
    given = [str(folder / "list.csv"), "--table", str(folder / "table"), "--key", str(folder / "key")]
    found = CliRunner().invoke(app, given)
    return found.exit_code, found.output


def test_a_list_becomes_a_table_with_a_key_of_its_own(tmp_path: Path) -> None:
    code, told = _run(tmp_path, (HEAD + GOOD + GOOD).encode())
    assert (code, told.startswith("1 people are in")) == (0, True)
    key = (tmp_path / "key").read_bytes()
    assert len(key) == 32
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    table = PopulationTable(tmp_path / "table", key)
    assert table.has("测试甲", "111", "11010519491231002X")
    table.close()
    # Made again it has the same key: digests of before stay comparable.
    assert _run(tmp_path, (HEAD + GOOD).encode())[0] == 0
    assert (tmp_path / "key").read_bytes() == key


def test_a_wrong_list_changes_nothing_and_is_told_without_the_person(tmp_path: Path) -> None:
    _run(tmp_path, (HEAD + GOOD).encode())
    before = (tmp_path / "table").read_bytes()
    code, told = _run(tmp_path, (HEAD + GOOD + BAD).encode())
    assert (code, "list.csv: line 3: document_number: " in told) == (1, True)
    assert "测试" not in told
    assert "110105" not in told
    assert (tmp_path / "table").read_bytes() == before
    assert _run(tmp_path, (HEAD + GOOD).encode("gb18030"))[0] == 1
    code, told = _run(tmp_path, (HEAD + "x" * 200_000).encode())
    assert (code, told.startswith("list.csv: field larger than field limit")) == (1, True)
    assert (tmp_path / "table").read_bytes() == before
