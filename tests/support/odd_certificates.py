"""Certificates as others make them, put together byte by byte, and what the openssl command reads of them."""

import random
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from libs.crypto.provider import SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate
from tests.support import ber

PROVIDER = default_provider()
KEY = SoftwareSigner(PROVIDER, PROVIDER.sm2_generate())
SM2_SM3 = bytes.fromhex("06082a811ccf55018375")
EC_SM2 = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")


def tlv(tag: int, *content: bytes) -> bytes:
    """One element in its shortest form."""
    body = b"".join(content)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + body


def name(tag: int, value: bytes, kind: str = "550403") -> bytes:
    """A name of one part."""
    return tlv(0x30, tlv(0x31, tlv(0x30, tlv(0x06, bytes.fromhex(kind)), tlv(tag, value))))


@dataclass
class Odd:
    """A certificate that is ordinary but for what is changed."""

    version: bytes = bytes.fromhex("a003020102")
    serial: bytes = b"\x04\xd2"
    algorithm: bytes = field(default_factory=lambda: tlv(0x30, SM2_SM3))
    inner: bytes | None = None
    issuer: bytes = field(default_factory=lambda: name(0x0C, "测试".encode()))
    start: bytes = field(default_factory=lambda: tlv(0x17, b"260101000000Z"))
    end: bytes = field(default_factory=lambda: tlv(0x17, b"360101000000Z"))
    subject: bytes = field(default_factory=lambda: name(0x0C, "某人".encode()))
    key: bytes = field(default_factory=lambda: tlv(0x30, EC_SM2, tlv(0x03, b"\0" + KEY.public_key.point)))
    tail: bytes = b""
    extensions: tuple[bytes, ...] = ()

    def der(self, form: ber.Forms = ber.shortest) -> bytes:
        """The whole, signed, each of its elements in ``form``."""
        extensions = tlv(0xA3, tlv(0x30, *self.extensions)) if self.extensions else b""
        tbs = tlv(
            0x30,
            self.version,
            tlv(0x02, self.serial),
            self.inner or self.algorithm,
            self.issuer,
            tlv(0x30, self.start, self.end),
            self.subject,
            self.key,
            self.tail,
            extensions,
        )
        tbs = ber.anew(tbs, form)
        rest = ber.anew(self.algorithm + tlv(0x03, b"\0" + KEY.sign(tbs)), form)
        return form(0x30, tbs + rest)


def extension(oid: str, value: bytes, critical: bytes = b"") -> bytes:
    """An extension."""
    return tlv(0x30, tlv(0x06, bytes.fromhex(oid)), critical, tlv(0x04, value))


def openssl(der: bytes, folder: Path, *arguments: str) -> str | None:
    """What the command says of a certificate; None where it can't read it."""
    path = folder / "c.der"
    path.write_bytes(der)
    done = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-in", str(path), "-noout", *arguments],
        capture_output=True,
        text=True,
        check=False,
        errors="replace",
    )
    return done.stdout if done.returncode == 0 else None


