"""The numbers of uses of seals."""

from datetime import date

import pytest

from services.seal.sealing.rules import sealing_number


def test_a_number_says_where_and_when_and_how_many() -> None:
    assert sealing_number("341500", date(2026, 3, 2), 7) == "341500-2026030200000007"
    assert sealing_number("wanzhi", date(2026, 12, 31), 10**8 - 1) == "wanzhi-2026123199999999"
    for sequence in (0, 10**8):
        with pytest.raises(ValueError, match="out of range"):
            sealing_number("341500", date(2026, 3, 2), sequence)
