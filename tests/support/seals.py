"""A small authority with one seal, an OFD document, and what a validation is told, all synthetic."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from libs.crypto.provider import SmProvider, SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.chain import TrustPolicy
from libs.crypto.x509.issue import DistinguishedName, Profile, Validity, issue_certificate, make_root
from libs.documents.ofd import open_ofd, pack
from libs.sub_indications import SubIndication
from services.seal.core.seal_rules import SealState
from services.seal.core.ses import (
    ParsedSeal,
    ParsedSignature,
    SealPlan,
    build_seal,
    build_seal_info,
    der,
    parse_signature,
)
from services.seal.sealing.ofd import Placement, finish, prepare
from services.seal.validation.documents import SealReport
from services.seal.validation.registered import RegisteredSeal
from services.seal.validation.rules import StepOutcome
from services.seal.validation.steps import Checks, RecordsUnreachable
from services.seal.validation.trust import CertificateTrust

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""When the seal was made."""
T1 = T0 + timedelta(days=10)
"""When it is used."""
SEAL_ID = "0f" * 16


@dataclass(frozen=True)
class Party:
    """A key and its certificate."""

    signer: SoftwareSigner
    certificate: Certificate


@dataclass(frozen=True)
class SealKit:
    """An authority, a seal maker, a signer, a stranger, and the signer's seal."""

    provider: SmProvider
    root: Party
    maker: Party
    signer: Party
    stranger: Party
    seal: bytes

    def checks(self, now: datetime = T1 + timedelta(hours=1), records: "Records | None" = None) -> Checks:
        """What a validator knows who trusts the root, needs no CRL, and has every seal and every use on record."""
        trust = CertificateTrust(TrustPolicy((self.root.certificate,), require_crl=False), self.provider)
        return Checks(trust.verify, trust.chain, records or Records(), now)

    def sealed(self, document: bytes, at: datetime = T1, by: Party | None = None) -> bytes:
        """Seals ``document`` on its first page."""
        party = by or self.signer
        prepared = prepare(document, self.seal, party.certificate.der, [Placement(1, 150, 240)], at)
        return finish(prepared, party.signer.sign(prepared.tbs))

    def made_by(self, change: Callable[[SealPlan], SealPlan]) -> "SealKit":
        """The same with another seal, changed before the maker signed it."""
        return replace(self, seal=make_seal(self.maker, change(seal_plan(self.signer))))


@dataclass(frozen=True)
class Records:
    """A region's records, answering the same for every seal.

    Attributes:
        structure: the registered structure; None where it is the one that is asked for.
        state: the seal's state.
        end_time: when it ended.
        registered: whether the seal is known here at all.
        recorded: whether the use is on record.
        reachable: False where nothing can be read.
    """

    structure: bytes | None = None
    state: SealState = SealState.ACTIVE
    end_time: datetime | None = None
    registered: bool = True
    recorded: bool = True
    reachable: bool = True

    def find(self, seal: ParsedSeal, signature: ParsedSignature | None) -> tuple[RegisteredSeal, bool] | None:
        """The registered seal, and whether the use is on record."""
        if not self.reachable:
            raise RecordsUnreachable
        if not self.registered:
            return None
        known = RegisteredSeal(self.structure or seal.raw, self.state, T0, self.end_time)
        return known, self.recorded and signature is not None


VALUE = "Doc_0/Signs/Sign_1/SignedValue.dat"
"""Where the first signature of a document lies."""
ABROAD = Records(registered=False, recorded=False)
"""The records of a region that knows nothing of the seal."""


def seal_plan(signer: Party) -> SealPlan:
    """What the seal holds."""
    return SealPlan(
        seal_id=SEAL_ID,
        seal_type=1,
        name="测试市行政审批局电子证照专用章",
        certificates=(signer.certificate.der,),
        create_time=T0,
        valid_from=T0,
        valid_until=T0 + timedelta(days=365),
        picture=b"\x89PNG synthetic",
        width_mm=42,
        height_mm=42,
    )


