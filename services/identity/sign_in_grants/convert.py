"""Sign-ins to clients, as messages."""

from datetime import datetime
from types import MappingProxyType

from libs.crypto.envelope import Column, FieldCipher
from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.identity.core.sign_in_grants import ADDRESS, DEVICE_NAME, SignInGrant
from services.identity.sign_in_grants.rules import ends, state_of
from tongban.identity.v1 import sign_in_service_pb2 as pb

_STATES, _ENDS = Names(pb.SignInGrantState), Names(pb.SignInGrantEnd)
_FORMER = MappingProxyType({"OK": "RETURNED", "CODE_REUSED": "COPIED", "REFRESH_TOKEN_REUSED": "COPIED"})
"""What was written before people were shown why."""


def sign_in_grant_message(cipher: FieldCipher, row: SignInGrant, client: str, now: datetime) -> pb.SignInGrant:
    """Builds the message of a sign-in as it stands at ``now``; ``client`` is what its client is called."""
    end = ends(row.expire_time, row.auth_time)
    return pb.SignInGrant(
        name=row.name,
        client=f"clients/{row.client}",
        client_display_name=client,
        session=f"sessions/{row.session}",
        scopes=row.scope.split(),
        state=_STATES.number(state_of(row.revoke_time, end, now).value),
        address=_clear(cipher, ADDRESS, row.id, row.address),
        device_display_name=_clear(cipher, DEVICE_NAME, row.id, row.device_name),
        create_time=timestamp(row.create_time),
        expire_time=timestamp(end),
        revoke_time=timestamp(row.revoke_time),
        end_reason=_end_reason(row.revoke_reason),
        etag=etag_of(row.version),
    )


def _end_reason(stored: str) -> pb.SignInGrantEnd.ValueType:
    return _ENDS.number(_FORMER.get(stored, stored)) if stored else pb.SIGN_IN_GRANT_END_UNSPECIFIED


def _clear(cipher: FieldCipher, column: Column, identifier: str, stored: bytes) -> str:
    return cipher.decrypt_text(column, identifier, stored) if stored else ""
