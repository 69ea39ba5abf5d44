"""Breaking Chinese text into lines."""

from services.license.rendering.typesetting import break_lines, centred, fitting_size, spread, width


def test_lines_fill_the_room_and_lose_nothing() -> None:
    text = "预包装食品销售散装食品销售" * 5
    lines = break_lines(text, 5, 52)
    assert "".join(lines) == text
    assert all(width(line, 5) <= 52 for line in lines)
    assert {len(line) for line in lines[:-1]} == {10}


def test_no_line_begins_with_a_closing_or_ends_with_an_opening_mark() -> None:
    assert break_lines("一二三四五，六七", 1, 5) == ["一二三四", "五，六七"]
    assert break_lines("一二三四（五六）", 1, 5) == ["一二三四", "（五六）"]


def test_latin_runs_hold_together_unless_longer_than_a_line() -> None:
    assert break_lines("编号 AB12", 1, 3.5) == ["编号", "AB12"]
    assert "".join(break_lines("A" * 40, 1, 5)) == "A" * 40


def test_line_feeds_are_kept_and_spaces_collapsed() -> None:
    assert break_lines("一\n二\t 三", 1, 9) == ["一", "二 三"]
    assert break_lines("", 1, 9) == [""]


def test_labels_are_spread_and_titles_centred() -> None:
    assert spread("住所", 10, 0, 5, 30).spacing == 20
    assert spread("住", 10, 0, 5, 30).spacing == 0
    assert centred("证照", 100, 0, 10).x == 90
    assert fitting_size("证照", 10, 10) == 5
