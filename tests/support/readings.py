"""One document for each row of docs/validation.md, and what the validator knows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from asn1crypto import core

from libs.crypto.provider import SoftwareSigner
from libs.crypto.x509 import DistinguishedName, Profile, RevocationReason, RevokedEntry, TrustPolicy, Validity
from libs.crypto.x509.crl import make_crl
from libs.crypto.x509.issue import issue_certificate
from libs.documents.ofd import pack
from services.seal.core.seal_rules import SealState
from services.seal.core.ses import build_seal, build_signature, build_tbs, der
from services.seal.sealing.ofd import Placement, finish, prepare
from services.seal.validation.rules import StepFinding, passed
from services.seal.validation.steps import Checks
from services.seal.validation.trust import CertificateTrust
from tests.support import ber
from tests.support import foreign_seal as foreign
from tests.support.seals import (
    ABROAD,
    T0,
    T1,
    VALUE,
    Party,
    Records,
    SealKit,
    make_seal,
    ofd_document,
    ofd_files,
    rewritten,
    seal_plan,
    stamped,
)

DAY, LATER = timedelta(days=1), T1 + timedelta(hours=1)
USED = datetime(2021, 3, 1, tzinfo=UTC)
"""When the seals of others are used."""
SIGNATURE = "Doc_0/Signs/Sign_1/Signature.xml"
LISTING = "Doc_0/Signs/Signatures.xml"
Files = dict[str, bytes]


@dataclass(frozen=True)
class Desk:
    """What the cases are made with."""

    kit: SealKit
    who: foreign.Parties
    folder: Path

    def ours(self, change: Callable[[Files], Any] = lambda _: None, **how: Any) -> bytes:
        """A document under our seal, changed afterwards."""
        return rewritten(self.kit.sealed(ofd_document(), **how), lambda files: (change(files), None)[1])

    def theirs(self, seal: bytes, sign: Callable[[bytes, str], bytes]) -> bytes:
        """A document under another's seal."""
        made = prepare(ofd_document(), seal, b"", [Placement(1, 100, 100)], USED)
        return pack(made.files | {made.value_name: sign(made.data_hash, made.property_info)})

    def knowing(self, now: datetime = LATER, records: Records | None = None, **what: Any) -> Checks:
        """What the validator knows."""
        return replace(self.kit.checks(now, records or Records()), **what)

    def listing(self, *entries: RevokedEntry, **how: Any) -> Checks:
        """What the validator knows with this list of the root's."""
        root = self.kit.root
        crl = make_crl(root.certificate, root.signer, 1, T0, LATER + 9 * DAY, entries)
        trust = CertificateTrust(TrustPolicy((root.certificate,), (crl,)), self.kit.provider)
        return replace(self.knowing(**how), chain=trust.chain)


def trusting(desk: Desk, **how: Any) -> Checks:
    """What the validator knows who trusts whoever made it."""

    def chain(*_: Any) -> StepFinding:
        return passed("trusted")

    return replace(desk.knowing(USED + DAY, **how), chain=chain)


Case = Callable[[Desk], tuple[bytes, Checks]]
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    """Registers a case."""

    def register(made: Case) -> Case:
        CASES[name] = made
        return made

    return register


def _v4(desk: Desk, info: foreign.SealInfo | None = None, who: foreign.Parties | None = None) -> bytes:
    who = who or desk.who
    seal = foreign.seal_v4(who, info or foreign.seal_info(4, who.signer))
    return desk.theirs(seal, lambda digest, path: foreign.signature_v4(who, seal, USED, digest, path))


@case("utf8-in-ia5")
def _(desk: Desk) -> tuple[bytes, Checks]:
    who = desk.who
    info = foreign.seal_info(4, who.signer, vid="某某公司", es_id="编号50011200000399")
    return _v4(desk, info, who), trusting(desk)


def _v1(desk: Desk, time: bytes | None = None, *, info_alone: bool = False) -> bytes:
    who = desk.who
    seal = foreign.seal_v1(who, info_alone=info_alone)
    return desk.theirs(seal, lambda digest, path: foreign.signature_v1(who, seal, USED, digest, path, time))


CASES["version-1"] = lambda desk: (_v1(desk), trusting(desk))
CASES["version-1-info-alone"] = lambda desk: (_v1(desk, info_alone=True), trusting(desk))
CASES["stamp-as-time"] = lambda desk: (_v1(desk, b"\x30\x03\x02\x01\x01"), trusting(desk))


