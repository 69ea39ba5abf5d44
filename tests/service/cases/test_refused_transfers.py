"""What each call of an exchange is refused with, at the window's side and at the side that decides; nothing is changed then."""

import uuid
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from libs.errors import FailedPrecondition, PermissionDenied
from libs.rpc.editions import PayloadReader, own_edition
from services.cases.core.exchange import HOLD_WINDOW, Payload
from services.cases.core.numbers import LAST_SEQUENCE
from services.cases.core.payloads import PAYLOADS, MessageReader
from services.cases.core.steps import case_numbers
from tests.service.cases.conftest import LICENSE_TYPE, MONDAY, TASK_CODE, Town, morning, request_id
from tests.service.cases.pairs import HANDLING, ITEM, Pair, enveloped, pair
from tests.support import sql
from tests.support.refusing import OLD, refused
from tongban.cases.v1 import exchange_service_pb2 as rpc
from tongban.cases.v1 import rating_service_pb2 as ratings
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import party_pb2

__all__ = ["pair"]
GONE = FailedPrecondition("LICENSE_TYPE_NOT_PUBLISHED", "gone", license_type=LICENSE_TYPE, state="DEPRECATED")


def _rating(case: str) -> ratings.CreateRatingRequest:
    wanted = ratings.Rating(
        case=case,
        kind=ratings.RATING_KIND_FIRST,
        level=pb.SATISFACTION_LEVEL_SATISFIED,
        channel=ratings.RATING_CHANNEL_WINDOW_TABLET,
    )
    return ratings.CreateRatingRequest(rating=wanted, request_id=request_id())


async def _sent(pair: Pair, rpc_name: str, name: str, token: str = "", **more: Any) -> str:
    """Calls an RPC of the window's side about a transfer; returns what it is refused with."""
    home, request = pair.home, getattr(rpc, f"{rpc_name}Request")(name=name, request_id=request_id(), **more)
    return await refused(home.call(getattr(home.exchange, rpc_name), request, rpc.CaseTransfer, token or home.clerk))


async def test_nothing_follows_an_application_that_has_changed_since_it_was_read(pair: Pair) -> None:
    sent = await pair.send()
    await pair.carry()
    before = await pair.transfer(pair.home, sent.name)
    assert await _sent(pair, "SendCorrection", sent.name, etag=OLD, correction={}) == "ETAG_MISMATCH"
    assert await _sent(pair, "WithdrawCaseTransfer", sent.name, etag=OLD, reason="不办了") == "ETAG_MISMATCH"
    assert await pair.transfer(pair.home, sent.name) == before


async def _understands(pair: Pair, *lacking: Payload) -> None:
    """Has the deciding region understand all but these payloads, and say so to the window's."""
    taken = PAYLOADS.keys() - set(lacking)
    parts = pair.handling.part("MessageDeliverer")._parts
    object.__setattr__(parts, "reader", MessageReader(PayloadReader(own_edition(), taken)))
    await pair.home.part("MessageDeliverer")._parts.regions.ask("320402")


async def test_a_region_is_sent_nothing_that_it_has_said_it_does_not_understand(pair: Pair) -> None:
    home = pair.home
    sent = await pair.send()
    await pair.carry()
    known = await pair.transfer(home, sent.name)
    await _understands(pair, Payload.APPLICATION, Payload.CORRECTION, Payload.RATING)
    assert await refused(pair.send()) == "TRANSFER_PAYLOAD_UNSUPPORTED"
    assert await _sent(pair, "SendCorrection", sent.name, correction={}) == "TRANSFER_PAYLOAD_UNSUPPORTED"
    rated = home.call(home.ratings.CreateRating, _rating(known.case), ratings.Rating, home.window)
    assert await refused(rated) == "TRANSFER_PAYLOAD_UNSUPPORTED"
    assert await pair.transfer(home, sent.name) == known
    listed = rpc.ListCaseTransfersRequest()
    found = await home.call(home.exchange.ListCaseTransfers, listed, rpc.ListCaseTransfersResponse, home.clerk)
    assert [each.name for each in found.case_transfers] == [sent.name]


async def _given_out(town: Town, last: int) -> None:
    """Has the numbers of the item on Monday be given out up to ``last``."""
    async with town.service.process.database.transaction() as connection:
        values = {"task_code": TASK_CODE, "day": MONDAY, "last": last}
        await sql.execute(connection, sa.insert(case_numbers).values(**values))


async def test_a_day_without_a_number_left_takes_no_case_from_here_or_elsewhere(pair: Pair) -> None:
    handling, request = pair.handling, pair.request()
    await _given_out(handling, LAST_SEQUENCE)
    draft = await handling.create(pair.item, form_values={}, materials=request.materials)
    assert await refused(handling.step("Submit", draft)) == "CASE_NUMBER_EXHAUSTED"
    assert (await handling.get(draft.name)).state == pb.CASE_STATE_DRAFT
    message = pair.message(request)
    assert await refused(pair.receive(message)) == "CASE_NUMBER_EXHAUSTED"
    assert await refused(handling.get(f"cases/{request.case_id}")) == "RESOURCE_NOT_FOUND"
    handling.at(date(2024, 3, 5))
    assert not (await pair.receive(message)).held


