"""Reading, listing and revoking licences."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from libs.audit.writer import AuditWriter
from libs.crypto.envelope import FieldCipher
from libs.db import rows
from libs.db.command import Command, command_of
from libs.db.engine import Row
from libs.db.etag import check_etag
from libs.db.paging import next_token, page_size, position
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field
from libs.ids import license_identifier, names
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.license.convert import license_message, listed_license, open_content
from services.license.domain.lifecycle import Action, State, next_state
from services.license.domain.numbering import check_issuer
from services.license.store.licenses import LicenseStore
from services.license.tables import licenses
from services.license.usecases.abroad import Abroad
from services.license.usecases.access import Access
from services.license.usecases.asking import Asking, asking, visible_holder
from services.license.usecases.recording import Recording
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import recognition_service_pb2 as recognition
from tongban.license.v1 import resources_pb2 as resources

Reads = pb.GetLicenseRequest | pb.LookupByIdentifierRequest | recognition.GetRemoteLicenseRequest


class Licenses:
    """Use cases of LicenseService that read licences or end them."""

    def __init__(
        self,
        uow: UnitOfWork,
        store: LicenseStore,
        access: Access,
        recording: Recording,
        abroad: Abroad,
        audit: AuditWriter,
        cipher: FieldCipher,
        home: str,
    ) -> None:
        self._uow = uow
        self._store = store
        self._access = access
        self._recording = recording
        self._abroad = abroad
        self._audit = audit
        self._cipher = cipher
        self._home = home

    async def missing(self, names: Sequence[str]) -> list[str]:
        """Tells which of some licences were never issued, as far as this database knows."""
        known = await self._store.issued(names)
        return [name for name in names if name not in known]

    async def get(self, request: pb.GetLicenseRequest) -> pb.GetLicenseResponse:
        """Reads a licence by its name, of this or of another region."""
        name = names.parse(request.name, "name", "licenses")
        if name.is_foreign(self._home):
            return await self._abroad.get(name, request)
        return await self._read(request, await self._store.get(name.id))

    async def get_for_region(self, request: recognition.GetRemoteLicenseRequest) -> pb.GetLicenseResponse:
        """Reads a licence for another region."""
        await self._abroad.check_inbound(current_call().actor)
        return await self._read(request, await self._store.get(request.name.removeprefix("licenses/")))

    async def lookup(self, request: pb.LookupByIdentifierRequest) -> pb.LookupByIdentifierResponse:
        """Reads a licence by its identifier."""
        identifier = license_identifier.parse(request.identifier, "identifier")
        found = await self._read(request, await self._store.by_identifier(str(identifier)))
        return pb.LookupByIdentifierResponse(license=found.license, receipt=found.receipt)

    async def _read(self, request: Reads, row: Row) -> pb.GetLicenseResponse:
        asked = asking(current_call().actor, request.context, self._home)
        allowed = await self._access.allow(asked, row, request.presentation)
        receipt, _ = await self._recording.record(
            command_of(request), asked, [(row, allowed.basis)], "READ", presentation=allowed.presentation
        )
        message = license_message(row, open_content(row, self._cipher), self._home, abroad=asked.abroad)
        return pb.GetLicenseResponse(license=message, receipt=receipt)

    async def page(self, request: pb.ListLicensesRequest) -> pb.ListLicensesResponse:
        """Lists licences without their faces."""
        asked = asking(current_call().actor, request.context, self._home)
        filters = self._filters(request, asked)
        size = page_size(request.page_size)
        found = await self._store.page(size + 1, filters)
        shown = found[:size]
        receipt = await self._audit.write(
            command_of(request),
            request.holder or request.case_name or request.issuer_department or "licenses",
            fields=("license.listed",),
            record_count=len(shown),
        )
        return pb.ListLicensesResponse(
            licenses=[listed_license(row, open_content(row, self._cipher), self._home) for row in shown],
            next_page_token=next_token(request, shown[-1].id) if len(found) > size else "",
            receipt=receipt,
        )

    def _filters(self, request: pb.ListLicensesRequest, asked: Asking) -> dict[str, Any]:
        holder = visible_holder(asked.actor, request.holder)
        if not (holder or request.case_name or request.issuer_department):
            raise invalid_field("holder", "filter.required", "give holder, case_name or issuer_department")
        after = position(request, request.page_token)
        state = resources.LicenseState.Name(request.state).removeprefix("LICENSE_STATE_")
        named: dict[str, Any] = {
            "holder": [holder] if holder else None,
            "case_name": request.case_name,
            "issuer": request.issuer_department,
            "license_type": request.license_type.removeprefix("licenseTypes/"),
            "state": state if request.state else "",
            "before": after[0] if after else "",
        }
        filters = {name: value for name, value in named.items() if value}
        if not request.issuer_department or request.issuer_department != asked.reader.department:
            filters["shown"] = True
        return filters

    async def revoke(self, command: Command, request: pb.RevokeLicenseRequest) -> resources.License:
        """Takes a licence away (吊销)."""
        changed: list[Row] = []
        actor = current_call().actor

        async def work(tx: Transaction) -> resources.License:
            row = await self._store.lock(tx.connection, request.name.removeprefix("licenses/"))
            check_issuer(row.issuer_department, actor.department)
            actor.require_impartial(*row.holders)
            check_etag(request.name, row.version, request.etag)
            state = next_state(request.name, State(row.state), Action.REVOKE)
            row = await rows.update(
                tx.connection,
                licenses,
                row.id,
                {
                    "state": state.value,
                    "state_reason": request.reason,
                    "state_legal_basis": request.legal_basis,
                    "state_time": tx.now,
                    "revoke_time": tx.now,
                    "update_time": tx.now,
                },
            )
            tx.emit(
                request.name,
                events.LicenseRevoked(
                    license=request.name,
                    identifier=row.identifier,
                    holders=row.holders,
                    legal_basis=request.legal_basis,
                    receiving_region=row.receiving_region,
                    revoke_time=timestamp(tx.now),
                ),
            )
            changed.append(row)
            return bare(row)

        answer = await self._uow.run(replace(command, response_type=resources.License), work)
        return await self.whole(answer, changed)

    async def whole(self, answer: resources.License, changed: list[Row]) -> resources.License:
        """Returns the licence that a stored ``answer`` names, from the row just ``changed`` or read again."""
        row = changed[-1] if changed else await self._store.get(answer.name.removeprefix("licenses/"))
        return license_message(row, open_content(row, self._cipher), self._home)


def bare(row: Row) -> resources.License:
    """Returns the answer as it is stored for repeats: the name alone, since answers are not encrypted at rest."""
    return resources.License(name=f"licenses/{row.id}")