CASES["time-in-other-words"] = lambda desk: (_v1(desk, b"2021-03-01 00:00:00"), trusting(desk))


@case("version-1-own-words")
def _(desk: Desk) -> tuple[bytes, Checks]:
    seal = foreign.seal_v1(desk.who)
    return desk.theirs(
        seal, lambda digest, _: foreign.signature_v1(desk.who, seal, USED, digest, "scope=all", version=2)
    ), trusting(desk)


@case("version-5")
def _(desk: Desk) -> tuple[bytes, Checks]:
    who = desk.who
    seal = foreign.seal_v4(who, foreign.seal_info(5, who.signer))
    return desk.theirs(
        seal, lambda digest, path: foreign.signature_v4(who, seal, USED, digest, path, version=5)
    ), trusting(desk)


@case("utc-times")
def _(desk: Desk) -> tuple[bytes, Checks]:
    who = desk.who
    info = foreign.seal_info(4, who.signer)
    prop = info["property"].parse(spec=foreign.PropertyV4)
    prop["created"] = foreign.utc(foreign.MADE)
    prop["start"] = core.Any(core.Asn1Value.load(b"\x17\x0b2004220209Z"))
    prop["end"] = core.Any(core.Asn1Value.load(b"\x18\x1320250422100900+0800"))
    info["property"] = core.Any(prop)
    return _v4(desk, info, who), trusting(desk)


@case("older-namespace")
def _(desk: Desk) -> tuple[bytes, Checks]:
    older = {name: text.replace(b"ofdspec.org/2016", b"ofdspec.org") for name, text in ofd_files().items()}
    made = prepare(pack(older), desk.kit.seal, desk.kit.signer.certificate.der, [Placement(1, 100, 100)], T1)
    return finish(made, desk.kit.signer.signer.sign(made.tbs)), desk.knowing()


@case("made-before-maker")
def _(desk: Desk) -> tuple[bytes, Checks]:
    maker = foreign.certificate(
        "某制章单位", desk.who.maker_key, "签发", desk.who.signer_key, foreign.MADE + 5 * DAY, foreign.MADE + 3000 * DAY
    )
    return _v4(desk, who=replace(desk.who, maker=maker)), trusting(desk)


def _renamed(desk: Desk, value: bytes, oid: str) -> bytes:
    """The signature with another algorithm named."""
    parts = [part.raw for part in der.elements(der.one(value, der.Tag.SEQUENCE).content)]
    parts[2] = core.ObjectIdentifier(oid).dump()
    return der.encode(der.Tag.SEQUENCE, *parts)


def _with_algorithm(oid: str) -> Case:
    return lambda desk: (desk.ours(lambda f: f.update({VALUE: _renamed(desk, f[VALUE], oid)})), desk.knowing())


CASES["sm2-by-another-name"] = _with_algorithm("1.2.156.10197.1.301")
CASES["algorithm-of-another-key"] = _with_algorithm("1.2.840.10045.4.3.2")


@case("odd-certificate")
def _(desk: Desk) -> tuple[bytes, Checks]:
    who = desk.who
    signer = foreign.certificate(
        "", who.signer_key, "签发", who.maker_key, foreign.MADE - DAY, foreign.MADE + 3000 * DAY, odd=True
    )
    return _v4(desk, who=replace(who, signer=signer)), trusting(desk)


@case("ber-certificate")
def _(desk: Desk) -> tuple[bytes, Checks]:
    """The signer's certificate with an outer form of BER; what its issuer signed stays."""
    content = der.one(desk.who.signer, der.Tag.SEQUENCE).content
    return _v4(desk, who=replace(desk.who, signer=ber.endless(der.Tag.SEQUENCE, content))), trusting(desk)


def _ber(files: Files) -> None:
    """The signature's parts in forms of BER; what was signed stays."""
    parts = der.elements(der.one(files[VALUE], der.Tag.SEQUENCE).content)
    value = ber.in_pieces(der.Tag.BIT_STRING, parts[3].content, form=ber.longer)
    files[VALUE] = ber.endless(der.Tag.SEQUENCE, b"".join(part.raw for part in parts[:3]) + value)


CASES["ber-structure"] = lambda desk: (desk.ours(_ber), desk.knowing())


