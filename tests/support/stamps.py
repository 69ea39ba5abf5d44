"""A time-stamp authority: tokens built with asn1crypto, which ``libs.crypto`` does not use to read them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import algos, cms, core, tsp

from libs.crypto.x509 import DistinguishedName, Profile, Validity
from libs.crypto.x509.issue import issue_certificate
from tests.support.seals import Party, SealKit

SM2, SM3 = "1.2.156.10197.1.501", "1.2.156.10197.1.401"


def _digest(value: bytes) -> bytes:
    return hashlib.new("sm3", value).digest()


class Imprint(core.Sequence):  # type: ignore[misc] # asn1crypto has no types
    """MessageImprint, with an algorithm that asn1crypto's own does not know."""

    _fields = [("hash_algorithm", algos.SignedDigestAlgorithm), ("hashed_message", core.OctetString)]


class Info(core.Sequence):  # type: ignore[misc]
    """TSTInfo."""

    _fields = [
        ("version", core.Integer),
        ("policy", core.ObjectIdentifier),
        ("imprint", Imprint),
        ("serial_number", core.Integer),
        ("gen_time", core.GeneralizedTime),
    ]


@dataclass(frozen=True)
class Stamper:
    """An authority, and how its tokens differ from what they should be."""

    party: Party
    by: Party | None = None
    content_type: str = "1.2.840.113549.1.9.16.1.4"
    digest: bytes | None = None
    key_identifier: bool = False
    certificates: bool = True
    signed_in_order: bool = False

    @classmethod
    def of(cls, kit: SealKit, profile: Profile = Profile.TIME_STAMPING) -> "Stamper":
        """An authority below the kit's root."""
        key = type(kit.root.signer)(kit.provider, kit.provider.sm2_generate())
        root = kit.root.certificate
        period = Validity(root.not_before, root.not_after)
        certificate = issue_certificate(
            root, kit.root.signer, DistinguishedName("时间戳"), key.public_key, profile, period
        )
        return cls(Party(key, certificate))

    def stamp(self, value: bytes, at: datetime) -> bytes:
        """A token over ``value``."""
        info = Info(
            {
                "version": 1,
                "policy": "1.2.3",
                "serial_number": 7,
                "gen_time": at,
                "imprint": {"hash_algorithm": {"algorithm": SM3}, "hashed_message": _digest(value)},
            }
        ).dump()
        attributes = [
            (("1.2.840.113549.1.9.3"), core.ObjectIdentifier(self.content_type).dump()),
            (("1.2.840.113549.1.9.4"), core.OctetString(self.digest or _digest(info)).dump()),
        ]
        each = [_tlv(0x30, core.ObjectIdentifier(kind).dump(), _tlv(0x31, content)) for kind, content in attributes]
        signed = b"".join(each)
        # The order of DER (X.690, 11.6) where they stand in the other.
        ordered = b"".join(sorted(each))
        signature = (self.by or self.party).signer.sign(_tlv(0x31, ordered if self.signed_in_order else signed))
        if self.signed_in_order:
            signed = b"".join(sorted(each, reverse=True))
        return self._token(info, signed, signature)

    def _token(self, info: bytes, signed: bytes, signature: bytes) -> bytes:
        certificate = self.party.certificate
        sid = (
            _tlv(0x80, certificate.key_identifier)
            if self.key_identifier
            else _tlv(0x30, certificate.issuer_der, core.Integer(certificate.serial_number).dump())
        )
        sm3, sm2 = (_tlv(0x30, core.ObjectIdentifier(oid).dump()) for oid in (SM3, SM2))
        signer = _tlv(
            0x30, core.Integer(1).dump(), sid, sm3, _tlv(0xA0, signed), sm2, core.OctetString(signature).dump()
        )
        content = _tlv(
            0x30, core.ObjectIdentifier("1.2.840.113549.1.9.16.1.4").dump(), _tlv(0xA0, core.OctetString(info).dump())
        )
        certificates = [_tlv(0xA0, certificate.der)] if self.certificates else []
        data = _tlv(0x30, core.Integer(3).dump(), _tlv(0x31, sm3), content, *certificates, _tlv(0x31, signer))
        return _tlv(0x30, core.ObjectIdentifier("1.2.840.113549.1.7.2").dump(), _tlv(0xA0, data))


def _tlv(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    size = len(body)
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    length = bytes((size,)) if size < 0x80 else bytes((0x80 | len(octets),)) + octets
    return bytes((tag,)) + length + body


def genuine(token: bytes) -> tuple[Any, Any]:
    """What asn1crypto makes of a token: the signed data and its TSTInfo."""
    data = cms.ContentInfo.load(token, strict=True)["content"]
    return data.native, tsp.TSTInfo.load(data["encap_content_info"]["content"].contents, strict=True)["gen_time"].native
