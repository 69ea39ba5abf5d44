"""Tokens for a device at which somebody signed in: it asks until the person has agreed (RFC 8628, 3.4 and 3.5)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from libs.crypto.sm3 import sm3
from libs.db.uow import Transaction
from services.identity.core import sign_in_grants
from services.identity.core.accounts import Person
from services.identity.core.client_rules import Client
from services.identity.core.parts import Parts
from services.identity.core.sign_in_grants import GrantEnd, SignInGrant
from services.identity.core.token_form import TokenForm
from services.identity.core.token_records import TokenRequest
from services.identity.openid import device_requests
from services.identity.openid.code_grants import CodeGrants, ExchangeOutcome, GivenTo, proven
from services.identity.openid.device_requests import DeviceAuthorization, DeviceState
from services.identity.openid.held import AskingDevice, MadeTokens, OAuthReply
from services.identity.openid.provider import OFFLINE, Exchange
from services.identity.openid.rules import asks_too_soon, next_interval

_METHOD = "oauth.device-code"
_APPROVED: Mapping[DeviceState, bool] = {DeviceState.APPROVED: True, DeviceState.DENIED: False}
Json = dict[str, Any]


class DeviceGrants:
    """Serves the grant `urn:ietf:params:oauth:grant-type:device_code`."""

    def __init__(self, parts: Parts, code_grants: CodeGrants) -> None:
        self._parts = parts
        self._code_grants = code_grants

    async def by_device_code(self, form: TokenForm, asked: TokenRequest, client: Client | None) -> Json:
        """Gives tokens for a device code, once the person agreed, and once; raises OAuthRefusal."""
        party, code = proven(client), form.required("device_code")

        async def work(tx: Transaction) -> ExchangeOutcome:
            device = await device_requests.by_device_code(tx.connection, sm3(code.encode()))
            if device is None or device.client != party.id:
                return ExchangeOutcome(reason="there is no such device code")
            now = self._parts.wall.now()
            grant = await self._grant(tx, device)
            if device.state is DeviceState.USED:
                if grant is not None:
                    await self._code_grants.revoke_grant(tx, grant, GrantEnd.COPIED, now)
                return ExchangeOutcome(reason="the device code was used before; nothing that it gave is good any more")
            person = await self._code_grants.stands(tx, party, grant) if grant is not None else None
            if grant is not None and (grant.revoke_time is not None or person is None):
                return ExchangeOutcome(reason="the sign-in is over")
            made = self._tokens(party, grant, person, asked.key)
            reply = await self._reply(tx, party, device, grant, made, form.fields, now)
            if reply.status == 200 and grant is not None:
                await self._used(tx, device, grant, now, asked.key)
                asked.receipts.append(tx.record(grant.name))
            return ExchangeOutcome(reply)

        return await self._code_grants.answered(_METHOD, asked, party, work)

    async def _grant(self, tx: Transaction, device: DeviceAuthorization) -> SignInGrant | None:
        if device.sign_in_grant is None:
            return None
        return await sign_in_grants.grant(tx.connection, device.sign_in_grant, lock=True)

    async def _reply(
        self,
        tx: Transaction,
        party: Client,
        device: DeviceAuthorization,
        grant: SignInGrant | None,
        made: MadeTokens | None,
        form: Mapping[str, str],
        now: datetime,
    ) -> OAuthReply:
        too_soon = asks_too_soon(device.poll_time, device.interval_seconds, now)
        if device.state is DeviceState.PENDING:
            wait = next_interval(device.interval_seconds, too_soon=too_soon)
            await device_requests.polled(tx.connection, device.id, wait, now)
        approved = _APPROVED.get(device.state)
        over = device.expire_time <= now or device.client_suspensions != party.suspensions
        asking = AskingDevice(party.id, device.scope, over, approved, too_soon)
        return Exchange(self._parts.codec, party, held=grant, tokens=made, device=asking).answered(form)

    def _tokens(self, party: Client, grant: SignInGrant | None, person: Person | None, key: str) -> MadeTokens | None:
        if grant is None or person is None:
            return None
        return self._code_grants.tokens(party, grant, _first_generation(grant), GivenTo(person, key))

    async def _used(
        self, tx: Transaction, device: DeviceAuthorization, grant: SignInGrant, now: datetime, key: str
    ) -> None:
        await device_requests.use(tx.connection, device.id)
        await self._code_grants.begin(tx, grant, _first_generation(grant), now, key)


def _first_generation(grant: SignInGrant) -> int:
    return 1 if OFFLINE in grant.scope.split() else 0