def _listed_by(desk: Desk, kind: bytes, digest: bytes) -> bytes:
    """A document under our seal, whose list names its signer by a digest."""
    kit = desk.kit
    info = der.elements(der.one(make_seal(kit.maker, seal_plan(kit.signer)), der.Tag.SEQUENCE).content)[0]
    parts = der.elements(info.content)
    listed = der.encode(der.Tag.OCTET_STRING, kit.signer.certificate.der)
    entry = bytes((0x13, len(kind))) + kind + der.encode(der.Tag.OCTET_STRING, digest)
    content = parts[2].content.replace(
        b"\x02\x01\x01" + der.encode(der.Tag.SEQUENCE, listed),
        b"\x02\x01\x02" + der.encode(der.Tag.SEQUENCE, der.encode(der.Tag.SEQUENCE, entry)),
    )
    prop = der.encode(der.Tag.SEQUENCE, content)
    whole = der.encode(der.Tag.SEQUENCE, parts[0].raw, parts[1].raw, prop, parts[3].raw)
    seal = build_seal(whole, kit.maker.certificate.der, kit.maker.signer.sign(whole))
    return replace(kit, seal=seal).sealed(ofd_document())


CASES["digest-list"] = lambda desk: (_listed_by(desk, b"SM3", desk.kit.signer.certificate.digest), desk.knowing())
CASES["list-by-other-digest"] = lambda desk: (
    _listed_by(desk, b"SHA256", sha256(desk.kit.signer.certificate.der).digest()),
    desk.knowing(),
)


@case("path-in-other-case")
def _(desk: Desk) -> tuple[bytes, Checks]:
    def rename(files: Files) -> None:
        files["Doc_0/PAGES/Page_0/Content.xml"] = files.pop("Doc_0/Pages/Page_0/Content.xml")

    return desk.ours(rename), desk.knowing()


CASES["unsigned"] = lambda desk: (ofd_document(), desk.knowing())
CASES["unknown-root"] = lambda desk: (
    desk.ours(),
    replace(desk.knowing(), chain=CertificateTrust(TrustPolicy((), require_crl=False), desk.kit.provider).chain),
)
CASES["no-revocation-list"] = lambda desk: (
    desk.ours(),
    replace(desk.knowing(), chain=CertificateTrust(TrustPolicy((desk.kit.root.certificate,)), desk.kit.provider).chain),
)
CASES["records-away"] = lambda desk: (desk.ours(), desk.knowing(records=Records(reachable=False)))
CASES["seal-not-listed"] = lambda desk: (desk.ours(), desk.knowing(records=ABROAD))
CASES["seal-frozen"] = lambda desk: (
    desk.ours(),
    desk.knowing(records=Records(state=SealState.FROZEN, recorded=False)),
)


@case("other-version")
def _(desk: Desk) -> tuple[bytes, Checks]:
    who = desk.who
    seal = foreign.seal_v4(who, foreign.seal_info(9, who.signer))
    made = prepare(ofd_document(), desk.kit.seal, b"", [Placement(1, 100, 100)], USED)
    value = foreign.signature_v4(who, seal, USED, made.data_hash, made.property_info)
    return pack(made.files | {made.value_name: value}), trusting(desk)