async def test_an_application_that_the_item_is_not_for_opens_no_case(pair: Pair) -> None:
    request = pair.request()

    async def received(change: Any) -> str:
        application = pair.application(request)
        change(application)
        return await refused(pair.receive(enveloped(application)))

    def of_a_material_that_is_none(application: rpc.TransferApplication) -> None:
        application.materials[1].code = "M9"

    def of_an_institution(application: rpc.TransferApplication) -> None:
        application.applicant.kind = party_pb2.PARTY_KIND_PUBLIC_INSTITUTION

    def unchanged(_application: rpc.TransferApplication) -> None:
        pass

    assert await received(of_a_material_that_is_none) == "CASE_MATERIAL_UNKNOWN"
    assert await received(of_an_institution) == "CASE_APPLICANT_NOT_SERVED"
    pair.handling.known.check_error = GONE
    assert await received(unchanged) == "LICENSE_TYPE_NOT_PUBLISHED"
    assert await refused(pair.handling.get(f"cases/{request.case_id}")) == "RESOURCE_NOT_FOUND"
    pair.handling.known.check_error = None
    assert await received(unchanged) == ""


def _progress(exchange: str, sequence: int, note: str = "") -> rpc.TransferMessage:
    told = rpc.TransferProgress(state=pb.CASE_STATE_ACCEPTED, action=pb.CASE_ACTION_ACCEPT, note=note)
    told.event_time.FromDatetime(morning(MONDAY))
    return enveloped(told, exchange_id=exchange, sequence=sequence, sender_region="320402")


def _returned(exchange: str) -> rpc.TransferMessage:
    told = rpc.TransferAcknowledgement(state=rpc.CASE_TRANSFER_STATE_RETURNED, reason="不在受理范围")
    return enveloped(told, exchange_id=exchange, sequence=0, sender_region="320402")


async def _answered(pair: Pair, verb: str, message: rpc.TransferMessage) -> str:
    """What an answer of the deciding region is refused with."""
    home, request = pair.home, getattr(rpc, f"{verb}Request")(message=message)
    token = home.service.issuer.token(f"{HANDLING}services/cases", "REGION", region="320402")
    return await refused(home.call(getattr(home.exchange, verb), request, rpc.TransferReceipt, token))


async def test_an_answer_is_to_an_application_that_was_sent_from_here(pair: Pair) -> None:
    nowhere = str(uuid.uuid4())
    assert await _answered(pair, "AcknowledgeCaseTransfer", _returned(nowhere)) == "RESOURCE_NOT_FOUND"
    assert await _answered(pair, "PushProgress", _progress(nowhere, 1)) == "RESOURCE_NOT_FOUND"


async def test_number_0_is_the_acknowledgement_and_nothing_else_is(pair: Pair) -> None:
    sent = await pair.send()
    assert await _answered(pair, "AcknowledgeCaseTransfer", _progress(sent.exchange_id, 1)) == "FIELD_INVALID"
    assert await _answered(pair, "PushProgress", _returned(sent.exchange_id)) == "FIELD_INVALID"
    assert await pair.transfer(pair.home, sent.name) == sent
    assert await _answered(pair, "AcknowledgeCaseTransfer", _returned(sent.exchange_id)) == ""


async def test_progress_says_one_thing_under_a_number_that_is_near(pair: Pair) -> None:
    sent = await pair.send()
    far = _progress(sent.exchange_id, HOLD_WINDOW + 1)
    assert await _answered(pair, "PushProgress", far) == "TRANSFER_SEQUENCE_TOO_FAR"
    assert await _answered(pair, "PushProgress", _progress(sent.exchange_id, 1)) == ""
    other = _progress(sent.exchange_id, 1, note="别的")
    assert await _answered(pair, "PushProgress", other) == "TRANSFER_MESSAGE_CONFLICT"
    known = await pair.transfer(pair.home, sent.name)
    assert (known.last_applied_sequence, known.progress.note) == (1, "")


async def test_an_application_of_somebody_who_is_not_known_well_enough_opens_no_case(pair: Pair) -> None:
    """The item's own level counts here, for people of other regions too: what their identity says of them, not their window."""
    await pair.handling.item(min_assurance=4, **ITEM)
    request = pair.request()
    message = pair.message(request)
    with pytest.raises(PermissionDenied) as caught:
        await pair.receive(message, pair.guest(acr="3"))
    assert (caught.value.reason, caught.value.metadata) == ("ASSURANCE_TOO_LOW", {"required": "4", "actual": "3"})
    assert await refused(pair.handling.get(f"cases/{request.case_id}")) == "RESOURCE_NOT_FOUND"
    assert await refused(pair.receive(message, pair.guest(acr="4"))) == ""
