"""UseService: the list of uses, for the holder, the issuing department and the auditors."""

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from libs.access.actor import Actor, Standing
from libs.audit.reading import record_read
from libs.errors import invalid_field, reasons
from libs.lists.listing import Scope, given
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.license.core.licenses import license_id
from services.license.core.messages import document_ref
from services.license.core.parts import Parts
from services.license.core.recording import ACTIONS, BASES, LicenseUse
from services.license.uses import counting, store
from tongban.common.v1 import common_pb2
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import use_service_pb2 as pb

_LONGEST = timedelta(days=366)
_AUDITOR = "audit.auditRecords.list"


class UseApi:
    """Lists uses of licences."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list_license_uses(self, request: pb.ListLicenseUsesRequest, call: Call) -> pb.ListLicenseUsesResponse:
        """Lists uses, newest first."""
        parts, about = self._parts, request.license or request.holder or request.case
        if not about:
            raise invalid_field("license", "filter.required", "give license, holder or case")
        visible = _visible(request, call.actor)
        held = given(license_id=license_id(request.license), case_name=request.case, issuer_department=visible.issuer)
        scope = Scope(held, (store.OF_HOLDERS,) if visible.holders else ())
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, parts.pages, request, [scope], holders=visible.holders)
        own = call.actor.standing is Standing.PERSON
        await record_read(parts.audit, request, about, ("license.uses",), len(shown), own=own, call=call)
        return pb.ListLicenseUsesResponse(license_uses=[use_message(use) for use in shown], next_page_token=token)

    async def count_license_uses(self, request: pb.CountLicenseUsesRequest, call: Call) -> pb.CountLicenseUsesResponse:
        """Counts uses, and by how many items."""
        wanted = _counted(request)
        if not (call.actor.standing in (Standing.OFFICE, Standing.CLIENT) and call.actor.may(_AUDITOR)):
            if not call.actor.office:
                raise reasons.not_owner("only the issuing department and auditors count the uses")
            wanted["issuer"] = call.actor.office
        total, items = await counting.count(self._parts.database, wanted)
        return pb.CountLicenseUsesResponse(
            uses=total.uses,
            licenses=total.licenses,
            service_items=total.service_items,
            cases=total.cases,
            departments=total.departments,
            item_uses=[pb.ItemUses(service_item=each.service_item, uses=each.uses) for each in items],
        )


def _counted(request: pb.CountLicenseUsesRequest) -> dict[str, Any]:
    """Returns what is counted; raises FIELD_INVALID where that is everything."""
    start = request.start_time.ToDatetime(UTC) if request.HasField("start_time") else None
    end = request.end_time.ToDatetime(UTC) if request.HasField("end_time") else None
    if start and end and end <= start:
        raise invalid_field("end_time", "period.order", "must be after start_time")
    within = start and end and end - start <= _LONGEST
    if not (request.license or request.license_type or within):
        raise invalid_field("end_time", "period.required", "give license, license_type or a period of at most 366 days")
    return given(
        license=license_id(request.license),
        license_type=request.license_type.removeprefix("licenseTypes/"),
        start=start,
        end=end,
    )


@dataclass(frozen=True, slots=True)
class _Visible:
    """The filters that keep a caller within what is theirs: a wrong guess finds nothing."""

    holders: list[str] | None
    issuer: str = ""


def _visible(request: pb.ListLicenseUsesRequest, actor: Actor) -> _Visible:
    if actor.standing is Standing.PERSON:
        # Also at a window: what the clerk may see of others is for the clerk's own token to ask.
        mine = actor.speaks_for
        if request.holder and request.holder not in mine:
            raise reasons.not_owner("a person sees only the uses of their own licences")
        if not (request.holder or request.license):
            raise invalid_field("holder", "filter.required", "a person gives holder or license")
        return _Visible([request.holder] if request.holder else sorted(mine))
    holders = [request.holder] if request.holder else None
    if actor.standing in (Standing.OFFICE, Standing.CLIENT) and actor.may(_AUDITOR):
        return _Visible(holders)
    if not actor.office:
        raise reasons.not_owner("only the issuing department and auditors see the uses")
    return _Visible(holders, actor.office)


def use_message(use: LicenseUse) -> resources.LicenseUse:
    """Builds a use's message."""
    return resources.LicenseUse(
        name=f"licenseUses/{use.id}",
        license=f"licenses/{use.license_id}",
        license_identifier=use.license_identifier,
        action=ACTIONS.number(use.action),
        basis=BASES.number(use.basis),
        presentation=use.presentation,
        use_context=_context(use),
        actor=use.actor,
        region=use.region_code,
        copy=document_ref(use.copy_digest, use.copy_media_type or "", use.copy_size),
        use_time=timestamp(use.use_time),
        record=use.record,
    )


def _context(use: LicenseUse) -> common_pb2.UseContext:
    context = common_pb2.UseContext(
        purpose_code=use.purpose_code,
        purpose=use.purpose,
        service_item=use.service_item,
        case=use.case_name,
        department=use.department,
        operator=use.operator,
        transaction_id=use.transaction_id,
    )
    if use.basis_kind:
        setattr(context, use.basis_kind, use.named_basis)
    return context
