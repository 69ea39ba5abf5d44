"""CloudEvents 1.0 on their way over Redis Streams."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.cloud_event import Event, from_fields, stream_of

EVENT = Event(
    id="01",
    source="//341500/cases",
    type="cn.tongban.cases.case.accepted.v1",
    subject="cases/1",
    time=datetime(2024, 5, 6, 8, 0, 0, 123456, UTC),
    data=b"\x00\xff",
    traceparent="00-1-2-01",
)


def _travelled(event: Event) -> dict[bytes, bytes]:
    """What Redis gives back of what was put in."""
    fields = event.to_fields().items()
    return {key.encode(): value if isinstance(value, bytes) else value.encode() for key, value in fields}


_ID = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}", fullmatch=True)
_LINE = st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=200)
_EVENTS = st.builds(
    Event,
    id=_ID,
    source=st.just("//341500/cases"),
    type=st.from_regex(r"[a-z0-9_.]{1,100}", fullmatch=True),
    subject=_LINE,
    time=st.datetimes(timezones=st.just(UTC)),
    data=st.binary(),
    traceparent=_LINE,
)


@given(_EVENTS)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert from_fields(_travelled(event)) == event


def test_the_attributes_are_those_of_the_standard() -> None:
    fields = EVENT.to_fields()
    assert (fields["specversion"], fields["datacontenttype"]) == ("1.0", "application/protobuf")
    assert fields["time"] == "2024-05-06T08:00:00.123456+00:00"


def test_times_travel_in_utc() -> None:
    here = EVENT.time.astimezone(timezone(timedelta(hours=8)))
    event = Event("1", "s", "t", "u", here, b"")
    assert event.to_fields()["time"] == "2024-05-06T08:00:00.123456+00:00"


def test_an_event_without_a_trace_is_read() -> None:
    fields = _travelled(EVENT)
    del fields[b"traceparent"]
    assert from_fields(fields).traceparent == ""


@pytest.mark.parametrize("missing", [b"id", b"source", b"type", b"subject", b"time", b"data"])
def test_what_is_no_event_is_refused(missing: bytes) -> None:
    fields = _travelled(EVENT)
    del fields[missing]
    with pytest.raises(KeyError):
        from_fields(fields)


@given(_EVENTS)
def test_what_is_read_can_be_stored(event: Event) -> None:
    """PostgreSQL takes no U+0000, and no time without a zone: an event that can't be parked would stop all behind it."""
    read = from_fields(_travelled(event))
    assert "\0" not in read.id + read.source + read.type + read.subject + read.traceparent
    assert read.time.tzinfo is not None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"time", b"yesterday"),
        (b"time", b"2024-05-06T08:00:00"),
        (b"id", b"\xff"),
        (b"id", b""),
        (b"id", b"a\0"),
        (b"type", b"A"),
        (b"subject", b"a\nb"),
        (b"subject", b"x" * 501),
        (b"source", b"\0"),
        (b"traceparent", b"\x1b"),
    ],
)
def test_broken_attributes_are_refused(key: bytes, value: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_fields({**_travelled(EVENT), key: value})


def test_every_service_of_a_region_has_its_stream() -> None:
    assert stream_of("341500", "cases") == "tongban:341500:cases:events"
