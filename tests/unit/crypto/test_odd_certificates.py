"""Certificates as others make them: what the openssl command reads we read, and to the same meaning."""

import random
import re
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import core

from libs.crypto.errors import CertificateNotAccepted, MalformedCertificate, UnsupportedCertificate
from libs.crypto.provider import SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate, DistinguishedName, Role, TrustPolicy, Validity, make_root
from libs.crypto.x509.chain import verify_chain
from libs.sub_indications import SubIndication
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


@pytest.mark.parametrize("kind", STRINGS)
def test_strings(kind: str, tmp_path: Path) -> None:
    tag, value = STRINGS[kind]
    read = agree(Odd(subject=name(tag, value), issuer=name(tag, value)).der(), tmp_path)
    assert read.subject.startswith("CN=")
    assert read.subject.isprintable()
    if "utf-8" in kind or kind in ("bmp", "universal", "utf8"):
        assert "王" in read.subject


def test_a_value_can_not_pass_for_a_part_of_the_name(tmp_path: Path) -> None:
    read = agree(Odd(subject=name(0x0C, b"a, CN=b")).der(), tmp_path)
    assert read.subject == "CN=a\\, CN\\=b"
    assert agree(Odd(subject=name(0x0C, b"a\0b")).der(), tmp_path).subject == "CN=a\\00b"


@pytest.mark.parametrize("kind", TIMES)
def test_times(kind: str, tmp_path: Path) -> None:
    tag, value = TIMES[kind]
    read = agree(Odd(start=tlv(tag, value)).der(), tmp_path)
    year = {"utc of last century": 1950, "generalized after 2050": 2060}.get(kind, 2026)
    assert (read.not_before.year, read.not_before.month, read.not_before.tzinfo) == (year, 3, UTC)


@pytest.mark.parametrize("kind", SERIALS)
def test_serial_numbers(kind: str, tmp_path: Path) -> None:
    agree(Odd(serial=SERIALS[kind]).der(), tmp_path)


@pytest.mark.parametrize("kind", POINTS)
def test_points(kind: str, tmp_path: Path) -> None:
    read = agree(Odd(key=tlv(0x30, EC_SM2, tlv(0x03, b"\0" + POINTS[kind]))).der(), tmp_path)
    assert read.public_key == KEY.public_key


@pytest.mark.parametrize("kind", OTHERS)
def test_the_rest(kind: str, tmp_path: Path) -> None:
    agree(Odd(**OTHERS[kind]).der(), tmp_path)


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


@pytest.mark.parametrize("seed", range(40))
def test_all_at_once(seed: int, tmp_path: Path) -> None:
    agree(any_odd(random.Random(seed)).der(), tmp_path)


FORMS: dict[str, ber.Forms] = {
    "lengths with zeros": lambda tag, content: ber.longer(tag, content, 2),
    "indefinite lengths": ber.endless,
    "strings in pieces": lambda tag, content: (
        ber.in_pieces(tag, content[:3], content[3:]) if tag in (0x0C, 0x17, 0x04) else ber.shortest(tag, content)
    ),
    "a bit string in one piece": lambda tag, content: (
        ber.in_pieces(tag, content) if tag == 0x03 else ber.shortest(tag, content)
    ),
}


@pytest.mark.parametrize("kind", FORMS)
def test_what_is_not_encoded_as_der_is_read_and_named(kind: str, tmp_path: Path) -> None:
    identifier = extension("551d0e", tlv(4, b"an identifier"))
    read = agree(Odd(extensions=(identifier,)).der(FORMS[kind]), tmp_path)
    assert (read.subject, read.key_identifier) == ("CN=某人", b"an identifier")
    assert read.tolerated
    assert not read.faults
    assert not Certificate.parse(Odd(extensions=(identifier,)).der()).tolerated


def test_any_form_of_any_odd_certificate(tmp_path: Path) -> None:
    """The same is read from any form; openssl refuses some that X.690 allows."""
    compared = 0
    for seed in range(60):
        choose = random.Random(seed)
        odd = any_odd(choose)
        encoded, plain = odd.der(ber.any_form(choose)), Certificate.parse(odd.der())
        read = Certificate.parse(encoded)
        if openssl(encoded, tmp_path) is not None:
            agree(encoded, tmp_path)
            compared += 1
        for attribute in ("subject", "issuer", "serial_number", "not_before", "public_key", "is_ca", "faults"):
            assert getattr(read, attribute) == getattr(plain, attribute), seed
        PROVIDER.sm2_verify(read.public_key, read.tbs, read.signature)
    assert compared > 50


