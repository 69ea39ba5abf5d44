"""Signing in at a device without a keyboard: it shows a code, and the person agrees in their own browser (RFC 8628)."""

import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from libs import outside
from libs.db.command import Command
from libs.db.uow import Transaction
from libs.ids.uuid7 import uuid7
from services.identity.core import sign_in_grants
from services.identity.core.client_rules import Client
from services.identity.core.oauth_errors import OAuthRefusal, invalid_request
from services.identity.core.parts import Parts
from services.identity.core.sessions import SignInSession
from services.identity.core.sign_in_grants import SignInGrant
from services.identity.core.token_form import TokenForm
from services.identity.openid import authorizations, device_requests
from services.identity.openid.authorizations import AuthorizationRequest, NotAsked
from services.identity.openid.device_requests import DEVICE_ADDRESS, DEVICE_NAME, DeviceAuthorization, DeviceState
from services.identity.openid.provider import grantable, permissions_of
from services.identity.openid.rules import (
    DEVICE_LASTS,
    FIRST_INTERVAL,
    new_user_code,
    normal_user_code,
    shown_user_code,
)
from services.identity.signin.service import digest
from tongban.identity.v1 import sign_in_service_pb2 as pb

DEVICE_PATH = "/oauth/device"
"""The page at which people type what a device shows."""
_LONGEST_NAME, _LONGEST_SCOPE, _LONGEST_LEVELS = 100, 4_000, 100
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ShownDevice:
    """Which device asks, for who agrees: ``name`` in its client's words, ``address`` where it asked from."""

    name: str
    address: str


class Devices:
    """Keeps what devices ask for, and what people say to it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def begin(self, client: Client, form: TokenForm, address: str) -> Json:
        """Keeps a device's wish; returns what it shows and asks with (RFC 8628, 3.2). Raises OAuthRefusal."""
        if not client.device_sign_in:
            raise OAuthRefusal("unauthorized_client", "people don't sign in to this client at devices")
        scope = _fit(form.required("scope"), "scope", _LONGEST_SCOPE)
        if not all(grantable(client, each) for each in permissions_of(scope)):
            raise OAuthRefusal("invalid_scope", "not all of the scope can be given")
        device_code, user_code = secrets.token_urlsafe(32), new_user_code()
        cipher, now, identifier = self._parts.cipher, self._parts.wall.now(), uuid7()
        made = DeviceAuthorization(
            id=identifier,
            client=client.id,
            device_code=digest(device_code),
            user_code=self._index(user_code),
            scope=scope,
            acr_values=_fit(form.get("acr_values"), "acr_values", _LONGEST_LEVELS),
            device_name=cipher.encrypt_text(
                DEVICE_NAME, identifier, _fit(form.get("device_name"), "device_name", _LONGEST_NAME)
            ),
            address=cipher.encrypt_text(DEVICE_ADDRESS, identifier, address),
            interval_seconds=FIRST_INTERVAL,
            expire_time=now + DEVICE_LASTS,
            create_time=now,
            client_suspensions=client.suspensions,
        )
        async with self._parts.database.transaction() as connection:
            await device_requests.forget(connection, now - DEVICE_LASTS)
            await device_requests.ADD.add(connection, made)
        uri, shown = f"{self._parts.base_url}{DEVICE_PATH}", shown_user_code(user_code)
        return {
            "device_code": device_code,
            "user_code": shown,
            "verification_uri": uri,
            "verification_uri_complete": f"{uri}?user_code={shown}",
            "expires_in": int(DEVICE_LASTS.total_seconds()),
            "interval": FIRST_INTERVAL,
        }

    async def waiting(self, typed: str) -> DeviceAuthorization | None:
        """Returns the device that shows what was typed, and waits; None where none does."""
        code = normal_user_code(typed)
        async with self._parts.database.read() as connection:
            return await device_requests.by_user_code(connection, self._index(code), self._parts.wall.now())

    async def shown(self, asked: AuthorizationRequest) -> ShownDevice | None:
        """Returns which device a person agrees to; None where they sign in in their own browser. Raises NotAsked where it is over."""
        if asked.device is None:
            return None
        async with self._parts.database.read() as connection:
            found = await device_requests.device(connection, asked.device)
        if found is None:
            raise NotAsked
        cipher = self._parts.cipher
        return ShownDevice(
            cipher.decrypt_text(DEVICE_NAME, found.id, found.device_name),
            cipher.decrypt_text(DEVICE_ADDRESS, found.id, found.address),
        )

    async def approve(self, asked: AuthorizationRequest, session: SignInSession, address: str) -> str:
        """Has the device get its tokens; returns the page that says so. Raises NotAsked where it does not wait any more."""
        shown = await self.shown(asked)
        assert shown is not None
        made = self._granted(asked, session, shown, address)

        async def work(tx: Transaction) -> None:
            await self._taken(tx, asked, DeviceState.APPROVED, made.id)
            await sign_in_grants.ADD.add(tx.connection, made)
            tx.record(made.name)

        await self._parts.uow.step(_command("approveDevice", session.person), work)
        return f"{DEVICE_PATH}/allowed"

    async def deny(self, asked: AuthorizationRequest, person: str = "") -> str:
        """Has the device get nothing; returns the page that says so."""

        async def work(tx: Transaction) -> None:
            await self._taken(tx, asked, DeviceState.DENIED, None)
            tx.record(f"deviceAuthorizations/{asked.device}", result="ACCESS_DENIED")

        await self._parts.uow.step(_command("denyDevice", person), work)
        return f"{DEVICE_PATH}/refused"

    async def _taken(
        self, tx: Transaction, asked: AuthorizationRequest, state: DeviceState, sign_in_grant: str | None
    ) -> None:
        now = self._parts.wall.now()
        assert asked.device is not None
        taken = await authorizations.take(tx.connection, asked.ticket, now)
        if taken is None or not await device_requests.decide(tx.connection, asked.device, state, sign_in_grant, now):
            raise NotAsked

    def _granted(
        self, asked: AuthorizationRequest, session: SignInSession, shown: ShownDevice, address: str
    ) -> SignInGrant:
        now, cipher, identifier = self._parts.wall.now(), self._parts.cipher, uuid7()
        return SignInGrant(
            id=identifier,
            client=asked.client,
            person=session.person,
            session=session.id,
            scope=asked.parameters["scope"],
            redirect_uri="",
            nonce="",
            challenge="",
            # There is no code: nobody knows of what this is the digest.
            code=secrets.token_bytes(32),
            code_expire_time=now,
            methods=session.methods,
            assurance=session.assurance,
            auth_time=session.auth_time,
            create_time=now,
            update_time=now,
            address=cipher.encrypt_text(sign_in_grants.ADDRESS, identifier, address),
            device_name=cipher.encrypt_text(sign_in_grants.DEVICE_NAME, identifier, shown.name),
            expire_time=now + DEVICE_LASTS,
            client_suspensions=asked.client_suspensions,
        )

    def _index(self, code: str) -> bytes:
        return self._parts.cipher.blind_index(device_requests.USER_CODE, code)


def _fit(value: str, what: str, most: int) -> str:
    try:
        return outside.line(value, most)
    except outside.UnacceptableText as unfit:
        raise invalid_request(f"{what} {unfit}") from unfit


def _command(method: str, person: str) -> Command:
    caller = person or "anonymous"
    return Command(caller, f"oauth.{method}", str(uuid.uuid4()), b"", pb.Session, actor=person)
