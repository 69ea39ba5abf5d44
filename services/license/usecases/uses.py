"""The list of uses: for the holder, the issuing department and the auditors."""

from typing import Any

from libs.access.actor import Actor, Standing
from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.db.paging import next_token, page_size, position
from libs.errors import invalid_field, reasons
from libs.rpc.call import current_call
from services.license.convert import use_message
from services.license.store.uses import UseStore
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import use_service_pb2 as pb

_AUDITOR = "audit.records.list"


class Uses:
    """Use cases of UseService."""

    def __init__(self, store: UseStore, audit: AuditWriter) -> None:
        self._store = store
        self._audit = audit

    async def page(self, request: pb.ListUsesRequest) -> pb.ListUsesResponse:
        """Lists uses, newest first."""
        if not (request.license or request.holder or request.case_name):
            raise invalid_field("license", "filter.required", "give license, holder or case_name")
        after = position(request, request.page_token)
        action = resources.UseAction.Name(request.action).removeprefix("USE_ACTION_")
        named: dict[str, Any] = {
            "license": request.license.removeprefix("licenses/"),
            "case_name": request.case_name,
            "action": action if request.action else "",
            "before": after[0] if after else "",
            **_visible(request, current_call().actor),
        }
        size = page_size(request.page_size)
        found = await self._store.page(size + 1, {name: value for name, value in named.items() if value})
        shown = found[:size]
        about = request.license or request.holder or request.case_name
        own = current_call().actor.standing is Standing.PERSON
        await record_read(self._audit, request, about, ("license.uses",), len(shown), own=own)
        return pb.ListUsesResponse(
            license_uses=[use_message(row) for row in shown],
            next_page_token=next_token(request, shown[-1].id) if len(found) > size else "",
        )


def _visible(request: pb.ListUsesRequest, actor: Actor) -> dict[str, Any]:
    """Returns the filters that keep a caller within what is theirs: a wrong guess finds nothing."""
    if actor.standing is Standing.PERSON:
        # Also at a window: what the clerk may see of others is for the clerk's own token to ask.
        mine = actor.speaks_for
        if request.holder and request.holder not in mine:
            raise reasons.not_owner("a person sees only the uses of their own licences")
        if not (request.holder or request.license):
            raise invalid_field("holder", "filter.required", "a person gives holder or license")
        return {"holders": [request.holder] if request.holder else sorted(mine)}
    holders = [request.holder] if request.holder else None
    if actor.standing in (Standing.OFFICE, Standing.CLIENT) and actor.may(_AUDITOR):
        return {"holders": holders}
    if not actor.office:
        raise reasons.not_owner("only the issuing department and auditors see the uses")
    return {"holders": holders, "issuer": actor.office}
