"""First tokens: for machines, and for people and staff before a channel."""

from libs.access import roles
from libs.errors import NotFound, invalid_field
from libs.ids.subjects import SubjectKind, parse_subject
from services.identity.core import assurance, issue
from services.identity.core.accounts import active_person
from services.identity.core.claims import ActorKind, Claims, invalid
from services.identity.core.client_assertions import ClientAssertion
from services.identity.core.client_authentication import ClientAuthentication
from services.identity.core.client_rules import OWN_PAGES, Client, check_assertion
from services.identity.core.parts import Parts
from services.identity.core.scopes import narrow
from services.identity.core.staff_standing import staff_standing
from services.identity.core.token_records import TokenRequest, token_name

_CLIENT_CREDENTIALS, _JWT_BEARER = "oauth.client-credentials", "oauth.jwt-bearer"
_ASSERTED = {SubjectKind.PERSON: ActorKind.PERSON, SubjectKind.STAFF: ActorKind.STAFF}


class TokenGrants:
    """Grants that begin a session; each is on record before its token leaves."""

    def __init__(self, parts: Parts, authentication: ClientAuthentication) -> None:
        self._parts = parts
        self._authentication = authentication

    async def for_client(self, client: Client, scope: str, asked: TokenRequest) -> Claims:
        """Makes the claims of an authenticated client's own token, bound to the key that it has proven, or the certificate that it came with.

        Raises:
            PermissionDenied: SCOPE_NOT_GRANTED.
            Unauthenticated: POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED.
            Unavailable: AUDIT_UNAVAILABLE.
        """
        # What the region's own pages may do is for who signed in to them, and nothing that a machine may do by itself.
        scopes = () if client.id == OWN_PAGES else client.scopes
        made = issue.for_client(self._parts.codec.issue(asked.key), client, narrow(scopes, scope))
        await self._parts.records.write(asked, made, method=_CLIENT_CREDENTIALS, token=token_name(made))
        return made

    async def for_asserted(self, token: str, scope: str, asked: TokenRequest, substitution: str = "") -> Claims:
        """Makes the claims for a person or a member of staff whom a channel has authenticated (RFC 7523, 2.1).

        Args:
            token: the channel's assertion; `sub` is `persons/<uuid>` or `staff/<uuid>`, `acr` the level of the session,
                `auth_time` when it began.
            scope: the permissions asked for; empty for all.
            asked: the request, for the record, whose receipt is noted there.
            substitution: by which substitution staff stand in for a colleague; empty where they act in posts of their own.

        Raises:
            InvalidArgument: FIELD_INVALID where somebody else than staff names a substitution.
            Unauthenticated: TOKEN_INVALID, POSSESSION_NOT_PROVEN, CERTIFICATE_NOT_PRESENTED.
            PermissionDenied: CLIENT_NOT_ACTIVE, CLIENT_EXPIRED, CLIENT_MAY_NOT_ASSERT, CLIENT_WRONG_ENVIRONMENT,
                CLIENT_ADDRESS_NOT_ALLOWED, SCOPE_NOT_GRANTED, SUBSTITUTION_NOT_ACTIVE.
            FailedPrecondition: PERSON_NOT_ACTIVE, STAFF_NOT_ACTIVE.
            Unavailable: DEPENDENCY_UNAVAILABLE, AUDIT_UNAVAILABLE.
        """
        channel, assertion = await self._authentication.signed(token)
        kind = _kind_of(assertion.subject)
        check_assertion(channel, kind, self._parts.wall.now())
        self._authentication.admit(channel, asked.address or "")
        if substitution and kind is not ActorKind.STAFF:
            raise invalid_field("substitution", "substitution.staff", "is of staff")
        try:
            if kind is ActorKind.STAFF:
                made = await self._staff(channel, assertion, scope, substitution, asked.key)
            else:
                made = await self._person(channel, assertion, scope, asked.key)
        except NotFound as error:
            raise invalid("sub", "the assertion speaks of nobody who is known here") from error
        await self._authentication.use_up("grant", channel, assertion)
        await self._parts.records.write(asked, made, method=_JWT_BEARER, token=token_name(made))
        return made

    async def _person(self, channel: Client, assertion: ClientAssertion, scope: str, key: str) -> Claims:
        if not assertion.acr:
            raise invalid("acr", "the assertion must say how far the channel knows the person (acr)")
        async with self._parts.database.read() as connection:
            person = await active_person(connection, assertion.subject)
        session = issue.SignIn(person.assurance, _level(channel, assertion), assertion.auth_time)
        made, granted = self._parts.codec.issue(key), narrow(roles.PERSON, scope)
        return issue.for_person(made, channel, person.name, session, granted, person.former_names)

    async def _staff(
        self, channel: Client, assertion: ClientAssertion, scope: str, substitution: str, key: str
    ) -> Claims:
        async with self._parts.database.read() as connection:
            facts, rights = await staff_standing(
                connection, assertion.subject, self._parts.clock.now(), self._parts.wall.now(), substitution
            )
        # Whoever holds no post is refused as such, not for the scope that follows from posts.
        granted = narrow(rights.scope, scope) if facts.posts else ()
        level = _level(channel, assertion) if assertion.acr else assurance.HIGHEST
        session = issue.SignIn(assurance.HIGHEST, level, assertion.auth_time)
        return issue.for_staff(self._parts.codec.issue(key), channel, facts, granted, session)


def _level(channel: Client, assertion: ClientAssertion) -> int:
    level = channel.assurance.level(assertion.acr)
    if level is None:
        raise invalid("acr", "the assertion's acr is no level from 0 to 4, and no word of the channel's")
    return level


def _kind_of(name: str) -> ActorKind:
    """Returns what a channel says that somebody is; raises Unauthenticated TOKEN_INVALID where they are nobody of ours."""
    try:
        subject = parse_subject(name)
    except ValueError as error:
        raise invalid("sub", "the assertion speaks of nobody") from error
    if subject.region or subject.kind not in _ASSERTED:
        raise invalid("sub", "the assertion speaks neither of a person nor of staff")
    return _ASSERTED[subject.kind]
