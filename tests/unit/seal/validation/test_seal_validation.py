"""Every change is caught, by the step that is there for it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from libs.crypto.x509.chain import TrustPolicy
from libs.documents.ofd import open_ofd
from libs.sub_indications import SubIndication
from services.seal.core.seal_rules import SealState
from services.seal.core.ses import build_seal, build_signature, build_tbs, der, parse_signature
from services.seal.sealing.ofd import Placement, finish, prepare
from services.seal.validation.documents import validate_document, validate_seal
from services.seal.validation.rules import Conclusion
from services.seal.validation.trust import CertificateTrust
from tests.support.seals import SEAL_ID, T0, T1, Records, SealKit, make_kit, ofd_document, rewritten, stamped, unsound

SIGN = "Doc_0/Signs/Sign_1/"
PATH = f"/{SIGN}Signature.xml"
VALUE = f"{SIGN}SignedValue.dat"


def flip(content: bytes, part: bytes, offset: int = -1) -> bytes:
    """Flips one bit in the middle of ``part`` of ``content``, or at ``offset`` of it."""
    place = content.index(part) + (len(part) // 2 if offset < 0 else offset)
    return content[:place] + bytes((content[place] ^ 1,)) + content[place + 1 :]


def test_a_sealed_document_is_valid(kit: SealKit) -> None:
    report = validate_document(kit.sealed(ofd_document()), kit.checks())
    assert unsound(report) == {}
    assert (report.verdict.conclusion, report.verdict.sub_indication) == (Conclusion.TOTAL_PASSED, None)
    (seal,) = report.seals
    assert (seal.signature, seal.seal_id, seal.time) == (PATH, SEAL_ID, T1)
    assert seal.signer.startswith("CN=Test Signer")
    assert {step.signature for step in report.steps} == {"", PATH}
    assert all(step.clause for step in report.steps)


def test_each_of_two_seals_is_valid(kit: SealKit) -> None:
    report = validate_document(kit.sealed(kit.sealed(ofd_document())), kit.checks())
    assert report.verdict.conclusion is Conclusion.TOTAL_PASSED
    assert [seal.verdict.conclusion for seal in report.seals] == [Conclusion.TOTAL_PASSED, Conclusion.TOTAL_PASSED]


def test_a_document_without_a_seal_is_not_valid(kit: SealKit) -> None:
    report = validate_document(ofd_document(), kit.checks())
    assert (unsound(report), report.verdict.conclusion) == ({}, Conclusion.NO_SIGNATURE)


def test_what_is_no_package_is_an_answer(kit: SealKit) -> None:
    report = validate_document(b"nothing", kit.checks())
    assert unsound(report) == {"document.package": SubIndication.FORMAT_FAILURE}
    assert report.verdict.conclusion is Conclusion.TOTAL_FAILED


HASH, CRYPTO, FORMAT = SubIndication.HASH_FAILURE, SubIndication.SIG_CRYPTO_FAILURE, SubIndication.FORMAT_FAILURE
CONSTRAINTS, MISSING = SubIndication.SIG_CONSTRAINTS_FAILURE, SubIndication.SIGNED_DATA_NOT_FOUND
ALGORITHM = SubIndication.CRYPTO_CONSTRAINTS_FAILURE


@pytest.mark.parametrize("name", ["OFD.xml", "Doc_0/Document.xml", "Doc_0/Pages/Page_0/Content.xml"])
def test_a_change_of_any_file_is_caught_by_the_references(kit: SealKit, name: str) -> None:
    def change(files: dict[str, bytes]) -> None:
        files[name] += b"\n"

    report = validate_document(rewritten(kit.sealed(ofd_document()), change), kit.checks())
    assert unsound(report) == {"signature.references": HASH}


def test_a_changed_seal_file_is_caught_twice(kit: SealKit) -> None:
    def change(files: dict[str, bytes]) -> None:
        files[f"{SIGN}Seal.esl"] = flip(files[f"{SIGN}Seal.esl"], b"synthetic")

    report = validate_document(rewritten(kit.sealed(ofd_document()), change), kit.checks())
    assert unsound(report) == {"signature.references": HASH, "signature.seal_file": HASH}


def test_a_moved_stamp_is_caught_by_the_data_hash(kit: SealKit) -> None:
    def change(files: dict[str, bytes]) -> None:
        files[PATH[1:]] = files[PATH[1:]].replace(b"129 219", b"129 218")

    report = validate_document(rewritten(kit.sealed(ofd_document()), change), kit.checks())
    assert unsound(report) == {"signature.data_hash": HASH}


PARTS: list[tuple[str, Callable[[SealKit, bytes], bytes], dict[str, SubIndication]]] = [
    (
        "the picture",
        lambda kit, raw: flip(raw, b"synthetic"),
        {"signature.seal_file": HASH, "seal.maker_signature": CRYPTO, "signature.value": CRYPTO},
    ),
    (
        "the maker's signature",
        lambda kit, raw: flip(raw, parse_signature(raw).seal.signature, 40),
        {"signature.seal_file": HASH, "seal.maker_signature": CRYPTO, "signature.value": CRYPTO},
    ),
    (
        "the maker's certificate",
        lambda kit, raw: flip(raw, b"Test Maker", 2),
        {"signature.seal_file": HASH, "seal.maker_certificate_chain": CRYPTO, "signature.value": CRYPTO},
    ),
    (
        "the data hash",
        lambda kit, raw: flip(raw, parse_signature(raw).data_hash),
        {"signature.data_hash": HASH, "signature.value": CRYPTO},
    ),
    (
        "the path",
        lambda kit, raw: flip(raw, PATH.encode(), len(PATH) - 1),
        {"signature.property_info": SubIndication.SIG_CONSTRAINTS_FAILURE, "signature.value": CRYPTO},
    ),
    ("the time", lambda kit, raw: flip(raw, b"20260312010000Z", 13), {"signature.value": CRYPTO}),
    ("the signature", lambda kit, raw: flip(raw, parse_signature(raw).signature, 40), {"signature.value": CRYPTO}),
    (
        "the signer's certificate",
        lambda kit, raw: raw[: len(raw) // 2] + flip(raw[len(raw) // 2 :], b"Test Signer", 2),
        {
            "signature.certificate_listed": SubIndication.SIG_CONSTRAINTS_FAILURE,
            "signature.certificate_chain": CRYPTO,
        },
    ),
]


@pytest.mark.parametrize(("part", "change", "steps"), PARTS, ids=[part for part, _, _ in PARTS])
def test_a_flipped_byte_of_the_signed_value_is_caught(
    kit: SealKit, part: str, change: Callable[[SealKit, bytes], bytes], steps: dict[str, SubIndication]
) -> None:
    def rewrite(files: dict[str, bytes]) -> None:
        files[VALUE] = change(kit, files[VALUE])

    report = validate_document(rewritten(kit.sealed(ofd_document()), rewrite), kit.checks())
    assert unsound(report) == steps, part
    assert report.verdict.conclusion is Conclusion.TOTAL_FAILED


def test_no_flipped_byte_of_the_signed_value_goes_through(kit: SealKit) -> None:
    sealed = kit.sealed(ofd_document())
    raw = open_ofd(sealed).entries[VALUE]
    for place in range(0, len(raw), 13):
        changed = {VALUE: raw[:place] + bytes((raw[place] ^ 0x10,)) + raw[place + 1 :]}
        report = validate_document(rewritten(sealed, partial(_put, changed)), kit.checks())
        assert report.verdict.conclusion is Conclusion.TOTAL_FAILED, place


def _put(changed: dict[str, bytes], files: dict[str, bytes]) -> None:
    files.update(changed)


def test_a_signer_who_is_not_on_the_list_has_no_right_to_the_seal(kit: SealKit) -> None:
    report = validate_document(kit.sealed(ofd_document(), by=kit.stranger), kit.checks())
    assert unsound(report) == {"signature.certificate_listed": SubIndication.SIG_CONSTRAINTS_FAILURE}


def test_a_seal_that_its_maker_did_not_sign_is_caught(kit: SealKit) -> None:
    parsed_info = parse_signature(open_ofd(kit.sealed(ofd_document())).entries[VALUE]).seal.info_raw
    forged = build_seal(parsed_info, kit.maker.certificate.der, kit.stranger.signer.sign(parsed_info))
    report = validate_document(replace(kit, seal=forged).sealed(ofd_document()), kit.checks())
    assert unsound(report) == {"seal.maker_signature": CRYPTO}


@pytest.mark.parametrize(
    ("at", "sub_indication"),
    [(T0 - timedelta(seconds=1), SubIndication.NOT_YET_VALID), (T0 + timedelta(days=366), SubIndication.EXPIRED)],
)
def test_use_outside_the_seals_period_is_caught(kit: SealKit, at: datetime, sub_indication: SubIndication) -> None:
    report = validate_document(kit.sealed(ofd_document(), at), kit.checks(T0 + timedelta(days=400)))
    assert unsound(report) == {"seal.period": sub_indication}


def test_a_seal_of_tomorrow_is_caught(kit: SealKit) -> None:
    report = validate_document(kit.sealed(ofd_document()), kit.checks(T1 - timedelta(hours=1)))
    assert unsound(report) == {"signature.time": SubIndication.TIMESTAMP_ORDER_FAILURE}


def test_a_certificate_past_its_period_is_caught(kit: SealKit) -> None:
    far = T0 + timedelta(days=3650)
    late = kit.made_by(lambda plan: replace(plan, valid_until=far + timedelta(days=1)))
    report = validate_document(late.sealed(ofd_document(), far), kit.checks(far))
    assert unsound(report) == {
        "signature.certificate_period": SubIndication.EXPIRED,
        "signature.certificate_chain": SubIndication.EXPIRED,
    }


def test_an_unknown_root_is_not_known_rather_than_bad(kit: SealKit) -> None:
    report = validate_document(kit.sealed(ofd_document()), make_kit().checks())
    assert set(unsound(report)) == {"seal.maker_certificate_chain", "signature.certificate_chain"}
    assert report.verdict.conclusion is Conclusion.INDETERMINATE
    assert report.verdict.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND


def test_without_a_revocation_list_it_is_to_be_tried_later(kit: SealKit) -> None:
    trust = CertificateTrust(TrustPolicy((kit.root.certificate,)), kit.provider)
    report = validate_document(kit.sealed(ofd_document()), replace(kit.checks(), chain=trust.chain))
    assert (report.verdict.conclusion, report.verdict.sub_indication) == (
        Conclusion.INDETERMINATE,
        SubIndication.TRY_LATER,
    )


def test_the_seal_is_asked_for_at_the_time_of_its_use(kit: SealKit) -> None:
    records = Records(state=SealState.REVOKED, end_time=T1)
    report = validate_document(kit.sealed(ofd_document()), kit.checks(records=records))
    assert unsound(report) == {"seal.status": SubIndication.REVOKED}
    before = replace(records, end_time=T1 + timedelta(seconds=1))
    assert unsound(validate_document(kit.sealed(ofd_document()), kit.checks(records=before))) == {}


def test_a_time_stamp_that_nobody_can_check_leaves_it_open(kit: SealKit) -> None:
    document = stamped(kit.sealed(ofd_document()))
    assert unsound(validate_document(document, kit.checks())) == {"signature.time_stamp": SubIndication.NO_POE}
    seen: set[tuple[bytes, bytes]] = set()

    def trusted(value: bytes, signature: bytes, _now: datetime) -> datetime:
        seen.add((value, signature))
        return T1

    assert unsound(validate_document(document, replace(kit.checks(), time_stamp=trusted))) == {}
    assert seen == {(b"stamp", parse_signature(open_ofd(document).entries[VALUE]).signature)}


def test_a_signature_of_another_document_is_caught(kit: SealKit) -> None:
    other = open_ofd(kit.sealed(ofd_document(3))).entries[VALUE]
    document = rewritten(kit.sealed(ofd_document()), lambda files: files.update({VALUE: other}))
    assert unsound(validate_document(document, kit.checks())) == {"signature.data_hash": HASH}


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("Doc_0/Pages/Page_9/Content.xml", {"signature.coverage": CONSTRAINTS}),
        # A reader that matches case first would show this page in the place of the sealed one.
        ("Doc_0/pages/Page_0/Content.xml", {"document.package": FORMAT}),
    ],
)
def test_a_file_slipped_in_beside_a_sealed_one_is_caught(
    kit: SealKit, name: str, steps: dict[str, SubIndication]
) -> None:
    document = rewritten(kit.sealed(ofd_document()), lambda files: files.update({name: b"<x/>"}))
    assert unsound(validate_document(document, kit.checks())) == steps


@pytest.mark.parametrize(
    ("name", "old", "new", "steps"),
    [
        (PATH[1:], b"1.2.156.10197.1.401", b"MD5", {"references": ALGORITHM, "data_hash": HASH}),
        (PATH[1:], b"SignedValue.dat", b"None.dat", {"coverage": CONSTRAINTS, "structure": MISSING}),
        (
            PATH[1:],
            b"/Doc_0/Document.xml",
            b"/Doc_0/Other.xml",
            {"references": MISSING, "coverage": CONSTRAINTS, "data_hash": HASH},
        ),
        (PATH[1:], b"<ofd:SignedInfo>", b"", {"file": FORMAT}),
        ("Doc_0/Signs/Signatures.xml", b'Type="Seal"', b'Type="Sign"', {"structure": ALGORITHM}),
        ("Doc_0/Signs/Signatures.xml", b"Sign_1", b"Sign_9", {"file": FORMAT}),
    ],
)
def test_a_broken_frame_is_caught(
    kit: SealKit, name: str, old: bytes, new: bytes, steps: dict[str, SubIndication]
) -> None:
    def change(files: dict[str, bytes]) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new)

    assert unsound(validate_document(rewritten(kit.sealed(ofd_document()), change), kit.checks())) == {
        f"signature.{name}": sub_indication for name, sub_indication in steps.items()
    }


def test_the_version_of_signature_and_seal_must_agree(kit: SealKit) -> None:
    prepared = prepare(ofd_document(), kit.seal, kit.signer.certificate.der, [Placement(1, 150, 240)], T1)
    parts = [part.raw for part in der.elements(der.one(prepared.tbs, der.Tag.SEQUENCE).content)]
    tbs = der.encode(der.Tag.SEQUENCE, bytes.fromhex("020105"), *parts[1:])
    document = finish(replace(prepared, tbs=tbs), kit.signer.signer.sign(tbs))
    assert unsound(validate_document(document, kit.checks())) == {"signature.version": FORMAT}


def test_a_lone_seal_is_validated_as_of_now(kit: SealKit) -> None:
    assert validate_seal(kit.seal, kit.checks()).verdict.conclusion is Conclusion.TOTAL_PASSED
    late = validate_seal(kit.seal, kit.checks(T0 + timedelta(days=366)))
    assert unsound(late) == {"seal.period": SubIndication.EXPIRED}
    assert unsound(validate_seal(b"no seal", kit.checks())) == {"seal.structure": FORMAT}
    changed = validate_seal(flip(kit.seal, b"synthetic"), kit.checks())
    assert unsound(changed) == {"seal.maker_signature": CRYPTO}


def test_a_list_of_digests_is_read_too(kit: SealKit) -> None:
    """With certListType 2 the seal names its signers by digest."""
    listed = der.encode(der.Tag.OCTET_STRING, kit.signer.certificate.der)
    entry = bytes.fromhex("1303534d33") + der.encode(der.Tag.OCTET_STRING, kit.signer.certificate.digest)
    old = b"\x02\x01\x01" + der.encode(der.Tag.SEQUENCE, listed)
    new = b"\x02\x01\x02" + der.encode(der.Tag.SEQUENCE, der.encode(der.Tag.SEQUENCE, entry))
    seal_info = _rebuilt(kit.seal, old, new)
    seal = build_seal(seal_info, kit.maker.certificate.der, kit.maker.signer.sign(seal_info))
    digests = replace(kit, seal=seal)
    assert unsound(validate_document(digests.sealed(ofd_document()), kit.checks())) == {}
    report = validate_document(digests.sealed(ofd_document(), by=kit.stranger), kit.checks())
    assert unsound(report) == {"signature.certificate_listed": SubIndication.SIG_CONSTRAINTS_FAILURE}


def _rebuilt(seal: bytes, old: bytes, new: bytes) -> bytes:
    """The SES_SealInfo of ``seal`` with ``old`` exchanged in its property, all lengths made right."""
    info = der.elements(der.one(seal, der.Tag.SEQUENCE).content)[0]
    parts = der.elements(info.content)
    assert old in parts[2].content
    prop = der.encode(der.Tag.SEQUENCE, parts[2].content.replace(old, new))
    return der.encode(der.Tag.SEQUENCE, parts[0].raw, parts[1].raw, prop, parts[3].raw)


def test_an_indeterminate_status_is_told(kit: SealKit) -> None:
    report = validate_seal(kit.seal, kit.checks(records=Records(reachable=False)))
    assert (report.verdict.conclusion, report.verdict.sub_indication) == (
        Conclusion.INDETERMINATE,
        SubIndication.TRY_LATER,
    )


def test_many_digests_are_signed_without_a_document(kit: SealKit) -> None:
    for number in range(3):
        tbs = build_tbs(kit.seal, T1, bytes((number,)) * 32, f"/Doc_{number}/Signature.xml")
        signature = parse_signature(build_signature(tbs, kit.signer.certificate.der, kit.signer.signer.sign(tbs)))
        kit.provider.sm2_verify(kit.signer.certificate.public_key, signature.tbs_raw, signature.signature)
