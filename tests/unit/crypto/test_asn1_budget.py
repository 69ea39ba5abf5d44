"""What ASN.1 may cost: linear in its size, and refused before a decoder meets it."""

import os
from collections.abc import Callable

import pytest

from libs.crypto.asn1_budget import ENDLESS, IN_PIECES, LONGER, Asn1Limits, Asn1Refused, check_asn1
from libs.crypto.errors import MalformedCertificate
from libs.crypto.x509.certificate import Certificate
from services.seal.core.ses import SesError, der, parse_seal
from services.seal.core.ses.der import Tag, encode
from tests.support import ber
from tests.support.seals import make_kit

LIMITS = Asn1Limits(size=1 << 20)
KIT = make_kit()


def _refused(der: bytes, limits: Asn1Limits = LIMITS) -> str:
    with pytest.raises(Asn1Refused) as caught:
        check_asn1(der, limits)
    return str(caught.value)


def test_what_we_make_is_taken() -> None:
    check_asn1(KIT.seal, LIMITS)
    for party in (KIT.root, KIT.maker, KIT.signer):
        check_asn1(party.certificate.der, LIMITS)


@pytest.mark.parametrize("arcs", [b"\x2a" * 300_000, b"\x2a" * 140 + b"\x81" * 12 + b"\x01"], ids=["long", "large"])
def test_an_object_identifier_without_measure_is_refused_wherever_it_stands(arcs: bytes) -> None:
    oid = encode(Tag.OBJECT_IDENTIFIER, arcs)
    for wrapped in (oid, encode(Tag.SEQUENCE, oid), encode(Tag.OCTET_STRING, encode(Tag.SEQUENCE, oid))):
        _refused(wrapped)


def test_an_arc_larger_than_a_uuid_is_refused() -> None:
    assert "larger than a UUID" in _refused(encode(Tag.OBJECT_IDENTIFIER, b"\x2a" + b"\x81" * 19 + b"\x01"))
    check_asn1(encode(Tag.OBJECT_IDENTIFIER, b"\x69" + b"\x81" * 18 + b"\x01"), LIMITS)


@pytest.mark.parametrize(
    ("der", "why"),
    [
        (encode(Tag.INTEGER, b"\x01" * 2_000), "2000 bytes"),
        (encode(Tag.GENERALIZED_TIME, b"2" * 100), "100 bytes"),
        (encode(Tag.SEQUENCE, encode(Tag.INTEGER, b"\0") * 6_000), "5000 elements"),
        (b"\x30\x80\x05\x00", "without an end"),
        (b"\x30\x80\x05\x00\x00", "cut off"),
        (b"\x04\x80\x00\x00", "without measure"),
        (b"\x30\x89" + bytes(8) + b"\x01\x00", "without measure"),
        (b"\x30\x80" + b"\x05\x00" * 6_000 + b"\0\0", "5000 elements"),
        (b"\x30\x05\x02\x01\x00", "longer"),
        (b"\x1f\x81\x81\x81\x81\x01\x00", "tag without measure"),
        (b"\x30", "cut off"),
    ],
)
def test_every_limit_is_named(der: bytes, why: str) -> None:
    assert why in _refused(der)


def test_depth_is_bounded_by_the_limit_and_not_by_the_stack() -> None:
    der = b""
    for _ in range(5_000):
        der = encode(Tag.SEQUENCE, der)
    assert "24 deep" in _refused(der)


def test_depth_of_indefinite_lengths_is_bounded_as_well() -> None:
    assert "24 deep" in _refused(b"\x30\x80" * 5_000 + b"\0\0" * 5_000)
    assert "24 deep" in _refused(b"\x24\x80" * 5_000)


def test_a_string_in_pieces_is_looked_into_as_the_string_that_it_makes() -> None:
    """No piece looks like anything, but what a decoder is given is an object identifier without measure."""
    hidden = encode(Tag.SEQUENCE, encode(Tag.OBJECT_IDENTIFIER, b"\x2a" * 3_000))
    pieces = [hidden[at : at + 100] for at in range(0, len(hidden), 100)]
    for form in (ber.shortest, ber.endless):
        assert "3000 bytes" in _refused(ber.in_pieces(Tag.OCTET_STRING, *pieces, form=form))
    assert "300 bytes" in _refused(ber.in_pieces(Tag.GENERALIZED_TIME, *[b"2" * 30] * 10))


def test_what_is_not_der_is_told() -> None:
    assert check_asn1(KIT.seal, LIMITS) == ()
    assert check_asn1(ber.endless(Tag.SEQUENCE, b"\x05\0"), LIMITS) == (ENDLESS,)
    assert check_asn1(ber.longer(Tag.SEQUENCE, b"\x05\0", 3), LIMITS) == (LONGER,)
    assert check_asn1(ber.in_pieces(Tag.OCTET_STRING, b"a", b"b"), LIMITS) == (IN_PIECES,)


def test_a_digest_that_looks_like_asn1_is_bytes() -> None:
    check_asn1(encode(Tag.OCTET_STRING, b"\x01\x12" + os.urandom(18)), LIMITS)
    check_asn1(encode(Tag.OCTET_STRING, b"\x89PNG" + bytes(5_000)), LIMITS)


def _seal_with(name: bytes) -> bytes:
    """A seal in which an extension's identifier stands in the place of the signature algorithm."""
    parts = [part.raw for part in der.elements(der.one(KIT.seal, Tag.SEQUENCE).content)]
    return encode(Tag.SEQUENCE, parts[0], parts[1], name, *parts[3:])


@pytest.mark.parametrize(
    "read",
    [
        lambda oid: parse_seal(_seal_with(oid)),
        lambda oid: Certificate.parse(encode(Tag.SEQUENCE, encode(Tag.SEQUENCE, oid))),
    ],
)
def test_readers_ask_before_they_decode(read: Callable[[bytes], object]) -> None:
    with pytest.raises((SesError, MalformedCertificate), match=r"bytes"):
        read(encode(Tag.OBJECT_IDENTIFIER, b"\x2a" * 300_000))
