"""What is written and listed of mandates."""

from datetime import datetime

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core.accounts import Organization
from services.identity.core.mandate_chain import MOST_PASSED_ON
from services.identity.core.mandate_rules import Mandate
from services.identity.core.mandates import PASSED_ON, AssertedRight, mandates
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.mandate_service_pb2 import ListMandatesRequest
from tongban.options.v1 import options_pb2

ADD, UPDATE = Addition(Mandate), Update(Mandate)
OF_REPRESENTED = "principal = ANY(CAST(:represented AS text[]))"
"""Mandates of the organisations that one person represents by law."""
_REPRESENTED = Query(
    Organization, "SELECT {columns} FROM organizations WHERE legal_representative = CAST(:person AS uuid)"
)
_STATE = """
CASE WHEN state IN ('PROPOSED', 'ACTIVE', 'REQUESTED') AND expire_time <= CAST(:now AS timestamptz) THEN 'EXPIRED' ELSE state END
""".strip()
_KIND = """
CASE WHEN guardian THEN 'GUARDIAN' WHEN principal LIKE 'organizations/%' THEN 'AGENT' ELSE 'HELPER' END
""".strip()
LISTED = FilteredList(
    Mandate,
    ListMandatesRequest,
    mandates,
    {
        "kind": fields.choice(_KIND, pb.MandateKind),
        "principal": fields.name("principal", "persons", "organizations"),
        **{each: fields.name(each, "persons") for each in ("agent", "granter")},
        "parent": fields.name("parent", "mandates"),
        "sub_delegable": fields.flag("sub_delegable"),
        "scope.all_items": fields.flag("all_items"),
        "scope.item_codes": fields.texts("item_codes"),
        "scope.powers": fields.choices("powers", options_pb2.MandatePower),
        "state": fields.choice(_STATE, pb.MandateState),
        "start_time": fields.moment("begin_time"),
        "end_time": fields.moment("expire_time"),
        "create_time": fields.moment("create_time"),
        **{name: fields.moment(name, nullable=True) for name in ("accept_time", "revoke_time")},
    },
    {
        "create_time": Order(
            ("create_time", "id"),
            (
                Path(),
                Path(("principal",)),
                Path(("agent",)),
                Path(("granter",), PASSED_ON),
                Path(("parent",), PASSED_ON),
                # Those who act for one's firms are few.
                Path((), OF_REPRESENTED, few=True, by=("principal",)),
            ),
        )
    },
    "create_time desc",
)
_ASSERTED = Query(
    AssertedRight,
    "SELECT {columns} FROM asserted_rights WHERE person = :person AND principal = :principal AND mandate = :mandate",
)
_END = Query(
    Mandate,
    """UPDATE mandates SET state = 'REVOKED', revoke_time = CAST(:now AS timestamptz), revoke_reason = :reason,
      update_time = :now, version = version + 1
    WHERE (principal = :account OR agent = :account) AND state IN ('PROPOSED', 'ACTIVE') AND expire_time > :now
    RETURNING {columns}""",
)


# What was passed on from what ends here ends with it.
_END_BETWEEN = Query(
    Mandate,
    """UPDATE mandates SET state = 'REVOKED', revoke_time = CAST(:now AS timestamptz), revoke_reason = :reason,
      update_time = :now, version = version + 1
    WHERE state IN ('PROPOSED', 'ACTIVE', 'REQUESTED') AND expire_time > :now AND (id IN (
      SELECT id FROM mandates WHERE principal IN (:old, :new) AND agent IN (:old, :new)
    ) OR parent IN (
      SELECT 'mandates/' || id::text FROM mandates WHERE principal IN (:old, :new) AND agent IN (:old, :new)
    )) RETURNING {columns}""",
)
_RENAME = Query(
    Mandate,
    """UPDATE mandates SET
      principal = CASE WHEN principal = :old THEN :new ELSE principal END,
      agent = CASE WHEN agent = :old THEN :new ELSE agent END,
      granter = CASE WHEN granter = :old THEN :new ELSE granter END,
      update_time = :now, version = version + 1
    WHERE (principal = :old OR agent = :old OR (granter = :old AND parent <> ''))
      AND NOT (principal IN (:old, :new) AND agent IN (:old, :new)) RETURNING {columns}""",
)


async def end_between(
    connection: DatabaseConnection, one: str, other: str, reason: str, now: datetime
) -> list[Mandate]:
    """Ends the mandates that two accounts gave to one another, and what was passed on from these."""
    return await _END_BETWEEN.all(connection, old=one, new=other, reason=reason, now=now)


async def rename_party(connection: DatabaseConnection, old: str, new: str, now: datetime) -> None:
    """Has whatever mandates an account gave, holds or passed on be another's; those between the two stay as they were."""
    await _RENAME.all(connection, old=old, new=new, now=now)


async def end_all(connection: DatabaseConnection, account: str, reason: str, now: datetime) -> list[Mandate]:
    """Ends whatever mandates an account gave or holds that have not ended."""
    return await _END.all(connection, account=account, reason=reason, now=now)


# One statement each, in the order of ids: no two transactions wait for one another.
_PASSED_ON = Query(
    Mandate,
    """SELECT {columns} FROM mandates
    WHERE parent = :parent AND parent <> '' AND state IN ('PROPOSED', 'ACTIVE') AND expire_time > :now
    ORDER BY id LIMIT :most""",
)
_LOCK_PASSED_ON = Query(
    Mandate,
    """SELECT {columns} FROM mandates
    WHERE parent = :parent AND parent <> '' AND state IN ('PROPOSED', 'ACTIVE') ORDER BY id FOR UPDATE""",
)


async def passed_on(connection: DatabaseConnection, parent: str, now: datetime) -> int:
    """Returns how many mandates that hold, or may come to, were passed on from one; at most MOST_PASSED_ON are counted."""
    return len(await _PASSED_ON.all(connection, parent=parent, now=now, most=MOST_PASSED_ON))


async def lock_passed_on(connection: DatabaseConnection, parent: str) -> list[Mandate]:
    """Locks what was passed on from a mandate and has not ended, for change."""
    return await _LOCK_PASSED_ON.all(connection, parent=parent)


async def represented(connection: DatabaseConnection, person: str) -> list[str]:
    """Returns the names of the organisations that a person of this region represents by law."""
    found = await _REPRESENTED.all(connection, person=person.removeprefix("persons/"))
    return [each.name for each in found]


async def asserted_right(
    connection: DatabaseConnection, person: str, principal: str, mandate: str
) -> AssertedRight | None:
    """Reads what another region last asserted of a right to act; the names are foreign ones."""
    return await _ASSERTED.first(connection, person=person, principal=principal, mandate=mandate)
