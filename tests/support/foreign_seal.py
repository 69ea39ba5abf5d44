"""Seals as somebody else's software makes them: the ASN.1 written here once more, keys and signatures by openssl.

Nothing of ``services.seal`` or ``libs.crypto`` is used, so that what they read was not written by themselves.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asn1crypto import algos, core, keys, pem, x509

SM2_WITH_SM3 = "1.2.156.10197.1.501"
MADE = datetime(2020, 4, 22, 2, 9, tzinfo=UTC)
"""When the seals here are made."""
_DISTID = "distid:1234567812345678"


class Header(core.Sequence):  # type: ignore[misc] # asn1crypto has no types
    """SES_Header."""

    _fields = [("id", core.IA5String), ("version", core.Integer), ("vid", core.Any)]


class Picture(core.Sequence):  # type: ignore[misc]
    """SES_ESPictrueInfo."""

    _fields = [("type", core.Any), ("data", core.OctetString), ("width", core.Integer), ("height", core.Integer)]


class Certificates(core.SequenceOf):  # type: ignore[misc]
    """CertInfoList."""

    _child_spec = core.OctetString


class PropertyV4(core.Sequence):  # type: ignore[misc]
    """SES_ESPropertyInfo of GB/T 38540-2020."""

    _fields = [
        ("type", core.Integer),
        ("name", core.UTF8String),
        ("list_type", core.Integer),
        ("certs", Certificates),
        ("created", core.Any),
        ("start", core.Any),
        ("end", core.Any),
    ]


class PropertyV1(core.Sequence):  # type: ignore[misc]
    """SES_ESPropertyInfo of GM/T 0031-2014."""

    _fields = [
        ("type", core.Integer),
        ("name", core.UTF8String),
        ("certs", Certificates),
        ("created", core.Any),
        ("start", core.Any),
        ("end", core.Any),
    ]


class SealInfo(core.Sequence):  # type: ignore[misc]
    """SES_SealInfo."""

    _fields = [("header", Header), ("es_id", core.Any), ("property", core.Any), ("picture", Picture)]


class Any4(core.Sequence):  # type: ignore[misc]
    """What SESeal and SES_Signature of version 4 share."""

    _fields = [
        ("signed", core.Any),
        ("cert", core.OctetString),
        ("algorithm", core.ObjectIdentifier),
        ("value", core.OctetBitString),
    ]


class TbsSignV4(core.Sequence):  # type: ignore[misc]
    """TBS_Sign of GB/T 38540-2020."""

    _fields = [
        ("version", core.Integer),
        ("eseal", core.Any),
        ("time", core.Any),
        ("data_hash", core.OctetBitString),
        ("property_info", core.Any),
    ]


class TbsSignV1(core.Sequence):  # type: ignore[misc]
    """TBS_Sign of GM/T 0031-2014."""

    _fields = [
        ("version", core.Integer),
        ("eseal", core.Any),
        ("time", core.OctetBitString),
        ("data_hash", core.OctetBitString),
        ("property_info", core.IA5String),
        ("cert", core.OctetString),
        ("algorithm", core.ObjectIdentifier),
    ]


class SignInfoV1(core.Sequence):  # type: ignore[misc]
    """SES_SignInfo of GM/T 0031-2014."""

    _fields = [("cert", core.OctetString), ("algorithm", core.ObjectIdentifier), ("value", core.OctetBitString)]


class Pair(core.Sequence):  # type: ignore[misc]
    """The two parts of a SESeal or a SES_Signature of GM/T 0031-2014."""

    _fields = [("first", core.Any), ("second", core.Any)]


class MakerSigned(core.Sequence):  # type: ignore[misc]
    """What the maker signs after GM/T 0031-2014."""

    _fields = [("info", core.Any), ("cert", core.OctetString), ("algorithm", core.ObjectIdentifier)]


def ia5(text: str) -> core.Any:
    """An IA5String, whatever its bytes: vendors write UTF-8 into it."""
    content = text.encode()
    assert len(content) < 128
    return core.Any(core.Asn1Value.load(bytes((0x16, len(content))) + content))


def generalized(at: datetime) -> core.Any:
    """A GeneralizedTime of whole seconds."""
    return core.Any(core.GeneralizedTime(at))


def utc(at: datetime) -> core.Any:
    """A UTCTime."""
    return core.Any(core.UTCTime(at))


@dataclass(frozen=True)
class Key:
    """A private key in a file that only openssl touches."""

    path: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> "Key":
        """Has openssl make a key."""
        path = folder / f"{name}.pem"
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", str(path))
        return cls(path)

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return bytes(pem.unarmor(_openssl("pkey", "-in", str(self.path), "-pubout"))[2])

    def sign(self, message: bytes) -> bytes:
        """Has openssl sign, SM2 with SM3; returns DER."""
        draft, value = self.path.with_suffix(".in"), self.path.with_suffix(".sig")
        draft.write_bytes(message)
        _openssl(
            "pkeyutl",
            "-sign",
            "-inkey",
            str(self.path),
            "-rawin",
            "-digest",
            "sm3",
            "-pkeyopt",
            _DISTID,
            "-in",
            str(draft),
            "-out",
            str(value),
        )
        return value.read_bytes()

    def verifies(self, message: bytes, value: bytes) -> bool:
        """Has openssl check a signature of this key."""
        public, draft, signature = (self.path.with_suffix(suffix) for suffix in (".pub", ".in", ".sig"))
        public.write_bytes(pem.armor("PUBLIC KEY", self.spki))
        draft.write_bytes(message)
        signature.write_bytes(value)
        done = subprocess.run(
            [
                "openssl",
                "pkeyutl",
                "-verify",
                "-pubin",
                "-inkey",
                str(public),
                "-rawin",
                "-digest",
                "sm3",
                "-pkeyopt",
                _DISTID,
                "-in",
                str(draft),
                "-sigfile",
                str(signature),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode == 0 and "Signature Verified Successfully" in done.stdout


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def certificate(
    name: str, key: Key, issuer: str, issuer_key: Key, start: datetime, end: datetime, *, odd: bool = False
) -> bytes:
    """A certificate without any extension beyond key usage, as such makers' are; or with all that openssl bears."""
    algorithm = algos.SignedDigestAlgorithm({"algorithm": SM2_WITH_SM3})
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": 20200422,
            "signature": algorithm,
            "issuer": x509.Name.build({"country_name": "CN", "common_name": issuer}),
            "validity": {"not_before": x509.Time("utc_time", start), "not_after": x509.Time("utc_time", end)},
            "subject": x509.Name.build({"country_name": "CN", "common_name": name}),
            "subject_public_key_info": keys.PublicKeyInfo.load(key.spki),
            "extensions": [{"extn_id": "key_usage", "critical": True, "extn_value": {"digital_signature"}}],
        }
    )
    if odd:
        teletex = x509.DirectoryString("teletex_string", "x")
        teletex.chosen.contents = "签章人".encode()
        pair = x509.NameTypeAndValue({"type": "common_name", "value": teletex})
        tbs["subject"] = x509.Name("", x509.RDNSequence([x509.RelativeDistinguishedName([pair])]))
        tbs["serial_number"] = -20200422
        tbs["validity"]["not_before"] = x509.Time("general_time", start)
    value = issuer_key.sign(tbs.dump())
    return bytes(
        x509.Certificate(
            {
                "tbs_certificate": tbs,
                "signature_algorithm": algorithm,
                "signature_value": value,
            }
        ).dump()
    )


