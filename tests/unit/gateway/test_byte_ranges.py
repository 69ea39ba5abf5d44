"""Which bytes a Range header asks for (RFC 9110, 14.1.2)."""

import pytest

from services.gateway.byte_ranges import ByteRange, Unsatisfiable, wanted


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=0-9", ByteRange(0, 10)),
        ("bytes=5-", ByteRange(5, 5)),
        ("bytes=5-99", ByteRange(5, 5)),
        ("bytes=9-9", ByteRange(9, 1)),
        ("bytes=-3", ByteRange(7, 3)),
        ("bytes=-99", ByteRange(0, 10)),
        ("Bytes= 2-3 ", ByteRange(2, 2)),
    ],
)
def test_one_range_is_found(header: str, found: ByteRange) -> None:
    assert wanted(header, 10) == found


@pytest.mark.parametrize(
    "header", ["", "bytes=", "bytes=-", "bytes=3-2", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=١-٢", "bytes=1"]
)
def test_what_is_no_single_range_is_all(header: str) -> None:
    assert wanted(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_nothing_stands_behind_the_end(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        wanted(header, 10)
