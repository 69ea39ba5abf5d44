"""Who holds some certificate of the region, or a stolen key, and what validation says to them."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from asn1crypto import csr, keys

from libs.clock import FakeClock, SystemClock
from libs.crypto.provider import SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Crl, DistinguishedName, RevocationReason
from libs.crypto.x509.signed import join
from libs.documents.ofd import open_ofd
from libs.errors import InvalidArgument, Unavailable
from services.seal.core.ses import build_seal, parse_seal, parse_signature
from services.seal.sealing.ofd import Placement, finish, prepare
from services.seal.validation.lookup import RegionRecords
from services.seal.validation.steps import RecordsUnreachable
from services.seal.validation.store import SealRegister
from tests.support.seal_office import SealOffice, document_request, fresh, seal_office
from tests.support.seals import VALUE, ofd_document
from tests.support.service import Ground
from tongban.seal.v1 import certificate_service_pb2 as certificates_pb
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import validation_service_pb2 as pb

PROVIDER = default_provider()


def unsound(report: pb.ValidationReport) -> dict[str, str]:
    """The steps that don't hold, and why."""
    fine = (pb.STEP_OUTCOME_PASSED, pb.STEP_OUTCOME_NOT_APPLICABLE)
    return {
        step.name: pb.SubIndication.Name(step.sub_indication).removeprefix("SUB_INDICATION_")
        for step in report.steps
        if step.outcome not in fine
    }


async def certified(office: SealOffice, kind: resources.CertificateKind.ValueType) -> tuple[bytes, SoftwareSigner]:
    """A genuine certificate of the region's authority, for a key of ours."""
    own = SoftwareSigner(PROVIDER, PROVIDER.sm2_generate())
    info = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": DistinguishedName("审计日志 341500/license").to_name(),
            "subject_pk_info": keys.PublicKeyInfo.load(own.public_key.spki),
            "attributes": [],
        }
    )
    request = certificates_pb.IssueCertificateRequest(request_id=fresh(), kind=kind, request=join(info, own))
    issued = await office.ask(office.certificates.IssueCertificate, request, resources.Certificate)
    return issued.der, own


def sealed_by(seal: bytes, certificate: bytes, key: Any, at: datetime) -> bytes:
    """A changed page under a seal, signed with a key that is not the service's to use."""
    made = prepare(ofd_document(3), seal, certificate, [Placement(1, 150, 240)], at)
    return finish(made, key.sign(made.tbs))


@pytest.mark.parametrize(
    "kind",
    [resources.CERTIFICATE_KIND_LOG, resources.CERTIFICATE_KIND_SIGNER, resources.CERTIFICATE_KIND_SEAL_MAKER],
)
async def test_with_any_certificate_of_the_region_a_genuine_seal_is_not_forged(
    office: SealOffice, kind: resources.CertificateKind.ValueType
) -> None:
    seal = await office.make()
    certificate, key = await certified(office, kind)
    info = parse_seal(seal.structure).info_raw
    # The public picture and the public esID, with the forger's certificate on the list of signers.
    genuine = parse_seal(seal.structure).certificates[0]
    forged_info = replaced(info, genuine, certificate)
    forged = build_seal(forged_info, certificate, key.sign(forged_info))
    report = await office.validate(sealed_by(forged, certificate, key, SystemClock().now()))
    assert report.conclusion == pb.CONCLUSION_TOTAL_FAILED
    told = unsound(report)
    assert told["seal.registered"] == "HASH_FAILURE"
    is_maker = kind == resources.CERTIFICATE_KIND_SEAL_MAKER
    assert told.get("seal.maker_certificate_chain") == (None if is_maker else "CHAIN_CONSTRAINTS_FAILURE")
    is_signer = kind == resources.CERTIFICATE_KIND_SIGNER
    assert told.get("signature.certificate_chain") == (None if is_signer else "CHAIN_CONSTRAINTS_FAILURE")
    lone = await office.ask(
        office.validations.ValidateSeal, pb.ValidateSealRequest(content=forged), pb.ValidationReport, token=""
    )
    assert (lone.conclusion, unsound(lone)["seal.registered"]) == (pb.CONCLUSION_TOTAL_FAILED, "HASH_FAILURE")


def replaced(info: bytes, old: bytes, new: bytes) -> bytes:
    """SES_SealInfo with another signer on its list."""
    from services.seal.core.ses.structures import CertInfoList, SesSealInfo  # noqa: PLC0415 - the forger's tool

    known = SesSealInfo.load(info)
    assert known["property"]["cert_list"].native == [old]
    known["property"]["cert_list"] = CertInfoList([new])
    return bytes(known.dump(force=True))


