"""The authorization endpoint: who signs in to a client, agrees, and is sent back with a code (OpenID Connect Core, 3.1.2)."""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AccessDeniedError
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError

from libs.access.bound_keys import not_proven
from libs.db.command import Command
from libs.db.uow import Transaction
from libs.ids.uuid7 import uuid7
from services.identity.core import sign_in_grants
from services.identity.core.client_rules import Client, ClientState, plain_id
from services.identity.core.clients import find_client
from services.identity.core.oauth_errors import OAuthRefusal, refused_grant
from services.identity.core.parts import Parts
from services.identity.core.sessions import SignInSession
from services.identity.core.sign_in_grants import SignInGrant
from services.identity.openid import authorizations
from services.identity.openid.authorizations import (
    ASKED_LASTS,
    PUSHED_LASTS,
    AuthorizationRequest,
    NotAsked,
    Parameters,
)
from services.identity.openid.device_requests import DeviceAuthorization
from services.identity.openid.devices import DEVICE_PATH, Devices
from services.identity.openid.held import KeptCode
from services.identity.openid.provider import Exchange, permissions_of
from services.identity.signin.service import digest
from tongban.identity.v1 import sign_in_service_pb2 as pb

CODE_LASTS = timedelta(seconds=60)
"""So long the browser may take to bring the code, and its client to exchange it (RFC 6749, 4.1.2 allows ten minutes)."""
PROVEN_LASTS = timedelta(minutes=5)
"""So long after the password its one-time code may come."""
CHALLENGE_LASTS = timedelta(minutes=5)
"""So long a person may take to show a passkey (WebAuthn, 15.1)."""
_CHALLENGE_BYTES = 32
PUSHED_URN = "urn:ietf:params:oauth:request_uri:"
_CREDENTIALS = frozenset({"client_assertion", "client_assertion_type", "client_secret"})
_MOST_SECONDS = 10**9


class MoreAssuranceNeeded(OAuth2Error):  # type: ignore[misc]
    """The client asks for a level that the person can't reach here (OpenID Connect Unmet Authentication Requirements)."""

    error = "unmet_authentication_requirements"
    description = "The person can not reach the level that is asked for"


@dataclass(frozen=True, slots=True)
class NextStep:
    """What comes next for a browser: a page (`sign_in`, `consent`), or another address.

    Attributes:
        page: which page, or an empty string.
        location: where to, where there is no page.
        asked: the request that is gone on with; None where it was answered.
        client: who asked.
    """

    page: str = ""
    location: str = ""
    asked: AuthorizationRequest | None = None
    client: Client | None = None