def other_certificate(folder: Path) -> bytes:
    """A certificate of P-256, which openssl signs itself."""
    return _openssl(
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        str(folder / "p256.pem"),
        "-subj",
        "/CN=x",
        "-outform",
        "DER",
    )


@dataclass(frozen=True)
class Parties:
    """A maker and a signer with their certificates."""

    maker_key: Key
    maker: bytes
    signer_key: Key
    signer: bytes


def parties(folder: Path) -> Parties:
    """Makes both, below an authority that nobody here knows."""
    maker, signer, authority = (Key.make(folder, name) for name in ("maker", "signer", "authority"))
    end = datetime(2030, 1, 1, tzinfo=UTC)
    start = datetime(2020, 4, 20, tzinfo=UTC)
    return Parties(
        maker,
        certificate("某制章单位", maker, "某签发机构", authority, start, end),
        signer,
        certificate("某签章单位", signer, "某签发机构", authority, start, end),
    )


Change = Callable[[SealInfo], None]


def seal_info(version: int, signer: bytes, *, vid: str = "SOMEBODY", es_id: str = "50011200000399") -> SealInfo:
    """An unsigned seal of version 1, 4 or 5."""
    fields: dict[str, Any] = {"type": 3, "name": "某某测试专用章", "certs": [signer]}
    times = {"created": MADE, "start": MADE, "end": datetime(2025, 4, 22, tzinfo=UTC)}
    if version == 1:
        prop: Any = PropertyV1(fields | {name: utc(at) for name, at in times.items()})
    else:
        prop = PropertyV4(fields | {"list_type": 1} | {name: generalized(at) for name, at in times.items()})
    return SealInfo(
        {
            "header": {"id": "ES", "version": version, "vid": ia5(vid)},
            "es_id": ia5(es_id),
            "property": core.Any(prop),
            "picture": {"type": ia5("PNG"), "data": b"\x89PNG" + bytes(range(256)) * 8, "width": 40, "height": 40},
        }
    )


