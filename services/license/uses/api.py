"""UseService: the list of uses, for the holder, the issuing department and the auditors."""

from dataclasses import dataclass

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
from services.license.uses import store
from tongban.common.v1 import common_pb2
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import use_service_pb2 as pb

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
        use_context=common_pb2.UseContext(
            purpose=use.purpose,
            case=use.case_name,
            legal_basis=use.legal_basis,
            department=use.department,
            operator=use.operator,
            transaction_id=use.transaction_id,
        ),
        actor=use.actor,
        region=use.region_code,
        copy=document_ref(use.copy_digest, use.copy_media_type or "", use.copy_size),
        use_time=timestamp(use.use_time),
        record=use.record,
    )
