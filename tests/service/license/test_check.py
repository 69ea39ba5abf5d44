"""What can't be printed is refused before anybody decides; what is refused after that is told, and stops no event."""

from typing import Any

import pytest
import pytest_asyncio

from libs.errors import FailedPrecondition, InvalidArgument, NotFound, TongbanError, Unavailable
from libs.values.messages import value_message
from tests.service.license.conftest import CASE, TYPE_AUTHORITY, License, firm_holder, request_id
from tests.service.license.test_issue import rows, told
from tests.service.license.test_ordered_licenses import decided, event_of
from tests.support.values import messages, text_type
from tongban.common.v1 import party_pb2
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import license_service_pb2_grpc as services
from tongban.license.v1 import license_type_service_pb2 as types_pb
from tongban.license.v1 import resources_pb2 as resources

VOIDED = "cn.tongban.license.license.voided.v1"
LONG = "长" * 1950


async def check(licensing: License, kind: str, **changes: Any) -> pb.CheckLicenseResponse:
    """Asks as the cases service does."""
    request = pb.CheckLicenseRequest(
        license_type=kind,
        holders=changes.pop("holders", [firm_holder()]),
        face_fields=messages(**{"FDDBR": "测试甲", **changes}),
    )
    async with licensing.service.channel_as("cases") as channel:
        stub = services.LicenseServiceStub(channel)
        return await licensing.call(stub.CheckLicense, request, pb.CheckLicenseResponse, "")


def broken(error: TongbanError) -> set[tuple[str, str]]:
    return {(each.field, each.rule) for each in error.violations}


@pytest_asyncio.fixture
async def kind(licensing: License) -> str:
    """A type with a field that takes more than a page holds."""
    made = await licensing.license_type(
        face_fields=[
            resources.FaceField(key="FDDBR", label="法定代表人", required=True, type=text_type(50)),
            resources.FaceField(key="JYXM", label="经营项目", type=text_type(2000)),
        ]
    )
    return made.name


_REFUSED: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"FDDBR": "甲" * 51}, ('face_fields["FDDBR"]', "value.max_length")),
    ({"FDDBR": ""}, ('face_fields["FDDBR"]', "value.required")),
    ({"FDDBR": "\u3164\u200b　"}, ('face_fields["FDDBR"]', "value.required")),
    ({"JYXM": "\u3164"}, ('face_fields["JYXM"]', "page.blank")),
    ({"JYXM": "生僻字\U00030000"}, ('face_fields["JYXM"]', "font.coverage")),
    ({"JYXM": "笑😀"}, ('face_fields["JYXM"]', "font.coverage")),
    ({"JYXM": "响\a"}, ('face_fields["JYXM"]', "font.coverage")),
    ({"JYXM": "分\x1c隔"}, ('face_fields["JYXM"]', "font.coverage")),
    ({"JYXM": "私\ue000"}, ('face_fields["JYXM"]', "font.coverage")),
    ({"JYXM": LONG}, ('face_fields["JYXM"]', "page.overflow")),
    ({"JYXM": "行\n" * 400}, ('face_fields["JYXM"]', "page.overflow")),
    ({"OTHER": "x"}, ('face_fields["OTHER"]', "value.known")),
    (
        {"holders": [party_pb2.Party(display_name="\u3164", document=firm_holder().document)]},
        ("holders[0].display_name", "name.blank"),
    ),
    (
        {"holders": [party_pb2.Party(display_name="示例\u202e商行", document=firm_holder().document)]},
        ("holders[0].display_name", "name.invisible"),
    ),
    (
        {"holders": [party_pb2.Party(display_name="示例\U00030000商行", document=firm_holder().document)]},
        ("holders[0].display_name", "font.coverage"),
    ),
]