def seal_v4(who: Parties, info: SealInfo | None = None) -> bytes:
    """A SESeal of version 4: the maker signs SES_SealInfo alone."""
    signed = info or seal_info(4, who.signer)
    return _four(signed, who.maker, who.maker_key)


def signature_v4(who: Parties, seal: bytes, at: datetime, data_hash: bytes, path: str, version: int = 4) -> bytes:
    """A SES_Signature of version 4 or 5: the signer signs TBS_Sign."""
    tbs = TbsSignV4(
        {
            "version": version,
            "eseal": core.Any(core.Asn1Value.load(seal)),
            "time": generalized(at),
            "data_hash": data_hash,
            "property_info": ia5(path),
        }
    )
    return _four(tbs, who.signer, who.signer_key)


def _four(signed: core.Sequence, cert: bytes, key: Key) -> bytes:
    value = key.sign(signed.dump())
    whole = Any4({"signed": core.Any(signed), "cert": cert, "algorithm": SM2_WITH_SM3, "value": value})
    return bytes(whole.dump())


def seal_v1(who: Parties, *, info_alone: bool = False) -> bytes:
    """A SESeal of GM/T 0031-2014: the maker signs info, certificate and algorithm, or (some do) the info alone."""
    info = seal_info(1, who.signer)
    whole = MakerSigned({"info": core.Any(info), "cert": who.maker, "algorithm": SM2_WITH_SM3})
    value = who.maker_key.sign(info.dump() if info_alone else whole.dump())
    sign = SignInfoV1({"cert": who.maker, "algorithm": SM2_WITH_SM3, "value": value})
    return bytes(Pair({"first": core.Any(info), "second": core.Any(sign)}).dump())


def signature_v1(
    who: Parties, seal: bytes, at: datetime, data_hash: bytes, path: str, time: bytes | None = None, version: int = 1
) -> bytes:
    """A SES_Signature of GM/T 0031-2014; its time is text in a BIT STRING, or a time stamp."""
    tbs = TbsSignV1(
        {
            "version": version,
            "eseal": core.Any(core.Asn1Value.load(seal)),
            "time": time or f"{at:%Y%m%d%H%M%SZ}".encode(),
            "data_hash": data_hash,
            "property_info": path,
            "cert": who.signer,
            "algorithm": SM2_WITH_SM3,
        }
    )
    value = core.OctetBitString(who.signer_key.sign(tbs.dump()))
    return bytes(Pair({"first": core.Any(tbs), "second": core.Any(value)}).dump())
