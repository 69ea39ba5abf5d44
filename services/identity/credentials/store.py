"""The table of bindings, and what is asked of it."""

from datetime import datetime

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from libs.db.statement import Statement
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core import schema
from services.identity.core.names import id_of
from services.identity.credentials.rules import CredentialBinding, CredentialKind
from tongban.identity.v1 import code_service_pb2 as pb

NUMBER = Column("credential_bindings", "number")
credential_bindings = sa.Table(
    "credential_bindings",
    schema.METADATA,
    columns.record_id(),
    columns.reference("person", "persons.id"),
    *columns.given("kind"),
    columns.binary("number"),
    columns.binary("number_index"),
    *columns.given("binder"),
    *columns.given("state"),
    columns.moment("unbind_time"),
    *columns.life(),
    sa.Index("credential_bindings_of_person", "person", "create_time", "id"),
    sa.Index("credential_bindings_kind", "person", "kind", unique=True, postgresql_where=sa.text("state = 'ACTIVE'")),
    sa.Index("credential_bindings_card", "number_index", unique=True, postgresql_where=sa.text("state = 'ACTIVE'")),
    comment="Cards bound to the personal codes of their holders; numbers are encrypted.",
)
of(credential_bindings)(CredentialBinding)

ADD, UPDATE = Addition(CredentialBinding), Update(CredentialBinding)
LISTED = FilteredList(
    CredentialBinding,
    pb.ListCredentialBindingsRequest,
    credential_bindings,
    {
        "kind": fields.choice("kind", pb.CredentialKind),
        "state": fields.choice("state", pb.CredentialBindingState),
        "unbind_time": fields.moment("unbind_time", nullable=True),
        "create_time": fields.moment("create_time"),
    },
    {"create_time": Order(("create_time", "id"), (Path(("person",)),))},
    "create_time desc",
)
_LOCK = Query(CredentialBinding, "SELECT {columns} FROM credential_bindings WHERE id = CAST(:id AS uuid) FOR UPDATE")
_TAKEN = Statement(
    "SELECT 1 FROM credential_bindings WHERE state = 'ACTIVE' AND "
    "(number_index = :number_index OR (person = CAST(:person AS uuid) AND kind = :kind))"
)
_OF_KIND = Query(
    CredentialBinding,
    "SELECT {columns} FROM credential_bindings WHERE person = CAST(:person AS uuid) AND kind = :kind AND state = 'ACTIVE'",
)


_UNBIND = Query(
    CredentialBinding,
    """UPDATE credential_bindings SET state = 'UNBOUND', unbind_time = CAST(:now AS timestamptz), update_time = :now,
      version = version + 1 WHERE person = CAST(:person AS uuid) AND state = 'ACTIVE' RETURNING {columns}""",
)


async def unbind_all(connection: DatabaseConnection, person: str, now: datetime) -> list[CredentialBinding]:
    """Unbinds all cards of a person, an id."""
    return await _UNBIND.all(connection, person=person, now=now)


async def bound(connection: DatabaseConnection, person: str, kind: CredentialKind) -> CredentialBinding | None:
    """Reads the card of a kind that is bound to a person (an id), or None."""
    return await _OF_KIND.first(connection, person=person, kind=kind)


async def is_taken(connection: DatabaseConnection, made: CredentialBinding) -> bool:
    """Tells whether the person has a card of this kind bound, or somebody has this card."""
    values = {"number_index": made.number_index, "person": made.person, "kind": made.kind.value}
    return await _TAKEN.first(connection, values) is not None


async def lock(connection: DatabaseConnection, name: str) -> CredentialBinding:
    """Reads a binding and keeps others from changing it; raises NotFound."""
    found = await _LOCK.first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found
