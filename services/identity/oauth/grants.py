"""First tokens: for machines, and for people and staff before a channel."""

from collections.abc import Sequence
from datetime import datetime

from libs.access import roles
from libs.errors import NotFound, reasons
from libs.ids.subjects import SubjectKind, parse_subject
from services.identity.core import assurance, issue, staff
from services.identity.core.accounts import active_person
from services.identity.core.claims import ActorKind, Claims, invalid
from services.identity.core.client_rules import Client, check_assertion
from services.identity.core.duties import Duty
from services.identity.core.issue import on_wall
from services.identity.core.parts import Parts
from services.identity.core.scopes import narrow
from services.identity.core.token_records import TokenRequest, token_name
from services.identity.oauth.authentication import ClientAuthentication
from services.identity.oauth.rules import ClientAssertion

_JWT_BEARER = "oauth.jwt-bearer"
_ASSERTED = {SubjectKind.PERSON: ActorKind.PERSON, SubjectKind.STAFF: ActorKind.STAFF}


class TokenGrants:
    """Grants that begin a session. A machine's own token leaves no audit record; what it does with it does."""

    def __init__(self, parts: Parts, authentication: ClientAuthentication) -> None:
        self._parts = parts
        self._authentication = authentication

    def for_client(self, client: Client, scope: str) -> Claims:
        """Makes the claims of an authenticated client's own token; raises PermissionDenied SCOPE_NOT_GRANTED."""
        return issue.for_client(self._parts.codec.issue(), client, narrow(client.scopes, scope))

    async def for_asserted(self, token: str, scope: str, asked: TokenRequest) -> Claims:
        """Makes the claims for a person or a member of staff whom a channel has authenticated (RFC 7523, 2.1).

        Args:
            token: the channel's assertion; `sub` is `persons/<uuid>` or `staff/<uuid>`, `acr` the level of the session,
                `auth_time` when it began.
            scope: the permissions asked for; empty for all.
            asked: the request, for the record, whose receipt is noted there.

        Raises:
            Unauthenticated: TOKEN_INVALID.
            PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_MAY_NOT_ASSERT, SCOPE_NOT_GRANTED.
            FailedPrecondition: PERSON_NOT_ACTIVE, STAFF_NOT_ACTIVE.
            Unavailable: DEPENDENCY_UNAVAILABLE, AUDIT_UNAVAILABLE.
        """
        channel, assertion = await self._authentication.signed(token)
        kind = _kind_of(assertion.subject)
        check_assertion(channel, kind)
        try:
            made = await (self._staff if kind is ActorKind.STAFF else self._person)(channel, assertion, scope)
        except NotFound as error:
            raise invalid("sub", "the assertion speaks of nobody who is known here") from error
        await self._authentication.use_up("grant", channel, assertion)
        await self._parts.records.write(asked, made, method=_JWT_BEARER, token=token_name(made))
        return made

    async def _person(self, channel: Client, assertion: ClientAssertion, scope: str) -> Claims:
        if assertion.acr is None:
            raise invalid("acr", "the assertion must say how far the channel knows the person (acr)")
        async with self._parts.database.read() as connection:
            person = await active_person(connection, assertion.subject)
        session = issue.SignIn(person.assurance, assertion.acr, assertion.auth_time)
        return issue.for_person(self._parts.codec.issue(), channel, person.name, session, narrow(roles.PERSON, scope))

    async def _staff(self, channel: Client, assertion: ClientAssertion, scope: str) -> Claims:
        facts, duties = await self._staff_facts(assertion.subject)
        # Whoever holds no post is refused as such, not for the scope that follows from posts.
        granted = narrow(roles.of_duties(duties), scope) if facts.posts else ()
        level = assurance.HIGHEST if assertion.acr is None else assertion.acr
        session = issue.SignIn(assurance.HIGHEST, level, assertion.auth_time)
        return issue.for_staff(self._parts.codec.issue(), channel, facts, granted, session)

    async def _staff_facts(self, name: str) -> tuple[issue.StaffFacts, frozenset[Duty]]:
        """Returns what a token says of a member of staff, and the duties that they have now."""
        now = self._parts.clock.now()
        async with self._parts.database.read() as connection:
            row = await staff.member(connection, name)
            person = await active_person(connection, f"persons/{row.person}")
            near = await staff.near(connection, person.id, now)
            given = staff.held(await staff.given_to(connection, [row.id], now))
        if row.state != staff.IN_OFFICE:
            raise reasons.staff_not_active("the member of staff has left", staff=row.name)
        posts, duties = staff.facts_of(given, now)
        until, department = self._until(given, now), f"departments/{row.department}"
        return issue.StaffFacts(row.name, department, posts, person.name, issue.named_near(near), until), duties

    def _until(self, given: Sequence[staff.GivenPost], now: datetime) -> int:
        """Returns when the first of the posts that are held ends, by the clock of tokens; 0 where none does."""
        ends = [each.expire_time for each in given if each.expire_time and each.begin_time <= now]
        return int(on_wall(min(ends), now, self._parts.wall.now()).timestamp()) if ends else 0


def _kind_of(name: str) -> ActorKind:
    """Returns what a channel says that somebody is; raises Unauthenticated TOKEN_INVALID where they are nobody of ours."""
    try:
        subject = parse_subject(name)
    except ValueError as error:
        raise invalid("sub", "the assertion speaks of nobody") from error
    if subject.region or subject.kind not in _ASSERTED:
        raise invalid("sub", "the assertion speaks neither of a person nor of staff")
    return _ASSERTED[subject.kind]
