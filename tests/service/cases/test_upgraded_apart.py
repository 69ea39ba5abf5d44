"""Two regions that run different releases: cases cross both ways, nothing is lost, what is not understood is kept, shown, applied.

One region runs today's contracts, the other tomorrow's (`tests.support.tomorrow`), which add a state, a field, a field that is
required by its rule, a looser rule and a payload.
"""

from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message

from libs.db.command import Command
from libs.db.uow import Transaction
from libs.errors import FailedPrecondition, PermissionDenied, Unavailable
from libs.observability import metrics
from libs.rpc.editions import PayloadReader, own_edition
from services.cases.core.exchange import Payload
from services.cases.core.payloads import PAYLOADS, MessageReader, OpenedMessage
from services.cases.core.transfers import ExchangeKey
from services.cases.incoming.answers import AnswerApplier
from tests.service.cases.conftest import MONDAY, Town, eventually, morning, request_id
from tests.service.cases.pairs import HANDLING, HOME, Pair, enveloped, pair
from tests.support import sql, tomorrow
from tests.support.tomorrow import LONG_NOTE, NEW_STATE, NOTICE, TomorrowReader
from tests.support.unknown import FIELD
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as rpc
from tongban.cases.v1 import resources_pb2 as pb

__all__ = ["pair"]
LATER = tomorrow.edition()
DESK = {"contact_desk": "三号窗口"}
NOT_UNDERSTOOD = rpc.INCOMING_MESSAGE_STATE_NOT_UNDERSTOOD


def _adds(content: Message) -> dict[str, str]:
    """Tomorrow's release fills what is required there, wherever it is."""
    return (
        dict(DESK)
        if content.DESCRIPTOR.name in ("TransferProgress", "TransferApplication", "TransferCorrection")
        else {}
    )


def _upgrade(town: Town, adds: Any = _adds) -> None:
    """Has a region run tomorrow's release from now on."""
    _run(town, TomorrowReader(LATER, adds))


def _run(town: Town, reader: MessageReader) -> None:
    parts = town.part("MessageDeliverer")._parts
    object.__setattr__(parts, "reader", reader)
    parts.queue._reader = reader


async def _swept(town: Town) -> None:
    """Two looks of the sweep: what is found by the first is due by the second at the latest."""
    for _ in range(2):
        await town.part("Sweep").sweep()


async def _kept(town: Town, **more: Any) -> list[rpc.IncomingMessage]:
    request = rpc.ListIncomingMessagesRequest(**more)
    answer = await town.call(town.exchange.ListIncomingMessages, request, rpc.ListIncomingMessagesResponse, town.system)
    return list(answer.messages)


async def _closed(pair: Pair, request: rpc.SendCaseTransferRequest) -> pb.Case:
    """The deciding region takes the case from its acceptance to a refusal, which closes it."""
    case = await pair.handling.get(f"cases/{request.case_id}")
    for verb in ("Accept", "StartReview"):
        case = await pair.handling.step(verb, case)
    await pair.handling.step("Decide", case, outcome=pb.OUTCOME_REJECTED, reason="不符合条件")
    return await pair.handling.step("Close", case)


async def _progressed(town: Town) -> list[int]:
    told = [
        events.CaseTransferProgressed.FromString(data) for kind, data in await town.events() if "progressed" in kind
    ]
    return [each.sequence for each in told]


async def test_progress_of_a_newer_region_is_kept_shown_and_applied_after_the_upgrade(pair: Pair) -> None:
    home, handling = pair.home, pair.handling
    _upgrade(handling)
    request = pair.request()
    sent = await pair.send(request)
    await pair.carry()
    # Today's application lacks the field that tomorrow requires, and opens its case all the same.
    assert (await pair.transfer(home, sent.name)).state == rpc.CASE_TRANSFER_STATE_ACCEPTED
    case = await _closed(pair, request)
    await pair.carry()

    known, theirs = await pair.transfer(home, sent.name), await pair.transfer(handling, case.transfer)
    assert (theirs.last_sent_sequence, theirs.last_receipted_sequence, theirs.sent_not_understood_count) == (5, 5, 4)
    assert not theirs.waiting_reason and not theirs.end_reason
    # The result is understood, and does not wait behind what is not.
    assert (known.result.outcome, known.HasField("progress")) == (pb.OUTCOME_REJECTED, False)
    assert (known.not_understood_count, known.last_applied_sequence) == (4, 5)
    kept = await _kept(home)
    assert [(each.sequence, each.state, list(each.doubts)) for each in kept] == [
        (number, NOT_UNDERSTOOD, [f"{tomorrow.REQUIRED_FIELD}: protobuf.unknown_field"]) for number in (4, 3, 2, 1)
    ]
    assert {(each.sender_region, each.payload_type, each.release) for each in kept} == {
        ("320402", Payload.PROGRESS, tomorrow.RELEASE)
    }
    await _swept(home)  # the same contracts don't know more at a second look
    assert (
        len(await _kept(home, filter="state = INCOMING_MESSAGE_STATE_NOT_UNDERSTOOD AND sender_region = 320402")) == 4
    )
    await home.background("MessagesNotUnderstood").__self__.look()  # type: ignore[attr-defined]
    assert metrics.NOT_UNDERSTOOD._value.get() == 4

    _upgrade(home)
    await _swept(home)
    known = await pair.transfer(home, sent.name)
    assert (known.progress.state, known.not_understood_count) == (pb.CASE_STATE_CLOSED, 0)
    assert await _kept(home) == []
    assert sorted(await _progressed(home)) == [1, 2, 3, 4, 5]
    assert (await pair.transfer(handling, case.transfer)).last_receipted_sequence == 5


