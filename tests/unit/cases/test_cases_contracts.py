"""The domain's names and the contract's must not drift apart."""

from enum import Enum

import pytest
from google.protobuf.descriptor import EnumDescriptor

from libs.civil.calendar import DayKind
from services.cases.core import clock, exchange, offers, outcomes, states
from services.cases.core.payloads import PAYLOADS
from services.cases.items import rules as items
from services.cases.ratings import rules as ratings
from tongban.cases.v1 import (
    calendar_service_pb2,
    exchange_service_pb2,
    item_service_pb2,
    rating_service_pb2,
    resources_pb2,
)
from tongban.cases.v1 import exchange_service_pb2 as pb


def _names(descriptor: EnumDescriptor) -> set[str]:
    prefix = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in descriptor.name)[1:]
    return {value.name.removeprefix(f"{prefix}_") for value in descriptor.values if value.number}


@pytest.mark.parametrize(
    ("kind", "descriptor"),
    [
        (DayKind, calendar_service_pb2.DayKind.DESCRIPTOR),
        (clock.Light, resources_pb2.Light.DESCRIPTOR),
        (clock.SpecialProcedure, resources_pb2.SpecialProcedure.DESCRIPTOR),
        (offers.ItemState, item_service_pb2.ServiceItemState.DESCRIPTOR),
        (items.HandlingKind, item_service_pb2.HandlingKind.DESCRIPTOR),
        (outcomes.DecisionOutcome, resources_pb2.Outcome.DESCRIPTOR),
        (ratings.Satisfaction, resources_pb2.SatisfactionLevel.DESCRIPTOR),
        (ratings.RatingKind, rating_service_pb2.RatingKind.DESCRIPTOR),
        (states.CaseState, resources_pb2.CaseState.DESCRIPTOR),
        (states.PublicStatus, resources_pb2.PublicStatus.DESCRIPTOR),
        (exchange.TransferState, exchange_service_pb2.CaseTransferState.DESCRIPTOR),
    ],
)
def test_enums_agree(kind: type[Enum], descriptor: EnumDescriptor) -> None:
    assert {member.name for member in kind} == _names(descriptor)


def test_actions_agree_but_for_those_that_move_no_state() -> None:
    assert {action.name for action in states.CaseAction} | {"CREATE", "RESCHEDULE"} == _names(
        resources_pb2.CaseAction.DESCRIPTOR
    )


def test_payloads_agree() -> None:
    assert {str(known.DESCRIPTOR.full_name) for known in PAYLOADS.values()} == set(exchange.Payload)
    assert {str(kind) for kind in PAYLOADS} == set(exchange.Payload)


def test_the_three_requests_that_bring_a_message_have_one_shape() -> None:
    """What came by one is kept as it is and opened again as another."""
    shapes = {
        tuple((field.number, field.name, field.message_type) for field in request.DESCRIPTOR.fields)
        for request in (pb.ReceiveCaseTransferRequest, pb.AcknowledgeCaseTransferRequest, pb.PushProgressRequest)
    }
    assert shapes == {((1, "message", pb.TransferMessage.DESCRIPTOR),)}


def test_states_of_what_is_kept_agree() -> None:
    names = _names(exchange_service_pb2.IncomingMessageState.DESCRIPTOR)
    assert {member.name for member in exchange.IncomingState} - {"APPLIED"} == names