def replaced(name: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    """A change of one file of a document."""

    def change(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    return change


CASES["no-seal-signature"] = lambda desk: (
    desk.ours(replaced(LISTING, b'Type="Seal"', b'Type="Sign"')),
    desk.knowing(),
)


def _resigned(desk: Desk, change: Callable[[bytes], bytes], **how: Any) -> bytes:
    """A document whose Signature.xml was changed before it was signed."""
    kit = desk.kit
    made = prepare(ofd_document(), kit.seal, kit.signer.certificate.der, [Placement(1, 150, 240)], T1)
    files = made.files | {SIGNATURE: change(made.files[SIGNATURE])}
    digest = kit.provider.sm3(files[SIGNATURE])
    tbs = build_tbs(kit.seal, T1, digest, how.get("path", made.property_info))
    return pack(files | {made.value_name: build_signature(tbs, made.certificate, kit.signer.signer.sign(tbs))})


CASES["other-digest"] = lambda desk: (
    _resigned(desk, lambda xml: xml.replace(b"1.2.156.10197.1.401", b"2.16.840.1.101.3.4.2.1")),
    desk.knowing(),
)
CASES["white-space"] = lambda desk: (
    _resigned(desk, lambda xml: xml.replace(b"<ofd:CheckValue>", b"<ofd:CheckValue>\n ").replace(b"=</", b"\n=\n</")),
    desk.knowing(),
)
CASES["other-path"] = lambda desk: (
    _resigned(desk, lambda xml: xml, path="/Doc_0/Signs/Sign_9/Signature.xml"),
    desk.knowing(),
)


@case("other-algorithm")
def _(desk: Desk) -> tuple[bytes, Checks]:
    who = desk.who
    stranger = foreign.other_certificate(desk.folder)
    listed = replace(who, signer=stranger)
    seal = foreign.seal_v4(listed)

    def sign(digest: bytes, path: str) -> bytes:
        return _renamed(desk, foreign.signature_v4(listed, seal, USED, digest, path), "1.2.840.10045.4.3.2")

    return desk.theirs(seal, sign), trusting(desk)


CASES["stamp-not-trusted"] = lambda desk: (stamped(desk.ours()), desk.knowing())


def _revoked(party: Callable[[SealKit], Party], at: datetime, **how: Any) -> Case:
    entry = {name: how.pop(name) for name in ("reason", "invalidity_time") if name in how}

    def made(desk: Desk) -> tuple[bytes, Checks]:
        serial = party(desk.kit).certificate.serial_number
        return desk.ours(), desk.listing(RevokedEntry(serial, at, **entry), **how)

    return made


CASES["revoked-since"] = _revoked(lambda kit: kit.signer, T1 + DAY / 99, records=ABROAD)
CASES["compromised-before"] = _revoked(
    lambda kit: kit.signer, T1 + DAY / 99, reason=RevocationReason.KEY_COMPROMISE, invalidity_time=T1 - DAY
)
CASES["revoked-before"] = _revoked(lambda kit: kit.signer, T1 - DAY)


@case("authority-revoked-since")
def _(desk: Desk) -> tuple[bytes, Checks]:
    kit = desk.kit
    keys = [SoftwareSigner(kit.provider, kit.provider.sm2_generate()) for _ in range(2)]
    period = Validity(kit.root.certificate.not_before, kit.root.certificate.not_after)
    authority = issue_certificate(
        kit.root.certificate,
        kit.root.signer,
        DistinguishedName("子"),
        keys[0].public_key,
        Profile.SUBORDINATE_CA,
        period,
    )
    certificate = issue_certificate(
        authority, keys[0], DistinguishedName("签"), keys[1].public_key, Profile.SIGNER, period
    )
    signer = Party(keys[1], certificate)
    seal = make_seal(kit.maker, replace(seal_plan(signer), certificates=(certificate.der,)))
    entry = RevokedEntry(authority.serial_number, T1 + DAY / 99)
    crls = (
        make_crl(kit.root.certificate, kit.root.signer, 1, T0, LATER + DAY, [entry]),
        make_crl(authority, keys[0], 1, T0, LATER + DAY, []),
    )
    trust = CertificateTrust(TrustPolicy((kit.root.certificate,), crls), kit.provider, (authority,))
    document = replace(kit, seal=seal).sealed(ofd_document(), by=signer)
    return document, replace(desk.knowing(records=ABROAD), chain=trust.chain)


CASES["expired-since"] = lambda desk: (
    desk.ours(),
    desk.knowing(desk.kit.signer.certificate.not_after + DAY, ABROAD),
)
CASES["seal-expired-since"] = lambda desk: (desk.ours(), desk.knowing(T0 + 366 * DAY, ABROAD))
CASES["seal-revoked-since"] = lambda desk: (
    desk.ours(),
    desk.knowing(records=Records(state=SealState.REVOKED, end_time=T1 + DAY / 99, recorded=False)),
)
CASES["use-not-recorded"] = lambda desk: (desk.ours(), desk.knowing(records=Records(recorded=False)))
CASES["pdf"] = lambda desk: (b"%PDF-1.7\n%%EOF\n", desk.knowing())
CASES["pdf-behind"] = lambda desk: (b"\xef\xbb\xbf" + b"\0" * 900 + b"%PDF-1.7\n%%EOF\n" * 2, desk.knowing())
CASES["pdf-and-package"] = lambda desk: (b"%PDF-1.7\n%%EOF\n" + desk.ours(), desk.knowing())


@case("encrypted")
def _(desk: Desk) -> tuple[bytes, Checks]:
    data = bytearray(desk.ours())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    return bytes(data), desk.knowing()