async def test_a_state_that_is_not_known_yet_hides_no_later_one(pair: Pair) -> None:
    """What came after it stands when it is understood at last."""
    sent = await pair.send()
    token = pair.home.service.issuer.token(f"{HANDLING}services/cases", "REGION", region="320402")

    async def push(sequence: int, state: int, note: str = "") -> rpc.TransferReceipt:
        told = rpc.TransferProgress(action=pb.CASE_ACTION_ACCEPT, note=note)
        told.event_time.FromDatetime(morning(MONDAY))
        more = {"release": tomorrow.RELEASE, "payload": tomorrow.written(LATER, told, {"state": state})}
        message = enveloped(told, exchange_id=sent.exchange_id, sequence=sequence, sender_region="320402", **more)
        request = rpc.PushProgressRequest(message=message)
        return await pair.home.call(pair.home.exchange.PushProgress, request, rpc.TransferReceipt, token)

    first = await push(1, NEW_STATE)
    assert (first.understanding, list(first.doubts)) == (
        rpc.UNDERSTANDING_NOT_UNDERSTOOD,
        ["state: protobuf.unknown_value"],
    )
    loose = await push(2, pb.CASE_STATE_ACCEPTED, "长" * LONG_NOTE)
    assert list(loose.doubts) == ["note: string.max_len"]
    last = await push(3, pb.CASE_STATE_UNDER_REVIEW)
    assert (last.understanding, last.held) == (rpc.UNDERSTANDING_UNDERSTOOD, False)
    assert await push(1, NEW_STATE) == first
    assert (await pair.transfer(pair.home, sent.name)).progress.state == pb.CASE_STATE_UNDER_REVIEW
    _run(pair.home, MessageReader(tomorrow.payloads(tomorrow.edition(required=False))))
    await _swept(pair.home)
    known = await pair.transfer(pair.home, sent.name)
    assert (known.progress.state, known.not_understood_count) == (pb.CASE_STATE_UNDER_REVIEW, 0)
    assert sorted(await _progressed(pair.home)) == [1, 2, 3]
    assert await push(1, NEW_STATE) == first


async def test_an_application_of_a_newer_region_is_kept_and_opens_its_case_after_the_upgrade(pair: Pair) -> None:
    home, handling = pair.home, pair.handling
    _upgrade(home)
    request = pair.request()
    sent = await pair.send(request)
    await pair.carry()
    known = await pair.transfer(home, sent.name)
    assert (known.state, known.sent_not_understood_count, known.waiting_reason) == (
        rpc.CASE_TRANSFER_STATE_RECEIVED,
        1,
        "",
    )
    (kept,) = await _kept(handling)
    assert (kept.state, kept.payload_type, kept.exchange_id) == (NOT_UNDERSTOOD, Payload.APPLICATION, known.exchange_id)

    _upgrade(handling)
    handling.known.identity_error = Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="identity")
    await _swept(handling)  # it waits for what can't be asked now
    assert [each.state for each in await _kept(handling)] == [NOT_UNDERSTOOD]
    handling.known.identity_error = None
    handling.known.trusted.discard("341500")
    _asked_anew(handling)
    await _due(handling)  # nor is what a region sent applied while it is not trusted
    assert [each.state for each in await _kept(handling)] == [NOT_UNDERSTOOD]
    handling.known.trusted.add("341500")
    _asked_anew(handling)
    await _due(handling)
    assert await _kept(handling) == []
    await pair.carry()
    assert (await pair.transfer(home, sent.name)).state == rpc.CASE_TRANSFER_STATE_ACCEPTED
    case = await _closed(pair, request)
    await pair.carry()
    known = await pair.transfer(home, sent.name)
    assert (known.result.outcome, known.progress.state) == (pb.OUTCOME_REJECTED, pb.CASE_STATE_CLOSED)
    assert case.received_by.startswith(HOME)


