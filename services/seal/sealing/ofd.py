"""Puts a seal on an OFD document (GB/T 33190-2016, chapter 18) in two halves around the use of the key.

``prepare`` is pure and fixes everything but the signature value; ``finish`` packs the file.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from posixpath import dirname

from lxml import etree

from libs.documents.ofd import (
    NAMESPACES,
    OfdPackage,
    OfdRefused,
    element,
    open_ofd,
    pack,
    texts,
    to_bytes,
)
from libs.errors import InvalidArgument, reasons
from services.seal.core.packages import LIMITS
from services.seal.core.ses import SM2_WITH_SM3, SM3, build_signature, build_tbs, parse_seal

_PROVIDER = {"ProviderName": "Tongban", "Version": "1", "Company": "Tongban"}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the seal is shown.

    Attributes:
        page: the page, from 1.
        center_x_mm: from the page's left edge to the seal's centre.
        center_y_mm: from the page's top edge to the seal's centre.
    """

    page: int
    center_x_mm: float
    center_y_mm: float


@dataclass(frozen=True, slots=True)
class PreparedSeal:
    """A document with everything in place but the signature value.

    Attributes:
        tbs: the exact TBS_Sign bytes for the key to sign.
        data_hash: dataHash, SM3 of Signature.xml.
        property_info: the path of Signature.xml in the package.
        certificate: the signer's DER certificate.
        files: the files of the package without SignedValue.dat.
        value_name: the name of SignedValue.dat.
        time: timeInfo.
    """

    tbs: bytes
    data_hash: bytes
    property_info: str
    certificate: bytes
    files: dict[str, bytes]
    value_name: str
    time: datetime


@dataclass(frozen=True, slots=True)
class _Page:
    identity: str
    width: float
    height: float


def prepare(
    document: bytes, seal: bytes, certificate: bytes, placements: Sequence[Placement], at: datetime
) -> PreparedSeal:
    """Prepares the seal signature of an OFD document.

    Args:
        document: the OFD file; earlier seals stay valid.
        seal: the SESeal, DER.
        certificate: the signer's DER certificate, one of those that the seal lists.
        placements: where the seal is shown, at least one.
        at: timeInfo.

    Raises:
        InvalidArgument: SEAL_DOCUMENT_INVALID or SEAL_PLACEMENT_INVALID.
        FailedPrecondition: SEAL_DOCUMENT_LOCKED.
        SesError: ``seal`` is not a seal.
    """
    at = at.astimezone(UTC).replace(microsecond=0)
    try:
        return _prepare(open_ofd(document, LIMITS), seal, certificate, placements, at)
    except OfdRefused as error:
        raise reasons.seal_document_invalid(error.message, rule=error.rule) from error


def finish(prepared: PreparedSeal, signature: bytes) -> bytes:
    """Returns the sealed OFD file around the DER signature value over ``prepared.tbs``."""
    value = build_signature(prepared.tbs, prepared.certificate, signature)
    return pack(prepared.files | {prepared.value_name: value})


def _prepare(
    package: OfdPackage, seal: bytes, certificate: bytes, placements: Sequence[Placement], at: datetime
) -> PreparedSeal:
    body, document_name = package.documents()[0]
    stamps = _stamps(package, document_name, placements, _size(seal))
    files = dict(package.entries)
    list_name, listing = _listing(package, body, document_name)
    if not texts(body, "ofd:Signatures"):
        body.append(element("Signatures", list_name))
        files[package.find("OFD.xml") or "OFD.xml"] = to_bytes(package.root)
    number = _next_number(listing)
    place = f"{dirname(list_name)}/Sign_{number}"
    if any(name.startswith(f"{place}/") for name in files):
        raise OfdRefused("signature_folder_taken", "the folder of the next signature exists already")
    _append_entry(listing, number, f"/{place}/Signature.xml")
    files[list_name] = to_bytes(listing)
    files[f"{place}/Seal.esl"] = seal
    signature = _signature_xml(files, list_name, place, stamps, at)
    files[f"{place}/Signature.xml"] = signature
    data_hash = hashlib.new("sm3", signature).digest()
    path = f"/{place}/Signature.xml"
    tbs = build_tbs(seal, at, data_hash, path)
    return PreparedSeal(tbs, data_hash, path, certificate, files, f"{place}/SignedValue.dat", at)


@lru_cache(maxsize=64)
def _size(seal: bytes) -> tuple[float, float]:
    known = parse_seal(seal)
    return float(known.width_mm), float(known.height_mm)


def _listing(package: OfdPackage, body: etree._Element, document_name: str) -> tuple[str, etree._Element]:
    """Returns the name and the root of Signatures.xml, the one of the document or a new one."""
    stated = texts(body, "ofd:Signatures")
    if len(stated) > 1:
        raise OfdRefused("signatures_twice", "the document names more than one list of signatures")
    if not stated:
        fresh = element("Signatures")
        fresh.append(element("MaxSignId", "0"))
        return f"{dirname(document_name)}/Signs/Signatures.xml".lstrip("/"), fresh
    name = package.find(stated[0])
    if name is None:
        raise OfdRefused("signatures_missing", "Signatures leads nowhere")
    listing = package.xml(name)
    for entry in listing.iterfind("ofd:Signature", NAMESPACES):
        _ensure_unlocked(package, entry.get("BaseLoc", ""), name)
    return name, listing


