"""Orders for seals: what is asked for, checked and completed, and the row of the seal that is made on it."""

from datetime import datetime, timedelta
from typing import Any, cast

from libs import names
from libs.errors import invalid_field
from libs.ids import uscc
from libs.ids.uuid7 import uuid7
from services.seal.core.certificates import IssuedCertificate
from services.seal.core.seal_rules import SealKind, SealRank, SealState, SealUser, User, ensure_period
from services.seal.core.seals import WholeSeal
from services.seal.seals.convert import SEAL_KINDS, SEAL_RANKS
from services.seal.seals.making import MadeSeal, SealOrder
from services.seal.seals.picture import SealText
from tongban.seal.v1 import resources_pb2 as pb

_USUAL_DAYS = 1826


def check_texts(wanted: pb.Seal) -> str:
    """Returns the owner's credit code; raises FIELD_INVALID for a code that is none, and for texts that can't be seen."""
    names.check(wanted.display_name, "seal.display_name")
    names.check(wanted.round.arc_text, "seal.round.arc_text")
    if wanted.round.bottom_text:
        names.check(wanted.round.bottom_text, "seal.round.bottom_text")
    return str(uscc.parse(wanted.owner_uscc, "seal.owner_uscc"))


def order_of(wanted: pb.Seal, owner_uscc: str, code: str, now: datetime) -> SealOrder:
    """Completes an order by its period, which must not have ended; raises FIELD_INVALID."""
    start = _moment(wanted, "start_time", now)
    end = _moment(wanted, "end_time", start + timedelta(days=_USUAL_DAYS))
    ensure_period(start, end)
    if end <= now:
        raise invalid_field("seal.end_time", "in_the_future", "must be in the future")
    return SealOrder(
        identifier=uuid7(),
        name=wanted.display_name,
        kind=SealKind(SEAL_KINDS.name(wanted.kind)),
        rank=SealRank(SEAL_RANKS.name(wanted.rank)),
        owner_uscc=owner_uscc,
        text=SealText(names.printed(wanted.round.arc_text), names.printed(wanted.round.bottom_text), code),
        make_time=now,
        valid_from=start,
        valid_until=end,
    )


def _moment(wanted: pb.Seal, field: str, otherwise: datetime) -> datetime:
    given = wanted.HasField(cast("Any", field))
    moment: datetime = getattr(wanted, field).ToDatetime(otherwise.tzinfo) if given else otherwise
    # GB/T 38540 writes whole seconds; the row says what the structure says.
    return moment.replace(microsecond=0)


def seal_of(
    wanted: pb.Seal, made: MadeSeal, keeper: User, signer: IssuedCertificate, maker: IssuedCertificate
) -> WholeSeal:
    """Returns the record of a seal that ``keeper`` had made, with the certificates of its signer and its maker."""
    order = made.order
    return WholeSeal(
        id=order.identifier,
        seal_id=order.seal_id,
        seal_code=order.text.code,
        display_name=order.name,
        kind=order.kind,
        rank=order.rank,
        owner=wanted.owner,
        owner_uscc=order.owner_uscc,
        arc_text=wanted.round.arc_text,
        bottom_text=wanted.round.bottom_text,
        diameter_mm=order.diameter_mm,
        state=SealState.ACTIVE,
        valid_from_time=order.valid_from,
        valid_until_time=order.valid_until,
        certified_until_time=min(signer.not_after_time, maker.not_after_time),
        users=tuple(SealUser(each.subject, each.approval_needed) for each in wanted.users),
        kept_by=keeper.subject,
        kept_human=keeper.human,
        certificate=signer.id,
        maker_certificate=maker.id,
        make_time=order.make_time,
        create_time=signer.create_time,
        update_time=signer.create_time,
        structure=made.structure,
        svg=made.svg,
    )