def make_seal(maker: Party, plan: SealPlan) -> bytes:
    """Has the maker sign a seal."""
    info = build_seal_info(plan)
    return build_seal(info, maker.certificate.der, maker.signer.sign(info))


def make_kit() -> SealKit:
    """Makes fresh keys for everybody."""
    provider = default_provider()
    period = Validity.days(T0 - timedelta(days=1), 3000)
    key = SoftwareSigner(provider, provider.sm2_generate())
    root = Party(key, make_root(key, DistinguishedName("Test Root"), period))

    def party(name: str, profile: Profile) -> Party:
        own = SoftwareSigner(provider, provider.sm2_generate())
        subject = DistinguishedName(name)
        return Party(own, issue_certificate(root.certificate, key, subject, own.public_key, profile, period))

    maker, signer = party("Test Maker", Profile.SEAL_MAKER), party("Test Signer", Profile.SIGNER)
    return SealKit(
        provider, root, maker, signer, party("Stranger", Profile.SIGNER), make_seal(maker, seal_plan(signer))
    )


def ofd_files(pages: int = 2) -> dict[str, bytes]:
    """The files of a minimal OFD document: A4 pages, the last one A5 by its own Area."""
    ns = 'xmlns:ofd="http://www.ofdspec.org/2016"'
    listed = "".join(f'<ofd:Page ID="{n + 10}" BaseLoc="Pages/Page_{n}/Content.xml"/>' for n in range(pages))
    area = "<ofd:Area><ofd:PhysicalBox>0 0 148 210</ofd:PhysicalBox></ofd:Area>"
    files = {
        "OFD.xml": f'<ofd:OFD {ns} DocType="OFD" Version="1.1"><ofd:DocBody><ofd:DocInfo><ofd:DocID>{"0" * 32}'
        "</ofd:DocID></ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>",
        "Doc_0/Document.xml": f"<ofd:Document {ns}><ofd:CommonData><ofd:MaxUnitID>99</ofd:MaxUnitID><ofd:PageArea>"
        "<ofd:PhysicalBox>0 0 210 297</ofd:PhysicalBox></ofd:PageArea></ofd:CommonData>"
        f"<ofd:Pages>{listed}</ofd:Pages></ofd:Document>",
    }
    for number in range(pages):
        own = area if number == pages - 1 and pages > 1 else ""
        files[f"Doc_0/Pages/Page_{number}/Content.xml"] = f"<ofd:Page {ns}>{own}<ofd:Content/></ofd:Page>"
    return {name: text.encode() for name, text in files.items()}


def ofd_document(pages: int = 2) -> bytes:
    """The same as a file."""
    return pack(ofd_files(pages))


def rewritten(document: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The document after ``change`` to its files."""
    files = dict(open_ofd(document).entries)
    change(files)
    return pack(files)


def unsound(report: SealReport) -> dict[str, SubIndication | None]:
    """The steps that are not PASSED, and why."""
    fine = (StepOutcome.PASSED, StepOutcome.NOT_APPLICABLE)
    return {step.name: step.finding.sub_indication for step in report.steps if step.finding.outcome not in fine}


def stamped(document: bytes, by: Callable[[bytes], bytes] = lambda _: b"stamp") -> bytes:
    """The document with a time stamp beside the signature value: what ``by`` makes of that, or just something."""

    def stamp(files: dict[str, bytes]) -> None:
        signature = parse_signature(files[VALUE])
        bits = der.encode(der.Tag.BIT_STRING, b"\0", by(signature.signature))
        parts = [part.raw for part in der.elements(der.one(signature.raw, der.Tag.SEQUENCE).content)]
        files[VALUE] = der.encode(der.Tag.SEQUENCE, *parts, der.encode(der.Tag.CONTEXT_0, bits))

    return rewritten(document, stamp)
