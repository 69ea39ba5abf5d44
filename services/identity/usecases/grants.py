"""First tokens: for machines, for people and staff before a channel, for our own services."""

from libs.access import rights
from libs.clock import Clock
from libs.db.engine import Database, Row
from libs.errors import NotFound, reasons
from libs.ids.subjects import SubjectKind, parse_subject
from libs.rpc.call import current_call
from libs.rpc.stages.caller import GATEWAY
from services.identity.convert.clients import client_of
from services.identity.domain import assurance, clients, issue, roles
from services.identity.domain.assertions import Assertion
from services.identity.domain.claims import Claims, Kind, invalid
from services.identity.domain.scopes import narrow
from services.identity.store import staff as staff_store
from services.identity.store.reading import one
from services.identity.tables import staff
from services.identity.tokens.codec import TokenCodec
from services.identity.usecases.acting import active_person
from services.identity.usecases.client_authentication import ClientAuthentication
from services.identity.usecases.parties import on_wall
from services.identity.usecases.staff import facts_of
from services.identity.usecases.token_records import TokenRecords, token_name
from tongban.identity.v1 import token_service_pb2 as pb

_JWT_BEARER = "oauth.jwt-bearer"
_ASSERTED = {SubjectKind.PERSON: Kind.PERSON, SubjectKind.STAFF: Kind.STAFF}


class Grants:
    """Grants that begin a session. A machine's own token leaves no audit record; what it does with it does."""

    def __init__(
        self,
        codec: TokenCodec,
        database: Database,
        clock: Clock,
        authentication: ClientAuthentication,
        records: TokenRecords,
    ) -> None:
        self._codec = codec
        self._database = database
        self._clock = clock
        self._authentication = authentication
        self._records = records

    def for_client(self, row: Row, scope: str) -> Claims:
        """Makes the claims of an authenticated client's own token; raises PermissionDenied SCOPE_NOT_GRANTED."""
        client = client_of(row)
        return issue.for_client(self._codec.issue(), client, narrow(client.scopes, scope))

    async def for_asserted(self, token: str, scope: str, digest: bytes) -> Claims:
        """Makes the claims for a person or a member of staff whom a channel has authenticated (RFC 7523, 2.1).

        Args:
            token: the channel's assertion; `sub` is `persons/<uuid>` or `staff/<uuid>`, `acr` the level of the session.
            scope: the permissions asked for; empty for all.
            digest: SM3 of the request, for the record.

        Raises:
            Unauthenticated: TOKEN_INVALID.
            PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_MAY_NOT_ASSERT, SCOPE_NOT_GRANTED.
            FailedPrecondition: PERSON_NOT_ACTIVE, STAFF_NOT_ACTIVE.
            Unavailable: DEPENDENCY_UNAVAILABLE, AUDIT_UNAVAILABLE.
        """
        row, assertion = await self._authentication.signed(token)
        channel = client_of(row)
        kind = _kind_of(assertion.subject)
        clients.check_assertion(channel, kind)
        try:
            made = await (self._staff if kind is Kind.STAFF else self._person)(channel, assertion, scope)
        except NotFound as error:
            raise invalid("sub", "the assertion speaks of nobody who is known here") from error
        await self._authentication.use_up("grant", row, assertion)
        await self._records.write(_JWT_BEARER, digest, made, token=token_name(made))
        return made

    async def _person(self, channel: clients.Client, assertion: Assertion, scope: str) -> Claims:
        if assertion.acr is None:
            raise invalid("acr", "the assertion must say how far the channel knows the person (acr)")
        async with self._database.read() as connection:
            person = await active_person(connection, assertion.subject)
        levels = (person.assurance, assertion.acr)
        return issue.for_person(
            self._codec.issue(), channel, f"persons/{person.id}", levels, narrow(roles.PERSON, scope)
        )

    async def _staff(self, channel: clients.Client, assertion: Assertion, scope: str) -> Claims:
        now = self._clock.now()
        async with self._database.read() as connection:
            row = await one(connection, staff, assertion.subject)
            person = await active_person(connection, f"persons/{row.person}")
            near = await staff_store.near(connection, person.id, now)
            given = await staff_store.held(connection, [row.id], now)
        held, duties = facts_of(given, now)
        ends = [each.expire_time for each in given if each.expire_time and each.begin_time <= now]
        until = int(on_wall(min(ends), now, self._codec.now()).timestamp()) if ends else 0
        name = f"staff/{row.id}"
        if row.state != "ACTIVE":
            raise reasons.staff_not_active("the member of staff has left", staff=name)
        facts = issue.StaffFacts(
            name,
            f"departments/{row.department}",
            held,
            f"persons/{person.id}",
            issue.named_near(near),
            until,
        )
        # Whoever holds no post is refused as such, not for the scope that follows from posts.
        granted = narrow(roles.of_duties(duties), scope) if held else ()
        session = assurance.HIGHEST if assertion.acr is None else assertion.acr
        return issue.for_staff(self._codec.issue(), channel, facts, granted, session)

    def for_service(self, request: pb.IssueServiceTokenRequest) -> pb.IssueServiceTokenResponse:
        """Gives the service that calls a token of its own; its certificate alone tells which one it is."""
        call = current_call()
        peers = call.peers & rights.SERVICES
        if GATEWAY in call.peers or len(peers) != 1:
            raise reasons.peer_not_allowed("only a service of the region gets a token of its own")
        (name,) = peers
        made = issue.for_service(self._codec.issue(), name, narrow(roles.of_service(name), request.scope))
        return pb.IssueServiceTokenResponse(
            access_token=self._codec.encode(made), expires_in=made.lifetime, scope=" ".join(made.scope)
        )


def _kind_of(name: str) -> Kind:
    """Returns what a channel says that somebody is; raises Unauthenticated TOKEN_INVALID where they are nobody of ours."""
    try:
        subject = parse_subject(name)
    except ValueError as error:
        raise invalid("sub", "the assertion speaks of nobody") from error
    if subject.region or subject.kind not in _ASSERTED:
        raise invalid("sub", "the assertion speaks neither of a person nor of staff")
    return _ASSERTED[subject.kind]
