"""Sessions and what one signs in with, as messages."""

from collections.abc import Sequence
from datetime import datetime

from libs.crypto.envelope import FieldCipher
from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.identity.core.sessions import SignInSession
from services.identity.signin.rules import Authenticator, AuthenticatorKind
from services.identity.signin.store import DISPLAY_NAME, USER_AGENT
from tongban.identity.v1 import sign_in_service_pb2 as pb

_KINDS, _STATES = Names(pb.AuthenticatorKind), Names(pb.AuthenticatorState)
_SESSION_STATES = Names(pb.SessionState)


def enrolled_kind(asked: pb.AuthenticatorKind.ValueType) -> AuthenticatorKind:
    """Returns what somebody wants to set; what is not said is the password."""
    return AuthenticatorKind(_KINDS.name(asked)) if asked else AuthenticatorKind.PASSWORD


def authenticator_message(cipher: FieldCipher, row: Authenticator) -> pb.Authenticator:
    """Builds the message of something that one signs in with, without its secret."""
    return pb.Authenticator(
        name=row.name,
        kind=_KINDS.number(row.kind.value),
        display_name=cipher.decrypt_text(DISPLAY_NAME, row.id, row.display_name) if row.display_name else "",
        state=_STATES.number(row.state.value),
        last_use_time=timestamp(row.last_use_time),
        expire_time=timestamp(row.expire_time),
        create_time=timestamp(row.create_time),
        etag=etag_of(row.version),
    )


def session_message(cipher: FieldCipher, row: SignInSession, now: datetime, clients: Sequence[str] = ()) -> pb.Session:
    """Builds the message of a session as it stands at ``now``; ``clients`` are those that were signed in to by it."""
    return pb.Session(
        name=row.name,
        methods=row.methods,
        assurance=row.assurance,
        user_agent=cipher.decrypt_text(USER_AGENT, row.id, row.user_agent),
        state=_SESSION_STATES.number(row.state_at(now).value),
        auth_time=timestamp(row.auth_time),
        expire_time=timestamp(row.expire_time),
        finish_time=timestamp(row.finish_time),
        create_time=timestamp(row.create_time),
        etag=etag_of(row.version),
        clients=clients,
    )
