"""What people are told of a use of their data: which office or system, in which way, never who sat there."""

from datetime import UTC, datetime

import pytest

from libs.audit.records import Record
from libs.owndata.rules import use_of, way_of
from tongban.common.v1 import use_pb2

_AT = datetime(2024, 3, 4, 1, 2, 3, tzinfo=UTC)
_PERSON = "persons/018f0000-0000-7000-8000-000000000001"
_FIRM = "organizations/018f0000-0000-7000-8000-000000000002"


def _record(**more: object) -> Record:
    said: dict[str, object] = {
        "name": "license/auditRecords/018f0000-0000-7000-8000-000000000009",
        "record_time": _AT,
        "transaction_id": "018f0000-0000-7000-8000-000000000008",
        "action": "tongban.license.v1.LicenseService.DownloadLicense",
        "result": "OK",
        "object": "licenses/1",
        "fields": ("file",),
    }
    return Record(**(said | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("action", "way"),
    [
        ("tongban.identity.v1.AccountService.GetPerson", use_pb2.USE_WAY_SHOWN),
        ("tongban.identity.v1.AccountService.RevealPerson", use_pb2.USE_WAY_SHOWN),
        ("tongban.license.v1.LicenseService.DownloadLicense", use_pb2.USE_WAY_FETCHED),
        ("tongban.license.v1.PresentationService.RedeemPresentation", use_pb2.USE_WAY_FETCHED),
        ("tongban.sharing.v1.DataService.Query", use_pb2.USE_WAY_FETCHED),
        ("tongban.sharing.v1.DataService.Compare", use_pb2.USE_WAY_COMPARED),
        ("tongban.identity.v1.AccountService.CheckIdentities", use_pb2.USE_WAY_COMPARED),
        ("tongban.identity.v1.CodeService.ScanCode", use_pb2.USE_WAY_VERIFIED),
        ("tongban.license.v1.VerificationService.VerifyLicense", use_pb2.USE_WAY_VERIFIED),
        ("tongban.seal.v1.ValidationService.ValidateDocument", use_pb2.USE_WAY_VERIFIED),
        ("tongban.seal.v1.SealingService.SealDocument.intent", use_pb2.USE_WAY_SEALED),
        ("", use_pb2.USE_WAY_SHOWN),
    ],
)
def test_the_verb_says_the_way(action: str, way: int) -> None:
    assert way_of(action) == way


@pytest.mark.parametrize(
    ("actor", "region", "client"),
    [
        ("staff/018f0000-0000-7000-8000-000000000003", "", ""),
        ("clients/hall-screens", "", "clients/hall-screens"),
        ("services/cases", "", ""),
        ("//320402/staff/018f0000-0000-7000-8000-000000000003", "320402", ""),
        ("//320402/services/license", "320402", ""),
        ("", "", ""),
    ],
)
def test_an_office_is_told_by_its_department_and_a_machine_by_its_name(actor: str, region: str, client: str) -> None:
    use = use_of(_record(actor=actor, department="departments/1"), _PERSON, "license")
    assert (use.region, use.client, use.use_context.department) == (region, client, "departments/1")
    assert not use.use_context.operator
    assert "staff/" not in str(use)


def test_who_acts_for_a_firm_is_told_to_the_firm_alone() -> None:
    record = _record(actor=_PERSON, on_behalf_of=_FIRM)
    assert use_of(record, _FIRM, "license").agent == _PERSON
    other = "organizations/018f0000-0000-7000-8000-000000000005"
    assert use_of(record, other, "license").agent == ""
    assert (
        use_of(
            _record(actor="staff/018f0000-0000-7000-8000-000000000003", on_behalf_of=_PERSON), _PERSON, "license"
        ).agent
        == ""
    )


def test_it_says_what_for_and_by_what_basis() -> None:
    record = _record(
        purpose_code="CASE_HANDLING",
        purpose="办理",
        service_item="serviceItems/1",
        case="cases/1",
        basis_kind="law",
        basis="《中华人民共和国行政许可法》第三十四条",
    )
    use = use_of(record, _PERSON, "license")
    context = use.use_context
    assert (context.purpose_code, context.purpose, context.service_item, context.case, context.law) == (
        "CASE_HANDLING",
        "办理",
        "serviceItems/1",
        "cases/1",
        "《中华人民共和国行政许可法》第三十四条",
    )
    assert use.use_time.ToDatetime(UTC) == _AT
    assert (use.record, use.service, use.resource, [*use.fields]) == (record.name, "license", "licenses/1", ["file"])
    assert (use.way, use.subject, context.transaction_id) == (use_pb2.USE_WAY_FETCHED, _PERSON, record.transaction_id)
