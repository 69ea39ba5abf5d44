"""CodeService: making codes, the keys that check them, their scans and their counts."""

from collections.abc import AsyncIterator

from libs.civil.calendar import local_day
from libs.db.command import command_of
from libs.errors import TongbanError, reasons
from libs.rpc import languages, status
from libs.rpc.call import Call
from libs.rpc.messages import date_of, timestamp
from services.identity.codes import rules, store
from services.identity.codes.convert import at, statistics_message
from services.identity.codes.rules import CodeScene
from services.identity.codes.scanning import GateAnswer, Scanning
from services.identity.codes.service import CodeMint
from services.identity.core.jwk import jwks_message
from services.identity.core.masking import mask_name, mask_number
from services.identity.core.names import id_of
from services.identity.core.parts import Parts
from services.identity.credentials.service import medical_insurance_voucher
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import code_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources


class CodeApi:
    """Makes personal codes, and counts them."""

    def __init__(self, parts: Parts, mint: CodeMint) -> None:
        self._parts = parts
        self._mint = mint

    async def issue_code(self, request: pb.IssueCodeRequest, call: Call) -> pb.IssueCodeResponse:
        """Makes a code for the person who asks; it is counted before it leaves."""
        actor = call.actor
        if actor.region:
            raise reasons.region_mismatch("a guest's code is made by their own region", region=actor.region)
        person = id_of(actor.person)
        text, content = self._mint.make(person, actor.assurance)
        async with self._parts.database.read() as connection:
            in_use = await store.count_show(connection, person, local_day(self._parts.clock.now()))
        if not in_use:
            raise reasons.person_not_active("the person's account is not in use", person=actor.person)
        issue, expire = at(content.issued), at(content.expires)
        return pb.IssueCodeResponse(code=text, issue_time=timestamp(issue), expire_time=timestamp(expire))

    async def get_code_keys(self, request: pb.GetCodeKeysRequest, call: Call) -> resources.JsonWebKeySet:
        """Gets the keys that sign our codes."""
        return jwks_message(await self._mint.keys.fresh())

    async def query_code_statistics(
        self, request: pb.QueryCodeStatisticsRequest, call: Call
    ) -> pb.QueryCodeStatisticsResponse:
        """Counts codes and scans by day and scene."""
        start, end = date_of(request.start_date, "start_date"), date_of(request.end_date, "end_date")
        rules.check_period(start, end)
        async with self._parts.database.read() as connection:
            return statistics_message(await store.counts(connection, start, end))


class ScanApi:
    """Scans personal codes, each scene for what it may learn."""

    def __init__(self, parts: Parts, scanning: Scanning) -> None:
        self._parts = parts
        self._scanning = scanning

    async def scan_transport_code(
        self, request: pb.ScanTransportCodeRequest, call: Call
    ) -> pb.ScanTransportCodeResponse:
        """Tells a gate that a code holds."""
        (answer,), _ = await self._scanning.gates([request], command_of(request, call=call))
        if isinstance(answer, TongbanError):
            raise answer
        return answer

    async def scan_transport_codes(
        self, request: AsyncIterator[pb.ScanTransportCodesRequest], call: Call
    ) -> AsyncIterator[pb.ScanTransportCodesResponse]:
        """Tells gates of each code of a stream whether it holds, message by message."""
        language, asked = languages.preferred(call.metadata.get(languages.HEADER, "")), False
        async for each in request:
            asked, command = True, command_of(each, call=call)
            try:
                answers, receipt = await self._scanning.gates(each.scans, command)
                if receipt is None:
                    receipt = await self._scanning.refusal(command, answers)
            except TongbanError as error:
                if not call.accounted:
                    raise
                yield pb.ScanTransportCodesResponse(error=status.to_status(error, language))
            else:
                told = pb.TransportScans(scans=[_told(answer, language) for answer in answers])
                yield pb.ScanTransportCodesResponse(answer=told, receipt=receipt)
        if not asked:
            call.own()  # nothing was asked, and nothing is told

    async def scan_pharmacy_code(self, request: pb.ScanPharmacyCodeRequest, call: Call) -> pb.ScanPharmacyCodeResponse:
        """Tells a till the voucher that is bound."""
        scan, holder = await self._scanning.one(request, call)
        number = ""
        if holder is not None:
            async with self._parts.database.read() as connection:
                number = await medical_insurance_voucher(connection, holder.id, self._parts.cipher)
        fields = ("medical_insurance_voucher",) if number else ()
        await self._scanning.use(request, call, CodeScene.PHARMACY, scan, fields)
        return pb.ScanPharmacyCodeResponse(code=scan.told, medical_insurance_voucher=number)

    async def scan_visit_code(self, request: pb.ScanVisitCodeRequest, call: Call) -> pb.ScanVisitCodeResponse:
        """Tells a visitors' desk who is there, masked."""
        scan, holder = await self._scanning.one(request, call)
        fields = ("full_name", "document") if holder else ()
        await self._scanning.use(request, call, CodeScene.VISIT, scan, fields)
        if holder is None:
            return pb.ScanVisitCodeResponse(code=scan.told)
        name, number = holder.clear_name(self._parts.cipher), holder.clear_number(self._parts.cipher)
        document = common_pb2.IdentityDocument(type_code=holder.document_type, number=mask_number(number))
        return pb.ScanVisitCodeResponse(code=scan.told, full_name=mask_name(name), document=document)

    async def scan_office_code(self, request: pb.ScanOfficeCodeRequest, call: Call) -> pb.ScanOfficeCodeResponse:
        """Tells a window whose account it is."""
        scan, holder = await self._scanning.one(request, call)
        await self._scanning.use(request, call, CodeScene.OFFICE, scan, ("person",) if holder else ())
        return pb.ScanOfficeCodeResponse(code=scan.told, person=holder.name if holder else "")


def _told(answer: GateAnswer, language: str) -> pb.TransportScan:
    if isinstance(answer, TongbanError):
        return pb.TransportScan(error=status.to_status(answer, language))
    return pb.TransportScan(answer=answer)