class Authorizations:
    """Answers authorization requests, step by step."""

    def __init__(self, parts: Parts, devices: Devices) -> None:
        self._parts = parts
        self._devices = devices

    async def push(self, client: Client, form: Mapping[str, str], key: str) -> str:
        """Keeps a request for its client (RFC 9126); returns the reference to it. Raises OAuthRefusal.

        Its code is good for who has ``key`` then, the thumbprint of the one that was proven (RFC 9449, 10.1); empty where none was.
        """
        parameters = {name: value for name, value in form.items() if name not in _CREDENTIALS}
        if key and parameters.setdefault("dpop_jkt", key) != key:
            raise refused_grant(not_proven("dpop_jkt", "dpop_jkt names another key than the proof's"))
        if "request_uri" in parameters or plain_id(parameters.get("client_id", client.id)) != client.id:
            raise OAuthRefusal("invalid_request", "a pushed request refers to no other, and names its own client")
        parameters["client_id"] = client.id
        try:
            Exchange(self._parts.codec, client).checked(parameters, None)
        except OAuth2Error as error:
            raise OAuthRefusal(error.error, error.description or "the request can't be served") from error
        return PUSHED_URN + await self._kept(client, parameters, b"", PUSHED_LASTS)

    async def begin(
        self, parameters: Parameters, browser: str, session: SignInSession | None, address: str
    ) -> tuple[NextStep, str]:
        """Begins to answer a browser that a client sent; returns what comes next, and the ticket to go on with.

        Raises:
            NotAsked: nobody can be told but the person.
        """
        parameters = await self._pushed(parameters)
        client = await self._client(parameters.get("client_id", ""))
        try:
            Exchange(self._parts.codec, client).checked(parameters, session.person if session else None)
        except OAuth2Error as error:
            return NextStep(location=self._told(client, error)), ""
        ticket = await self._kept(client, parameters, digest(browser), ASKED_LASTS)
        asked = await self._found(ticket, browser)
        return await self.go_on(asked, client, session, address), ticket

    async def begin_at_device(
        self, device: DeviceAuthorization, browser: str, session: SignInSession | None, address: str
    ) -> tuple[NextStep, str]:
        """Begins to answer a browser in which somebody typed a device's code; returns as :meth:`begin`. Raises NotAsked."""
        client = _as_asked(await self._client(device.client), device.client_suspensions)
        # Always asked: whoever sent the person here may sit at another device than they believe.
        parameters = {"client_id": client.id, "scope": device.scope, "prompt": "consent"}
        if device.acr_values:
            parameters["acr_values"] = device.acr_values
        ticket = await self._kept(client, parameters, digest(browser), ASKED_LASTS, device.id)
        asked = await self._found(ticket, browser)
        return await self.go_on(asked, client, session, address), ticket

    async def found(self, ticket: str, browser: str) -> tuple[AuthorizationRequest, Client]:
        """Returns the request that a page of ours goes on with; raises NotAsked where it is over, or another browser's."""
        asked = await self._found(ticket, browser)
        return asked, _as_asked(await self._client(asked.client), asked.client_suspensions)

    async def go_on(
        self,
        asked: AuthorizationRequest,
        client: Client,
        session: SignInSession | None,
        address: str,
        *,
        agreed: bool = False,
    ) -> NextStep:
        """Returns what comes next: the page that is still needed, or where the browser, at ``address``, is sent with its answer."""
        try:
            page = await self._missing(asked, client, session, agreed=agreed)
            if page:
                return NextStep(page, asked=asked, client=client)
            assert session is not None
            if asked.device is not None:
                return NextStep(location=await self._devices.approve(asked, session, address))
            return NextStep(location=await self._answered(asked, client, session, address))
        except OAuth2Error as error:
            if asked.device is not None:
                await self._devices.deny(asked, session.person if session else "")
                return NextStep(location=f"{DEVICE_PATH}/unmet")
            error.state = asked.parameters.get("state")
            error.redirect_uri = asked.parameters["redirect_uri"]
            return NextStep(location=self._told(client, error))

    async def proven(self, asked: AuthorizationRequest, person: str) -> None:
        """Notes whose password was right; who has to show a one-time code has not signed in yet."""
        async with self._parts.database.read() as connection:
            await authorizations.prove(connection, asked.ticket, person, self._parts.wall.now())

    def waits_for(self, asked: AuthorizationRequest) -> str:
        """Returns whose one-time code is waited for; raises NotAsked where nobody's is, or no longer."""
        if asked.proven_time is None or asked.proven_time + PROVEN_LASTS <= self._parts.wall.now():
            raise NotAsked
        return asked.person

    async def challenge(self, asked: AuthorizationRequest) -> bytes:
        """Returns what a passkey has to sign from now on; it is kept here, and good once."""
        made = secrets.token_bytes(_CHALLENGE_BYTES)
        async with self._parts.database.read() as connection:
            await authorizations.challenge(connection, asked.ticket, made, self._parts.wall.now())
        return made

    async def challenged(self, asked: AuthorizationRequest) -> bytes:
        """Returns what a passkey had to sign, and uses it up; empty where nothing is waited for, or no longer."""
        since = self._parts.wall.now() - CHALLENGE_LASTS
        async with self._parts.database.read() as connection:
            right = await authorizations.use_challenge(connection, asked.ticket, asked.challenge, since)
        return asked.challenge if right else b""

    async def refuse(self, asked: AuthorizationRequest) -> str:
        """Ends a request because the person does not want it; returns where the browser is sent."""
        if asked.device is not None:
            return await self._devices.deny(asked)
        client = await self._client(asked.client)
        async with self._parts.database.read() as connection:
            await authorizations.take(connection, asked.ticket, self._parts.wall.now())
        state = asked.parameters.get("state")
        return self._told(client, AccessDeniedError(redirect_uri=asked.parameters["redirect_uri"], state=state))

    async def _missing(
        self, asked: AuthorizationRequest, client: Client, session: SignInSession | None, *, agreed: bool
    ) -> str:
        """Returns the page that is still needed, or an empty string; raises OAuth2Error where none would help, or none may come."""
        prompts, level = asked.parameters.get("prompt", "").split(), least_level(asked, client)
        fresh = session is not None and session.auth_time >= asked.create_time
        if session is None or not (fresh or self._recent(asked, session)) or (session.assurance < level and not fresh):
            if "none" in prompts:
                raise LoginRequiredError
            return "sign_in"
        if session.assurance < level:
            raise MoreAssuranceNeeded
        if agreed or (client.is_the_regions(self._parts.base_url) and asked.device is None):
            return ""
        if "consent" in prompts or not await self._agreed_before(asked, client, session):
            if "none" in prompts:
                raise ConsentRequiredError
            return "consent"
        return ""

    def _recent(self, asked: AuthorizationRequest, session: SignInSession) -> bool:
        """Says whether the person need not sign in again, by what the client says of that."""
        oldest = _seconds(asked.parameters.get("max_age", ""))
        age = (self._parts.wall.now() - session.auth_time).total_seconds()
        again = {"login", "select_account"}.intersection(asked.parameters.get("prompt", "").split())
        return not again and (oldest is None or age <= oldest)

    async def _agreed_before(self, asked: AuthorizationRequest, client: Client, session: SignInSession) -> bool:
        async with self._parts.database.read() as connection:
            before = await sign_in_grants.agreed_before(connection, session.person, client)
        return before is not None and set(asked.parameters.get("scope", "").split()) <= set(before.scope.split())

    async def _answered(self, asked: AuthorizationRequest, client: Client, session: SignInSession, address: str) -> str:
        exchange = Exchange(self._parts.codec, client)
        reply = exchange.granted(asked.parameters, session.person)
        if exchange.kept is not None:
            await self._keep(asked, exchange.kept, session, address)
        return reply.location

    async def _keep(self, asked: AuthorizationRequest, kept: KeptCode, session: SignInSession, address: str) -> None:
        now, parameters, identifier = self._parts.wall.now(), asked.parameters, uuid7()
        made = SignInGrant(
            id=identifier,
            client=asked.client,
            person=session.person,
            session=session.id,
            scope=kept.scope or "",
            redirect_uri=parameters["redirect_uri"],
            nonce=parameters.get("nonce", ""),
            challenge=parameters["code_challenge"],
            code=digest(kept.code),
            code_expire_time=now + CODE_LASTS,
            methods=session.methods,
            assurance=session.assurance,
            auth_time=session.auth_time,
            create_time=now,
            update_time=now,
            address=self._parts.cipher.encrypt_text(sign_in_grants.ADDRESS, identifier, address),
            expire_time=now + CODE_LASTS,
            bound_key=parameters.get("dpop_jkt", ""),
            client_suspensions=asked.client_suspensions,
        )

        async def work(tx: Transaction) -> None:
            if await authorizations.take(tx.connection, asked.ticket, now) is None:
                raise NotAsked
            await sign_in_grants.ADD.add(tx.connection, made)
            tx.record(made.name)

        command = Command(session.person, "oauth.authorize", str(uuid.uuid4()), b"", pb.Session, actor=session.person)
        await self._parts.uow.step(command, work)

    async def _kept(
        self, client: Client, parameters: Parameters, browser: bytes, lasts: timedelta, device: str | None = None
    ) -> str:
        ticket, now = secrets.token_urlsafe(32), self._parts.wall.now()
        made = AuthorizationRequest(
            id=uuid7(),
            ticket=digest(ticket),
            client=client.id,
            parameters=parameters,
            browser=browser,
            expire_time=now + lasts,
            create_time=now,
            device=device,
            client_suspensions=client.suspensions,
        )
        async with self._parts.database.transaction() as connection:
            await authorizations.forget(connection, now)
            await authorizations.ADD.add(connection, made)
        return ticket

    async def _pushed(self, parameters: Parameters) -> Parameters:
        """Returns what a client asks for: what it pushed, once, where it refers to that (RFC 9126, 4)."""
        reference = parameters.get("request_uri", "")
        if not reference:
            return parameters
        async with self._parts.database.read() as connection:
            found = await authorizations.take(
                connection, digest(reference.removeprefix(PUSHED_URN)), self._parts.wall.now()
            )
        if found is None or found.browser or plain_id(parameters.get("client_id", "")) != found.client:
            raise NotAsked("request_uri")
        _as_asked(await self._client(found.client), found.client_suspensions)
        return found.parameters

    async def _client(self, client_id: str) -> Client:
        async with self._parts.database.read() as connection:
            found = await find_client(connection, plain_id(client_id)) if client_id else None
        if (
            found is None
            or found.state_at(self._parts.wall.now()) is not ClientState.ACTIVE
            or not found.signs_people_in
        ):
            raise NotAsked("client_id")
        return found

    async def _found(self, ticket: str, browser: str) -> AuthorizationRequest:
        async with self._parts.database.read() as connection:
            found = await authorizations.find(connection, digest(ticket), self._parts.wall.now())
        if found is None or not browser or found.browser != digest(browser):
            raise NotAsked
        return found

    def _told(self, client: Client, error: OAuth2Error) -> str:
        """Returns where the browser is sent with a refusal; raises NotAsked where that can't be trusted (RFC 6749, 4.1.2.1)."""
        location = Exchange(self._parts.codec, client).told(error).location
        if not location:
            raise NotAsked(error.error)
        return location


