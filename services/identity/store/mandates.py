"""Reads mandates, and what other regions asserted of theirs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Row
from services.identity.store.reading import LIMIT, NO_ID, first, many
from services.identity.tables import asserted_rights, mandates, organizations


def _text(name: str) -> sa.BindParameter[str]:
    return sa.bindparam(name, type_=sa.Text)


_REPRESENTED = sa.select(sa.literal("organizations/") + sa.cast(organizations.c.id, sa.Text)).where(
    organizations.c.legal_representative == sa.bindparam("representative", type_=sa.Uuid(as_uuid=False))
)
_STATE_NOW = sa.case(
    (
        mandates.c.state.in_(("PROPOSED", "ACTIVE"))
        & (mandates.c.expire_time <= sa.bindparam("now", type_=sa.DateTime(timezone=True))),
        "EXPIRED",
    ),
    else_=mandates.c.state,
)
_LIST = (
    sa.select(mandates)
    .where(
        mandates.c.id < sa.bindparam("after", type_=sa.Uuid(as_uuid=False)),
        sa.bindparam("everybody", type_=sa.Boolean)
        | (mandates.c.agent == _text("party"))
        | (mandates.c.principal == _text("party"))
        | mandates.c.principal.in_(_REPRESENTED),
        (_text("principal") == "") | (mandates.c.principal == _text("principal")),
        (_text("agent") == "") | (mandates.c.agent == _text("agent")),
        (_text("state") == "") | (_text("state") == _STATE_NOW),
    )
    .order_by(mandates.c.id.desc())
    .limit(sa.bindparam(LIMIT, type_=sa.Integer))
)

_ASSERTED = sa.select(asserted_rights).where(
    asserted_rights.c.person == _text("person"),
    asserted_rights.c.principal == _text("principal"),
    asserted_rights.c.mandate == _text("mandate"),
)
_new = insert(asserted_rights)
_REMEMBER = _new.on_conflict_do_update(
    index_elements=["person", "principal", "mandate"],
    set_={name: _new.excluded[name] for name in ("region", "item_codes", "powers", "expire_time", "assert_time")},
)


async def list_mandates(
    connection: AsyncConnection,
    *,
    party: str | None,
    principal: str,
    agent: str,
    state: str,
    now: datetime,
    after: str,
    limit: int,
) -> Sequence[Row]:
    """Lists mandates, newest first.

    Args:
        connection: where from.
        party: only those that this person is a party to, by themselves or as legal representative; None for all, and
            an empty one is a party to nothing.
        principal: only those of this principal; empty for all.
        agent: only those of this agent; empty for all.
        state: only those in this state at ``now``; empty for all.
        now: the time that states are told for.
        after: the id before which the page begins.
        limit: at most so many.
    """
    representative = party.removeprefix("persons/") if party and party.startswith("persons/") else NO_ID
    return await many(
        connection,
        _LIST,
        everybody=party is None,
        party=party or "",
        representative=representative,
        principal=principal,
        agent=agent,
        state=state,
        now=now,
        after=after,
        **{LIMIT: limit},
    )


async def asserted_right(connection: AsyncConnection, person: str, principal: str, mandate: str) -> Row | None:
    """Reads what another region last asserted of a right to act; the names are foreign ones."""
    return await first(connection, _ASSERTED, person=person, principal=principal, mandate=mandate)


async def remember_right(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Keeps what another region asserted now, in place of what it asserted before."""
    await connection.execute(_REMEMBER, values)