async def revoke(office: SealOffice, name: str, **changes: Any) -> resources.Certificate:
    """Revokes a certificate because its key is in other hands."""
    fields: dict[str, Any] = {
        "name": name,
        "request_id": fresh(),
        "reason": resources.REVOCATION_REASON_KEY_COMPROMISE,
        **changes,
    }
    answer: resources.Certificate = await office.ask(
        office.certificates.RevokeCertificate, certificates_pb.RevokeCertificateRequest(**fields), resources.Certificate
    )
    return answer


async def test_backdating_after_a_compromise_is_not_believed(ground: Ground) -> None:
    clock = FakeClock(SystemClock().now())
    async with seal_office(ground, clock=clock) as office:
        seal = await office.make()
        clock.advance(timedelta(minutes=1))
        genuine = (await office.seal_document(document_request(seal, ofd_document()))).document
        then = clock.now()
        certificate = parse_signature(open_ofd(genuine).entries[VALUE]).certificate
        stolen = office.service.process.keys.signer(f"seal-{seal.name.removeprefix('seals/')}")
        clock.advance(timedelta(minutes=1))
        await revoke(office, seal.certificate)
        clock.advance(timedelta(minutes=1))
        forged = await office.validate(sealed_by(seal.structure, certificate, stolen, then))
        assert forged.conclusion == pb.CONCLUSION_INDETERMINATE
        assert forged.sub_indication == pb.SUB_INDICATION_REVOKED_NO_POE
        assert unsound(forged)["signature.existence"] == "NO_POE"
        # What is on record was sealed when it says.
        assert unsound(await office.validate(genuine)) == {}


async def test_a_use_of_our_seal_that_is_not_on_record_is_not_valid(office: SealOffice) -> None:
    """Before anybody knows that the key is stolen."""
    seal = await office.make()
    certificate = parse_seal(seal.structure).certificates[0]
    stolen = office.service.process.keys.signer(f"seal-{seal.name.removeprefix('seals/')}")
    report = await office.validate(sealed_by(seal.structure, certificate, stolen, SystemClock().now()))
    assert report.conclusion == pb.CONCLUSION_INDETERMINATE
    assert unsound(report) == {"signature.existence": "NO_POE"}


async def test_the_date_of_the_compromise_stands_on_the_list_and_in_the_verdict(ground: Ground) -> None:
    clock = FakeClock(SystemClock().now())
    async with seal_office(ground, clock=clock) as office:
        seal = await office.make()
        clock.advance(timedelta(minutes=1))
        good = (await office.seal_document(document_request(seal, ofd_document()))).document
        clock.advance(timedelta(minutes=1))
        since = clock.now()
        clock.advance(timedelta(minutes=1))
        doubtful = (await office.seal_document(document_request(seal, ofd_document()))).document
        clock.advance(timedelta(minutes=1))
        late = certificates_pb.RevokeCertificateRequest(
            name=seal.certificate, request_id=fresh(), reason=resources.REVOCATION_REASON_KEY_COMPROMISE
        )
        late.invalidity_time.FromDatetime(clock.now() + timedelta(minutes=1))
        with pytest.raises(InvalidArgument) as caught:
            await office.ask(office.certificates.RevokeCertificate, late, resources.Certificate)
        assert caught.value.violations[0].field == "invalidity_time"
        revoked = await revoke(office, seal.certificate, invalidity_time=since)
        assert revoked.invalidity_time.ToDatetime(since.tzinfo) == since
        (entry,) = Crl.parse(await office.crl()).entries.values()
        assert (entry.reason, entry.invalidity_time) == (
            RevocationReason.KEY_COMPROMISE,
            since.replace(microsecond=0),
        )
        clock.advance(timedelta(minutes=1))
        assert unsound(await office.validate(good)) == {}
        assert unsound(await office.validate(doubtful)) == {"signature.certificate_chain": "REVOKED_NO_POE"}


async def test_records_that_can_not_be_read_are_asked_for_once(office: SealOffice) -> None:
    """Fifty seals must not wait fifty times."""
    seal = await office.make()
    document = ofd_document()
    for _ in range(3):
        document = (await office.seal_document(document_request(seal, document))).document
    asked: list[str] = []
    register = SealRegister(office.service.process.database)

    async def away(seal_id: str, *_: object) -> None:
        asked.append(seal_id)
        raise Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="database")

    register.find = away  # type: ignore[method-assign, assignment]
    records = RegionRecords(register, asyncio.get_running_loop())
    values = [content for name, content in open_ofd(document).entries.items() if name.endswith("SignedValue.dat")]

    def look() -> int:
        for value in values:
            signature = parse_signature(value)
            with pytest.raises(RecordsUnreachable):
                records.find(signature.seal, signature)
        return len(values)

    assert (await asyncio.to_thread(look), len(asked)) == (3, 1)
