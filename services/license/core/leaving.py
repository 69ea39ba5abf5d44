"""What is done here before another region is asked: it takes this region's word, so the word must be true, and on record."""

from libs.access.context import for_abroad
from libs.access.purposes import basis_of
from libs.db.command import command_of
from libs.errors import invalid_field
from libs.ids import names
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from services.license.core.authorization import CHECKED, asked_by
from services.license.core.parts import Parts
from services.license.core.reading import use_not_allowed
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as licenses
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import presentation_service_pb2 as presentations

Licensed = licenses.GetLicenseRequest | licenses.DownloadLicenseRequest
Listing = licenses.ListLicensesRequest
Leaving = Licensed | Listing | presentations.RedeemPresentationRequest | materials.DownloadMaterialRequest


async def recorded(
    parts: Parts, call: Call, request: Leaving, about: str, region: str, bases: tuple[str, ...] = CHECKED
) -> common_pb2.UseContext:
    """Writes the record of the call, and returns the context as the other region gets it: with a transaction id for both."""
    return for_abroad(await noted(parts, call, request, about, bases), parts.home, region)


async def noted(
    parts: Parts, call: Call, request: Leaving, about: str, bases: tuple[str, ...] = CHECKED
) -> common_pb2.UseContext:
    """Writes the record of the call, and returns the context as it stands here, with a transaction id for all regions."""
    context = common_pb2.UseContext()
    context.CopyFrom(asked_by(call.actor, request.use_context, parts.home, bases).use.context)
    context.transaction_id = context.transaction_id or uuid7()
    command = command_of(request, call=call)
    await parts.audit.write(command, about, transaction_id=context.transaction_id)
    return context


async def check_case(parts: Parts, call: Call, request: Licensed) -> None:
    """Raises LICENSE_USE_NOT_ALLOWED unless the case that is named is the reader's: the other region takes our word."""
    if not await parts.authorization.is_of(asked_by(call.actor, request.use_context, parts.home)):
        raise use_not_allowed(request.name, "case")


def lies_there(context: common_pb2.UseContext, region: str) -> bool:
    """Tells whether a presentation or a consent is named that the other region checks; it must lie where the licence does."""
    kind, basis = basis_of(context)
    if kind not in ("presentation", "consent"):
        return False
    if names.parse(basis, f"use_context.{kind}").region not in ("", region):
        raise invalid_field(f"use_context.{kind}", "basis.region", "must be of the same region as the licence")
    return True
