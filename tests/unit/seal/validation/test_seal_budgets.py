"""Files made to hurt: refused for what they cost, or for having two readings, before the cost is paid."""

import base64
import hashlib
from collections.abc import Mapping

import pytest

from libs.documents.ofd import open_ofd, pack
from libs.errors import InvalidArgument
from libs.sub_indications import SubIndication
from libs.workers import WorkEnded
from services.seal.sealing.ofd import Placement, prepare
from services.seal.validation.documents import SealReport, validate_document
from tests.support.hostile import SIGNS, changed, list_of, many_extensions, many_references, signature_xml
from tests.support.seals import T1, SealKit, ofd_document


def _first_fault(report: SealReport) -> tuple[str, SubIndication | None, str]:
    step = next(step for step in report.steps if step.finding.sub_indication is not None)
    return step.name, step.finding.sub_indication, step.finding.evidence


def test_a_signature_that_is_listed_twice_is_read_once_and_refused(kit: SealKit) -> None:
    path = f"/{SIGNS}Sign_1/Signature.xml"
    report = validate_document(
        changed(kit.sealed(ofd_document()), {f"{SIGNS}Signatures.xml": list_of(*[path] * 50)}), kit.checks()
    )
    name, why, evidence = _first_fault(report)
    assert (name, why) == ("document.package", SubIndication.FORMAT_FAILURE)
    assert "signature_twice" in evidence


def _too_much(kit: SealKit, changes: Mapping[str, bytes]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate_document(changed(kit.sealed(ofd_document()), changes), kit.checks())
    (violation,) = caught.value.violations
    assert (caught.value.reason, violation.field, violation.rule) == ("FIELD_INVALID", "document", "ofd.limits")


def test_xml_is_counted_over_the_whole_document(kit: SealKit) -> None:
    """One file of 75,000 references is taken, a few of them are not: their sum is what has a limit."""
    files = {f"{SIGNS}Sign_{n}/Signature.xml": signature_xml(25_000) for n in range(2, 6)}
    listing = list_of(*(f"/{name}" for name in files))
    _too_much(kit, files | {f"{SIGNS}Signatures.xml": listing})
    few = dict(list(files.items())[:1])
    report = validate_document(
        changed(kit.sealed(ofd_document()), few | {f"{SIGNS}Signatures.xml": list_of(f"/{next(iter(few))}")}),
        kit.checks(),
    )
    assert _first_fault(report)[0] == "signature.references"


def test_attributes_are_counted_as_tags_are(kit: SealKit) -> None:
    """A tag begins once, whatever hangs on it: 1,700,000 attributes took 420 MB."""
    many = b'<ofd:Signature xmlns:ofd="http://www.ofdspec.org/2016">' + b'<a b="" c="" d="" e="" f=""/>' * 90_000
    listing = list_of(f"/{SIGNS}Sign_2/Signature.xml")
    files = {f"{SIGNS}Sign_2/Signature.xml": many + b"</ofd:Signature>", f"{SIGNS}Signatures.xml": listing}
    _too_much(kit, files)
    wide = b"<a " + b" ".join(b'a%d=""' % number for number in range(410_000)) + b"/>"
    _too_much(kit, files | {f"{SIGNS}Sign_2/Signature.xml": wide})


def test_too_many_signatures_say_nothing_of_the_seals(kit: SealKit) -> None:
    _too_much(kit, {f"{SIGNS}Signatures.xml": list_of(*(f"/{SIGNS}Sign_{n}/Signature.xml" for n in range(51)))})


def test_a_list_of_references_beside_the_one_that_is_checked_covers_nothing(kit: SealKit) -> None:
    changes = {f"{SIGNS}Sign_1/Signature.xml": signature_xml(1, lists=2)}
    name, why, _ = _first_fault(validate_document(changed(kit.sealed(ofd_document()), changes), kit.checks()))
    assert (name, why) == ("signature.references", SubIndication.FORMAT_FAILURE)


def test_a_digest_in_two_elements_is_none(kit: SealKit) -> None:
    """Some readers put the two together, others take the first: so it is neither."""
    document = kit.sealed(ofd_document())
    digest = base64.b64encode(hashlib.new("sm3", open_ofd(document).entries["OFD.xml"]).digest()).decode()
    halves = f"{digest[:20]}</ofd:CheckValue><ofd:CheckValue>{digest[20:]}"
    changes = {f"{SIGNS}Sign_1/Signature.xml": signature_xml(1, digest=halves)}
    name, why, _ = _first_fault(validate_document(changed(document, changes), kit.checks()))
    assert (name, why) == ("signature.references", SubIndication.FORMAT_FAILURE)


def test_a_validation_that_nobody_waits_for_ends(kit: SealKit) -> None:
    checks = kit.checks()
    checks.stop.end()
    with pytest.raises(WorkEnded):
        validate_document(kit.sealed(ofd_document()), checks)


def test_a_document_with_two_lists_of_signatures_is_not_sealed(kit: SealKit) -> None:
    files = dict(open_ofd(kit.sealed(ofd_document())).entries)
    listed = b"<ofd:Signatures>Doc_0/Signs/Signatures.xml</ofd:Signatures>"
    assert listed in files["OFD.xml"]
    files["OFD.xml"] = files["OFD.xml"].replace(listed, listed * 2)
    with pytest.raises(InvalidArgument) as caught:
        prepare(pack(files), kit.seal, kit.signer.certificate.der, [Placement(1, 150, 240)], T1)
    assert (caught.value.reason, caught.value.metadata["rule"]) == ("SEAL_DOCUMENT_INVALID", "signatures_twice")


def test_the_dearest_files_that_are_taken_get_a_report_on_every_signature(kit: SealKit) -> None:
    """What they cost stands in the bench."""
    for document in (many_references(kit, each=20), many_extensions(kit, each=20)):
        report = validate_document(document, kit.checks())
        assert len({step.signature for step in report.steps if step.signature}) == 50
