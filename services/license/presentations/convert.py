"""Presentations as messages."""

from libs.db.etag import etag_of
from libs.rpc.messages import Names, timestamp
from services.license.core.reading import Presentation
from tongban.common.v1 import common_pb2
from tongban.license.v1 import presentation_service_pb2 as pb

_STATES = Names(pb.PresentationState)


def presentation_message(shown: Presentation, region: str = "") -> pb.Presentation:
    """Builds a presentation's message, without its code; ``region`` goes in front of names for another region."""
    front = f"//{region}/" if region else ""
    return pb.Presentation(
        name=f"{front}{shown.name}",
        holder=shown.holder if shown.holder.startswith("//") else f"{front}{shown.holder}",
        licenses=[pb.PresentedLicense(license=f"{front}{name}") for name in shown.licenses],
        verifier=shown.verifier,
        item_code=shown.item_code,
        use_context=_context(shown),
        consent=shown.consent,
        single_use=shown.single_use,
        redeem_count=shown.redeem_count,
        state=_STATES.number(shown.state.value),
        create_time=timestamp(shown.create_time),
        update_time=timestamp(shown.update_time),
        expire_time=timestamp(shown.expire_time),
        redeem_time=timestamp(shown.redeem_time),
        withdraw_time=timestamp(shown.withdraw_time),
        etag=etag_of(shown.version),
    )


def licenses_of(presentation: pb.Presentation) -> tuple[str, ...]:
    """Returns the names of the licences that a presentation shows."""
    return tuple(each.license for each in presentation.licenses)


def _context(shown: Presentation) -> common_pb2.UseContext:
    return common_pb2.UseContext(
        purpose_code=shown.purpose_code,
        purpose=shown.purpose,
        service_item=shown.service_item,
        case=shown.case_name,
        department=shown.department,
        operator=shown.operator,
        transaction_id=shown.transaction_id,
    )
