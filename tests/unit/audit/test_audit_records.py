"""Canonical bytes: one form for one record, with a version."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.audit.merkle import leaf_hash
from libs.audit.records import Record, RecordInvalid, parse_canonical, parse_rfc3339, rfc3339, version_of
from libs.audit.versions import UnknownVersion
from libs.crypto.sm3 import sm3
from tongban.audit.v1 import audit_service_pb2

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MOMENT = datetime(2024, 5, 1, 8, 30, 0, 120000, UTC)


def record(**changes: object) -> Record:
    content: dict[str, object] = {
        "name": "sharing/auditRecords/1",
        "record_time": MOMENT,
        "transaction_id": "t",
        "action": "Query",
        "result": "OK",
        "purpose_code": "QUALIFICATION_CHECK",
        "purpose": "核验经营场所",
        "fields": ("name", "address"),
        "request_hash": sm3(b"q"),
    }
    return Record(**(content | changes))  # type: ignore[arg-type]


def test_canonical_form_is_its_version_and_then_compact_sorted_utf8() -> None:
    data = record().canonical()
    content = json.loads(data)
    assert content.pop("v") == 1
    rest = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert data == b'{"v":1,' + rest[1:]
    assert content["purpose"] == "核验经营场所"
    assert content["record_time"] == "2024-05-01T08:30:00.120Z"
    assert content["request_hash"] == sm3(b"q").hex()
    assert content["response_hash"] == ""
    assert leaf_hash(data) == sm3(b"\x00" + data)


def test_it_holds_every_field_of_the_contract() -> None:
    contract = {field.name for field in audit_service_pb2.AuditRecord.DESCRIPTOR.fields} - {"canonical", "version"}
    assert set(json.loads(record().canonical())) == contract | {"v"}


def test_version_1_is_what_it_was_when_it_was_first_written() -> None:
    """Letter for letter: who changes this changes what every log of release 0.2.0 holds, and must write version 2."""
    assert record().canonical().decode() == (
        '{"v":1,"action":"Query","actor":"","assurance":0,"basis":"","basis_kind":"","case":"","department":"",'
        '"fields":["name","address"],"name":"sharing/auditRecords/1","object":"","on_behalf_of":"",'
        '"purpose":"核验经营场所","purpose_code":"QUALIFICATION_CHECK","record_count":0,"record_time":"2024-05-01T08:30:00.120Z",'
        f'"request_hash":"{sm3(b"q").hex()}","response_hash":"","result":"OK","service_item":"","trace_id":"",'
        '"transaction_id":"t"}'
    )


@pytest.mark.parametrize("version", [2, 10, 999_999_999])
def test_a_version_of_a_later_release_is_neither_read_nor_called_broken(version: int) -> None:
    data = record().canonical().replace(b'{"v":1,', b'{"v":%d,"new":{"is":"unknown"},' % version)
    with pytest.raises(UnknownVersion) as told:
        parse_canonical(data)
    assert told.value.version == version_of(data) == version
    assert not isinstance(told.value, RecordInvalid)


@pytest.mark.parametrize("start", [b'{"v":0,', b'{"v":01,', b'{"v":"1",', b'{"v":-1,', b'{"v":1.0,', b'{ "v":1,', b"{"])
def test_what_says_no_version_is_no_record(start: bytes) -> None:
    with pytest.raises(RecordInvalid):
        parse_canonical(record().canonical().replace(b'{"v":1,', start))


@given(
    st.builds(
        Record,
        name=TEXT,
        transaction_id=TEXT,
        action=TEXT,
        result=TEXT,
        trace_id=TEXT,
        actor=TEXT,
        on_behalf_of=TEXT,
        department=TEXT,
        assurance=st.integers(0, 4),
        object=TEXT,
        fields=st.lists(TEXT, max_size=3).map(tuple),
        purpose=TEXT,
        case=TEXT,
        purpose_code=TEXT,
        service_item=TEXT,
        basis_kind=TEXT,
        basis=TEXT,
        record_count=st.integers(0, 2**63 - 1),
        request_hash=st.binary(max_size=32),
        response_hash=st.binary(max_size=32),
        record_time=st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the missing zone is what is tested
    )
)
def test_canonical_bytes_read_back(written: Record) -> None:
    assert parse_canonical(written.canonical()) == written


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"OK"', b' "OK"'),
        lambda data: data.replace(b'"assurance":0', b'"assurance":"0"'),
        lambda data: data.replace(b'"assurance":0', b'"assurance":false'),
        lambda data: data.replace(b'"assurance":0,', b""),
        lambda data: data.replace(b'"assurance":0', b'"assurance":0,"assurance":0'),
        lambda data: data.replace(b'"actor":""', b'"actor":"","another":""'),
        lambda data: data.replace(b"30:00.120Z", b"30:00.12Z"),
        lambda data: data.replace(b'["name","address"]', b'"name"'),
        lambda data: data.replace("核".encode(), b"\\u6838"),
        lambda data: data.replace("核".encode(), b"\xe6\xa0"),
        lambda data: data + b"\n",
        lambda data: b"[]",
        lambda data: b"",
    ],
)
def test_another_form_of_the_same_record_is_refused(change: object) -> None:
    data = record().canonical()
    changed = change(data)  # type: ignore[operator]
    assert changed != data
    with pytest.raises(RecordInvalid):
        parse_canonical(changed)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2024, 5, 1, 8, 0, tzinfo=UTC), "2024-05-01T08:00:00Z"),
        (datetime(2024, 5, 1, 8, 0, 0, 7, UTC), "2024-05-01T08:00:00.000007Z"),
        (datetime(2024, 5, 1, 16, 0, 0, 500000, timezone(timedelta(hours=8))), "2024-05-01T08:00:00.500Z"),
        (datetime(987, 1, 1, tzinfo=UTC), "0987-01-01T00:00:00Z"),
    ],
)
def test_times_are_written_as_protobuf_writes_them(moment: datetime, text: str) -> None:
    message = audit_service_pb2.AuditHead()
    message.sign_time.FromDatetime(moment)
    assert rfc3339(moment) == message.sign_time.ToJsonString() == text
    assert parse_rfc3339(text) == moment


@pytest.mark.parametrize("text", ["2024-05-01T08:00:00", "2024-05-01T08:00:00.5Z", "2024-05-01 08:00:00Z", "soon"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the standard library's
        parse_rfc3339(text)
