"""Devices without a keyboard at which somebody wants to sign in (RFC 8628), in PostgreSQL: a kiosk, a screen at a counter."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from services.identity.core import schema

USER_CODE = Column("device_authorizations", "user_code")
DEVICE_NAME, DEVICE_ADDRESS = Column("device_authorizations", "device_name"), Column("device_authorizations", "address")

device_authorizations = sa.Table(
    "device_authorizations",
    schema.METADATA,
    columns.record_id(),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("device_code", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("user_code", sa.LargeBinary, nullable=False, unique=True),
    *columns.given("scope", "state"),
    columns.text("acr_values"),
    columns.nothing_yet("device_name"),
    columns.nothing_yet("address"),
    columns.identifier("sign_in_grant", nullable=True),
    sa.Column("interval_seconds", sa.Integer, nullable=False),
    columns.moment("poll_time"),
    columns.counted("client_suspensions"),
    columns.moment("expire_time", nullable=False),
    columns.moment("create_time", nullable=False),
    sa.Index("device_authorizations_expire", "expire_time"),
    comment="Devices at which somebody wants to sign in (RFC 8628); codes stand as digests.",
)


class DeviceState(StrEnum):
    """Where a device's wish stands."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    USED = "USED"
    """Its tokens were given."""


@of(device_authorizations)
@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """A device at which somebody wants to sign in.

    Attributes:
        client: the OAuth client_id.
        device_code: SM3 of what the device asks with.
        user_code: the keyed digest of what the person types: it is short, and could be guessed from any other.
        scope, acr_values: what is asked for.
        device_name: which device, in the client's words, encrypted.
        address: where it asked from, as the gateway saw it, encrypted.
        sign_in_grant: the id of what was granted.
        interval_seconds: how long the device waits between two questions.
        poll_time: when it last asked.
        client_suspensions: how often the client had been suspended when the device asked.
    """

    id: str
    client: str
    device_code: bytes
    user_code: bytes
    scope: str
    acr_values: str
    device_name: bytes
    address: bytes
    interval_seconds: int
    expire_time: datetime
    create_time: datetime
    state: DeviceState = DeviceState.PENDING
    sign_in_grant: str | None = None
    poll_time: datetime | None = None
    client_suspensions: int = 0

    @property
    def name(self) -> str:
        """What records call it."""
        return f"deviceAuthorizations/{self.id}"


ADD = Addition(DeviceAuthorization)
_BY_USER_CODE = Query(
    DeviceAuthorization,
    """SELECT {columns} FROM device_authorizations
    WHERE user_code = :user_code AND state = 'PENDING' AND expire_time > CAST(:now AS timestamptz)""",
)
_BY_ID = Query(DeviceAuthorization, "SELECT {columns} FROM device_authorizations WHERE id = CAST(:id AS uuid)")
_BY_DEVICE_CODE = Query(
    DeviceAuthorization, "SELECT {columns} FROM device_authorizations WHERE device_code = :device_code FOR UPDATE"
)
_DECIDE = Query(
    DeviceAuthorization,
    """UPDATE device_authorizations SET state = :state, sign_in_grant = CAST(:sign_in_grant AS uuid)
    WHERE id = CAST(:id AS uuid) AND state = 'PENDING' AND expire_time > CAST(:now AS timestamptz)
    RETURNING {columns}""",
)
_POLLED = Query(
    DeviceAuthorization,
    """UPDATE device_authorizations SET poll_time = CAST(:now AS timestamptz), interval_seconds = :interval_seconds
    WHERE id = CAST(:id AS uuid) RETURNING {columns}""",
)
_USE = Query(
    DeviceAuthorization,
    "UPDATE device_authorizations SET state = 'USED' WHERE id = CAST(:id AS uuid) RETURNING {columns}",
)
_FORGET = Query(
    DeviceAuthorization,
    """DELETE FROM device_authorizations WHERE id IN (
      SELECT id FROM device_authorizations WHERE expire_time < CAST(:before AS timestamptz)
      LIMIT 100 FOR UPDATE SKIP LOCKED
    ) RETURNING {columns}""",
)


async def by_user_code(connection: DatabaseConnection, user_code: bytes, now: datetime) -> DeviceAuthorization | None:
    """Reads what waits for the person who typed a code, or None."""
    return await _BY_USER_CODE.first(connection, user_code=user_code, now=now)


async def device(connection: DatabaseConnection, identifier: str) -> DeviceAuthorization | None:
    """Reads one by its id, or None."""
    return await _BY_ID.first(connection, id=identifier)


async def by_device_code(connection: DatabaseConnection, device_code: bytes) -> DeviceAuthorization | None:
    """Reads and locks that of a device that asks, or None."""
    return await _BY_DEVICE_CODE.first(connection, device_code=device_code)


async def decide(
    connection: DatabaseConnection, identifier: str, state: DeviceState, sign_in_grant: str | None, now: datetime
) -> bool:
    """Notes what the person said; says whether it still waited for them."""
    found = await _DECIDE.first(connection, id=identifier, state=state, sign_in_grant=sign_in_grant, now=now)
    return found is not None


async def polled(connection: DatabaseConnection, identifier: str, interval_seconds: int, now: datetime) -> None:
    """Notes that a device asked, and how long it is to wait."""
    await _POLLED.first(connection, id=identifier, interval_seconds=interval_seconds, now=now)


async def use(connection: DatabaseConnection, identifier: str) -> None:
    """Notes that a device got its tokens."""
    await _USE.first(connection, id=identifier)


async def forget(connection: DatabaseConnection, before: datetime) -> None:
    """Takes away some of those that were over before a time; whoever adds one does."""
    await _FORGET.all(connection, before=before)
