"""Merges of accounts in PostgreSQL, and what is written of the two accounts."""

import sqlalchemy as sa

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core import schema
from services.identity.core.accounts import Organization, Person
from services.identity.core.contact_points import ReachablePoint
from services.identity.core.further_documents import FurtherDocument
from services.identity.core.names import id_of
from services.identity.merges.rules import PersonMerge
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.account_service_pb2 import ListPersonMergesRequest

person_merges = sa.Table(
    "person_merges",
    schema.METADATA,
    columns.record_id(),
    columns.reference("kept", "persons.id"),
    columns.reference("merged", "persons.id"),
    columns.texts("evidence"),
    columns.texts("backers"),
    *columns.given("state"),
    columns.moment("finish_time"),
    *columns.life(),
    sa.Index("person_merges_created", "create_time", "id"),
    sa.Index("person_merges_kept", "kept", "create_time", "id"),
    sa.Index("person_merges_merged", "merged", "create_time", "id"),
    comment="Accounts of the same human being that became one, or wait for a second one to say so.",
)
of(person_merges)(PersonMerge)

ADD, UPDATE = Addition(PersonMerge), Update(PersonMerge)
UPDATE_PERSON, UPDATE_DOCUMENT, UPDATE_ORGANIZATION = Update(Person), Update(FurtherDocument), Update(Organization)
ADD_DOCUMENT, ADD_POINT = Addition(FurtherDocument), Addition(ReachablePoint)
LISTED = FilteredList(
    PersonMerge,
    ListPersonMergesRequest,
    person_merges,
    {
        **{each: fields.named(each, "persons") for each in ("kept", "merged")},
        "state": fields.choice("state", pb.PersonMergeState),
        "create_time": fields.moment("create_time"),
        "finish_time": fields.moment("finish_time", nullable=True),
    },
    {"create_time": Order(("create_time", "id"), (Path(), Path(("kept",)), Path(("merged",))))},
    "create_time desc",
)
_BY_ID = Query(PersonMerge, "SELECT {columns} FROM person_merges WHERE id = CAST(:id AS uuid)")
_LOCK = Query(PersonMerge, "SELECT {columns} FROM person_merges WHERE id = CAST(:id AS uuid) FOR UPDATE")
_REPRESENTED = Query(
    Organization,
    """SELECT {columns} FROM organizations WHERE legal_representative = CAST(:person AS uuid) AND state = 'ACTIVE'
    ORDER BY id FOR UPDATE""",
)
_POINT = Query(ReachablePoint, "SELECT {columns} FROM contact_points WHERE id = CAST(:id AS uuid)")
_LED_ON = Query(
    Person,
    """UPDATE persons SET merged_into = CAST(:kept AS uuid), version = version + 1
    WHERE id = ANY(CAST(:former AS uuid[])) RETURNING {columns}""",
)


async def merge(connection: DatabaseConnection, name: str, *, lock: bool = False) -> PersonMerge:
    """Reads a merge, locked for change if wished; raises NotFound."""
    found = await (_LOCK if lock else _BY_ID).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def represented(connection: DatabaseConnection, person: str) -> list[Organization]:
    """Reads the organisations that a person, an id, represents by law, locked for change."""
    return await _REPRESENTED.all(connection, person=person)


async def lead_on(connection: DatabaseConnection, former: tuple[str, ...], kept: str) -> None:
    """Has the names of accounts that were taken in before lead to the one that lives on; all are ids."""
    if former:
        await _LED_ON.all(connection, former=list(former), kept=kept)


async def stands(connection: DatabaseConnection, point: str) -> bool:
    """Says whether a contact point, an id, is a row."""
    return await _POINT.first(connection, id=point) is not None