def agree(der: bytes, folder: Path) -> Certificate:
    """Reads with both and compares serial number, times and key."""
    told = openssl(der, folder, "-serial", "-startdate", "-enddate", "-pubkey", "-dateopt", "iso_8601")
    assert told is not None, "a certificate that openssl does not read either"
    read = Certificate.parse(der)
    lines = dict(line.split("=", 1) for line in told.replace("\\\n", "").splitlines()[:3])
    assert int(lines["serial"].replace("-0x", "-"), 16) == read.serial_number
    for label, moment in (("notBefore", read.not_before), ("notAfter", read.not_after)):
        if lines[label] != "Bad time value":
            assert datetime.strptime(lines[label][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) == moment.replace(
                microsecond=0
            )
    PROVIDER.sm2_verify(read.public_key, read.tbs, read.signature)
    return read


def any_odd(choose: random.Random) -> Odd:
    """A certificate in which everything is drawn from what is odd."""

    def one(kinds: dict[str, Any]) -> Any:
        return choose.choice(list(kinds.values()))

    fields = {
        "subject": name(*one(STRINGS)),
        "issuer": name(*one(STRINGS)),
        "start": tlv(*one(TIMES)),
        "end": tlv(*one(TIMES)),
        "serial": one(SERIALS),
        "key": tlv(0x30, EC_SM2, tlv(0x03, b"\0" + one(POINTS))),
    }
    return Odd(**fields | one(OTHERS))


STRINGS = {
    "utf8": (0x0C, "王某某".encode()),
    "printable with characters it has not": (0x13, b"a@b*_&"),
    "printable with utf-8": (0x13, "王".encode()),
    "teletex with utf-8": (0x14, "王".encode()),
    "teletex latin": (0x14, b"M\xfcller"),
    "ia5": (0x16, b"a@b"),
    "ia5 with utf-8": (0x16, "王".encode()),
    "numeric": (0x12, b"12 34"),
    "bmp": (0x1E, "王某".encode("utf-16-be")),
    "universal": (0x1C, "王某".encode("utf-32-be")),
    "empty": (0x0C, b""),
    "with a zero": (0x0C, b"a\0b"),
    "with the marks of a name": (0x0C, b"a, CN=b+c\\d"),
}
TIMES = {
    "utc": (0x17, b"260304050607Z"),
    "utc of last century": (0x17, b"500304050607Z"),
    "generalized before 2050": (0x18, b"20260304050607Z"),
    "generalized after 2050": (0x18, b"20600304050607Z"),
    "generalized with a fraction": (0x18, b"20260304050607.5Z"),
    "utc without seconds": (0x17, b"2603040506Z"),
    "generalized without seconds": (0x18, b"202603040506Z"),
    "utc with an offset": (0x17, b"260304050607+0800"),
    "generalized with an offset": (0x18, b"20260304050607-0130"),
    "generalized without a zone": (0x18, b"20260304050607"),
}
SERIALS = {
    "zero": b"\0",
    "negative": b"\xff",
    "very negative": b"\x80" + bytes(15),
    "of 20 bytes": b"\x7f" * 20,
    "of 40 bytes": b"\x7f" * 40,
    "with the first bit": b"\0\xff" * 8,
}
P = int.from_bytes(KEY.public_key.point[33:]) & 1
POINTS = {
    "compressed": bytes((2 | P,)) + KEY.public_key.point[1:33],
    "hybrid": bytes((6 | P,)) + KEY.public_key.point[1:],
}
OTHERS: dict[str, dict[str, Any]] = {
    "version 1": {"version": b""},
    "version 2 with unique ids": {"version": bytes.fromhex("a003020101"), "tail": bytes.fromhex("810200ff820200fe")},
    "no parameters here, null there": {"inner": tlv(0x30, SM2_SM3, b"\x05\0")},
    "null parameters": {"algorithm": tlv(0x30, SM2_SM3, b"\x05\0")},
    "an unknown extension": {"extensions": (extension("2a0304", b"anything"),)},
    "an unknown critical extension": {"extensions": (extension("2a0304", b"anything", b"\x01\x01\xff"),)},
    "critical false written out": {"extensions": (extension("551d0e", tlv(4, b"id"), b"\x01\x01\0"),)},
    "true that is not ff": {"extensions": (extension("551d13", tlv(0x30, b"\x01\x01\x01")),)},
    "an extension that is not what it should be": {"extensions": (extension("551d13", b"no sequence"),)},
    "an extension twice": {"extensions": (extension("551d0e", tlv(4, b"a")), extension("551d0e", tlv(4, b"b")))},
    "a name of many parts": {"subject": tlv(0x30, *(name(0x13, b"x%d" % n)[2:] for n in range(9)))},
    "no name at all": {"subject": tlv(0x30)},
    "a name of an unknown kind": {"subject": name(0x0C, b"x", "2a0304")},
    "a name part of two": {
        "subject": tlv(0x30, tlv(0x31, name(0x0C, b"a")[4:], name(0x0C, b"b", "55040a")[4:])),
    },
}