def _asked_anew(town: Town) -> None:
    """Forgets what identity said of trust; it is kept for seconds."""
    town.part("MessageDeliverer")._parts.regions.known._known.clear()


async def _due(town: Town) -> None:
    """Has the sweep take up now what it finds, or has put off."""
    await _swept(town)
    async with town.service.process.database.transaction() as connection:
        await sql.execute(connection, sa.text("UPDATE retries SET next_attempt = now()"))
    await _swept(town)


async def test_what_follows_an_application_that_is_not_understood_waits_and_is_applied_behind_it(pair: Pair) -> None:
    home, handling = pair.home, pair.handling
    _upgrade(home)
    request = pair.request()
    sent = await pair.send(request)
    await pair.carry()
    take_back = rpc.WithdrawCaseTransferRequest(name=sent.name, reason="不办了", request_id=request_id())
    await home.call(home.exchange.WithdrawCaseTransfer, take_back, rpc.CaseTransfer, home.clerk)
    await pair.carry()
    states = [each.state for each in await _kept(handling)]
    assert states == [rpc.INCOMING_MESSAGE_STATE_HELD, NOT_UNDERSTOOD]
    _upgrade(handling)
    await _swept(handling)
    assert await _kept(handling) == []
    case = await handling.get(f"cases/{request.case_id}")
    assert (case.state, await handling.history(case)) == (pb.CASE_STATE_WITHDRAWN, ["CREATE", "SUBMIT", "WITHDRAW"])


async def test_an_application_that_is_refused_once_it_is_understood_is_told_to_who_sent_it(pair: Pair) -> None:
    home, handling = pair.home, pair.handling
    _upgrade(home)
    wanted = pair.request()
    del wanted.materials[:]
    sent = await pair.send(wanted)
    await pair.carry()
    _upgrade(handling)
    await _swept(handling)
    (refused,) = await _kept(handling)
    assert (refused.state, refused.reason) == (rpc.INCOMING_MESSAGE_STATE_REFUSED, "CASE_MATERIAL_MISSING")
    # Whose application is not answered sends it again, and is told.
    await _due(home)
    await pair.carry()
    known = await pair.transfer(home, sent.name)
    assert (known.state, known.end_reason) == (rpc.CASE_TRANSFER_STATE_FAILED, "CASE_MATERIAL_MISSING")


@pytest.fixture
def noticed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tomorrow's release has something that takes notices; what it was told."""
    told: list[str] = []
    apply = AnswerApplier.apply

    async def applied(
        self: AnswerApplier, tx: Transaction, exchange: ExchangeKey, message: OpenedMessage, newest: int
    ) -> None:
        if message.kind == NOTICE:
            told.append(message.content.text)
        else:
            await apply(self, tx, exchange, message, newest)

    monkeypatch.setattr(AnswerApplier, "apply", applied)
    return told