def _damaged(choose: random.Random) -> bytes:
    """An odd certificate with a byte that is another, new or gone, somewhere before its signature."""
    encoded = bytearray(any_odd(choose).der(choose.choice([ber.shortest, ber.any_form(choose)])))
    at, way = choose.randrange(len(encoded) - 70), choose.randrange(4)
    if way == 0:
        encoded[at] ^= 1 << choose.randrange(8)
    elif way == 1:
        encoded[at] = choose.choice(b"\0\x80\xff\x05\x1f\x3f\x24\x23\x30")
    else:
        encoded[at : at + way - 2] = b"" if way == 3 else bytes((choose.randrange(256),))
    return bytes(encoded)


def test_what_openssl_reads_of_the_damaged_we_read_but_for_what_is_documented(tmp_path: Path) -> None:
    documented = re.compile("|".join(told.replace("…", ".*") for told, _ in _rows().values()))
    damaged = [_damaged(random.Random(seed)) for seed in range(250)]
    read = [each for each in damaged if openssl(each, tmp_path) is not None]
    assert len(read) > 30
    assert [each.hex() for each in read if (why := _refusal(each)) and not documented.search(why)] == []


def _refusal(encoded: bytes) -> str:
    try:
        Certificate.parse(encoded)
    except MalformedCertificate as error:
        return str(error)
    return ""


_CASES: dict[str, Odd] = {
    "no-point": Odd(key=tlv(0x30, EC_SM2, tlv(0x03, b"\0\4" + bytes(64)))),
    "no-time": Odd(start=tlv(0x17, b"garbage")),
    "unused-bits": Odd(key=tlv(0x30, EC_SM2, tlv(0x03, b"\1" + KEY.public_key.point[:-1] + b"\0"))),
    "bits-in-pieces": Odd(key=tlv(0x30, EC_SM2, tlv(0x23, tlv(0x04, b"\0" + KEY.public_key.point)))),
    "no-sequence": Odd(tail=tlv(0xA3, tlv(0x10, extension("551d0e", tlv(4, b"id"))))),
    "too-much": Odd(extensions=(extension("2a0304", bytes(17_000)),)),
    "other-algorithm": Odd(algorithm=tlv(0x30, bytes.fromhex("06082a811ccf55018376"))),
    "explicit-parameters": Odd(
        key=tlv(0x30, tlv(0x30, bytes.fromhex("06072a8648ce3d0201"), tlv(0x30, b"\2\1\1")), tlv(0x03, b"\0\4"))
    ),
}
_ROW = re.compile(r"\| ([a-z-]+) \| [^|]+ \| `([^`]+)` \| (FAILED|INDETERMINATE) \| [^|]+ \|")


def _rows() -> dict[str, tuple[str, str]]:
    text = (Path(__file__).parents[3] / "docs" / "validation.md").read_text("utf-8")
    found = text.partition("## What openssl reads and we do not")[2].splitlines()
    return {row[1]: (row[2], row[3]) for row in map(_ROW.fullmatch, found) if row}


@pytest.mark.parametrize("name", _CASES)
def test_what_openssl_reads_and_we_do_not_is_told_as_the_table_says(name: str, tmp_path: Path) -> None:
    told, outcome = _rows()[name]
    encoded = _CASES[name].der()
    assert openssl(encoded, tmp_path) is not None
    with pytest.raises(MalformedCertificate, match=told.replace("…", ".*")) as caught:
        Certificate.parse(encoded)
    assert isinstance(caught.value, UnsupportedCertificate) is (outcome == "INDETERMINATE")


def test_what_follows_a_certificate_is_no_part_of_it_and_named(tmp_path: Path) -> None:
    read = agree(Odd().der() + b"no ASN.1", tmp_path)
    assert read.tolerated == ("bytes after the certificate",)
    assert read != Certificate.parse(Odd().der())


