"""What assertions to other regions rest on, and which of them no longer stand: the region that each is for is told (decision 0091)."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.access.actor import from_claims
from libs.clock import Clock
from libs.db import columns
from libs.db.engine import Database
from libs.db.query import Query, joined, of
from libs.ids.subjects import SubjectKind, parse_subject
from services.identity.core import schema
from services.identity.core.claims import Claims
from tongban.identity.v1 import token_service_pb2 as pb

_COUNTS_FOR = timedelta(minutes=15)
"""No token outlives it that was got for an assertion: a minute, ten minutes, and a minute each that clocks may differ."""
_KEPT_FOR = timedelta(hours=1)
_OVERLAP = timedelta(seconds=30)
"""A withdrawal is told by when it was written, and seen only when it is committed: that much is told again each time."""
_PAGE = 500
_FIRST = "00000000-0000-0000-0000-000000000000"
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

given_assertions = sa.Table(
    "given_assertions",
    schema.METADATA,
    sa.Column("transaction", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("rests_on", ARRAY(sa.Text), nullable=False),
    sa.Column("acts_by", ARRAY(sa.Text), nullable=False),
    columns.moment("issue_time", nullable=False),
    columns.moment("give_time", nullable=False),
    sa.Index("given_assertions_of_region", "region", "give_time"),
    sa.Index("given_assertions_time", "give_time"),
    sa.Index("given_assertions_parties", "rests_on", postgresql_using="gin"),
    comment="What assertions to other regions rest on; for as long as a token that was got for one may live.",
)


@of(given_assertions)
@dataclass(frozen=True, slots=True)
class GivenAssertion:
    """An assertion to another region.

    Attributes:
        transaction: its `txn`.
        region: for whom it is.
        rests_on: the parties of the token that it was made from, as withdrawals name them.
        acts_by: those of them that the right to act for somebody rests on.
        issue_time: when that token was made; of a delegation, when it was last judged.
        give_time: when the assertion was made.
    """

    transaction: str
    region: str
    rests_on: frozenset[str]
    acts_by: frozenset[str]
    issue_time: datetime
    give_time: datetime


@of(
    joined(
        transaction=given_assertions.c.transaction,
        moment=given_assertions.c.give_time,
        authority_ended=sa.Column(type_=sa.Boolean, nullable=False),
    )
)
@dataclass(frozen=True, slots=True)
class _Fallen:
    """An assertion that no longer stands, since when, and whether a right to act fell with it."""

    transaction: str
    moment: datetime
    authority_ended: bool


_GIVE = Query(
    GivenAssertion,
    """WITH forgotten AS (
      DELETE FROM given_assertions WHERE transaction IN (
        SELECT transaction FROM given_assertions WHERE give_time < CAST(:before AS timestamptz) LIMIT 10 FOR UPDATE SKIP LOCKED
      )
    ) INSERT INTO given_assertions (transaction, region, rests_on, acts_by, issue_time, give_time)
    VALUES (:transaction, :region, :rests_on, :acts_by, :issue_time, :give_time) RETURNING {columns}""",
)
# From both ends: a party that was withdrawn lately finds its assertions by their index, a late assertion its parties by theirs.
_FALLEN = Query(
    _Fallen,
    """SELECT {columns} FROM (
      SELECT transaction, max(moment) AS moment, bool_or(authority_ended) AS authority_ended FROM (
        SELECT a.transaction, greatest(a.give_time, w.change_time) AS moment, w.party = ANY(a.acts_by) AS authority_ended
        FROM withdrawals AS w JOIN given_assertions AS a ON a.rests_on @> ARRAY[w.party]
        WHERE w.change_time >= CAST(:since AS timestamptz) AND a.region = :region AND a.give_time >= CAST(:least AS timestamptz)
          AND (w.restore_time IS NULL OR a.issue_time < date_trunc('second', w.restore_time))
        UNION ALL
        SELECT a.transaction, greatest(a.give_time, w.change_time), w.party = ANY(a.acts_by)
        FROM given_assertions AS a JOIN withdrawals AS w ON w.party = ANY(a.rests_on)
        WHERE a.region = :region AND a.give_time >= CAST(:since AS timestamptz)
          AND (w.restore_time IS NULL OR a.issue_time < date_trunc('second', w.restore_time))
      ) AS pairs GROUP BY transaction
    ) AS fallen WHERE (moment, transaction) > (CAST(:since AS timestamptz), CAST(:after AS uuid))
    ORDER BY moment, transaction LIMIT :size""",
)


class GivenAssertions:
    """Notes what assertions rest on, and tells which no longer stand; by the machine's clock, as tokens and withdrawals."""

    def __init__(self, database: Database, wall: Clock) -> None:
        self._database = database
        self._wall = wall

    async def note(self, made: Claims, shown: Claims) -> None:
        """Notes what an assertion rests on before it leaves: all that the access token does that was shown for it."""
        if parse_subject(shown.sub).kind is not SubjectKind.SERVICE:
            await self._note(made, shown, shown.iat)

    async def note_of_delegation(self, made: Claims, kept: Claims) -> None:
        """Notes what an assertion rests on that was made from a delegation: what that was judged by just now.

        The session and the posts in which it was given may long have ended, and it holds.
        """
        await self._note(made, replace(kept, sid="", grant="", posts=(), represented="", substitution=""), made.iat)

    async def _note(self, made: Claims, rests: Claims, issued: int) -> None:
        actor, now = from_claims(rests.payload(), ""), self._wall.now()
        async with self._database.read() as connection:
            await _GIVE.one(
                connection,
                transaction=made.txn,
                region=made.aud.removeprefix("//"),
                rests_on=actor.parties,
                acts_by=actor.right_parties,
                issue_time=datetime.fromtimestamp(issued, UTC),
                give_time=now,
                before=now - _KEPT_FOR,
            )

    async def fallen(self, region: str, cursor: str) -> pb.ReadWithdrawnAssertionsResponse:
        """Tells which assertions to ``region`` no longer stand, from ``cursor`` on."""
        now = self._wall.now()
        least = now - _COUNTS_FOR
        moment, _, after = cursor.partition("/")
        # A cursor of before the clock was put back would tell nothing for as long.
        since = min(now, max(least, _EPOCH + int(moment) * _MICROSECOND)) if moment else least
        async with self._database.read() as connection:
            found = await _FALLEN.all(
                connection, region=region, since=since, least=least, after=after or _FIRST, size=_PAGE
            )
        at_end = len(found) < _PAGE
        return pb.ReadWithdrawnAssertionsResponse(
            assertions=[
                pb.WithdrawnAssertion(transaction=each.transaction, authority_ended=each.authority_ended)
                for each in found
            ],
            next_cursor=_cursor(now - _OVERLAP) if at_end else _cursor(found[-1].moment, found[-1].transaction),
            at_end=at_end,
        )


def _cursor(moment: datetime, transaction: str = "") -> str:
    place = str((moment - _EPOCH) // _MICROSECOND)
    return f"{place}/{transaction}" if transaction else place
