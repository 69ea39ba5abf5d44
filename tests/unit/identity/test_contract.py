"""The domain's words are the contract's words."""

from enum import Enum

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from libs.access import roles
from libs.access.actor import Actor
from services.identity.accounts.rules import OrganizationKind
from services.identity.consents.rules import ConsentState
from services.identity.core import assurance, client_rules, duties, mandate_rules, trust
from tongban.common.v1 import party_pb2
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    client_service_pb2,
    consent_service_pb2,
    events_pb2,
    mandate_service_pb2,
    region_service_pb2,
    resources_pb2,
    staff_service_pb2,
    token_service_pb2,
    verification_service_pb2,
)
from tongban.options.v1 import options_pb2

SERVICES = [
    service
    for module in (
        account_service_pb2,
        client_service_pb2,
        consent_service_pb2,
        mandate_service_pb2,
        region_service_pb2,
        staff_service_pb2,
        token_service_pb2,
        verification_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]
METHODS = [method for service in SERVICES for method in service.methods]


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (assurance.VerificationMethod, resources_pb2.VerificationMethod, "VERIFICATION_METHOD_"),
        (client_rules.ClientKind, resources_pb2.ClientKind, "CLIENT_KIND_"),
        (client_rules.ClientAuthMethod, resources_pb2.ClientAuthMethod, "CLIENT_AUTH_METHOD_"),
        (client_rules.ClientState, resources_pb2.ClientState, "CLIENT_STATE_"),
        (ConsentState, resources_pb2.ConsentState, "CONSENT_STATE_"),
        (duties.Duty, resources_pb2.Duty, "DUTY_"),
        (mandate_rules.MandateState, resources_pb2.MandateState, "MANDATE_STATE_"),
        (mandate_rules.MandatePower, options_pb2.MandatePower, "MANDATE_POWER_"),
        (mandate_rules.ActingBasis, mandate_service_pb2.ActingBasis, "ACTING_BASIS_"),
        (trust.RegionState, resources_pb2.RegionState, "REGION_STATE_"),
        (trust.TrustState, resources_pb2.TrustState, "TRUST_STATE_"),
    ],
)
def test_enums_agree(ours: type[Enum], theirs: EnumTypeWrapper, prefix: str) -> None:
    names = [f"{prefix}{member.value}" for member in ours]
    assert names == theirs.keys()[1:]


def test_an_organisation_is_of_every_kind_but_a_person() -> None:
    persons, *others = party_pb2.PartyKind.keys()[1:]
    assert persons == "PARTY_KIND_PERSON"
    assert [f"PARTY_KIND_{kind.value}" for kind in OrganizationKind] == others


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_permission_is_somebodys(method: object) -> None:
    access = method.GetOptions().Extensions[options_pb2.rpc].access  # type: ignore[attr-defined]
    if access.public:
        assert not access.permission
        return
    holders = [*(roles.of_duties([duty]) for duty in duties.Duty), roles.PERSON, roles.REGION, *roles.SERVICES.values()]
    assert any(Actor("x", "STAFF", frozenset(patterns)).may(access.permission) for patterns in holders)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_event_has_its_message(method: object) -> None:
    for event in method.GetOptions().Extensions[options_pb2.rpc].emits:  # type: ignore[attr-defined]
        head, noun, verb, version = event.rsplit(".", 3)
        assert (head, version) == ("cn.tongban.identity", "v1")
        assert (
            "".join(word.capitalize() for word in f"{noun}_{verb}".split("_"))
            in events_pb2.DESCRIPTOR.message_types_by_name
        )


def test_the_reasons_of_identity_are_documented() -> None:
    values = error_reason_pb2.ErrorReason.DESCRIPTOR.values
    mine = [value for value in values if 100 <= value.number < 200]
    numbers = [value.number for value in mine]
    assert numbers == sorted(set(numbers))
    for value in mine:
        info = value.GetOptions().Extensions[error_reason_pb2.error]
        assert info.code
        assert info.message_zh
