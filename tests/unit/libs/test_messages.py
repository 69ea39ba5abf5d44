"""Times become Timestamps exactly as protobuf's own conversion makes them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from libs.rpc.messages import timestamp


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(2024, 2, 29, 8, 0, 0, 1, timezone(timedelta(hours=8))),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_it_is_what_protobuf_makes(moment: datetime) -> None:
    expected = Timestamp()
    expected.FromDatetime(moment)
    assert timestamp(moment) == expected


def test_none_stays_none() -> None:
    assert timestamp(None) is None
