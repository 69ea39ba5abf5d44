"""What people ordered of signing keys: kept first, and carried out in the key store afterwards, by whoever comes to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import sqlalchemy as sa

from libs.db import columns
from libs.db.change import Addition
from libs.db.query import Query, of
from services.identity.core import schema


class OrderKind(Enum):
    """What is to be done with a key."""

    BEGIN = "BEGIN"
    REVOKE = "REVOKE"


orders = sa.Table(
    "signing_key_orders",
    schema.METADATA,
    columns.record_id(),
    *columns.given("purpose", "kid", "kind", "reason"),
    columns.moment("create_time", nullable=False),
    comment="Which key signs from when on, and which never again, as people ordered; the key store follows.",
)


@of(orders)
@dataclass(frozen=True, slots=True)
class KeyOrder:
    """An order.

    Attributes:
        purpose: what the key signs.
        kid: which key it is.
        kind: whether it signs from ``create_time`` on, or never again.
        reason: why, for a key that never signs again.
    """

    id: str
    purpose: str
    kid: str
    kind: OrderKind
    reason: str
    create_time: datetime


ADD = Addition(KeyOrder)
OF_PURPOSE = Query(
    KeyOrder, "SELECT {columns} FROM signing_key_orders WHERE purpose = :purpose ORDER BY create_time, id"
)


def revoked(found: Sequence[KeyOrder]) -> frozenset[str]:
    """Returns the ids of the keys that never sign again."""
    return frozenset(each.kid for each in found if each.kind is OrderKind.REVOKE)
