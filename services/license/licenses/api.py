"""Reading, listing and revoking licences, of this region and for others."""

from collections.abc import Sequence
from dataclasses import replace

from libs.access.context import lies_here
from libs.access.owners import listed_owners
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field
from libs.ids import license_identifier, names
from libs.ids.names import ResourceName
from libs.lists.listing import Scope, given
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.license.core import leaving
from services.license.core.authorization import STATED, asked_by
from services.license.core.licenses import License, lock
from services.license.core.lifecycle import LicenseAction, LicenseState, next_state
from services.license.core.messages import license_message, listed_license, named
from services.license.core.parts import Parts
from services.license.core.reading import check_issuer
from services.license.licenses import store
from services.license.licenses.regions import licenses_of_regions
from services.license.licenses.store import UPDATE, ListedLicenses
from tongban.common.v1 import common_pb2
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

Reads = pb.GetLicenseRequest | pb.LookupByIdentifierRequest


class LicenseApi:
    """Reads licences and ends them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._listed = ListedLicenses(parts.database)
        self._of_regions = licenses_of_regions(parts)

    async def get_license(self, request: pb.GetLicenseRequest, call: Call) -> resources.License:
        """Gets a licence with its face, of this or of another region."""
        name = names.parse(request.name, "name", "licenses")
        if lies_here(call.actor, name.region, self._parts.home):
            return await self._read(request, call, await self._parts.licenses.get(name.local))
        return await self._get_abroad(name, request, call)

    async def _get_abroad(self, name: ResourceName, request: pb.GetLicenseRequest, call: Call) -> resources.License:
        checked_there = leaving.lies_there(request.use_context, name.region)
        assertion = await self._parts.regions.assertion_for(call.actor, name.region)
        if not (assertion or checked_there):
            await leaving.check_case(self._parts, call, request)
        context = await leaving.recorded(self._parts, call, request, str(name), name.region)
        wanted = pb.GetLicenseRequest(name=name.local, use_context=context)
        found, receipt = await self._parts.regions.license(name.region, wanted, assertion)
        call.pass_on(receipt)
        return found

    async def lookup_by_identifier(self, request: pb.LookupByIdentifierRequest, call: Call) -> resources.License:
        """Gets a licence by its identifier."""
        identifier = license_identifier.parse(request.identifier, "identifier")
        return await self._read(request, call, await self._listed.by_identifier(str(identifier)))

    async def batch_get_licenses(self, request: pb.BatchGetLicensesRequest, call: Call) -> pb.BatchGetLicensesResponse:
        """Gets several licences, all or none."""
        parts, rows = self._parts, await self._parts.licenses.several(request.names)
        asked = asked_by(call.actor, request.use_context, parts.home)
        allowed = [await parts.authorization.allow(asked, row) for row in rows]
        used = [(row, each.basis) for row, each in zip(rows, allowed, strict=True)]
        command, presentation = command_of(request, call=call), allowed[0].presentation
        await parts.recorder.record(command, asked, used, "READ", about="licenses", presentation=presentation)
        licenses = [license_message(row, parts.cipher, parts.home, abroad=asked.abroad) for row in rows]
        return pb.BatchGetLicensesResponse(licenses=licenses)

    async def _read(self, request: Reads, call: Call, row: License) -> resources.License:
        parts = self._parts
        asked = asked_by(call.actor, request.use_context, parts.home)
        allowed = await parts.authorization.allow(asked, row)
        await parts.recorder.record(
            command_of(request, call=call), asked, [(row, allowed.basis)], "READ", presentation=allowed.presentation
        )
        return license_message(row, parts.cipher, parts.home, abroad=asked.abroad)

    async def list_licenses(self, request: pb.ListLicensesRequest, call: Call) -> pb.ListLicensesResponse:
        """Lists licences without their faces, newest first; a person's own also of other regions."""
        parts, scopes = self._parts, self._scopes(request, call)
        about = request.holder or request.case or request.issuer_department or "licenses"
        store.LISTED.check(request, scopes)

        async def home(token: str, size: int) -> tuple[Sequence[resources.License], str]:
            asked = pb.ListLicensesRequest()
            asked.CopyFrom(request)
            asked.page_token, asked.page_size = token, size
            async with parts.database.read() as connection:
                shown, following = await store.LISTED.page(connection, parts.pages, asked, scopes)
            return [listed_license(row, parts.cipher, parts.home) for row in shown], following

        async def noted(asked: pb.ListLicensesRequest) -> common_pb2.UseContext:
            return await leaving.noted(parts, call, asked, about, STATED)

        answer: pb.ListLicensesResponse
        transaction = ""
        if request.regions:
            answer, transaction = await self._of_regions.page(request, call, home, noted)
        else:
            rows, token = await home(request.page_token, request.page_size)
            answer = pb.ListLicensesResponse(licenses=rows, next_page_token=token)
        command, count = command_of(request, call=call), len(answer.licenses)
        await parts.audit.write(
            command,
            about,
            fields=("license.listed",),
            record_count=count,
            transaction_id=transaction,
            subjects=[request.holder],
        )
        return answer

    def _scopes(self, request: pb.ListLicensesRequest, call: Call) -> list[Scope]:
        """Which licences the caller may see."""
        if request.regions:
            self._of_regions.check(request, call.actor)
        department = asked_by(call.actor, request.use_context, self._parts.home, STATED).reader.department
        holders = listed_owners(call.actor, request.holder)
        if not (holders or request.case or request.issuer_department):
            raise invalid_field("holder", "filter.required", "give holder, case or issuer_department")
        sees_drafts = request.issuer_department and request.issuer_department == department
        of_case = (store.OF_CASE,) if request.case else ()
        chosen = given(case_name=request.case, issuer_department=request.issuer_department)
        beside = of_case if sees_drafts else (*of_case, store.SHOWN)
        return [Scope({"holders": each} | chosen, beside) for each in holders] or [Scope(chosen, beside)]

    async def compare_licenses(self, request: pb.CompareLicensesRequest, call: Call) -> pb.CompareLicensesResponse:
        """Tells which of some licences were never issued, as far as this database knows."""
        known = await self._listed.issued(request.names)
        return pb.CompareLicensesResponse(missing=[name for name in request.names if name not in known])

    async def revoke_license(self, request: pb.RevokeLicenseRequest, call: Call) -> resources.License:
        """Takes a licence away (吊销)."""
        changed: list[License] = []

        async def work(tx: Transaction) -> resources.License:
            row = await lock(tx.connection, request.name)
            check_issuer(row.issuer_department, call.actor.department)
            call.actor.require_impartial(*row.holders)
            check_etag(request.name, row.version, request.etag)
            state = next_state(request.name, row.state, LicenseAction.REVOKE)
            changed.append(await _revoked(tx, row, state, request))
            return named(row)

        command = replace(command_of(request, call=call), response_type=resources.License)
        answer = await self._parts.uow.run(command, work)
        row = changed[-1] if changed else await self._parts.licenses.get(answer.name)
        return license_message(row, self._parts.cipher, self._parts.home)


async def _revoked(tx: Transaction, row: License, state: LicenseState, request: pb.RevokeLicenseRequest) -> License:
    revoked = await UPDATE.one(
        tx.connection,
        row.id,
        state=state,
        state_reason=request.reason,
        state_legal_basis=request.legal_basis,
        state_time=tx.now,
        revoke_time=tx.now,
        update_time=tx.now,
    )
    tx.emit(
        revoked.name,
        events.LicenseRevoked(
            license=revoked.name,
            identifier=revoked.identifier,
            holders=revoked.holders,
            receiving_region=revoked.receiving_region,
            revoke_time=timestamp(tx.now),
        ),
    )
    return revoked
