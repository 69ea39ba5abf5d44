"""Ratings as they are given, in the transaction of who brings them: people here, or another region's window."""

from dataclasses import dataclass

from libs.db.uow import Transaction
from services.cases.core.cases import CaseRecord
from services.cases.core.parts import Parts
from services.cases.core.states import CaseState
from services.cases.ratings import store
from services.cases.ratings.convert import KINDS, new_rating, rating_message
from services.cases.ratings.rules import RatingKind, check_new
from services.cases.ratings.store import RatingRow
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import rating_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class RatedCase:
    """What is rated: the case's name, the state that it is in, and the department that worked on it."""

    name: str
    state: CaseState
    department: str = ""


@dataclass(frozen=True, slots=True)
class RatingWriter:
    """Writes ratings."""

    parts: Parts

    async def rate(self, tx: Transaction, record: CaseRecord, wanted: pb.Rating, rater: str) -> pb.Rating:
        """Rates a locked case, and counts the rating where it is the one that counts."""
        rated = RatedCase(record.name, record.state, record.department)
        row = await self.add(tx, rated, wanted, rater)
        if row.kind == RatingKind.FIRST and row.effective:
            record.rating, record.rate_time, record.update_time = row.level, tx.now, tx.now
            await self.parts.steps.write(tx.connection, record)
        return rating_message(row, self.parts.cipher)

    async def add(self, tx: Transaction, rated: RatedCase, wanted: pb.Rating, rater: str) -> RatingRow:
        """Adds a rating; raises STATE_CONFLICT, RATING_EXISTS, RATING_FIRST_MISSING."""
        existing = await store.of_case(tx.connection, rated.name)
        check_new(rated.name, rated.state, [each.kind for each in existing], RatingKind(KINDS.name(wanted.kind)))
        made = new_rating(wanted, rated.name, rater, rated.department, self.parts.cipher, tx.now)
        row = await store.ADD.add(tx.connection, made)
        _tell(tx, row, wanted)
        return row


def _tell(tx: Transaction, row: RatingRow, wanted: pb.Rating) -> None:
    event = events.RatingCreated(
        name=row.name,
        case=row.case_name,
        kind=wanted.kind,
        level=wanted.level,
        effective=row.effective,
        department=row.department,
    )
    tx.emit(row.name, event)
