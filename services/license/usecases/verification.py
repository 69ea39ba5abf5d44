"""Public verification: by identifier, QR code, file or digest, here or in the region that issued it."""

from dataclasses import dataclass
from datetime import datetime

from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.documents.ofd import OfdRefused, open_ofd
from libs.documents.store import digest_of
from libs.errors import invalid_field, reasons
from libs.ids import license_identifier
from libs.rpc.call import current_call
from libs.workers import Pool, Share
from services.license.clients.seal import SealClient
from services.license.convert import holders_of, open_content, verification_message
from services.license.domain.disclosure import Brought, PublicFacts, SealOutcome, VerifiedLicense, disclose
from services.license.domain.license_type import Holder
from services.license.domain.lifecycle import State
from services.license.domain.qr import QrContent, parse_qr
from services.license.domain.validity import Validity
from services.license.store.licenses import LicenseStore, VerifiedRow
from services.license.usecases.abroad import Abroad
from tongban.license.v1 import recognition_service_pb2 as recognition
from tongban.license.v1 import verification_service_pb2 as pb

_ZIP = b"PK\x03\x04"
_IDENTIFIER_KEY = "ZZBS"
_FILES_AT_ONCE, _FILES_WAITING = 4, 32


@dataclass(frozen=True, slots=True)
class _Found:
    """What a question led to: the licence's row, and what was brought with the question besides words to compare."""

    row: VerifiedRow | None
    check: str = ""
    copy_expire_time: datetime | None = None
    seal_outcome: SealOutcome = SealOutcome.NOT_CHECKED


class Verification:
    """Use cases of VerificationService."""

    def __init__(
        self,
        store: LicenseStore,
        abroad: Abroad,
        seals: SealClient,
        cipher: FieldCipher,
        clock: Clock,
        home: str,
        readers: Pool,
    ) -> None:
        self._store = store
        self._abroad = abroad
        self._seals = seals
        self._cipher = cipher
        self._clock = clock
        self._home = home
        self._readers = readers
        self._files = Share(_FILES_AT_ONCE, _FILES_WAITING)

    async def verify(self, request: pb.VerifyLicenseRequest) -> pb.VerifyLicenseResponse:
        """Tells whether a licence is good; another region's is asked for there."""
        code = parse_qr(request.qr_content) if request.WhichOneof("subject") == "qr_content" else None
        region = request.region_code or (code.region_code if code else self._home)
        if region != self._home:
            return await self._abroad.verify(region, request)
        return await self._answer(request, code)

    async def verify_for_region(self, request: recognition.VerifyRemoteLicenseRequest) -> pb.VerifyLicenseResponse:
        """Tells another region whether a licence of this one is good; raises REGION_MISMATCH for any other."""
        await self._abroad.check_inbound(current_call().actor)
        question = request.question
        code = parse_qr(question.qr_content) if question.WhichOneof("subject") == "qr_content" else None
        region = question.region_code or (code.region_code if code else self._home)
        if region != self._home:
            raise reasons.region_mismatch("the question is about another region", region=region)
        return await self._answer(question, code)

    async def _answer(self, request: pb.VerifyLicenseRequest, code: QrContent | None) -> pb.VerifyLicenseResponse:
        found = await self._find(request, code)
        now = self._clock.now()
        brought = Brought(
            found.check,
            request.number,
            request.holder_name,
            request.holder_document_number,
            found.copy_expire_time,
            found.seal_outcome,
        )
        told = disclose(self._verified(found.row, brought) if found.row is not None else None, brought, now)
        answer = verification_message(told, self._home)
        answer.verify_time.FromDatetime(now)
        if found.copy_expire_time is not None and told.public is not None:
            answer.annotated = True
            answer.copy_expire_time.FromDatetime(found.copy_expire_time)
        return answer

    async def _find(self, request: pb.VerifyLicenseRequest, code: QrContent | None) -> _Found:
        match request.WhichOneof("subject"):
            case "identifier":
                return _Found(await self._by_identifier(request.identifier, "identifier"))
            case "qr_content":
                assert code is not None
                return _Found(await self._by_identifier(code.identifier, "qr_content"), check=code.check)
            case "digest":
                return await self._by_digest(request.digest)
            case _:
                async with self._files:
                    return await self._by_file(request.content)

    async def _by_identifier(self, text: str, field: str) -> VerifiedRow | None:
        row = await self._store.verified(text)
        if row is None:
            # Whoever mistyped it shall hear that. What is on record needs no such check.
            license_identifier.parse(text, field)
        return row

    async def _by_digest(self, digest: str) -> _Found:
        original = await self._store.verified_file(digest)
        if original is not None:
            return _Found(original)
        copy = await self._store.verified_copy(digest)
        return _Found(copy, copy_expire_time=copy.copy_expire_time if copy is not None else None)

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
        row = await self._store.verified(claimed) if claimed else None
        if row is None:
            return _Found(None)
        outcome = await self._check_seal(content, row)
        return _Found(row, seal_outcome=outcome if outcome is SealOutcome.VALID else SealOutcome.INVALID)

    async def _check_seal(self, content: bytes, row: VerifiedRow) -> SealOutcome:
        return await self._seals.validate(content, row.seal_id)

    def _verified(self, row: VerifiedRow, brought: Brought) -> VerifiedLicense:
        public = PublicFacts(
            row.identifier,
            row.type_display_name,
            row.issuer_name,
            row.license_version,
            row.issue_date,
            Validity(row.valid_from, row.valid_until),
            None if row.state == State.ISSUED.value else row.state_time,
        )
        number, holders = self._compared(row, brought)
        return VerifiedLicense(public, State(row.state), number, holders, row.face_check)

    def _compared(self, row: VerifiedRow, brought: Brought) -> tuple[str, tuple[Holder, ...]]:
        """Returns number and holders; they are decrypted only where the asker brought something to compare."""
        if brought.number or brought.holder_name or brought.holder_document:
            content = open_content(row, self._cipher)
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