@pytest.mark.parametrize(
    ("extensions", "inner"),
    [
        ((extension("551d13", b"no sequence"),), None),
        ((extension("551d0e", tlv(4, b"a")), extension("551d0e", tlv(4, b"a"))), None),
        ((extension("551d13", tlv(0x30, b"\x02\x01\x01")),), None),
        ((extension("551d0f", tlv(0x03, b"\x09\xff")),), None),
        ((), tlv(0x30, SM2_SM3, b"\x05\0")),
    ],
)
def test_what_is_read_in_spite_of_a_fault_entitles_to_nothing(
    extensions: tuple[bytes, ...], inner: bytes | None, tmp_path: Path
) -> None:
    """Read, so that the report can name it; but no chain with it holds."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    root = make_root(KEY, DistinguishedName("测试"), Validity.days(start, 9000))
    purposes = extension("551d25", tlv(0x30, core.ObjectIdentifier(Role.SEAL_MAKER.value).dump()))
    good = Odd(issuer=root.subject_der, extensions=(purposes,))
    policy = TrustPolicy((root,), require_crl=False)
    at = datetime(2026, 6, 1, tzinfo=UTC)
    verify_chain(agree(good.der(), tmp_path), (), at, policy, PROVIDER, Role.SEAL_MAKER)
    bad = Odd(issuer=root.subject_der, extensions=(purposes, *extensions), inner=inner)
    with pytest.raises(CertificateNotAccepted) as caught:
        verify_chain(agree(bad.der(), tmp_path), (), at, policy, PROVIDER, Role.SEAL_MAKER)
    assert caught.value.sub_indication is SubIndication.CHAIN_CONSTRAINTS_FAILURE


def test_another_algorithm_is_unsupported_and_not_broken(tmp_path: Path) -> None:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    for kind in (curve, ["-newkey", "rsa:2048"]):
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                *kind,
                "-nodes",
                "-keyout",
                "k",
                "-subj",
                "/CN=x",
                "-outform",
                "DER",
                "-out",
                "c",
            ],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        with pytest.raises(UnsupportedCertificate):
            Certificate.parse((tmp_path / "c").read_bytes())
    for broken in (b"", b"\x30\0", Odd().der()[:-1], Odd(start=tlv(0x17, b"garbage")).der()):
        with pytest.raises(MalformedCertificate) as caught:
            Certificate.parse(broken)
        assert not isinstance(caught.value, UnsupportedCertificate)


@pytest.mark.parametrize(
    ("issuer", "good"),
    [
        (name(0x13, b"Test CA"), True),
        (name(0x0C, b"test  ca "), True),
        (name(0x1E, "TEST CA".encode("utf-16-be")), True),
        (name(0x0C, b"Test CB"), False),
        (name(0x0C, b"Test CA", "55040a"), False),
        (tlv(0x30), False),
    ],
)
def test_an_issuer_is_found_by_its_name_however_that_is_written(issuer: bytes, good: bool, tmp_path: Path) -> None:
    """As ``openssl verify`` finds it, whose word for it is compared."""
    constraints = extension("551d13", tlv(0x30, b"\x01\x01\xff"), b"\x01\x01\xff")
    purposes = extension("551d25", tlv(0x30, core.ObjectIdentifier(Role.SEAL_MAKER.value).dump()))
    subject = name(0x0C, b"Test CA")
    root = Odd(issuer=subject, subject=subject, extensions=(constraints,)).der()
    leaf = Odd(issuer=issuer, extensions=(purposes,)).der()
    for file, der in (("root", root), ("leaf", leaf)):
        (tmp_path / f"{file}.pem").write_bytes(Certificate.parse(der).pem)
    done = subprocess.run(
        [
            "openssl",
            "verify",
            "-attime",
            "1780000000",
            "-vfyopt",
            "distid:1234567812345678",
            "-partial_chain",
            "-trusted",
            "root.pem",
            "leaf.pem",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is good, done.stderr
    policy = TrustPolicy((Certificate.parse(root),), require_crl=False)
    arguments = (Certificate.parse(leaf), (), datetime(2026, 6, 1, tzinfo=UTC), policy, PROVIDER, Role.SEAL_MAKER)
    if good:
        assert len(verify_chain(*arguments)) == 2
        return
    with pytest.raises(CertificateNotAccepted) as caught:
        verify_chain(*arguments)
    assert caught.value.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
