"""Numbers of documents by their type: one rule for all services."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from libs.ids import citizen_id
from libs.ids.documents import normal_number

TODAY = date(2024, 3, 4)


def _checked(body: str) -> str:
    return body + citizen_id.check_char(body)


@pytest.mark.parametrize(
    ("kind", "number", "kept"),
    [
        ("111", "11010519491231002x", "11010519491231002X"),
        ("001", " 91110000600037341L ", "91110000600037341L"),
        ("553", _checked("91115619900101001").lower(), _checked("91115619900101001")),
        ("553", "usa110090010112", "USA110090010112"),
        ("414", " e12345678 ", "E12345678"),
    ],
)
def test_numbers_are_kept_in_one_form(kind: str, number: str, kept: str) -> None:
    assert normal_number(kind, number, "f", TODAY) == kept
    assert normal_number(kind, kept, "f", TODAY) == kept


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("111", "110105194912310021"),
        ("111", _checked("11010520240305002")),
        ("001", "91110000600037341X"),
        ("553", "91115619900101001?"),
        ("553", "91115"),
        ("553", _checked("91115620240305001")),
        ("553", "中US110090010112"),
        ("414", " "),
        ("414", "E1\n2"),
        ("414", "\u200b"),
    ],
)
def test_numbers_that_break_their_rule_are_refused(kind: str, number: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        normal_number(kind, number, "holder.number", TODAY)
    assert [each.field for each in refused.value.violations] == ["holder.number"]
    assert len(number) < 10 or number not in str(refused.value)


@given(
    st.from_regex(r"9[0-9]{5}(19[0-9]{2}|200[0-9])(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])[0-9]{3}", fullmatch=True),
    st.integers(0, 16),
)
def test_every_single_wrong_digit_of_a_residence_number_is_found(body: str, place: int) -> None:
    """ISO 7064 MOD 11-2 finds every single error; so it counts for foreigners' cards as for citizens'."""
    number = _checked(body)
    assert normal_number("553", number, "f", TODAY) == number
    wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
    with pytest.raises(InvalidArgument):
        normal_number("553", wrong, "f", TODAY)
