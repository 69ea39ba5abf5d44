"""OFD files made to hurt who validates them: each within the size that is taken, and as much work as can be put into it."""

import base64
import hashlib
from collections.abc import Mapping

from libs.documents.ofd import open_ofd, pack
from services.seal.core.ses import der
from services.seal.core.ses.der import Tag, encode
from tests.support.seals import SealKit, ofd_document

SIGNS = "Doc_0/Signs/"
SM3 = "1.2.156.10197.1.401"
_NS = 'xmlns:ofd="http://www.ofdspec.org/2016"'
_MOST = 50


def signature_xml(references: int, *, digest: str = "AAAA", lists: int = 1, value: str = "SignedValue.dat") -> bytes:
    """A Signature.xml that refers to OFD.xml so many times, in so many lists of references."""
    reference = f'<ofd:Reference FileRef="/OFD.xml"><ofd:CheckValue>{digest}</ofd:CheckValue></ofd:Reference>'
    listed = f'<ofd:References CheckMethod="{SM3}">{reference * references}</ofd:References>'
    signed = f"<ofd:SignedInfo>{listed * lists}</ofd:SignedInfo><ofd:SignedValue>{value}</ofd:SignedValue>"
    return f"<ofd:Signature {_NS}>{signed}</ofd:Signature>".encode()


def list_of(*paths: str) -> bytes:
    """A Signatures.xml that lists these files."""
    entries = "".join(f'<ofd:Signature ID="{n}" Type="Seal" BaseLoc="{path}"/>' for n, path in enumerate(paths, 1))
    return f"<ofd:Signatures {_NS}>{entries}</ofd:Signatures>".encode()


def changed(document: bytes, files: Mapping[str, bytes]) -> bytes:
    """The document with these files put in or in place of its own."""
    return pack({**open_ofd(document).entries, **files})


def many_references(kit: SealKit, each: int = 1400) -> bytes:
    """As many signatures as are read, with so many references each, every one of which holds."""
    document = kit.sealed(ofd_document())
    package = open_ofd(document).entries
    digest = base64.b64encode(hashlib.new("sm3", package["OFD.xml"]).digest()).decode()
    values = dict.fromkeys(range(1, _MOST + 1), package[f"{SIGNS}Sign_1/SignedValue.dat"])
    return _of_signatures(document, values, signature_xml(each, digest=digest))


def many_extensions(kit: SealKit, each: int = 600) -> bytes:
    """As many signatures as are read, each with another seal of so many extensions."""
    document = kit.sealed(ofd_document())
    value = open_ofd(document).entries[f"{SIGNS}Sign_1/SignedValue.dat"]
    values = {number: _extended(value, each, number) for number in range(1, _MOST + 1)}
    return _of_signatures(document, values, signature_xml(1))


def _of_signatures(document: bytes, values: Mapping[int, bytes], xml: bytes) -> bytes:
    files = {f"{SIGNS}Sign_{number}/Signature.xml": xml for number in values}
    files |= {f"{SIGNS}Sign_{number}/SignedValue.dat": value for number, value in values.items()}
    listing = list_of(*(f"/{name}" for name in files if name.endswith(".xml")))
    return changed(document, files | {f"{SIGNS}Signatures.xml": listing})


def _parts(raw: bytes) -> list[bytes]:
    return [part.raw for part in der.elements(der.one(raw, Tag.SEQUENCE).content)]


def _extended(value: bytes, count: int, number: int) -> bytes:
    """A SES_Signature whose seal has so many extensions, told apart by ``number``."""
    oid = encode(Tag.OBJECT_IDENTIFIER, b"\x2a\x03")
    extensions = [encode(Tag.SEQUENCE, oid, encode(Tag.OCTET_STRING, bytes([number])))] * count
    signed, *rest = _parts(value)
    version, seal, *others = _parts(signed)
    info, *signature = _parts(seal)
    longer = encode(Tag.SEQUENCE, *_parts(info)[:4], encode(Tag.SEQUENCE, *extensions))
    return encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, version, encode(Tag.SEQUENCE, longer, *signature), *others), *rest)
