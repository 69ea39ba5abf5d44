"""Times that requests carry."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import InvalidArgument
from libs.rpc.messages import moment_of


def test_a_moment_is_read_with_its_zone() -> None:
    assert moment_of(Timestamp(seconds=86_400, nanos=5_000), "begin_time") == datetime(1970, 1, 2, 0, 0, 0, 5, UTC)


@pytest.mark.parametrize("seconds", [253_402_300_800, -62_135_596_801])
def test_a_moment_that_no_calendar_has_is_refused(seconds: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        moment_of(Timestamp(seconds=seconds), "begin_time")
    assert [(each.field, each.rule) for each in caught.value.violations] == [("begin_time", "timestamp.range")]
