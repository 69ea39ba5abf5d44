"""Handing out files: annotated copies, originals where the basis allows it, and the PDF twin on first demand."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from libs.access.context import lies_here
from libs.access.purposes import words_of
from libs.civil.calendar import local_day
from libs.db.command import command_of
from libs.documents.store import DocumentRef, digest_of
from libs.errors import InvalidArgument, not_found, reasons
from libs.ids import names
from libs.ids.names import ResourceName
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.license.core import leaving
from services.license.core.authorization import AllowedUse, Inquiry, asked_by
from services.license.core.catalogue import LicenseType
from services.license.core.licenses import OFD, PDF, License, opened
from services.license.core.lifecycle import HIDDEN, check_in_force
from services.license.core.messages import document_ref
from services.license.core.parts import Parts
from services.license.core.reading import UseBasis
from services.license.core.recording import FILE, AnnotatedCopy
from services.license.files import store
from services.license.files.rules import CopyTerms, check_original, copy_terms
from services.license.rendering import Annotation, LicensePage, annotate
from services.license.rendering.service import FILE_LIMIT, Renderer, page_of
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    document: DocumentRef
    terms: CopyTerms | None = None

    @property
    def copy(self) -> AnnotatedCopy | None:
        """What is recorded of it, where it is a copy."""
        document, terms = self.document, self.terms
        return AnnotatedCopy(document.digest, document.media_type, document.size, terms.expire_time) if terms else None


class FileApi:
    """Hands out files of licences."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    async def download_license(self, request: pb.DownloadLicenseRequest, call: Call) -> pb.DownloadLicenseResponse:
        """Hands out the file of a licence of this or of another region."""
        name = names.parse(request.name, "name", "licenses")
        here = lies_here(call.actor, name.region, self._parts.home)
        if request.as_upload:
            await self._parts.uploads.check_room(call.actor, FILE_LIMIT)
        if here:
            found = await self._hand_out(request, call, await self._parts.licenses.get(name.local))
        else:
            found = await self._from_abroad(name, request, call)
        if request.as_upload:
            found.upload = await self._parts.uploads.give(found.content, found.document.media_type, call.actor)
        return found

    async def _from_abroad(
        self, name: ResourceName, request: pb.DownloadLicenseRequest, call: Call
    ) -> pb.DownloadLicenseResponse:
        checked_there = leaving.lies_there(request.use_context, name.region)
        assertion = await self._parts.regions.assertion_for(call.actor, name.region)
        if not (assertion or checked_there):
            await leaving.check_case(self._parts, call, request)
        wanted = pb.DownloadLicenseRequest(
            name=name.local,
            format=request.format,
            use_context=await leaving.recorded(self._parts, call, request, str(name), name.region),
            original=request.original,
        )
        if request.HasField("copy_expire_time"):
            wanted.copy_expire_time.CopyFrom(request.copy_expire_time)
        found, receipt = await self._parts.regions.file(name.region, wanted, assertion)
        call.pass_on(receipt)
        return found

    async def _hand_out(
        self, request: pb.DownloadLicenseRequest, call: Call, row: License
    ) -> pb.DownloadLicenseResponse:
        asked = asked_by(call.actor, request.use_context, self._parts.home)
        allowed = await self._parts.authorization.allow(asked, row)
        if row.state in HIDDEN:
            raise not_found(f"{row.name}/file")
        now = self._parts.clock.now()
        if allowed.basis is not UseBasis.ISSUER:
            check_in_force(row.name, row.standing_on(local_day(now)))
        media_type = OFD if request.format == resources.FILE_FORMAT_OFD else PDF
        if request.original:
            file = await self._original(row, allowed, media_type)
        else:
            file = await self._copy(request, row, asked, media_type, now)
        return await self._recorded(request, call, row, asked, allowed, file)

    async def _kind(self, row: License) -> LicenseType:
        return await self._parts.types.kept(f"licenseTypes/{row.license_type}")

    async def _original(self, row: License, allowed: AllowedUse, media_type: str) -> _File:
        kind = await self._kind(row)
        check_original(row.name, allowed.basis, allowed.item_code, frozenset(kind.original_item_codes))
        if media_type == PDF and row.pdf_digest is None:
            row = await self._with_twin(row, kind)
        digest, size = (row.ofd_digest, row.ofd_size) if media_type == OFD else (row.pdf_digest, row.pdf_size)
        if digest is None or size is None:
            raise reasons.internal(f"{row.name} has no file")
        return _File(await self._parts.documents.get(digest), DocumentRef(digest, media_type, size))

    async def _with_twin(self, row: License, kind: LicenseType) -> License:
        """Draws the PDF that looks like the sealed OFD, and keeps it."""
        picture = await self._parts.seals.picture(row.seal)
        content = await self._renderer.draw(replace(self._page(row, kind), seal_picture=picture), PDF)
        document = await self._parts.documents.put(content, PDF)
        kept = await store.keep_pdf(self._parts.database, row, document.digest, document.size)
        if kept.pdf_digest != document.digest:
            raise reasons.internal(f"{row.name} was drawn as two different PDFs")
        return kept

    def _page(self, row: License, kind: LicenseType) -> LicensePage:
        return page_of(row, opened(row.id, row.content, self._parts.cipher), kind)

    async def _copy(
        self, request: pb.DownloadLicenseRequest, row: License, asked: Inquiry, media_type: str, now: datetime
    ) -> _File:
        wanted = request.copy_expire_time.ToDatetime(UTC) if request.HasField("copy_expire_time") else None
        terms = copy_terms(words_of(request.use_context), await self._maker(asked), now, wanted)
        note = Annotation(terms.purpose, terms.maker, terms.make_time, terms.expire_time)
        page = annotate(self._page(row, await self._kind(row)), note)
        try:
            content = await self._renderer.draw(page, media_type)
        except InvalidArgument as error:
            # The licence itself was drawn before: what can't be is what this use says of itself.
            raise error.about(*(replace(each, field="use_context.purpose") for each in error.violations)) from error
        return _File(content, DocumentRef(digest_of(content), media_type, len(content)), terms)

    async def _maker(self, asked: Inquiry) -> str:
        """Names who had the copy made (制作者): the department where it is one of ours, else the region or the holder."""
        if asked.abroad:
            return await self._parts.regions.display_name(asked.actor.region)
        if asked.reader.department:
            return (await self._parts.identity.department(asked.reader.department)).display_name
        return "持证主体" if asked.reader.subjects else asked.reader.client

    async def _recorded(
        self,
        request: pb.DownloadLicenseRequest,
        call: Call,
        row: License,
        asked: Inquiry,
        allowed: AllowedUse,
        file: _File,
    ) -> pb.DownloadLicenseResponse:
        copy, document = file.copy, file.document
        use = await self._parts.recorder.record(
            command_of(request, call=call),
            asked,
            [(row, allowed.basis)],
            "DOWNLOAD_COPY" if copy else "DOWNLOAD_ORIGINAL",
            presentation=allowed.presentation,
            fields=FILE,
            copy=copy,
        )
        ending = "ofd" if document.media_type == OFD else "pdf"
        return pb.DownloadLicenseResponse(
            content=file.content,
            file_name=f"{row.identifier}{'-copy' if copy else ''}.{ending}",
            document=document_ref(document.digest, document.media_type, document.size),
            annotated=copy is not None,
            copy_expire_time=timestamp(copy.expire_time if copy else None),
            license_use=use,
        )
