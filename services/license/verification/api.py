"""VerificationService: whether a licence is good, by identifier, QR code, file or digest, here or in the region that issued it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.access.context import lies_here
from libs.db.command import command_of
from libs.documents.ofd import OfdRefused, open_ofd
from libs.documents.store import digest_of
from libs.errors import TongbanError, invalid_field
from libs.ids import license_identifier
from libs.ids.uuid7 import uuid7
from libs.rpc import languages, status
from libs.rpc.call import Call
from libs.workers import PoolShare, ThreadPool
from services.license.core.catalogue import Holder
from services.license.core.licenses import opened
from services.license.core.lifecycle import LicenseState
from services.license.core.messages import holders_of
from services.license.core.parts import Parts
from services.license.core.qr import QrContent, parse_qr
from services.license.core.validity import LicenseTerm
from services.license.rendering.service import FILE_LIMIT
from services.license.verification.convert import verification_message
from services.license.verification.rules import PresentedDetails, PublicFacts, SealOutcome, VerifiedLicense, disclose
from services.license.verification.store import RecordedLicense, VerifiedLicenses
from tongban.common.v1 import common_pb2
from tongban.license.v1 import verification_service_pb2 as pb

_ZIP = b"PK\x03\x04"
_IDENTIFIER_KEY = "ZZBS"
_FILES_AT_ONCE, _FILES_WAITING = 4, 32
_OUTCOMES = {True: SealOutcome.VALID, False: SealOutcome.INVALID, None: SealOutcome.NOT_CHECKED}


@dataclass(frozen=True, slots=True)
class _Question:
    """A question, what its QR code says where it has one, and the region that it is for."""

    request: pb.VerifyLicenseRequest
    code: QrContent | None
    region: str


@dataclass(frozen=True, slots=True)
class _Found:
    """What a question led to: the licence, and what was brought with the question besides words to compare."""

    row: RecordedLicense | None
    check: str = ""
    copy_expire_time: datetime | None = None
    seal_outcome: SealOutcome = SealOutcome.NOT_CHECKED


def _question(request: pb.VerifyLicenseRequest, home: str) -> _Question:
    code = parse_qr(request.qr_content) if request.WhichOneof("subject") == "qr_content" else None
    return _Question(request, code, request.region or (code.region_code if code else home))


class VerificationApi:
    """Answers whether licences are good."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._licenses = VerifiedLicenses(parts.database)
        self._readers = ThreadPool(1, "reading", returning=True)
        self._files = PoolShare(_FILES_AT_ONCE, _FILES_WAITING)

    async def close(self) -> None:
        """Ends the thread that reads files."""
        await self._readers.close()

    async def verify_license(self, request: pb.VerifyLicenseRequest, call: Call) -> pb.VerifyLicenseResponse:
        """Tells whether a licence is good; another region's is asked for there."""
        answer, _ = await self._asked(request, request, call)
        return answer

    async def verify_licenses(
        self, request: AsyncIterator[pb.VerifyLicensesRequest], call: Call
    ) -> AsyncIterator[pb.VerifyLicensesResponse]:
        """Tells of each licence of a stack whether it is good, one after the other."""
        language = languages.preferred(call.metadata.get(languages.HEADER, ""))
        async for each in request:
            try:
                answer, receipt = await self._asked(each.question, each, call)
            except TongbanError as error:
                yield pb.VerifyLicensesResponse(error=status.to_status(error, language))
            else:
                yield pb.VerifyLicensesResponse(answer=answer, receipt=receipt)

    async def _asked(
        self, request: pb.VerifyLicenseRequest, received: Message, call: Call
    ) -> tuple[pb.VerifyLicenseResponse, common_pb2.Receipt | None]:
        """Answers one question that came in ``received``, with the receipt where another region was asked."""
        question = _question(await self._brought(request, call.actor), self._parts.home)
        if lies_here(call.actor, question.region, self._parts.home):
            return await self._answer(question), None
        transaction = uuid7()
        command = command_of(received, call=call)
        receipt = await self._parts.audit.write(command, f"//{question.region}/licenses", transaction_id=transaction)
        return await self._parts.regions.verified(question.region, question.request), receipt

    async def _brought(self, request: pb.VerifyLicenseRequest, actor: Actor) -> pb.VerifyLicenseRequest:
        """Returns the request with the file itself, where it names an upload; another region has no part in those."""
        if not request.upload:
            return request
        whole = pb.VerifyLicenseRequest()
        whole.CopyFrom(request)
        whole.content = await self._parts.uploads.source(request, actor, FILE_LIMIT)
        return whole

    async def _answer(self, question: _Question) -> pb.VerifyLicenseResponse:
        request, found = question.request, await self._find(question)
        now = self._parts.clock.now()
        brought = PresentedDetails(
            found.check,
            request.number,
            request.holder_name,
            request.holder_document_number,
            found.copy_expire_time,
            found.seal_outcome,
        )
        told = disclose(self._verified(found.row, brought) if found.row is not None else None, brought, now)
        answer = verification_message(told, self._parts.home)
        answer.verify_time.FromDatetime(now)
        if found.copy_expire_time is not None and told.public is not None:
            answer.annotated = True
            answer.copy_expire_time.FromDatetime(found.copy_expire_time)
        return answer

    async def _find(self, question: _Question) -> _Found:
        request = question.request
        if question.code is not None:
            code = question.code
            return _Found(await self._by_identifier(code.identifier, "qr_content"), check=code.check)
        match request.WhichOneof("subject"):
            case "identifier":
                return _Found(await self._by_identifier(request.identifier, "identifier"))
            case "digest":
                return await self._by_digest(request.digest)
            case _:
                async with self._files:
                    return await self._by_file(request.content)

    async def _by_identifier(self, text: str, field: str) -> RecordedLicense | None:
        row = await self._licenses.by_identifier(text)
        if row is None:
            # Whoever mistyped it shall hear that. What is on record needs no such check.
            license_identifier.parse(text, field)
        return row

    async def _by_digest(self, digest: str) -> _Found:
        original = await self._licenses.by_file(digest)
        if original is not None:
            return _Found(original)
        copy, expire_time = await self._licenses.by_copy(digest)
        return _Found(copy, copy_expire_time=expire_time)

    async def _by_file(self, content: bytes) -> _Found:
        """Finds a file by its bytes; an OFD that is not known byte for byte by the identifier in its metadata.

        Such a file is good only if the issuer's seal still holds on it (somebody may have sealed it once more). Raises
        FIELD_INVALID (rule ``ofd.limits``) for one that is too much to read.
        """
        digest = await self._readers.run(digest_of, content)
        known = await self._by_digest(digest)
        if known.row is not None:
            sealed = digest == known.row.ofd_digest
            return _Found(known.row, seal_outcome=await self._check_seal(content, known.row)) if sealed else known
        claimed = await self._readers.run(_claimed_identifier, content)
        row = await self._licenses.by_identifier(claimed) if claimed else None
        if row is None:
            return _Found(None)
        outcome = await self._check_seal(content, row)
        return _Found(row, seal_outcome=outcome if outcome is SealOutcome.VALID else SealOutcome.INVALID)

    async def _check_seal(self, content: bytes, row: RecordedLicense) -> SealOutcome:
        return _OUTCOMES[await self._parts.seals.holds(content, row.seal_id)]

    def _verified(self, row: RecordedLicense, brought: PresentedDetails) -> VerifiedLicense:
        public = PublicFacts(
            row.identifier,
            row.type_display_name,
            row.issuer_name,
            row.license_version,
            row.issue_date,
            LicenseTerm(row.valid_from, row.valid_until),
            None if row.state is LicenseState.ISSUED else row.state_time,
        )
        number, holders = self._compared(row, brought)
        return VerifiedLicense(public, row.state, number, holders, row.face_check)

    def _compared(self, row: RecordedLicense, brought: PresentedDetails) -> tuple[str, tuple[Holder, ...]]:
        """Returns number and holders; they are decrypted only where the asker brought something to compare."""
        if brought.number or brought.holder_name or brought.holder_document:
            content = opened(row.id, row.content, self._parts.cipher)
            return content.number, holders_of(content)
        return "", tuple(Holder("", name, "001", "") for name in row.organization_names)


def _claimed_identifier(content: bytes) -> str:
    """Returns the licence identifier that an OFD's metadata claims; empty where it is no sound OFD or claims none."""
    if not content.startswith(_ZIP):
        return ""
    try:
        return open_ofd(content).custom_data().get(_IDENTIFIER_KEY, "")
    except OfdRefused as error:
        if error.rule == "limits":
            raise invalid_field("content", "ofd.limits", error.violations[0].description) from error
        return ""
