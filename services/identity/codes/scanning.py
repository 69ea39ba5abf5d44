"""Scanning: a code is used up in its scene, counted, and on record, before anything is told of who holds it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from libs import personal_codes
from libs.civil.calendar import local_day
from libs.db.command import Command, command_of
from libs.errors import TongbanError
from libs.personal_codes import CodeContent, CodeRefused, KeyId, ReadCode
from libs.rpc.call import Call
from libs.workers import ThreadPool
from services.identity.codes import rules, store
from services.identity.codes.convert import at, kind_numbers, scanned_message
from services.identity.codes.rules import CodeScene
from services.identity.codes.service import CodeMint, OpenedCode
from services.identity.codes.store import GateHolder, ScannedOnce
from services.identity.core.accounts import IN_USE, Person, find_person
from services.identity.core.assurance import believed
from services.identity.core.parts import Parts
from services.identity.core.regions import ListedRegion, find_regions
from services.identity.core.trust import TrustDirection, TrustTerms, require, require_covered
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import code_service_pb2 as pb

_CODES = "codes"
"""What the record of a scan is about that tells nothing of anybody."""
_FEW = 8
"""So few codes are opened at once without another thread: handing them over would cost as much."""

CodeKeys = Mapping[KeyId, ec.EllipticCurvePublicKey]
GateAnswer = pb.ScanTransportCodeResponse | TongbanError
ScanRequest = (
    pb.ScanTransportCodeRequest | pb.ScanPharmacyCodeRequest | pb.ScanVisitCodeRequest | pb.ScanOfficeCodeRequest
)


@dataclass(frozen=True, slots=True)
class CodeIssuer:
    """The keys of a region's codes, and what passes from it; None where it is this one."""

    keys: CodeKeys
    terms: TrustTerms | None = None


@dataclass(frozen=True, slots=True)
class CodeScan:
    """A code that holds, as it was scanned."""

    opened: OpenedCode
    once: ScannedOnce
    told: pb.ScannedCode


OpenedScan = CodeScan | TongbanError
Issuers = Mapping[str, CodeIssuer | TongbanError]


@dataclass(frozen=True, slots=True)
class UsedCodes:
    """The ids of codes that were used up, and the receipt of the record of that."""

    codes: frozenset[bytes]
    receipt: common_pb2.Receipt