async def test_a_payload_that_nobody_here_has_heard_of_is_kept_until_somebody_has(
    pair: Pair, noticed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, handling = pair.home, pair.handling
    request = pair.request()
    sent = await pair.send(request)
    await pair.carry()
    _upgrade(handling)
    case = await handling.get(f"cases/{request.case_id}")
    notice = LATER.read(NOTICE, b"")
    assert notice is not None
    notice.text = "公示七日"  # type: ignore[attr-defined]
    parts = handling.part("MessageDeliverer")._parts

    async def work(tx: Transaction) -> pb.Case:
        await parts.queue.add(tx, case.transfer.partition("/")[2], notice)
        return case

    await parts.uow.run(_command(), work)
    await pair.carry()
    (kept,) = await _kept(home)
    assert (kept.payload_type, kept.state, list(kept.doubts)) == (NOTICE, NOT_UNDERSTOOD, [f"{NOTICE}: payload.type"])
    assert (await pair.transfer(handling, case.transfer)).last_receipted_sequence == 1
    monkeypatch.setitem(PAYLOADS, NOTICE, type(notice))
    monkeypatch.setattr("services.cases.core.payloads.may_stand", lambda *_: True)
    _upgrade(home)
    await _swept(home)
    assert (await _kept(home), noticed) == ([], ["公示七日"])
    assert (await pair.transfer(home, sent.name)).not_understood_count == 0


def _command() -> Command:
    return Command("services/cases", "cases:notice", request_id(), b"", pb.Case, actor="services/cases")


async def test_an_envelope_with_more_than_we_know_is_taken_whole(pair: Pair) -> None:
    message = pair.message(pair.request(), release=tomorrow.RELEASE)
    message.MergeFromString(FIELD)
    first = await pair.receive(message)
    assert (first.understanding, list(first.doubts)) == (
        rpc.UNDERSTANDING_NOT_UNDERSTOOD,
        ["message.15001: protobuf.unknown_field"],
    )
    later = pair.message(pair.request(), format_version=2)
    assert list((await pair.receive(later)).doubts) == ["message.format_version: transfer.format"]
    assert len(await _kept(pair.handling)) == 2
    assert await pair.receive(message) == first


async def test_a_receipt_over_other_bytes_is_told_and_ends(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = await pair.send()
    regions = pair.home.part("MessageDeliverer")._parts.regions
    deliver, tries = regions.deliver, list[str]()

    async def other(region: str, rpc_name: str, *arguments: Any) -> rpc.TransferReceipt:
        tries.append(rpc_name)
        receipt: rpc.TransferReceipt = await deliver(region, rpc_name, *arguments)
        receipt.digest = "sm3:" + "0" * 64
        return receipt

    monkeypatch.setattr(regions, "deliver", other)
    for _ in range(3):
        await pair.home.part("MessageDeliverer").deliver_due()
        await _due(pair.home)
    known = await pair.transfer(pair.home, sent.name)
    assert (known.state, known.end_reason) == (rpc.CASE_TRANSFER_STATE_FAILED, "TRANSFER_MESSAGE_CONFLICT")
    assert tries == ["ReceiveCaseTransfer"]
    failed = [events.CaseTransferFailed.FromString(data) for kind, data in await pair.home.events() if "failed" in kind]
    assert [(each.payload, each.error_reason) for each in failed] == [
        (Payload.APPLICATION, "TRANSFER_MESSAGE_CONFLICT")
    ]


async def test_a_region_says_what_it_understands_and_is_sent_nothing_else_where_there_is_a_choice(pair: Pair) -> None:
    home, handling = pair.home, pair.handling
    asked = rpc.GetCapabilitiesRequest()
    said = await handling.call(handling.exchange.GetCapabilities, asked, rpc.Capabilities, "")
    assert (said.region, list(said.format_versions)) == ("320402", [1])
    assert set(said.payload_types) == {str(kind) for kind in Payload}
    sent = await pair.send()
    await pair.carry()
    taken = PAYLOADS.keys() - {Payload.WITHDRAWAL}
    _run(handling, MessageReader(PayloadReader(own_edition(), taken)))
    regions = home.part("MessageDeliverer")._parts.regions
    await regions.ask("320402")
    take_back = rpc.WithdrawCaseTransferRequest(name=sent.name, reason="不办了", request_id=request_id())
    with pytest.raises(FailedPrecondition) as refused:
        await home.call(home.exchange.WithdrawCaseTransfer, take_back, rpc.CaseTransfer, home.clerk)
    assert (refused.value.reason, refused.value.metadata) == (
        "TRANSFER_PAYLOAD_UNSUPPORTED",
        {"region": "320402", "payload": Payload.WITHDRAWAL},
    )
    before = await pair.transfer(home, sent.name)
    assert (before.state, before.last_sent_sequence) == (rpc.CASE_TRANSFER_STATE_ACCEPTED, 1)
    _run(handling, MessageReader(PayloadReader(own_edition(), PAYLOADS)))
    await regions.ask("320402")
    taken_back = await home.call(home.exchange.WithdrawCaseTransfer, take_back, rpc.CaseTransfer, home.clerk)
    assert taken_back.last_sent_sequence == 2


async def test_what_a_region_understands_is_asked_aside(pair: Pair) -> None:
    """A window waits for no other region, and one that can't be asked is sent whatever there is."""
    await pair.send()
    regions = pair.home.part("MessageDeliverer")._parts.regions

    async def said() -> Any:
        return regions._said.get("320402")

    found = await eventually(said, lambda known: known is not None)
    assert set(found.payload_types) == {str(kind) for kind in Payload}
    pair.handling.known.service = None
    await regions.ask("320402")
    assert await said() == found


async def test_no_person_sees_what_is_kept(pair: Pair) -> None:
    request = rpc.ListIncomingMessagesRequest()
    person = pair.home.call(
        pair.home.exchange.ListIncomingMessages, request, rpc.ListIncomingMessagesResponse, pair.home.person
    )
    with pytest.raises(PermissionDenied):
        await person
