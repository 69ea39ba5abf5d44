"""Issuing: three steps, once, whatever fails in between."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from libs.clock import FakeClock
from libs.db.schema import outbox
from libs.documents.ofd import open_ofd
from libs.errors import (
    AlreadyExists,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from libs.sweeps.sweep import Sweep
from services.license.core.licenses import licenses
from tests.service.license.conftest import CASE, FIRM, FIRM_CODE, OTHER_DEPARTMENT, License, firm_holder, request_id
from tests.support import sql
from tests.support.fakes_license import DEPARTMENT, DEPARTMENT_CODE, NEXT_SEAL, NEXT_SEAL_ID, SEAL
from tests.support.outbox import emitted
from tests.support.values import messages
from tongban.common.v1 import common_pb2
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_type_service_pb2 as types_pb
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1.verification_service_pb2 import STANDING_UNKNOWN

ISSUED = "cn.tongban.license.license.issued.v1"


async def rows(licensing: License) -> list[sql.Row]:
    async with licensing.service.process.database.read() as connection:
        return list((await sql.execute(connection, sa.select(licenses).order_by(licenses.c.id))).all())


async def told(licensing: License, event_type: str) -> list[bytes]:
    query = outbox.select().where(outbox.c.type == event_type).order_by(outbox.c.seq)
    async with licensing.service.process.database.read() as connection:
        found = (await sql.execute(connection, query)).all()
    return [emitted(licensing.service.process.wire, row) for row in found]


async def later(licensing: License, by: timedelta = timedelta(minutes=2)) -> Sweep:
    """The sweeper two minutes from now."""
    process = licensing.service.process
    process.wall = FakeClock(datetime.now(UTC) + by)
    return await licensing.sweep()


async def test_a_licence_is_issued_sealed_and_stored(licensing: License) -> None:
    kind = await licensing.license_type()
    order = licensing.order(kind.name)
    made = await licensing.issue(order)
    assert made.state == resources.LICENSE_STATE_ISSUED
    assert made.identifier.startswith(f"1.2.156.3005.2.{kind.code}.{DEPARTMENT_CODE}.")
    assert made.number.startswith("34150020240506")
    assert (made.validity.start_date.year, made.validity.end_date.year, made.validity.end_date.day) == (2024, 2029, 5)
    assert dict(made.face_fields) == messages(FDDBR="测试甲", JYXM="预包装食品销售")
    assert made.sealing.startswith("sealings/")
    assert made.seal == SEAL
    assert not made.HasField("pdf")
    content = await licensing.service.process.documents.get(made.ofd.digest)
    metadata = open_ofd(content).custom_data()
    assert (metadata["ZZBS"], metadata["ZZBH"], metadata["CZZTDM"]) == (made.identifier, made.number, FIRM_CODE)
    (event,) = await told(licensing, "cn.tongban.license.license.issued.v1")
    issued = events.LicenseIssued.FromString(event)
    assert (issued.license, issued.case, list(issued.holders)) == (made.name, CASE, [FIRM])
    assert await licensing.issue(order) == made
    assert len(await rows(licensing)) == 1
    assert len(licensing.known.sealed) == 1


async def test_nothing_personal_lies_in_clear(licensing: License) -> None:
    await licensing.issued()
    query = "SELECT l::text || coalesce((SELECT string_agg(encode(response, 'escape'), '') FROM idempotency), '') FROM licenses l"
    async with licensing.service.process.database.read() as connection:
        text = str(await sql.scalar(connection, sa.text(query)))
    for personal in ("测试甲", FIRM_CODE):
        assert personal not in text
        assert personal.encode().hex() not in text
        assert "".join(f"\\{byte:03o}" for byte in personal.encode()) not in text


async def test_a_case_yields_one_licence_of_a_type(licensing: License) -> None:
    kind = await licensing.license_type()
    made = await licensing.issue(licensing.order(kind.name))
    with pytest.raises(AlreadyExists) as error:
        await licensing.issue(licensing.order(kind.name))
    assert error.value.reason == "LICENSE_ALREADY_ISSUED"
    assert error.value.metadata == {"resource": made.name, "case": CASE}
    order = licensing.order(kind.name, case="", request_id=request_id())
    await licensing.issue(order)
    order.number = made.number
    with pytest.raises(FailedPrecondition, match="REQUEST_ID_REUSED"):
        await licensing.issue(order)
    order.request_id = request_id()
    with pytest.raises(AlreadyExists) as taken:
        await licensing.issue(order)
    assert taken.value.reason == "RESOURCE_EXISTS"


async def test_orders_that_break_rules_change_nothing(licensing: License) -> None:
    kind = await licensing.license_type(holder_category=resources.HOLDER_CATEGORY_ORGANIZATION)
    wrong_check = firm_holder()
    wrong_check.document.number = FIRM_CODE[:-1] + ("1" if FIRM_CODE[-1] != "1" else "2")
    bad: list[tuple[dict[str, object], type[Exception], str]] = [
        ({"face_fields": messages(JYXM="x")}, InvalidArgument, "FIELD_INVALID"),
        ({"face_fields": messages(FDDBR="x", OTHER="y")}, InvalidArgument, "FIELD_INVALID"),
        ({"holders": [wrong_check]}, InvalidArgument, "FIELD_INVALID"),
        (
            {"validity": resources.Validity(start_date=common_pb2.Date(year=2024, month=2, day=30))},
            InvalidArgument,
            "FIELD_INVALID",
        ),
        ({"license_type": f"licenseTypes/{uuid.uuid4()}"}, NotFound, "RESOURCE_NOT_FOUND"),
        ({"seal": f"seals/{uuid.uuid4()}"}, NotFound, "RESOURCE_NOT_FOUND"),
        (
            {"issuer": resources.Issuer(department=DEPARTMENT, display_name="冒名机关", code=DEPARTMENT_CODE)},
            PermissionDenied,
            "NOT_OWNER",
        ),
        (
            {"issuer": resources.Issuer(department=OTHER_DEPARTMENT, display_name="别的机关", code=DEPARTMENT_CODE)},
            PermissionDenied,
            "NOT_OWNER",
        ),
    ]
    for changes, kind_of_error, reason in bad:
        with pytest.raises(kind_of_error, match=reason):
            await licensing.issue(licensing.order(kind.name, **changes))
    assert await rows(licensing) == []
    assert licensing.known.seal_calls == 0


async def test_a_draft_type_yields_nothing(licensing: License) -> None:
    kind = resources.LicenseType(
        code=DEPARTMENT_CODE + "007",
        display_name="草案",
        defining_authority="测试局",
        holder_category=resources.HOLDER_CATEGORY_ANY,
        page_layout=resources.PAGE_LAYOUT_A4_PORTRAIT,
    )
    request = types_pb.CreateLicenseTypeRequest(license_type=kind, request_id=request_id())
    draft = await licensing.call(licensing.types.CreateLicenseType, request, resources.LicenseType, licensing.staff())
    with pytest.raises(FailedPrecondition, match="LICENSE_TYPE_NOT_PUBLISHED"):
        await licensing.issue(licensing.order(draft.name, face_fields={}))


async def test_the_seal_must_be_the_departments_and_name_this_service(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_users = ("staff/00000000-0000-7000-8000-000000000001",)
    with pytest.raises(PermissionDenied, match="SEAL_USE_NOT_ALLOWED"):
        await licensing.issue(licensing.order(kind.name, seal=SEAL))
    with pytest.raises(NotFound):
        await licensing.issue(licensing.order(kind.name))
    licensing.known.seal_owner = OTHER_DEPARTMENT
    with pytest.raises(PermissionDenied, match="NOT_OWNER"):
        await licensing.issue(licensing.order(kind.name, seal=SEAL))


async def test_while_the_seal_service_is_away_the_licence_stays_a_draft(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = Unavailable("KEY_UNAVAILABLE", "away")
    order = licensing.order(kind.name)
    with pytest.raises(Unavailable):
        await licensing.issue(order)
    (draft,) = await rows(licensing)
    assert (draft.state, draft.ofd_digest) == ("DRAFT", None)
    answer = await licensing.verify(identifier=draft.identifier)
    assert answer.standing == STANDING_UNKNOWN  # nobody got it yet
    licensing.known.seal_error = None
    made = await licensing.issue(order)
    assert made.name == f"licenses/{draft.id}"
    assert made.state == resources.LICENSE_STATE_ISSUED
    assert len(await rows(licensing)) == 1


async def test_a_sealing_that_is_open_still_is_waited_for(licensing: License) -> None:
    """The seal service was stopped in the middle of it: a repeat goes on with the same draft."""
    sealing = "sealings/01890000-0000-7000-8000-00000000000f"
    licensing.known.seal_error = Unavailable("SEALING_UNFINISHED", "open", retry_after=0.5, sealing=sealing)
    order = licensing.order((await licensing.license_type()).name)
    with pytest.raises(Unavailable) as caught:
        await licensing.issue(order)
    assert (caught.value.reason, caught.value.metadata) == ("SEALING_UNFINISHED", {"sealing": sealing})
    assert [row.state for row in await rows(licensing)] == ["DRAFT"]
    licensing.known.seal_error = None
    assert (await licensing.issue(order)).state == resources.LICENSE_STATE_ISSUED
    assert len(await rows(licensing)) == 1


async def test_a_draft_that_was_begun_while_the_clock_was_ahead_waits_for_no_later_day(licensing: License) -> None:
    licensing.known.seal_error = Unavailable("KEY_UNAVAILABLE", "away")
    with pytest.raises(Unavailable):
        await licensing.issue(licensing.order((await licensing.license_type()).name))
    licensing.known.seal_error = None
    sweeper = await later(licensing, timedelta(days=-400))
    assert await sweeper.sweep() == 1
    assert [row.state for row in await rows(licensing)] == ["ISSUED"]


async def test_the_sweeper_finishes_what_was_left(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = Unavailable("KEY_UNAVAILABLE", "away")
    order = licensing.order(kind.name)
    with pytest.raises(Unavailable):
        await licensing.issue(order)
    sweeper = await licensing.sweep()
    licensing.known.seal_error = None
    assert await sweeper.sweep() == 0  # too young: somebody may be at work on it
    sweeper = await later(licensing)
    assert await sweeper.sweep() == 1
    assert await sweeper.sweep() == 0
    (row,) = await rows(licensing)
    assert row.state == "ISSUED"
    assert len(await told(licensing, "cn.tongban.license.license.issued.v1")) == 1
    made = await licensing.issue(order)
    assert made.name == f"licenses/{row.id}"
    assert len(await told(licensing, "cn.tongban.license.license.issued.v1")) == 1
    assert len(licensing.known.sealed) == 1


async def test_a_lasting_refusal_voids_the_draft_and_the_case_may_try_again(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = FailedPrecondition("CERTIFICATE_NOT_VALID", "revoked", certificate="certificates/1")
    order = licensing.order(kind.name)
    with pytest.raises(FailedPrecondition, match="CERTIFICATE_NOT_VALID"):
        await licensing.issue(order)
    (event,) = await told(licensing, "cn.tongban.license.license.voided.v1")
    assert events.LicenseVoided.FromString(event).error_reason == "CERTIFICATE_NOT_VALID"
    licensing.known.seal_error = None
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        await licensing.issue(order)
    order.request_id = request_id()
    made = await licensing.issue(order)
    voided, issued = await rows(licensing)
    assert (voided.state, issued.state) == ("VOIDED", "ISSUED")
    assert voided.identifier != made.identifier


async def test_a_seal_that_has_just_ended_gives_way_to_the_next(licensing: License) -> None:
    """The choice of a seal is kept for some seconds; a licence begun within them is sealed with the one in force now."""
    kind = await licensing.license_type()
    await licensing.issue(licensing.order(kind.name, number="1"))
    licensing.known.seal_ended = True
    made = await licensing.issue(licensing.order(kind.name, number="2", case=""))
    row = next(row for row in await rows(licensing) if f"licenses/{row.id}" == made.name)
    assert (row.state, row.seal, row.seal_id) == ("ISSUED", NEXT_SEAL, NEXT_SEAL_ID)
    assert await told(licensing, "cn.tongban.license.license.voided.v1") == []


async def test_a_seal_that_the_order_names_gives_way_to_no_other(licensing: License) -> None:
    kind = await licensing.license_type()
    order = licensing.order(kind.name, seal=SEAL)
    licensing.known.seal_error = Unavailable("KEY_UNAVAILABLE", "away")
    with pytest.raises(Unavailable):
        await licensing.issue(order)
    licensing.known.seal_error, licensing.known.seal_ended = None, True
    with pytest.raises(FailedPrecondition, match="SEAL_NOT_USABLE"):
        await licensing.issue(order)
    assert [(row.state, row.seal) for row in await rows(licensing)] == [("VOIDED", SEAL)]


async def test_an_ended_seal_without_another_voids_the_draft(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = FailedPrecondition("SEAL_NOT_USABLE", "ended", seal=SEAL, state="REVOKED")
    with pytest.raises(FailedPrecondition, match="SEAL_NOT_USABLE"):
        await licensing.issue(licensing.order(kind.name))
    assert [row.state for row in await rows(licensing)] == ["VOIDED"]


async def test_an_abandoned_sealing_is_tried_under_a_new_request(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = FailedPrecondition("STATE_CONFLICT", "voided", resource="sealings/1", state="VOIDED")
    order = licensing.order(kind.name)
    with pytest.raises(Unavailable):
        await licensing.issue(order)
    licensing.known.seal_error = None
    await licensing.issue(order)
    (row,) = await rows(licensing)
    assert (row.state, row.seal_attempt) == ("ISSUED", 2)


async def test_a_page_that_is_drawn_differently_now_is_not_sealed(licensing: License) -> None:
    kind = await licensing.license_type()
    licensing.known.seal_error = Internal("INTERNAL", "broken")
    with pytest.raises(Internal):
        await licensing.issue(licensing.order(kind.name))
    async with licensing.service.process.database.transaction() as connection:
        await sql.execute(connection, sa.update(licenses).values(page_digest="sm3:" + "0" * 64))
    licensing.known.seal_error = None
    sweeper = await later(licensing)
    assert await sweeper.sweep() == 1
    (row,) = await rows(licensing)
    assert (row.state, row.state_reason) == ("VOIDED", "PAGE_CHANGED")
    assert licensing.known.sealed == {}