def _ensure_unlocked(package: OfdPackage, path: str, list_name: str) -> None:
    """A signature that protects Signatures.xml would break by a further entry in it."""
    name = package.find(path, list_name)
    if name is None:
        raise OfdRefused("signature_missing", "an entry of Signatures.xml leads nowhere")
    earlier = package.xml(name)
    for reference in earlier.iterfind(".//ofd:Reference", NAMESPACES):
        if package.find(reference.get("FileRef", "")) == list_name:
            raise reasons.seal_document_locked("an earlier signature locks the document", signature=name)


def _next_number(listing: etree._Element) -> int:
    """Returns one more than every number that MaxSignId or an ID (`3`, `s003`) has used."""
    used = texts(listing, "ofd:MaxSignId") + [e.get("ID", "") for e in listing.iterfind("ofd:Signature", NAMESPACES)]
    numbers = [int(digits) for text in used if (digits := text.lstrip("sS"))[:9].isdecimal() and len(digits) < 10]
    return max(numbers, default=0) + 1


def _append_entry(listing: etree._Element, number: int, path: str) -> None:
    highest = listing.find("ofd:MaxSignId", NAMESPACES)
    if highest is None:
        highest = element("MaxSignId")
        listing.insert(0, highest)
    highest.text = str(number)
    listing.append(element("Signature", ID=str(number), Type="Seal", BaseLoc=path))


def _signature_xml(
    files: dict[str, bytes], list_name: str, place: str, stamps: list[etree._Element], at: datetime
) -> bytes:
    """Writes Signature.xml with the digest of every file but Signatures.xml, so that more seals may follow."""
    info = element("SignedInfo")
    info.append(element("Provider", **_PROVIDER))
    info.append(element("SignatureMethod", SM2_WITH_SM3))
    info.append(element("SignatureDateTime", f"{at:%Y%m%d%H%M%SZ}"))
    references = element("References", CheckMethod=SM3)
    for name, content in files.items():
        if name != list_name:
            reference = element("Reference", FileRef=f"/{name}")
            reference.append(element("CheckValue", base64.b64encode(hashlib.new("sm3", content).digest()).decode()))
            references.append(reference)
    info.append(references)
    info.extend(stamps)
    holder = element("Seal")
    holder.append(element("BaseLoc", f"/{place}/Seal.esl"))
    info.append(holder)
    root = element("Signature")
    root.append(info)
    root.append(element("SignedValue", f"/{place}/SignedValue.dat"))
    etree.cleanup_namespaces(root)
    return to_bytes(root)


def _stamps(
    package: OfdPackage, document_name: str, placements: Sequence[Placement], size: tuple[float, float]
) -> list[etree._Element]:
    root = package.xml(document_name)
    general = texts(root, "ofd:CommonData/ofd:PageArea/ofd:PhysicalBox")
    entries = list(root.iterfind("ofd:Pages/ofd:Page", NAMESPACES))
    stamps: list[etree._Element] = []
    for number, placement in enumerate(placements, 1):
        if not 1 <= placement.page <= len(entries):
            raise _misplaced(placement, f"the document has {len(entries)} pages")
        page = _page(package, entries[placement.page - 1], document_name, general)
        stamps.append(_stamp(page, number, placement, size))
    return stamps


def _stamp(page: _Page, number: int, placement: Placement, size: tuple[float, float]) -> etree._Element:
    left, top = placement.center_x_mm - size[0] / 2, placement.center_y_mm - size[1] / 2
    # Boundary counts from the page's left top corner, whatever the origin of PhysicalBox.
    if not (left >= 0 and top >= 0 and left + size[0] <= page.width and top + size[1] <= page.height):
        raise _misplaced(placement, "the seal would not lie on the page as a whole")
    boundary = " ".join(f"{value:.3f}".rstrip("0").rstrip(".") for value in (left, top, *size))
    return element("StampAnnot", ID=str(number), PageRef=page.identity, Boundary=boundary)


def _misplaced(placement: Placement, why: str) -> InvalidArgument:
    return reasons.seal_placement_invalid(why, page=str(placement.page))


def _page(package: OfdPackage, entry: etree._Element, base: str, general: list[str]) -> _Page:
    """Reads a page's ID and size; its own Area overrides the document's PageArea (GB/T 33190)."""
    name = package.find(entry.get("BaseLoc", ""), base)
    identity = entry.get("ID", "")
    if name is None or not identity:
        raise OfdRefused("page_missing", "a page has no ID, or its BaseLoc leads nowhere")
    own = texts(package.xml(name), "ofd:Area/ofd:PhysicalBox")
    try:
        _, _, width, height = (float(part) for part in (own or general or [""])[0].split())
    except ValueError:
        raise OfdRefused("page_box_malformed", "PhysicalBox is not four numbers") from None
    return _Page(identity, width, height)
