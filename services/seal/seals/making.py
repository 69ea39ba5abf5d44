"""Makes a seal: the picture, the signer's key and certificate, and the structure that the seal maker signs."""

from dataclasses import dataclass
from datetime import datetime

from libs.crypto.x509 import Certificate, DistinguishedName, Profile
from services.seal.core.authority import SealAuthority
from services.seal.core.keys import OpenedKeys, sign
from services.seal.core.makers import Maker
from services.seal.core.seal_rules import DIAMETERS_MM, SealKind, SealRank
from services.seal.core.ses import SealPlan, build_seal, build_seal_info
from services.seal.seals.picture import SealText, draw, to_png, to_svg

_LONGEST_COMMON_NAME = 64
_TYPES = {kind: number for number, kind in enumerate(SealKind, 1)}


@dataclass(frozen=True, slots=True)
class SealOrder:
    """What seal to make.

    Attributes:
        identifier: the UUID of its resource; its digits are the esID.
        name: the seal's name.
        kind: what it is for.
        rank: the owner's rank.
        owner_uscc: the owner's unified social credit code.
        text: what stands on it.
        make_time: when it is made.
        valid_from: from when it may be used.
        valid_until: until when.
    """

    identifier: str
    name: str
    kind: SealKind
    rank: SealRank
    owner_uscc: str
    text: SealText
    make_time: datetime
    valid_from: datetime
    valid_until: datetime

    @property
    def diameter_mm(self) -> int:
        """The diameter that the rank fixes."""
        return DIAMETERS_MM[self.rank]

    @property
    def seal_id(self) -> str:
        """The esID."""
        return self.identifier.replace("-", "")


@dataclass(frozen=True, slots=True)
class MadeSeal:
    """A seal that was made.

    Attributes:
        order: what was ordered.
        maker: who made it.
        structure: the SESeal, DER.
        svg: the picture in paths.
        certificate: the signer's certificate.
        key_name: the signer's key in the key store.
        key_version: its version.
    """

    order: SealOrder
    maker: Maker
    structure: bytes
    svg: bytes
    certificate: Certificate
    key_name: str
    key_version: int


def make(order: SealOrder, maker: Maker, authority: SealAuthority, keys: OpenedKeys) -> MadeSeal:
    """Makes the seal; what fails leaves at most a key that nobody refers to.

    Raises:
        InvalidArgument: SEAL_TEXT_UNDRAWABLE.
        FailedPrecondition: CERTIFICATE_NOT_VALID, the authority's certificate does not hold in the seal's period.
        Unavailable: KEY_UNAVAILABLE.
    """
    drawing = draw(order.text, order.diameter_mm)
    period = authority.within(min(order.valid_from, order.make_time), order.valid_until)
    key = keys.make(f"seal-{order.identifier}")
    subject = DistinguishedName(
        order.name[:_LONGEST_COMMON_NAME], organization=order.text.arc, identifier=order.owner_uscc
    )
    public_key = keys.signer(key.name, key.version).public_key
    certificate = authority.issue(subject, public_key, Profile.SIGNER, period)
    info = build_seal_info(_plan(order, to_png(drawing), certificate.der))
    structure = build_seal(info, maker.certificate, sign(maker.signer, info))
    return MadeSeal(order, maker, structure, to_svg(drawing), certificate, key.name, key.version)


def _plan(order: SealOrder, picture: bytes, certificate: bytes) -> SealPlan:
    return SealPlan(
        seal_id=order.seal_id,
        seal_type=_TYPES[order.kind],
        name=order.name,
        certificates=(certificate,),
        create_time=order.make_time,
        valid_from=order.valid_from,
        valid_until=order.valid_until,
        picture=picture,
        width_mm=order.diameter_mm,
        height_mm=order.diameter_mm,
    )
