"""What making and listing read and write of seals."""

from dataclasses import dataclass

import sqlalchemy as sa

from libs.db.change import Addition
from libs.db.engine import Database
from libs.db.query import Query, joined, of
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.seal.core.seals import Seal, WholeSeal, seals
from tongban.seal.v1 import resources_pb2 as pb
from tongban.seal.v1.seal_service_pb2 import ListSealsRequest

ADD = Addition(WholeSeal)


@of(joined(number=sa.Column(type_=sa.BigInteger, nullable=False)))
@dataclass(frozen=True, slots=True)
class _DrawnNumber:
    number: int


@of(seals)
@dataclass(frozen=True, slots=True)
class _CodedSeal:
    id: str


# The sequence behind the seal codes that are not given by the caller.
_NEXT_CODE = Query(_DrawnNumber, "SELECT {columns} FROM nextval('seal_codes') AS number")
_BY_CODE = Query(_CodedSeal, "SELECT {columns} FROM seals WHERE seal_code = :code")
# Past its end a seal is EXPIRED before anybody writes that down.
_STATE = """
CASE WHEN state IN ('ACTIVE', 'FROZEN') AND LEAST(valid_until_time, certified_until_time) < CAST(:now AS timestamptz)
  THEN 'EXPIRED' ELSE state END
""".strip()
LISTED = FilteredList(
    Seal,
    ListSealsRequest,
    seals,
    {
        **{name: fields.text(name) for name in ("seal_id", "seal_code", "owner", "owner_uscc")},
        "round.arc_text": fields.text("arc_text"),
        "kind": fields.choice("kind", pb.SealKind),
        "rank": fields.choice("rank", pb.SealRank),
        "state": fields.choice(_STATE, pb.SealState),
        "start_time": fields.moment("valid_from_time"),
        "end_time": fields.moment("valid_until_time"),
        **{name: fields.moment(name) for name in ("make_time", "create_time")},
        "revoke_time": fields.moment("revoke_time", nullable=True),
    },
    {
        "create_time": Order(
            ("create_time", "id"),
            (Path(), Path(("owner",)), *(Path((each,), few=True) for each in ("seal_code", "seal_id"))),
        )
    },
    "create_time desc",
)


class SealStore:
    """Finds seals and their codes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has_code(self, code: str) -> bool:
        """Tells whether a seal bears this code."""
        async with self._database.read() as connection:
            return await _BY_CODE.first(connection, code=code) is not None

    async def next_code_number(self) -> int:
        """Draws the next sequence number of a seal code."""
        async with self._database.read() as connection:
            return (await _NEXT_CODE.one(connection)).number
