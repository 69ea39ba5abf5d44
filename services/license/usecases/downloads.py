"""Handing out files: annotated copies, originals where the basis allows it, and the PDF twin on first demand."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db.command import command_of
from libs.db.engine import Row
from libs.documents.store import DocumentRef, DocumentStore, digest_of
from libs.errors import InvalidArgument, not_found, reasons
from libs.ids import names
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.license.clients.identity import IdentityClient
from services.license.clients.seal import SealClient
from services.license.convert import OFD, PDF, open_content, standing_of
from services.license.domain.access import Basis, check_original
from services.license.domain.annotation import CopyTerms, copy_terms
from services.license.domain.lifecycle import check_in_force
from services.license.domain.validity import civil_date
from services.license.pages import Renderer, page_of
from services.license.rendering import Annotation, LicensePage, annotate
from services.license.store.licenses import HIDDEN, LicenseStore
from services.license.store.types import TypeStore
from services.license.store.uses import Copy
from services.license.usecases.abroad import Abroad
from services.license.usecases.access import Access, Allowed
from services.license.usecases.asking import Asking, asking
from services.license.usecases.recording import FILE, Recording
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import recognition_service_pb2 as recognition
from tongban.license.v1 import resources_pb2 as resources

Request = pb.DownloadLicenseRequest | recognition.DownloadRemoteLicenseRequest


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    document: DocumentRef
    terms: CopyTerms | None = None


class Downloads:
    """Use cases of DownloadLicense."""

    def __init__(
        self,
        licenses: LicenseStore,
        types: TypeStore,
        access: Access,
        recording: Recording,
        abroad: Abroad,
        identity: IdentityClient,
        seals: SealClient,
        renderer: Renderer,
        documents: DocumentStore,
        cipher: FieldCipher,
        clock: Clock,
        home: str,
    ) -> None:
        self._licenses = licenses
        self._types = types
        self._access = access
        self._recording = recording
        self._abroad = abroad
        self._identity = identity
        self._seals = seals
        self._renderer = renderer
        self._documents = documents
        self._cipher = cipher
        self._clock = clock
        self._home = home

    async def download(self, request: pb.DownloadLicenseRequest) -> pb.DownloadLicenseResponse:
        """Hands out the file of a licence of this or of another region."""
        name = names.parse(request.name, "name", "licenses")
        if name.is_foreign(self._home):
            return await self._abroad.download(name, request)
        return await self._hand_out(request, await self._licenses.get(name.id))

    async def download_for_region(
        self, request: recognition.DownloadRemoteLicenseRequest
    ) -> pb.DownloadLicenseResponse:
        """Hands out the file of a licence to another region."""
        await self._abroad.check_inbound(current_call().actor)
        return await self._hand_out(request, await self._licenses.get(request.name.removeprefix("licenses/")))

    async def _hand_out(self, request: Request, row: Row) -> pb.DownloadLicenseResponse:
        asked = asking(current_call().actor, request.context, self._home)
        allowed = await self._access.allow(asked, row, request.presentation)
        if row.state in HIDDEN:
            raise not_found(f"licenses/{row.id}/file")
        now = self._clock.now()
        if allowed.basis is not Basis.ISSUER:
            check_in_force(f"licenses/{row.id}", standing_of(row, civil_date(now)))
        media_type = OFD if request.format == resources.FILE_FORMAT_OFD else PDF
        if request.original:
            file = await self._original(row, allowed, media_type)
        else:
            file = await self._copy(request, row, asked, media_type, now)
        return await self._record(request, row, asked, allowed, file)

    async def _original(self, row: Row, allowed: Allowed, media_type: str) -> _File:
        kind = await self._types.kept(row.license_type)
        originals = frozenset(kind.original_item_codes)
        check_original(f"licenses/{row.id}", allowed.basis, allowed.item_code, originals)
        if media_type == OFD:
            content = await self._documents.get(row.ofd_digest)
            return _File(content, DocumentRef(row.ofd_digest, OFD, row.ofd_size))
        if row.pdf_digest:
            return _File(await self._documents.get(row.pdf_digest), DocumentRef(row.pdf_digest, PDF, row.pdf_size))
        return await self._twin(row, kind)

    async def _twin(self, row: Row, kind: Row) -> _File:
        """Draws the PDF that looks like the sealed OFD, and keeps it."""
        picture = await self._seals.picture(row.seal)
        page = replace(self._page(row, kind), seal_picture=picture)
        content = await self._renderer.draw(page, PDF)
        document = await self._documents.put(content, PDF)
        await self._licenses.keep_pdf(row.id, document.digest, document.size)
        kept = await self._licenses.get(row.id)
        if kept.pdf_digest != document.digest:
            raise reasons.internal(f"licenses/{row.id} was drawn as two different PDFs")
        return _File(content, document)

    def _page(self, row: Row, kind: Row) -> LicensePage:
        return page_of(row._asdict(), open_content(row, self._cipher), kind._asdict())

    async def _copy(self, request: Request, row: Row, asked: Asking, media_type: str, now: datetime) -> _File:
        wanted = request.copy_expire_time.ToDatetime(UTC) if request.HasField("copy_expire_time") else None
        terms = copy_terms(request.context.purpose, asked.purpose.case_name, await self._maker(asked), now, wanted)
        kind = await self._types.kept(row.license_type)
        note = Annotation(terms.purpose, terms.maker, terms.make_time, terms.expire_time)
        try:
            content = await self._renderer.draw(annotate(self._page(row, kind), note), media_type)
        except InvalidArgument as error:
            # The licence itself was drawn before: what can't be is what this use says of itself.
            broken = tuple(replace(each, field="context.purpose") for each in error.violations)
            raise error.about(*broken) from error
        return _File(content, DocumentRef(digest_of(content), media_type, len(content)), terms)

    async def _maker(self, asked: Asking) -> str:
        """Names who had the copy made (制作者): the department where it is one of ours, else the region or the holder."""
        if asked.actor.region:
            return await self._abroad.region_name(asked.actor.region)
        if asked.reader.department:
            return (await self._identity.department(asked.reader.department)).display_name
        return "持证主体" if asked.reader.subjects else asked.reader.client

    async def _record(
        self, request: Request, row: Row, asked: Asking, allowed: Allowed, file: _File
    ) -> pb.DownloadLicenseResponse:
        document, terms = file.document, file.terms
        copy = Copy(document.digest, document.media_type, document.size, terms.expire_time) if terms else None
        receipt, use = await self._recording.record(
            command_of(request),
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
            document=common_pb2.DocumentRef(
                digest=document.digest, media_type=document.media_type, size_bytes=document.size
            ),
            annotated=copy is not None,
            copy_expire_time=timestamp(terms.expire_time if terms else None),
            license_use=use,
            receipt=receipt,
        )
