"""What is written and listed of substitutions."""

from datetime import datetime

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core.staff import Post
from services.identity.core.substitution_rules import Substitution
from services.identity.core.substitutions import substitutions
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.staff_service_pb2 import ListSubstitutionsRequest

ADD, UPDATE = Addition(Substitution), Update(Substitution)
_STATE = """
CASE WHEN state <> 'REVOKED' AND expire_time <= CAST(:now AS timestamptz) THEN 'EXPIRED' ELSE state END
""".strip()
LISTED = FilteredList(
    Substitution,
    ListSubstitutionsRequest,
    substitutions,
    {
        "represented": fields.named("represented", "staff"),
        "substitute": fields.named("substitute", "staff"),
        "state": fields.choice(_STATE, pb.SubstitutionState),
        "start_time": fields.moment("begin_time"),
        "end_time": fields.moment("expire_time"),
        "revoke_time": fields.moment("revoke_time", nullable=True),
        "create_time": fields.moment("create_time"),
    },
    {"end_time": Order(("expire_time", "id"), (Path(), Path(("represented",)), Path(("substitute",))))},
    "end_time desc",
)
_POSTS = Query(Post, "SELECT {columns} FROM posts WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id")
_BETWEEN = Query(
    Substitution,
    """SELECT {columns} FROM substitutions
    WHERE represented = CAST(:represented AS uuid) AND substitute = CAST(:substitute AS uuid)
      AND state IN ('REQUESTED', 'ACTIVE') AND begin_time < :expire AND expire_time > :begin LIMIT 1""",
)


async def posts_of(connection: DatabaseConnection, ids: tuple[str, ...]) -> list[Post]:
    """Reads the posts that there are of ``ids``."""
    return await _POSTS.all(connection, ids=list(ids))


async def stands(
    connection: DatabaseConnection, represented: str, substitute: str, begin: datetime, expire: datetime
) -> bool:
    """Says whether one stands in for the other at some time in a period, or waits to; both are ids."""
    found = await _BETWEEN.first(connection, represented=represented, substitute=substitute, begin=begin, expire=expire)
    return found is not None
