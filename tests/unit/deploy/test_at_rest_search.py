"""The search for planted data is tried itself."""

from pathlib import Path

import pytest

from tests.support import at_rest
from tests.support.at_rest import Needles, files_with, packed, spellings


def test_the_search_finds_each_spelling_across_the_border_of_two_pieces_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_rest, "_PIECE", 64)
    texts = ("植标楠", "10076543219")
    for text in texts:
        for name, form in spellings(text).items():
            (tmp_path / f"{text} {name}").write_bytes(b"\0" * 61 + form)
    found = files_with(Needles(texts), tmp_path)
    assert set(found) == {f"{text} {name}" for text in texts for name in spellings(text)}
    assert all((path.split(" ", 1)[0], path.split(" ", 1)[1]) in planted for path, planted in found.items())


def test_archives_and_documents_in_the_clear_are_named(tmp_path: Path) -> None:
    for name, content in (("a", b"PK\x03\x04..."), ("b", b"%PDF-1.7"), ("c", b"neither")):
        (tmp_path / name).write_bytes(content)
    assert sorted(packed(tmp_path)) == ["a", "b"]
