"""What a request holds and its contract lacks is found wherever it stands, and by bounded work."""

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from libs.access.actor import ANONYMOUS
from libs.errors import InvalidArgument, Violation
from libs.rpc.contract import Method
from libs.rpc.stages.validation import keeps_unknown, parse
from libs.rpc.unknown_fields import refuse_unknown, unknown_values
from tests.support.unknown import FIELD, NUMBER
from tests.support.values import messages
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.common.v1.party_pb2 import Party
from tongban.identity.v1 import mandate_service_pb2 as mandates
from tongban.license.v1.license_service_pb2 import IssueLicenseRequest


def _refused(request: object, data: bytes) -> tuple[Violation, ...]:
    with pytest.raises(InvalidArgument) as refused:
        refuse_unknown(type(request).FromString(data), data)  # type: ignore[attr-defined]
    return refused.value.violations


def test_all_are_named() -> None:
    holder = Party()
    holder.MergeFromString(FIELD)
    request = IssueLicenseRequest(holders=[Party(display_name="x"), holder], face_fields=messages(a="b"))
    data = request.SerializeToString() + FIELD + FIELD
    assert [each.field for each in _refused(request, data)] == [str(NUMBER), f"holders[1].{NUMBER}"]


def test_a_known_number_of_another_type_is_unknown() -> None:
    # Field 1 is a message; here it is a number.
    (violation,) = _refused(mandates.CreateMandateRequest(), b"\x08\x01")
    assert violation.field == "1"
    assert violation.description.endswith("has another type of field 1")


def test_values_that_the_contract_lacks_are_named_wherever_they_stand() -> None:
    def named(message: Message, text: str) -> list[tuple[str, str]]:
        return [(each.field, each.rule) for each in unknown_values(json_format.Parse(text, message))]

    assert named(exchange.TransferProgress(), '{"state": 999, "action": 2}') == [("state", "protobuf.unknown_value")]
    inner = named(exchange.TransferApplication(), '{"mode": 1, "applicant": {"kind": 998}}')
    assert inner == [("applicant.kind", "protobuf.unknown_value")]
    assert named(exchange.TransferProgress(), '{"state": 1, "action": 2}') == []


def test_what_is_written_oddly_is_known_all_the_same() -> None:
    """A length that differs from the shortest way to write it tells nothing: packed or not, in any order, repeated."""
    odd = exchange.TransferMessage(sequence=3).SerializeToString() + b"\x10\x84\x00"
    refuse_unknown(exchange.TransferMessage.FromString(odd), odd)


def test_a_request_made_of_unknown_fields_costs_what_its_bytes_cost() -> None:
    data = b"".join(FIELD for _ in range(500_000))
    assert len(_refused(mandates.CreateMandateRequest(), data)) == 1


def test_another_region_s_message_keeps_what_is_not_known_here() -> None:
    method = next(
        each
        for each in exchange.DESCRIPTOR.services_by_name["ExchangeService"].methods
        if each.name == "ReceiveCaseTransfer"
    )
    request = exchange.ReceiveCaseTransferRequest(message=exchange.TransferMessage(sequence=1))
    request.message.MergeFromString(FIELD)
    assert keeps_unknown(Method(method), ANONYMOUS)
    assert parse(Method(method), request.SerializeToString()).SerializeToString() == request.SerializeToString()
