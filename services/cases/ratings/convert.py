"""Ratings as messages, and back."""

from datetime import datetime

from libs.crypto.envelope import Column, FieldCipher
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.cases.core.messages import SATISFACTION
from services.cases.ratings.rules import GivenRating, RatingKind, Satisfaction
from services.cases.ratings.store import RatingRow
from tongban.cases.v1 import rating_service_pb2 as pb

KINDS = Names(pb.RatingKind)
_CHANNELS = Names(pb.RatingChannel)
_COMMENT = Column("ratings", "comment")


def new_rating(
    wanted: pb.Rating, case_name: str, rater: str, department: str, cipher: FieldCipher, now: datetime
) -> RatingRow:
    """Returns the rating that is asked for."""
    rating_id, is_default = uuid7(), wanted.channel == pb.RATING_CHANNEL_SYSTEM_DEFAULT
    given = GivenRating(RatingKind(KINDS.name(wanted.kind)), Satisfaction(SATISFACTION.name(wanted.level)), is_default)
    return RatingRow(
        id=rating_id,
        case_name=case_name,
        kind=given.kind,
        level=given.level,
        channel=_CHANNELS.name(wanted.channel),
        comment=cipher.encrypt_text(_COMMENT, rating_id, wanted.comment) if wanted.comment else None,
        indicators=tuple(wanted.indicators),
        rater=rater,
        department=department,
        effective=given.is_effective,
        create_time=now,
    )


def rating_message(row: RatingRow, cipher: FieldCipher) -> pb.Rating:
    """Builds a rating's message."""
    return pb.Rating(
        name=row.name,
        case=row.case_name,
        kind=KINDS.number(row.kind),
        level=SATISFACTION.number(row.level),
        channel=_CHANNELS.number(row.channel),
        comment=cipher.decrypt_text(_COMMENT, row.id, row.comment) if row.comment else "",
        indicators=row.indicators,
        rater=row.rater,
        department=row.department,
        effective=row.effective,
        create_time=timestamp(row.create_time),
    )
