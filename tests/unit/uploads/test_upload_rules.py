"""What may be uploaded, added and taken."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import TongbanError
from libs.uploads import rules
from libs.uploads.rules import PART_BYTES, Upload, UploadQuota, UploadState

MOMENT = datetime(2024, 5, 6, tzinfo=UTC)
NAME = "license/uploads/u"
DIGEST = "sm3:" + "a" * 64


def upload(**changes: Any) -> Upload:
    """An open upload of ten bytes, of which four are there."""
    fields: dict[str, Any] = {
        "id": "u",
        "owner": "persons/1",
        "media_type": "application/pdf",
        "size": 10,
        "digest": "",
        "received": 4,
        "state": UploadState.OPEN,
        "create_time": MOMENT,
        "expire_time": MOMENT,
    }
    return Upload(**fields | changes)


def refusal(check: Any, *arguments: Any) -> tuple[str, str]:
    """The reason of a refusal, and its rule where it has one."""
    with pytest.raises(TongbanError) as refused:
        check(*arguments)
    error = refused.value
    return error.reason, error.metadata.get("rule", "") or "".join(each.rule for each in error.violations)


def test_who_holds_as_much_as_one_may_begins_no_more() -> None:
    quota = UploadQuota(count=3, size=100)
    rules.check_quota(quota, UploadQuota(2, 90), 10)
    assert refusal(rules.check_quota, quota, UploadQuota(2, 90), 11) == ("UPLOAD_QUOTA_EXCEEDED", "bytes")
    assert refusal(rules.check_quota, quota, UploadQuota(3, 0), 1) == ("UPLOAD_QUOTA_EXCEEDED", "count")


@pytest.mark.parametrize(
    "found", [None, upload(owner="persons/2"), upload(state=UploadState.DELETED), upload(owner="persons/1 staff/1")]
)
def test_what_is_anothers_does_not_exist(found: Upload | None) -> None:
    assert refusal(rules.check_owned, found, NAME, "persons/1") == ("RESOURCE_NOT_FOUND", "")


def test_who_began_it_has_it() -> None:
    assert rules.check_owned(upload(), NAME, "persons/1") == upload()


def test_nothing_may_be_left_out_between_and_what_is_there_may_come_again() -> None:
    rules.check_offset(upload(), NAME, 4)
    rules.check_offset(upload(), NAME, 0)
    with pytest.raises(TongbanError) as refused:
        rules.check_offset(upload(), NAME, 5)
    assert refused.value.reason == "UPLOAD_OFFSET_MISMATCH"
    assert refused.value.metadata == {"resource": NAME, "received_bytes": "4"}


def test_no_more_comes_than_was_announced() -> None:
    rules.check_room(upload(), NAME, 10)
    assert refusal(rules.check_room, upload(), NAME, 11) == ("UPLOAD_CONTENT_MISMATCH", "size")


def test_an_upload_ends_whole() -> None:
    rules.check_whole(upload(received=10), NAME)
    assert refusal(rules.check_whole, upload(), NAME) == ("UPLOAD_CONTENT_MISMATCH", "size")


def test_the_digest_is_told_at_one_end_or_alike_at_both() -> None:
    other = DIGEST.replace("a", "b")
    assert rules.announced_digest(upload(), NAME, DIGEST) == DIGEST
    assert rules.announced_digest(upload(digest=DIGEST), NAME, "") == DIGEST
    assert rules.announced_digest(upload(digest=DIGEST), NAME, DIGEST) == DIGEST
    assert refusal(rules.announced_digest, upload(), NAME, "") == ("FIELD_INVALID", "digest.required")
    assert refusal(rules.announced_digest, upload(digest=other), NAME, DIGEST) == ("UPLOAD_CONTENT_MISMATCH", "digest")
    rules.check_digest(NAME, DIGEST, DIGEST)
    assert refusal(rules.check_digest, NAME, DIGEST, other) == ("UPLOAD_CONTENT_MISMATCH", "digest")


def test_what_is_done_depends_on_where_it_stands() -> None:
    complete = upload(state=UploadState.COMPLETE)
    rules.check_open(upload(), NAME)
    rules.check_complete(complete, NAME)
    assert refusal(rules.check_open, complete, NAME) == ("STATE_CONFLICT", "")
    assert refusal(rules.check_complete, upload(), NAME) == ("STATE_CONFLICT", "")
    assert rules.check_gone(complete, NAME) == complete
    assert refusal(rules.check_gone, None, NAME) == ("RESOURCE_NOT_FOUND", "")


def test_a_range_ends_with_the_file() -> None:
    assert rules.range_of(upload(), 0, 0) == (0, 10)
    assert rules.range_of(upload(), 9, 5) == (9, 10)
    assert rules.range_of(upload(), 2, 3) == (2, 5)
    assert refusal(rules.range_of, upload(), 10, 1) == ("FIELD_INVALID", "offset.range")


@given(start=st.integers(0, 5 * PART_BYTES), size=st.integers(0, 5 * PART_BYTES))
def test_the_pieces_of_a_range_are_the_range(start: int, size: int) -> None:
    found = list(rules.slices(start, start + size))
    assert sum(each.end - each.start for each in found) == size
    place = start
    for each in found:
        assert (each.number * PART_BYTES + each.start, 0 < each.end <= PART_BYTES) == (place, True)
        place += each.end - each.start