class Scanning:
    """Opens and uses up codes."""

    def __init__(self, parts: Parts, mint: CodeMint) -> None:
        self._parts = parts
        self._mint = mint
        self._pool = ThreadPool(1, "codes")

    async def close(self) -> None:
        """Ends the thread that opens codes."""
        await self._pool.close()

    # ---- one code, of whose holder something is told ----

    async def one(self, request: ScanRequest, call: Call) -> tuple[CodeScan, Person | None]:
        """Opens one code, and reads who holds it, None where another region knows; nothing is used up by that.

        Raises:
            InvalidArgument: CODE_INVALID, also where the account is in use no more.
            FailedPrecondition: CODE_EXPIRED.
            PermissionDenied: ACTING_ON_SELF, REGION_NOT_TRUSTED, REGION_TRUST_NOT_COVERING.
        """
        code = _read(request.code)
        if isinstance(code, TongbanError):
            raise code
        issuers = await self._issuers({code.content.region})
        scan = self._scan(code, rules.scan_key(command_of(request, call=call).caller, request.scan), issuers)
        if not scan.opened.person:
            return scan, None
        name = f"persons/{scan.opened.person}"
        call.actor.require_impartial(name)
        async with self._parts.database.read() as connection:
            found = await find_person(connection, name)
        if found is None or found.state != IN_USE:
            raise rules.invalid("holder")
        return scan, found

    async def use(
        self, request: ScanRequest, call: Call, scene: CodeScene, scan: CodeScan, fields: tuple[str, ...]
    ) -> None:
        """Uses a code up, with the record of what leaves by it; raises CODE_REPLAYED."""
        command = command_of(request, call=call)
        region = scan.opened.code.content.region
        about = f"persons/{scan.opened.person}" if scan.opened.person else f"//{region}/{_CODES}"
        if await self._used(command, scene, [scan.once], about, fields) is None:
            raise rules.replayed()

    # ---- codes at gates, of whose holders nothing is told ----

    async def gates(
        self, requests: Sequence[pb.ScanTransportCodeRequest], command: Command
    ) -> tuple[list[GateAnswer], common_pb2.Receipt | None]:
        """Scans codes at gates together; returns an answer for each, and the receipt of their record where one was used up."""
        codes = [(_read(each.code), rules.scan_key(command.caller, each.scan)) for each in requests]
        issuers = await self._issuers({code.content.region for code, _ in codes if isinstance(code, ReadCode)})
        if len(codes) <= _FEW:
            opened = self._all(codes, issuers)
        else:
            opened = await self._pool.run(self._all, codes, issuers)
        scans = [each for each in opened if isinstance(each, CodeScan)]
        holders: Mapping[str, GateHolder] = {}
        if ids := {each.opened.person for each in scans if each.opened.person}:
            async with self._parts.database.read() as connection:
                holders = await store.holders(connection, ids)
        good = [each.once for each in scans if _is_in_use(each, holders)]
        first = [good[place] for place in rules.distinct([(each.code, each.scan) for each in good])]
        used = await self._used(command, CodeScene.TRANSPORT, first, _CODES, ()) if first else None
        done = {(each.code, each.scan) for each in first if used is not None and each.code in used.codes}
        return [_answer(each, holders, done) for each in opened], used.receipt if used else None

    async def refusal(self, command: Command, answers: Sequence[GateAnswer]) -> common_pb2.Receipt:
        """Records that nothing came of the codes of a message."""
        reason = next((each.reason for each in answers if isinstance(each, TongbanError)), "OK")
        return await self._parts.audit.write(command, _CODES, result=reason)

    # ---- both ----

    async def _issuers(self, named: AbstractSet[str]) -> Issuers:
        """Returns by what the codes of each region are checked, or why they are not."""
        home = self._parts.home
        found: dict[str, CodeIssuer | TongbanError] = {home: CodeIssuer(self._mint.public())}
        if others := named - {home}:
            async with self._parts.database.read() as connection:
                listed = await find_regions(connection, others)
            found |= {region: _issuer(region, listed.get(region)) for region in others}
        return found

    def _all(self, codes: Sequence[tuple[ReadCode | TongbanError, bytes]], issuers: Issuers) -> list[OpenedScan]:
        found: list[OpenedScan] = []
        for code, key in codes:
            try:
                found.append(code if isinstance(code, TongbanError) else self._scan(code, key, issuers))
            except TongbanError as error:
                found.append(error)
        return found

    def _scan(self, code: ReadCode, key: bytes, issuers: Issuers) -> CodeScan:
        issuer = issuers[code.content.region]
        if isinstance(issuer, TongbanError):
            raise issuer
        opened = self._mint.opened(code, issuer.keys)
        once = ScannedOnce(code.id, key, at(code.content.expires))
        return CodeScan(opened, once, _scanned(code.content, issuer.terms))

    async def _used(
        self, command: Command, scene: CodeScene, scans: Sequence[ScannedOnce], about: str, fields: tuple[str, ...]
    ) -> UsedCodes | None:
        """Uses codes up, in one statement with count and record; None where none of them was to be had."""
        now, log = self._parts.clock.now(), self._parts.audit.log
        told = [about] if fields else []
        entry = log.entry(command, now, about, fields=fields, record_count=len(told), subjects=told)
        async with self._parts.database.read() as connection:
            codes = await store.scan(connection, scene, scans, local_day(now), entry)
        if not codes:
            return None
        receipt = log.receipt(entry)
        command.recorded(receipt)
        return UsedCodes(codes, receipt)


def _read(text: str) -> ReadCode | TongbanError:
    try:
        return personal_codes.read(text)
    except CodeRefused as error:
        return rules.refused(error.rule)


def _issuer(region: str, row: ListedRegion | None) -> CodeIssuer | TongbanError:
    """Returns by what the codes of another region are checked, or that it is not trusted."""
    try:
        require(region, row.trust if row else None, TrustDirection.INBOUND)
    except TongbanError as error:
        return error
    assert row is not None
    return CodeIssuer(personal_codes.keys_of(region, row.code_keys), row.inbound)


def _scanned(content: CodeContent, terms: TrustTerms | None) -> pb.ScannedCode:
    """What is told of a code; raises REGION_TRUST_NOT_COVERING where the trust in its region does not cover its holder."""
    if terms is None:
        return scanned_message(content, content.assurance, abroad=False)
    level = believed(content.assurance, terms.max_assurance)
    require_covered(content.region, terms, "PERSON", level)
    return scanned_message(content, level, abroad=True)


def _is_in_use(scan: CodeScan, holders: Mapping[str, GateHolder]) -> bool:
    """Whether a code is of an account in use, as far as that is known here."""
    found = holders.get(scan.opened.person)
    return found.state == IN_USE if found else not scan.opened.person


def _answer(scan: OpenedScan, holders: Mapping[str, GateHolder], done: set[tuple[bytes, bytes]]) -> GateAnswer:
    if isinstance(scan, TongbanError):
        return scan
    if not _is_in_use(scan, holders):
        return rules.invalid("holder")
    if (scan.once.code, scan.once.scan) not in done:
        return rules.replayed()
    holder = holders.get(scan.opened.person)
    return pb.ScanTransportCodeResponse(code=scan.told, bound_kinds=kind_numbers(holder.kinds) if holder else [])
