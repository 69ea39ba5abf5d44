"""Records of the identity service as its rules see them: what a test does not say is whatever fits."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.identity.consents.rules import Consent
from services.identity.core.client_rules import Client, ClientAuthMethod, ClientKind, ClientState
from services.identity.core.mandate_rules import Mandate, MandatePower

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)


def client(client_id: str, kind: ClientKind, state: ClientState = ClientState.ACTIVE, **more: Any) -> Client:
    """A machine."""
    values: dict[str, Any] = {
        "display_name": "",
        "owner": "",
        "auth_method": ClientAuthMethod.PRIVATE_KEY_JWT,
        "scopes": (),
        "assertable": (),
        "max_assurance": 0,
        "quota_per_second": 0,
        "quota_per_day": 0,
        "create_time": NOW,
        "update_time": NOW,
    }
    return Client(id=client_id, kind=kind, state=state, **{**values, **more})


def mandate(**more: Any) -> Mandate:
    """A mandate of 30 days from now on."""
    values: dict[str, Any] = {
        "id": "m",
        "all_items": False,
        "item_codes": (),
        "powers": (MandatePower.APPLY,),
        "begin_time": NOW,
        "expire_time": NOW + timedelta(days=30),
        "acceptance_required": False,
        "granter": "persons/granter",
        "create_time": NOW,
        "update_time": NOW,
    }
    return Mandate(**{**values, **more})


def consent(**more: Any) -> Consent:
    """A consent of 30 days from now on."""
    values: dict[str, Any] = {
        "id": "c",
        "purpose_code": "LICENSE_CHECK",
        "purpose": "",
        "case_name": "",
        "begin_time": NOW,
        "expire_time": NOW + timedelta(days=30),
        "method": "ONLINE",
        "evidence": None,
        "granter": "persons/granter",
        "mandate": "",
        "witness": "",
        "create_time": NOW,
        "update_time": NOW,
    }
    return Consent(**{**values, **more})