def described(asked: AuthorizationRequest) -> tuple[list[str], tuple[str, ...]]:
    """Returns what is asked for, for the page at which one agrees: OpenID Connect's scopes, and permissions."""
    scope = asked.parameters.get("scope", "")
    permissions = permissions_of(scope)
    return [each for each in scope.split() if each not in permissions], permissions


def _as_asked(client: Client, suspensions: int) -> Client:
    """Returns the client; raises NotAsked where it was suspended since it asked, whatever it is now (decision 0084)."""
    if client.suspensions != suspensions:
        raise NotAsked
    return client


def least_level(asked: AuthorizationRequest, client: Client) -> int:
    """Returns the least level (0 to 4) that a request asks for."""
    return _level(asked.parameters.get("acr_values", ""), client)


def oldest_sign_in(asked: AuthorizationRequest) -> int | None:
    """Returns how many seconds ago somebody may have signed in at most; None where nothing is said of that."""
    if {"login", "select_account"}.intersection(asked.parameters.get("prompt", "").split()):
        return 0
    return _seconds(asked.parameters.get("max_age", ""))


def _level(acr_values: str, client: Client) -> int:
    """Returns the least level that is asked for, in our words or the client's; others ask for none."""
    levels = (client.assurance.level(each) for each in acr_values.split())
    return min((each for each in levels if each is not None), default=0)


def _seconds(text: str) -> int | None:
    return min(int(text), _MOST_SECONDS) if text.isascii() and text.isdigit() and len(text) < 20 else None
