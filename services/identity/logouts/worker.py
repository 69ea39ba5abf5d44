"""Tells clients that sign-ins ended: after the commit that says so, and again for a day where they are away."""

import asyncio
import uuid
from datetime import datetime, timedelta

from joserfc import jwt

from libs.background import forever
from libs.observability.logs import logger
from services.identity.core.logout_notices import LogoutNotice
from services.identity.core.parts import Parts
from services.identity.logouts import store
from services.identity.logouts.delivery import LogoutDelivery, NotDelivered
from services.identity.logouts.rules import is_given_up, next_attempt

_log = logger(__name__)
_LOOK_SECONDS = 1.0
_LANES = 4
_LEASE = timedelta(seconds=60)
"""So long nobody else takes one that was taken: longer than a client may take to answer."""
_TOKEN_SECONDS = 120
"""No longer is advised (OpenID Connect Back-Channel Logout 1.0, 2.4)."""
EVENT = "http://schemas.openid.net/event/backchannel-logout"


class LogoutTeller:
    """Tells what is due. Of several replicas each takes what no other has taken.

    A process that dies between telling and the note of it leaves a client that is told once more: to sign out somebody who is
    signed out already changes nothing.
    """

    def __init__(self, parts: Parts, delivery: LogoutDelivery) -> None:
        self._parts = parts
        self._delivery = delivery

    async def run(self) -> None:
        """Tells for ever, some at a time: a client that hangs has one of the lanes, and no more."""
        await asyncio.gather(*(forever("logouts", self.turn, _LOOK_SECONDS) for _ in range(_LANES)))

    async def turn(self) -> None:
        """Tells all that is due now, one after the other."""
        while (notice := await self._take()) is not None:
            await self._tell(notice)

    async def _take(self) -> LogoutNotice | None:
        async with self._parts.database.transaction() as connection:
            return await store.due(connection, self._parts.wall.now(), _LEASE)

    async def _tell(self, notice: LogoutNotice) -> None:
        async with self._parts.database.read() as connection:
            uri = await store.uri_of(connection, notice.client)
        again = None
        try:
            if uri:
                await self._delivery.tell(uri, self.token(notice))
        except NotDelivered as error:
            again = self._again(notice, error.why)
        async with self._parts.database.transaction() as connection:
            if again is None:
                await store.done(connection, notice.id)
            else:
                await store.again(connection, notice.id, again)

    def _again(self, notice: LogoutNotice, why: str) -> datetime | None:
        now = self._parts.wall.now()
        over = is_given_up(notice.create_time, now)
        told = {"client": notice.client, "attempts": notice.attempts, "why": why, "given_up": over}
        _log.warning("a client could not be told of a logout", **told)
        return None if over else next_attempt(notice.attempts, now)

    def token(self, notice: LogoutNotice) -> str:
        """Makes a logout token (OpenID Connect Back-Channel Logout 1.0, 2.4), another one each time."""
        codec = self._parts.codec
        now, current = int(codec.now().timestamp()), codec.keys.current
        claims = {
            "iss": codec.issuer,
            "aud": notice.client,
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "jti": str(uuid.uuid4()),
            "sub": notice.person,
            "sid": notice.session,
            "events": {EVENT: {}},
        }
        header = {"alg": "ES256", "typ": "logout+jwt", "kid": current.kid}
        return jwt.encode(header, claims, current.key, algorithms=["ES256"])

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._delivery.close()
