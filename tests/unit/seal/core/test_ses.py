"""The SES structures: built, parsed, and never re-encoded."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.seal.core.ses import (
    SealPlan,
    SesError,
    build_many_tbs,
    build_seal,
    build_seal_info,
    build_signature,
    build_tbs,
    der,
    parse_seal,
    parse_signature,
)
from services.seal.core.ses.structures import SESeal, SesSignature
from tests.support.seals import T0, T1, SealKit, seal_plan

PLAN = SealPlan("ab" * 16, 3, "印章", (b"\x30\x00", b"\x30\x01x"), T0, T0, T1, b"picture", 42, 42)
SEAL = build_seal(build_seal_info(PLAN), b"\x30\x00", b"value")
SIGNATURE = build_signature(build_tbs(SEAL, T1, b"h" * 32, "/Doc_0/Signs/Sign_1/Signature.xml"), b"\x30\x00", b"v2")


def test_a_seal_comes_back_as_it_was_built(kit: SealKit) -> None:
    plan, seal = seal_plan(kit.signer), parse_seal(kit.seal)
    assert (seal.version, seal.vendor, seal.seal_id, seal.name) == (4, "TONGBAN", plan.seal_id, plan.name)
    assert (seal.certificates, seal.certificate_digests) == (plan.certificates, ())
    assert (seal.create_time, seal.valid_from, seal.valid_until) == (T0, plan.valid_from, plan.valid_until)
    assert (seal.picture_type, seal.picture, seal.width_mm, seal.height_mm) == ("PNG", plan.picture, 42, 42)
    assert seal.raw == kit.seal
    assert seal.info_raw == build_seal_info(plan)


def test_a_signature_comes_back_as_it_was_built() -> None:
    signature = parse_signature(SIGNATURE)
    assert (signature.version, signature.time, signature.data_hash) == (4, T1, b"h" * 32)
    assert signature.property_info == "/Doc_0/Signs/Sign_1/Signature.xml"
    assert signature.seal.raw == SEAL
    assert signature.tbs_raw == build_tbs(SEAL, T1, b"h" * 32, signature.property_info)
    assert (signature.certificate, signature.signature, signature.time_stamp) == (b"\x30\x00", b"v2", None)


@pytest.mark.parametrize("extensions", [(), (("1.2.3.4", b"x"), ("1.2.3.5", b""))])
def test_the_classes_of_the_standard_encode_the_same_bytes(extensions: tuple[tuple[str, bytes], ...]) -> None:
    raw = build_signature(build_tbs(SEAL, T1, b"h" * 32, "/a", extensions), b"\x30\x00", b"v")
    for kind, data in ((SesSignature, raw), (SESeal, SEAL)):
        value = kind.load(data, strict=True)
        _ = value.native
        assert value.dump(force=True) == data


def test_critical_false_is_written_out_and_both_forms_are_read() -> None:
    written = build_tbs(SEAL, T1, b"h" * 32, "/a", (("1.2.3.4", b"x"),))
    assert bytes.fromhex("06032a0304" + "010100" + "040178") in written
    signature = build_signature(written, b"\x30\x00", b"v")
    assert parse_signature(signature).tbs_raw == written
    extension = der.encode(der.Tag.SEQUENCE, bytes.fromhex("06032a0304" + "040178"))
    parts = der.elements(der.one(build_tbs(SEAL, T1, b"h" * 32, "/a"), der.Tag.SEQUENCE).content)
    bare = der.encode(der.Tag.CONTEXT_0, der.encode(der.Tag.SEQUENCE, extension))
    shorter = der.encode(der.Tag.SEQUENCE, *(part.raw for part in parts), bare)
    assert parse_signature(build_signature(shorter, b"\x30\x00", b"v")).tbs_raw == shorter


def test_times_lose_their_fractions_and_their_zone() -> None:
    at = datetime.fromisoformat("2026-03-02T09:00:00.987654+08:00")
    raw = build_signature(build_tbs(SEAL, at, b"h" * 32, "/a"), b"\x30\x00", b"v")
    assert parse_signature(raw).time == datetime(2026, 3, 2, 1, tzinfo=UTC)


def _changed(old: bytes, new: bytes) -> bytes:
    assert SEAL.count(old) == 1
    return SEAL.replace(old, new)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",
        SEAL[:-1],
        SEAL + b"\x00",
        SIGNATURE,
        _changed(b"\x16\x02ES\x02\x01\x04", b"\x16\x02ES\x02\x01\x06"),
        _changed(b"\x16\x02ES", b"\x16\x02EX"),
        _changed(b"20260302010000Z\x18\x0f20260302010000Z\x18", b"20260302010000Z\x18\x0f202603020100000\x18"),
        der.encode(der.Tag.SEQUENCE, b"\x30\x00", b"\x30\x00"),
    ],
)
def test_what_is_no_seal_is_refused(raw: bytes) -> None:
    with pytest.raises(SesError):
        parse_seal(raw)


@settings(max_examples=300)
@given(place=st.integers(0, len(SIGNATURE) - 1), value=st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused_but_never_breaks_the_parser(place: int, value: int) -> None:
    raw = SIGNATURE[:place] + bytes((value,)) + SIGNATURE[place + 1 :]
    try:
        signature = parse_signature(raw)
    except SesError:
        return
    assert signature.raw == raw
    assert signature.tbs_raw in raw
    assert signature.seal.info_raw in signature.seal.raw in signature.tbs_raw


@settings(max_examples=200)
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_way(raw: bytes) -> None:
    with pytest.raises(SesError):
        parse_signature(raw)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_lengths_are_written_and_read_in_their_shortest_form(size: int) -> None:
    raw = der.encode(der.Tag.OCTET_STRING, bytes(size))
    assert der.one(raw, der.Tag.OCTET_STRING).content == bytes(size)


@pytest.mark.parametrize("raw", ["048000", "0481017f", "04820001ff", "0485000000000100", "04", "0402ff", "1f0100"])
def test_other_lengths_and_tags_are_refused(raw: str) -> None:
    with pytest.raises(der.DerError):
        der.one(bytes.fromhex(raw), der.Tag.OCTET_STRING)


def test_many_at_once_are_the_same_bytes_as_one_by_one() -> None:
    protected = [(bytes((number,)) * 32, "/" + "x" * length) for number, length in enumerate((1, 1, 60, 150, 60))]
    for (tbs, digest), (data_hash, path) in zip(build_many_tbs(SEAL, T1, protected), protected, strict=True):
        assert tbs == build_tbs(SEAL, T1, data_hash, path)
        assert digest == hashlib.new("sm3", tbs).digest()
