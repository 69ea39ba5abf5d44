"""SignInService: what one signs in with, and where one is signed in."""

import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType

from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import NotFound, not_found, reasons
from libs.ids.uuid7 import uuid7
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.identity.core import sign_in_grants
from services.identity.core.accounts import active_person
from services.identity.core.names import region_of
from services.identity.core.parts import Parts
from services.identity.signin import rules, store
from services.identity.signin.convert import authenticator_message, enrolled_kind, session_message
from services.identity.signin.one_time_codes import new_secret
from services.identity.signin.opening import digest
from services.identity.signin.passkeys import relying_party
from services.identity.signin.rules import AuthenticatorKind, EnrollmentRow
from services.identity.signin.sign_ins import SignIns
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import sign_in_service_pb2 as pb

ENROLLMENT_PATH = "/oauth/enroll"
"""The page at which one sets up how one signs in."""
_CHALLENGE_BYTES = 32
_NEW: Mapping[AuthenticatorKind, Callable[[], str]] = MappingProxyType(
    {
        AuthenticatorKind.ONE_TIME_CODE: new_secret,
        AuthenticatorKind.PASSKEY: lambda: secrets.token_urlsafe(_CHALLENGE_BYTES),
        AuthenticatorKind.CERTIFICATE: lambda: secrets.token_urlsafe(_CHALLENGE_BYTES),
    }
)
"""What a page begins with: the secret that an application takes up, or what a new passkey or a certificate has to sign."""


class SignInApi:
    """Serves people what is theirs of it."""

    def __init__(self, parts: Parts, sign_ins: SignIns, *, certificates: bool) -> None:
        self._parts = parts
        self._sign_ins = sign_ins
        self._certificates = certificates

    async def begin_enrollment(self, request: pb.BeginEnrollmentRequest, call: Call) -> pb.Enrollment:
        """Opens the page at which the person sets their password; one that was open before is closed."""
        person, ticket, now = _own(call), secrets.token_urlsafe(32), self._parts.wall.now()
        expire, identifier = now + rules.ENROLLMENT_LASTS, uuid7()
        kind = enrolled_kind(request.kind)
        secret = self._parts.cipher.encrypt_text(store.SECRET, identifier, _NEW[kind]()) if kind in _NEW else b""
        opened = EnrollmentRow(
            identifier, person, digest(ticket), call.actor.assurance, expire, now, kind=kind, secret=secret
        )

        async def work(tx: Transaction) -> pb.Enrollment:
            await _in_use(tx.connection, person)
            if kind is AuthenticatorKind.PASSKEY:
                await self._check_passkeys(tx.connection, person)
            if kind is AuthenticatorKind.CERTIFICATE and not self._certificates:
                raise reasons.certificates_not_offered("the region trusts no authority with it")
            await store.CLOSE_ENROLLMENTS.all(tx.connection, person=person, now=now)
            row = await store.ADD_ENROLLMENT.add(tx.connection, opened)
            tx.about = f"enrollments/{row.id}"
            uri = f"{self._parts.base_url}{ENROLLMENT_PATH}?ticket={ticket}"
            return pb.Enrollment(uri=uri, expire_time=timestamp(expire))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _check_passkeys(self, connection: DatabaseConnection, person: str) -> None:
        """Raises FailedPrecondition PASSKEYS_NOT_OFFERED, PASSKEY_LIMIT_REACHED."""
        if relying_party(self._parts.base_url) is None:
            raise reasons.passkeys_not_offered("the region's address is no name that passkeys could be made for")
        rules.check_passkeys(len(await store.passkeys_of(connection, person)))

    async def list_authenticators(
        self, request: pb.ListAuthenticatorsRequest, call: Call
    ) -> pb.ListAuthenticatorsResponse:
        """Lists what the person signs in with."""
        parts, scope = self._parts, Scope({"person": call.actor.person})
        async with parts.database.read() as connection:
            shown, token = await store.LISTED_AUTHENTICATORS.page(connection, parts.pages, request, [scope])
        # Nobody but the person by themselves can ask.
        call.own()
        messages = [authenticator_message(parts.cipher, row) for row in shown]
        return pb.ListAuthenticatorsResponse(authenticators=messages, next_page_token=token)

    async def remove_authenticator(self, request: pb.RemoveAuthenticatorRequest, call: Call) -> pb.Authenticator:
        """Takes away something that the person signs in with."""
        person = call.actor.person

        async def work(tx: Transaction) -> pb.Authenticator:
            row = await store.authenticator(tx.connection, request.name, person)
            check_etag(request.name, row.version, request.etag)
            change = {"state": rules.remove(row), "update_time": self._parts.wall.now()}
            row = await store.UPDATE_AUTHENTICATOR.one(tx.connection, row.id, **change)
            tx.emit(row.name, events.AuthenticatorRemoved(authenticator=row.name, person=person))
            return authenticator_message(self._parts.cipher, row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def list_sessions(self, request: pb.ListSessionsRequest, call: Call) -> pb.ListSessionsResponse:
        """Lists where the person is and was signed in."""
        parts, now, scope = self._parts, self._parts.wall.now(), Scope({"person": call.actor.person})
        async with parts.database.read() as connection:
            shown, token = await store.LISTED_SESSIONS.page(connection, parts.pages, request, [scope], now=now)
            clients = await sign_in_grants.clients_of(connection, [each.id for each in shown])
        # Nobody but the person by themselves can ask.
        call.own()
        messages = [session_message(parts.cipher, row, now, clients.get(row.id, ())) for row in shown]
        return pb.ListSessionsResponse(sessions=messages, next_page_token=token)

    async def end_session(self, request: pb.EndSessionRequest, call: Call) -> pb.Session:
        """Ends a session, wherever its browser is."""

        async def work(tx: Transaction) -> pb.Session:
            row = await store.session(tx.connection, request.name, lock=True)
            if row.person != call.actor.person:
                raise not_found(request.name)
            check_etag(request.name, row.version, request.etag)
            row = await self._sign_ins.end(tx, row)
            clients = (await sign_in_grants.clients_of(tx.connection, [row.id])).get(row.id, ())
            return session_message(self._parts.cipher, row, self._parts.wall.now(), clients)

        return await self._parts.uow.run(command_of(request, call=call), work)


async def _in_use(connection: DatabaseConnection, person: str) -> None:
    """Checks that somebody can sign in as the person; raises FailedPrecondition PERSON_NOT_ACTIVE, also where there is none."""
    try:
        await active_person(connection, person, lock=True)
    except NotFound as error:
        raise reasons.person_not_active("there is no such account", person=person) from error


def _own(call: Call) -> str:
    """Returns the person who asks; raises PermissionDenied ACTOR_NOT_ALLOWED where their account is elsewhere."""
    if region_of(call.actor.person):
        raise reasons.actor_not_allowed("the account is kept by another region", actor_kind=call.actor.kind)
    return call.actor.person
