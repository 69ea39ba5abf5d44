"""Identity providers in PostgreSQL."""

from collections.abc import Sequence

import sqlalchemy as sa

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.query import Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order
from services.identity.core import schema
from services.identity.core.names import id_of
from services.identity.upstream.rules import Upstream
from tongban.identity.v1 import sign_in_service_pb2 as pb

_LIVING = "state <> 'ENDED'"

upstreams = sa.Table(
    "upstreams",
    schema.METADATA,
    columns.record_id(),
    *columns.given("display_name", "display_name_en", "issuer", "client_id"),
    columns.texts("scopes"),
    *columns.given("number_claim", "full_name_claim"),
    columns.texts("levels"),
    sa.Column("max_assurance", sa.SmallInteger, nullable=False),
    *columns.given("state"),
    schema.backers(),
    columns.text("end_reason"),
    *columns.life(),
    sa.Index("upstreams_issuer", "issuer", unique=True, postgresql_where=sa.text(_LIVING)),
    sa.Index("upstreams_created", "create_time", "id"),
    comment="OpenID providers of others at which people sign in to this region.",
)
of(upstreams)(Upstream)

ADD, UPDATE = Addition(Upstream), Update(Upstream)
_FIND = Query(Upstream, "SELECT {columns} FROM upstreams WHERE id = CAST(:id AS uuid)")
_LOCK = Query(Upstream, "SELECT {columns} FROM upstreams WHERE id = CAST(:id AS uuid) FOR UPDATE")
# Of two that propose the same one at a time neither sees the other's: the index refuses the later one, in the same words.
_ALONE = Query(
    Upstream,
    f"SELECT {{columns}} FROM upstreams WHERE issuer = :issuer AND {_LIVING}",  # noqa: S608 - a text of our own
)
_ACTIVE = Query(Upstream, "SELECT {columns} FROM upstreams WHERE state = 'ACTIVE' ORDER BY create_time, id LIMIT 20")
_OF_IDS = Query(Upstream, "SELECT {columns} FROM upstreams WHERE id = ANY(CAST(:ids AS uuid[]))")
LISTED = FilteredList(
    Upstream,
    pb.ListUpstreamsRequest,
    upstreams,
    {
        **{name: fields.text(name) for name in ("display_name", "issuer")},
        "state": fields.choice("state", pb.UpstreamState),
        "max_assurance": fields.number("max_assurance"),
        "create_time": fields.moment("create_time"),
    },
    {"create_time": Order(("create_time", "id"))},
    "create_time desc",
)


async def upstream(connection: DatabaseConnection, name: str) -> Upstream:
    """Reads an identity provider; raises NotFound."""
    found = await _FIND.first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def lock(connection: DatabaseConnection, name: str, etag: str) -> Upstream:
    """Reads an identity provider and keeps others from changing it; raises NotFound, ETAG_MISMATCH."""
    found = await _LOCK.first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    check_etag(name, found.version, etag)
    return found


async def living(connection: DatabaseConnection, issuer: str) -> Upstream | None:
    """Reads the identity provider with this issuer that has not ended, or None."""
    return await _ALONE.first(connection, issuer=issuer)


async def active(connection: DatabaseConnection) -> list[Upstream]:
    """Reads those that people may be sent to, the oldest first."""
    return await _ACTIVE.all(connection)


async def display_names(connection: DatabaseConnection, ids: Sequence[str]) -> dict[str, str]:
    """Reads what those with these ids are called, by id."""
    return {each.id: each.display_name for each in await _OF_IDS.all(connection, ids=list(ids))}