@pytest.mark.parametrize(("changes", "rule"), _REFUSED, ids=lambda value: ascii(value)[:60])
async def test_what_can_not_be_printed_is_refused_with_its_field(
    licensing: License, kind: str, changes: dict[str, Any], rule: tuple[str, str]
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await check(licensing, kind, **dict(changes))
    assert broken(refused.value) == {rule}
    order = licensing.order(kind, case="")
    holders = changes.get("holders", [])
    if holders:
        order.holders[0].CopyFrom(holders[0])
    for key, value in changes.items():
        if key != "holders":
            order.face_fields[key].CopyFrom(value_message(value))
    with pytest.raises(InvalidArgument) as not_issued:
        await licensing.issue(order)
    assert broken(not_issued.value) == {rule}


async def test_nothing_is_promised_of_a_type_that_is_a_draft_still(licensing: License) -> None:
    draft = resources.LicenseType(
        code=f"{TYPE_AUTHORITY}009",
        display_name="食品经营许可证",
        defining_authority="测试局",
        holder_category=resources.HOLDER_CATEGORY_ANY,
        face_fields=[resources.FaceField(key="FDDBR", label="法定代表人", type=text_type(50))],
        page_layout=resources.PAGE_LAYOUT_A4_LANDSCAPE,
    )
    create = types_pb.CreateLicenseTypeRequest(license_type=draft, request_id=request_id())
    made = await licensing.call(licensing.types.CreateLicenseType, create, resources.LicenseType, licensing.staff())
    with pytest.raises(FailedPrecondition) as refused:
        await check(licensing, made.name)
    assert (refused.value.reason, refused.value.metadata["license_type"]) == ("LICENSE_TYPE_NOT_PUBLISHED", made.name)


async def test_what_can_be_printed_passes_and_leaves_nothing(licensing: License, kind: str) -> None:
    for _ in range(2):
        await check(licensing, kind, JYXM="预包装食品\n散装食品\t(不含冷藏)·e\u0301 𠮷 葛\U000e0100")
    assert await rows(licensing) == []
    assert licensing.known.seal_calls == 0


async def test_what_passed_once_is_not_drawn_again(
    licensing: License, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check(licensing, kind)

    def refuse(_page: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr("services.license.rendering.service.check_layout", refuse)
    await check(licensing, kind)


async def test_unknown_and_draft_types_are_refused(licensing: License) -> None:
    with pytest.raises(NotFound):
        await check(licensing, f"licenseTypes/{request_id()}")


async def test_a_refusal_after_the_decision_ends_the_intent_and_is_told_once(licensing: License, kind: str) -> None:
    data = decided(kind)
    data.license_fields["FDDBR"].string_value = "甲" * 51
    data.license_fields["JYXM"].string_value = "\U00030000"
    event = event_of(data)
    for _ in range(3):
        await licensing.handle(event)
    assert await rows(licensing) == []
    (message,) = await told(licensing, VOIDED)
    voided = events.LicenseVoided.FromString(message)
    assert (voided.license, voided.case, voided.error_reason, voided.license_type) == (
        "",
        CASE,
        "FIELD_INVALID",
        kind,
    )
    assert list(voided.broken_rules) == ['face_fields["FDDBR"]: value.max_length']
    data.license_fields["FDDBR"].string_value = "甲"
    del data.license_fields["JYXM"]
    await licensing.handle(event_of(data))
    (row,) = await rows(licensing)
    assert (row.state, len(await told(licensing, VOIDED))) == ("ISSUED", 1)


async def test_a_department_without_a_seal_is_told_too(licensing: License, kind: str) -> None:
    licensing.known.seal_users = ("staff/00000000-0000-7000-8000-000000000001",)
    await licensing.handle(event_of(decided(kind)))
    (message,) = await told(licensing, VOIDED)
    assert events.LicenseVoided.FromString(message).error_reason == "RESOURCE_NOT_FOUND"


async def test_a_decision_made_anew_is_no_question_for_the_voided_licence(licensing: License, kind: str) -> None:
    data = decided(kind)
    licensing.known.seal_error = FailedPrecondition("CERTIFICATE_NOT_VALID", "revoked", certificate="certificates/1")
    await licensing.handle(event_of(data))
    licensing.known.seal_error = None
    await licensing.handle(event_of(data))  # asked again: the answer is the same
    (voided,) = await rows(licensing)
    assert (voided.state, len(await told(licensing, VOIDED))) == ("VOIDED", 2)
    data.voided_license = f"licenses/{voided.id}"
    await licensing.handle(event_of(data))
    assert {row.state for row in await rows(licensing)} == {"VOIDED", "ISSUED"}


async def test_what_passes_is_waited_for_and_not_told(licensing: License, kind: str) -> None:
    licensing.known.seal_error = Unavailable("KEY_UNAVAILABLE", "away")
    with pytest.raises(Unavailable):
        await licensing.handle(event_of(decided(kind)))
    assert await told(licensing, VOIDED) == []


async def test_services_set_up_wrongly_are_the_operators_matter(licensing: License, kind: str) -> None:
    licensing.known.seal_error = FailedPrecondition("REQUEST_ID_REUSED", "another body", request_id="1")
    with pytest.raises(FailedPrecondition):
        await licensing.handle(event_of(decided(kind)))
    assert await told(licensing, VOIDED) == []
