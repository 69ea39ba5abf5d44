"""What is decided of bindings without I/O."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition
from services.identity.credentials import rules
from services.identity.credentials.rules import BindingState, CredentialBinding, CredentialKind
from tongban.identity.v1 import code_service_pb2 as pb

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)


def test_kinds_and_states_are_those_of_the_contract() -> None:
    assert [f"CREDENTIAL_KIND_{each}" for each in CredentialKind] == pb.CredentialKind.keys()[1:]
    assert [f"CREDENTIAL_BINDING_STATE_{each}" for each in BindingState] == pb.CredentialBindingState.keys()[1:]


def test_a_binding_ends_once() -> None:
    made = CredentialBinding("b", "p", CredentialKind.HEALTH_CARD, b"", b"", "clients/a", NOW, NOW)
    later = NOW + timedelta(days=1)
    ended = rules.unbound(made, later)
    assert (ended.state, ended.unbind_time, ended.name) == (BindingState.UNBOUND, later, "credentialBindings/b")
    with pytest.raises(FailedPrecondition) as refusal:
        rules.unbound(ended, later)
    assert (refusal.value.reason, refusal.value.metadata["state"]) == ("STATE_CONFLICT", "UNBOUND")
    assert refusal.value.metadata["allowed"] == "ACTIVE"


@pytest.mark.parametrize(
    ("number", "shown"), [("123456789", "*****6789"), ("12345678", "******78"), ("123456", "****56")]
)
def test_a_cards_number_keeps_its_end(number: str, shown: str) -> None:
    assert rules.mask_card(number) == shown
