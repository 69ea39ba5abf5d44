"""Validates seals and sealed OFD documents step by step; what does not hold is an answer, not an error."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from lxml import etree

from libs.crypto.errors import CryptoError
from libs.crypto.x509.certificate import Certificate
from libs.documents.ofd import NAMESPACES, OFD_NAMESPACE, OfdPackage, OfdRefused, is_pdf, open_ofd, texts
from libs.errors import InvalidArgument, invalid_field
from libs.sub_indications import SubIndication
from services.seal.core.packages import LIMITS
from services.seal.core.ses import (
    SM3,
    ParsedSeal,
    ParsedSignature,
    SesError,
    SesUnsupported,
    parse_seal,
    parse_signature,
)
from services.seal.validation.rules import (
    Conclusion,
    SealVerdict,
    StepFinding,
    ValidationStep,
    conclude,
    failed,
    indeterminate,
    not_applicable,
    passed,
)
from services.seal.validation.steps import (
    Checks,
    NamedFinding,
    digest_finding,
    known_of_seal,
    known_of_signature,
    seal_steps,
    signature_steps,
)

MAX_SIGNATURES = 50
"""A document with more signatures is refused: each costs two SM2 verifications."""
_CLAUSES = {
    "document": "GB/T 33190-2016, 18",
    "seal": "GB/T 38540-2020, 6.3",
    "signature": "GB/T 38540-2020, 7.3",
}
_CHECK_VALUE = f"{{{OFD_NAMESPACE}}}CheckValue"
_PACKAGE_STEPS = frozenset({"signature.file", "signature.references", "signature.coverage", "signature.seal_file"})


@dataclass(frozen=True, slots=True)
class SealSummary:
    """One seal that was found.

    Attributes:
        signature: the path of its Signature.xml; empty for a lone seal.
        seal_id: esID.
        name: the seal's name.
        signer: the subject of the signer's certificate; empty for a lone seal or an unreadable certificate.
        time: timeInfo, or None for a lone seal.
        verdict: what its own steps come to.
    """

    signature: str
    seal_id: str
    name: str
    signer: str
    time: datetime | None
    verdict: SealVerdict


@dataclass(frozen=True, slots=True)
class SealReport:
    """The report of a validation.

    Attributes:
        verdict: what all steps come to.
        steps: the steps in the order they were taken.
        seals: the seals that were found.
        digest: `sm3:<hex>` of what was validated.
        time: when it was validated.
    """

    verdict: SealVerdict
    steps: tuple[ValidationStep, ...]
    seals: tuple[SealSummary, ...]
    digest: str
    time: datetime


@dataclass(frozen=True, slots=True)
class _Entry:
    """One signature of a package, as far as Signatures.xml and Signature.xml tell."""

    path: str
    kind: str
    name: str | None = None
    root: etree._Element | None = None
    own_files: frozenset[str] = frozenset()
    fault: str = ""


class _Reference(NamedTuple):
    """A reference to a file of the package: as written, the file that it means, and the digests that it states."""

    path: str
    name: str | None
    values: list[str]


def validate_seal(raw: bytes, checks: Checks) -> SealReport:
    """Validates a SESeal (an .esl file) as of now."""
    try:
        seal = parse_seal(raw)
    except SesError as error:
        return _report(raw, [_step("seal.structure", _not_read(error))], [], checks)
    steps = [_step("seal.structure", _read(seal))]
    for name, finding in seal_steps(seal, known_of_seal(seal, checks), checks):
        checks.stop.check()
        steps.append(_step(name, finding))
    return _report(raw, steps, [SealSummary("", seal.seal_id, seal.name, "", None, conclude(steps))], checks)


def validate_document(data: bytes, checks: Checks) -> SealReport:
    """Validates every seal of an OFD file, each as of the time it claims.

    Raises:
        InvalidArgument: FIELD_INVALID (rule ``ofd.limits``) for a file that is too much to read: that says nothing of
            its seals.
        WorkEnded: once nobody waits for the report.
    """
    try:
        package = open_ofd(data, LIMITS)
        checks.stop.check()
        entries, lists = _entries(package)
    except OfdRefused as error:
        if error.rule == "limits":
            raise _too_much(error) from error
        return _report(data, [_step("document.package", _no_package(data, error))], [], checks)
    steps = [_step("document.package", passed(_seen(package)))]
    steps.append(_step("document.signatures", _count(entries)))
    seals: list[SealSummary] = []
    reader = _SignatureReader(package, entries, lists, checks)
    for entry in entries:
        mine: list[ValidationStep] = []
        for name, finding in reader.steps(entry):
            checks.stop.check()
            mine.append(_step(name, finding, entry.path))
        steps += mine
        if (signature := reader.signature(entry)) is not None:
            seals.append(_summary(entry, signature, mine))
    report = _report(data, steps, seals, checks)
    return report if entries else replace(report, verdict=SealVerdict(Conclusion.NO_SIGNATURE))


def _seen(package: OfdPackage) -> str:
    return f"{len(package.entries)} files{'; tolerated: the older namespace' if package.is_older else ''}"


def _no_package(data: bytes, error: OfdRefused) -> StepFinding:
    if is_pdf(data) and not data.startswith(b"PK"):
        return indeterminate(SubIndication.UNSUPPORTED, "a PDF: the seals on it are not read here")
    if error.rule == "encrypted":
        return indeterminate(SubIndication.UNSUPPORTED, "the package is encrypted")
    return failed(SubIndication.FORMAT_FAILURE, f"{error.rule}: {error.message}")


def _too_much(error: OfdRefused) -> InvalidArgument:
    return invalid_field("document", f"ofd.{error.rule}", error.violations[0].description)


def _read(structure: ParsedSeal | ParsedSignature) -> StepFinding:
    tolerated = "".join(f"; tolerated: {deviation}" for deviation in structure.tolerated)
    return passed(f"version {structure.version}, {len(structure.raw)} bytes{tolerated}")


def _not_read(error: SesError) -> StepFinding:
    if isinstance(error, SesUnsupported):
        return indeterminate(SubIndication.UNSUPPORTED, str(error))
    return failed(SubIndication.FORMAT_FAILURE, str(error))


def _step(name: str, finding: StepFinding, signature: str = "") -> ValidationStep:
    part = "document" if name in _PACKAGE_STEPS else name.partition(".")[0]
    return ValidationStep(name, _CLAUSES[part], finding, signature)


def _report(data: bytes, steps: list[ValidationStep], seals: list[SealSummary], checks: Checks) -> SealReport:
    digest = f"sm3:{hashlib.new('sm3', data).hexdigest()}"
    return SealReport(conclude(steps), tuple(steps), tuple(seals), digest, checks.now)


def _summary(entry: _Entry, signature: ParsedSignature, steps: list[ValidationStep]) -> SealSummary:
    try:
        signer = Certificate.parse(signature.certificate).subject
    except CryptoError:
        signer = ""
    seal = signature.seal
    return SealSummary(entry.path, seal.seal_id, seal.name, signer, signature.time, conclude(steps))


def _count(entries: list[_Entry]) -> StepFinding:
    if not entries:
        return not_applicable("the document carries no signature")
    return passed(f"{len(entries)}")


def _entries(package: OfdPackage) -> tuple[list[_Entry], frozenset[str]]:
    """Returns the signatures of all documents of the package, and the names of the files that list them."""
    entries: list[_Entry] = []
    lists: set[str] = set()
    for body, _ in package.documents():
        for path in texts(body, "ofd:Signatures"):
            name = package.find(path)
            if name is None:
                raise OfdRefused("signatures_missing", "Signatures leads nowhere")
            if name not in lists:
                lists.add(name)
                root = package.xml(name)
                nodes = root.findall("ofd:Signature", NAMESPACES)[: MAX_SIGNATURES + 1]
                entries += [_entry(package, node, name) for node in nodes]
            if len(entries) > MAX_SIGNATURES:
                raise OfdRefused("limits", f"the document has more than {MAX_SIGNATURES} signatures")
    files = [entry.name for entry in entries if entry.name is not None]
    if len(set(files)) != len(files):
        raise OfdRefused("signature_twice", "one signature is listed twice")
    return entries, frozenset(lists)


def _entry(package: OfdPackage, node: etree._Element, list_name: str) -> _Entry:
    path, kind = node.get("BaseLoc", ""), node.get("Type", "Seal")
    name = package.find(path, list_name)
    if name is None:
        return _Entry(path, kind, fault="BaseLoc leads nowhere")
    try:
        root = package.xml(name)
    except OfdRefused as error:
        if error.rule == "limits":
            raise
        return _Entry(path, kind, name, fault=error.message, own_files=frozenset({name}))
    stated = texts(root, "ofd:SignedValue") + texts(root, "ofd:SignedInfo/ofd:Seal/ofd:BaseLoc")
    own = {found for text in stated if (found := package.find(text, name)) is not None}
    return _Entry(path, kind, name, root, frozenset(own | {name}))


class _SignatureReader:
    """Takes the steps of one signature after another over one package, whose files are hashed once."""

    def __init__(self, package: OfdPackage, entries: list[_Entry], lists: frozenset[str], checks: Checks) -> None:
        self._package = package
        self._checks = checks
        self._free = lists.union(*(entry.own_files for entry in entries))
        self._digests: dict[str, bytes] = {}
        self._signatures: dict[str, ParsedSignature] = {}

    def signature(self, entry: _Entry) -> ParsedSignature | None:
        """Returns the signature that ``steps`` could read."""
        return self._signatures.get(entry.path)

    def steps(self, entry: _Entry) -> Iterator[NamedFinding]:
        """Takes every step that the one before leaves possible."""
        if entry.root is None or entry.name is None:
            yield "signature.file", failed(SubIndication.FORMAT_FAILURE, entry.fault)
            return
        yield "signature.file", passed(entry.name)
        references = self._referenced(entry.root)
        yield "signature.references", self._references(entry.root, references)
        yield "signature.coverage", self._coverage(references)
        if entry.kind.casefold() != "seal":
            finding = indeterminate(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, "not a seal signature")
            yield "signature.structure", finding
            return
        yield "signature.structure", self._structure(entry, entry.root)
        signature = self.signature(entry)
        if signature is None:
            return
        yield "signature.seal_file", self._seal_file(entry, entry.root, signature)
        known = known_of_signature(signature, self._checks)
        yield from seal_steps(signature.seal, known, self._checks)
        is_own = self._package.find(signature.property_info) == entry.name
        yield from signature_steps(signature, known, self._package.entries[entry.name], is_own, self._checks)

    def _referenced(self, root: etree._Element) -> list[_Reference]:
        return [
            _Reference(
                path := each.get("FileRef", ""),
                self._package.find(path),
                [child.text or "" for child in each if child.tag == _CHECK_VALUE],
            )
            for each in root.iterfind("ofd:SignedInfo/ofd:References/ofd:Reference", NAMESPACES)
        ]

    def _references(self, root: etree._Element, references: list[_Reference]) -> StepFinding:
        holders = root.findall("ofd:SignedInfo/ofd:References", NAMESPACES)
        if len(holders) > 1:
            return failed(SubIndication.FORMAT_FAILURE, "there is more than one list of references")
        if not references:
            return failed(SubIndication.SIGNED_DATA_NOT_FOUND, "there is no reference")
        (holder,) = holders
        method = holder.get("CheckMethod", "")
        if method != SM3 and method.upper() != "SM3":
            return indeterminate(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, f"CheckMethod {method[:60]!r} is not SM3")
        for reference in references:
            self._checks.stop.check()
            if (fault := self._fault(reference)) is not None:
                return fault
        inexact = sum(not self._is_exact(reference.path) for reference in references)
        tolerated = f"; tolerated: {inexact} paths in another case" if inexact else ""
        return passed(f"{len(references)} of {len(references)} digests match{tolerated}")

    def _is_exact(self, path: str) -> bool:
        return path.lstrip("/") in self._package.entries

    def _fault(self, reference: _Reference) -> StepFinding | None:
        """Returns what is wrong with a reference, or None."""
        path, name, values = reference
        if name is None:
            return failed(SubIndication.SIGNED_DATA_NOT_FOUND, f"{path[:200]} is not there")
        if len(values) != 1:
            return failed(SubIndication.FORMAT_FAILURE, f"{path[:200]}: {len(values)} times CheckValue")
        try:
            # base64Binary may hold white space (XML Schema part 2, 3.2.16).
            stated = base64.b64decode("".join(values[0].split()), validate=True)
        except ValueError:
            # binascii.Error among them; letters outside of ASCII are another.
            return failed(SubIndication.FORMAT_FAILURE, f"{path[:200]}: CheckValue is not Base64")
        actual = self._digest(name)
        if stated == actual:
            return None
        found = digest_finding(stated, actual)
        return replace(found, evidence=f"{name}: {found.evidence}")

    def _digest(self, name: str) -> bytes:
        if name not in self._digests:
            self._digests[name] = hashlib.new("sm3", self._package.entries[name]).digest()
        return self._digests[name]

    def _coverage(self, references: list[_Reference]) -> StepFinding:
        """A file that no signature covers may be shown in the place of one that is: readers differ in how they look."""
        covered = {reference.name for reference in references}
        bare = sorted(set(self._package.entries) - covered - self._free)
        if bare:
            return failed(SubIndication.SIG_CONSTRAINTS_FAILURE, f"{len(bare)} files are not covered: {bare[0]}")
        return passed(f"{len(self._package.entries)} files")

    def _structure(self, entry: _Entry, root: etree._Element) -> StepFinding:
        names = [self._package.find(text, entry.name or "") for text in texts(root, "ofd:SignedValue")]
        if len(names) != 1 or names[0] is None:
            return failed(SubIndication.SIGNED_DATA_NOT_FOUND, "SignedValue leads nowhere")
        raw = self._package.entries[names[0]]
        try:
            self._signatures[entry.path] = parse_signature(raw)
        except SesError as error:
            return _not_read(error)
        return _read(self._signatures[entry.path])

    def _seal_file(self, entry: _Entry, root: etree._Element, signature: ParsedSignature) -> StepFinding:
        stated = texts(root, "ofd:SignedInfo/ofd:Seal/ofd:BaseLoc")
        if not stated:
            return not_applicable("Signature.xml names none")
        if len(stated) > 1:
            return failed(SubIndication.FORMAT_FAILURE, "Signature.xml names more than one seal")
        name = self._package.find(stated[0], entry.name or "")
        if name is None:
            return failed(SubIndication.SIGNED_DATA_NOT_FOUND, "the seal's BaseLoc leads nowhere")
        if self._package.entries[name] != signature.seal.raw:
            return failed(SubIndication.HASH_FAILURE, "Seal.esl is not the seal inside SignedValue.dat")
        return passed(name)
