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
from tongban.seal.v1 import seal_service_pb2 as pb

_USUAL_DAYS = 1826


def check_texts(request: pb.MakeSealRequest) -> str:
    """Returns the owner's credit code; raises FIELD_INVALID for a code that is none, and for texts that can't be seen."""
    names.check(request.display_name, "display_name")
    names.check(request.arc_text, "arc_text")
    if request.bottom_text:
        names.check(request.bottom_text, "bottom_text")
    return str(uscc.parse(request.owner_uscc, "owner_uscc"))


def order_of(request: pb.MakeSealRequest, owner_uscc: str, code: str, now: datetime) -> SealOrder:
    """Completes an order by its period, which must not have ended; raises FIELD_INVALID."""
    start = _moment(request, "start_time", now)
    end = _moment(request, "end_time", start + timedelta(days=_USUAL_DAYS))
    ensure_period(start, end)
    if end <= now:
        raise invalid_field("end_time", "in_the_future", "must be in the future")
    return SealOrder(
        identifier=uuid7(),
        name=request.display_name,
        kind=SealKind(SEAL_KINDS.name(request.kind)),
        rank=SealRank(SEAL_RANKS.name(request.rank)),
        owner_uscc=owner_uscc,
        text=SealText(names.printed(request.arc_text), names.printed(request.bottom_text), code),
        make_time=now,
        valid_from=start,
        valid_until=end,
    )


def _moment(request: pb.MakeSealRequest, field: str, otherwise: datetime) -> datetime:
    given = request.HasField(cast("Any", field))
    moment: datetime = getattr(request, field).ToDatetime(otherwise.tzinfo) if given else otherwise
    # GB/T 38540 writes whole seconds; the row says what the structure says.
    return moment.replace(microsecond=0)


def seal_of(
    request: pb.MakeSealRequest, made: MadeSeal, keeper: User, signer: IssuedCertificate, maker: IssuedCertificate
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
        owner=request.owner,
        owner_uscc=order.owner_uscc,
        arc_text=request.arc_text,
        bottom_text=request.bottom_text,
        diameter_mm=order.diameter_mm,
        state=SealState.ACTIVE,
        valid_from_time=order.valid_from,
        valid_until_time=order.valid_until,
        certified_until_time=min(signer.not_after_time, maker.not_after_time),
        users=tuple(SealUser(each.subject, each.approval_needed) for each in request.users),
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
