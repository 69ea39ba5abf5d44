"""CertificateService on the real stack: requests, revocation, the published list."""

import asyncio
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import csr, x509

from libs.clock import FakeClock, SystemClock
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import (
    Certificate,
    Crl,
    KeyUsage,
    RevocationReason,
    Role,
    TrustPolicy,
    verify_chain,
)
from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from tests.support import sql
from tests.support.certifying import certificate_request, new_key, pkcs10
from tests.support.patience import invoke
from tests.support.refusing import OLD, refused
from tests.support.seal_office import SealOffice, fresh, seal_office
from tests.support.service import Ground
from tongban.seal.v1 import certificate_service_pb2 as pb
from tongban.seal.v1 import certificate_service_pb2_grpc
from tongban.seal.v1 import resources_pb2 as resources

PROVIDER = default_provider()


async def revoke(office: SealOffice, name: str, **changes: Any) -> resources.Certificate:
    fields: dict[str, Any] = {
        "name": name,
        "request_id": fresh(),
        "reason": resources.REVOCATION_REASON_KEY_COMPROMISE,
        **changes,
    }
    answer: resources.Certificate = await office.ask(
        office.certificates.RevokeCertificate, pb.RevokeCertificateRequest(**fields), resources.Certificate
    )
    return answer


async def test_a_certificate_is_issued_for_the_key_that_asked(office: SealOffice) -> None:
    own = new_key()
    asked = certificate_request(pkcs10(own))
    issued = await office.issue(asked)
    assert await office.issue(asked) == issued
    certificate = Certificate.parse(issued.der)
    assert (certificate.public_key, certificate.subject) == (own.public_key, "CN=测试日志, O=测试机关, C=CN")
    assert issued.serial_number == f"{certificate.serial_number:x}"
    authority, root = (Certificate.parse(der) for der in issued.chain)
    chain = verify_chain(
        certificate,
        (authority,),
        SystemClock().now(),
        TrustPolicy((root,), require_crl=False),
        PROVIDER,
        Role.AUDIT_LOG,
    )
    assert [len(chain), KeyUsage.NON_REPUDIATION in (certificate.key_usage or ())] == [3, False]
    read = await office.ask(
        office.certificates.GetCertificate, pb.GetCertificateRequest(name=issued.name), resources.Certificate
    )
    assert read == issued


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (b"nothing", "structure"),
        (pkcs10(new_key())[:-1], "structure"),
        (pkcs10(new_key(), signed_by=new_key()), "signature"),
        (pkcs10(new_key(), x509.Name.build({"country_name": "CN"})), "subject"),
    ],
)
async def test_a_request_that_does_not_hold_is_refused(office: SealOffice, request_: bytes, rule: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await office.issue(certificate_request(request_))
    assert (caught.value.reason, caught.value.metadata) == ("CERTIFICATE_REQUEST_INVALID", {"rule": rule})


async def test_root_and_authority_can_not_be_asked_for_and_services_get_logs_only(office: SealOffice) -> None:
    request = pkcs10(new_key())
    for kind in (resources.CERTIFICATE_KIND_ROOT, resources.CERTIFICATE_KIND_AUTHORITY):
        with pytest.raises(InvalidArgument):
            await office.issue(certificate_request(request, kind=kind))
    channel = office.service.channel_as("license")
    stub = certificate_service_pb2_grpc.CertificateServiceStub(channel)
    with pytest.raises(PermissionDenied) as caught:
        await invoke(
            stub.IssueCertificate,
            certificate_request(request, kind=resources.CERTIFICATE_KIND_SIGNER),
            resources.Certificate,
            to="seal",
            token="",
        )
    assert caught.value.reason == "ACTOR_NOT_ALLOWED"
    log = await invoke(stub.IssueCertificate, certificate_request(request), resources.Certificate, to="seal", token="")
    assert log.kind == resources.CERTIFICATE_KIND_LOG
    await channel.close()


async def test_a_certificate_ends_within_ten_years_and_not_after_its_issuer(office: SealOffice) -> None:
    now = SystemClock().now()
    for days, good in ((-1, False), (3600, True), (3700, False)):
        request = certificate_request()
        request.not_after_time.FromDatetime(now + timedelta(days=days))
        if good:
            issued = await office.issue(request)
            assert issued.not_after_time.ToDatetime(now.tzinfo) <= Certificate.parse(issued.chain[0]).not_after
        else:
            with pytest.raises(InvalidArgument):
                await office.issue(request)


async def test_a_revoked_certificate_is_on_the_next_list(office: SealOffice) -> None:
    before = Crl.parse(await office.crl())
    issued = await office.issue(certificate_request())
    revoked = await revoke(office, issued.name)
    assert revoked.state == resources.CERTIFICATE_STATE_REVOKED
    after = Crl.parse(await office.crl())
    assert (before.number, after.number, before.entries) == (1, 2, {})
    (entry,) = after.entries.values()
    assert (f"{entry.serial_number:x}", entry.reason) == (issued.serial_number, RevocationReason.KEY_COMPROMISE)
    PROVIDER.sm2_verify(Certificate.parse(issued.chain[0]).public_key, after.tbs, after.signature)
    with pytest.raises(FailedPrecondition) as caught:
        await revoke(office, issued.name)
    assert caught.value.metadata["state"] == "REVOKED"


async def test_root_and_authority_are_not_revoked_here(office: SealOffice) -> None:
    async with office.service.process.database.read() as connection:
        query = "SELECT id, kind FROM certificates WHERE kind IN ('ROOT', 'AUTHORITY')"
        above = (await sql.execute(connection, query)).all()
    assert len(above) == 2
    for row in above:
        with pytest.raises(FailedPrecondition) as caught:
            await revoke(office, f"certificates/{row.id}")
        assert caught.value.metadata["state"] == row.kind


async def test_revocations_at_once_all_get_on_the_list(office: SealOffice) -> None:
    issued = [await office.issue(certificate_request()) for _ in range(5)]
    await asyncio.gather(*(revoke(office, each.name) for each in issued))
    crl = Crl.parse(await office.crl())
    assert {f"{number:x}" for number in crl.entries} == {each.serial_number for each in issued}


async def test_the_list_is_renewed_before_it_runs_out(ground: Ground) -> None:
    clock = FakeClock(SystemClock().now())
    async with seal_office(ground, clock=clock) as office:
        first = Crl.parse(await office.crl())
        clock.advance(timedelta(days=5))
        assert Crl.parse(await office.crl()) == first
        clock.advance(timedelta(days=1, minutes=1))
        second = Crl.parse(await office.crl())
        assert (second.number, second.this_update) == (2, clock.now().replace(microsecond=0))


async def test_a_list_that_was_published_while_the_clock_was_ahead_is_replaced(ground: Ground) -> None:
    """Whoever reads the list of a day to come can't use it; one that ends in 400 days hides what is revoked till then."""
    right = SystemClock().now()
    clock = FakeClock(right)
    async with seal_office(ground, clock=clock) as office:
        await office.crl()
        clock.move_to(right + timedelta(days=400))
        ahead = Crl.parse(await office.crl())
        clock.move_to(right)
        mended = Crl.parse(await office.crl())
        assert (ahead.number, mended.number) == (2, 3)
        assert mended.this_update == right.replace(microsecond=0)
        assert mended.next_update is not None
        assert mended.next_update - right < timedelta(days=8)
        assert Crl.parse(await office.crl()) == mended


async def test_openssl_reads_the_list_and_verifies_it(office: SealOffice, tmp_path: Path) -> None:
    issued = await office.issue(certificate_request())
    await revoke(office, issued.name)
    (tmp_path / "crl.der").write_bytes(await office.crl())
    (tmp_path / "ca.pem").write_bytes(Certificate.parse(issued.chain[0]).pem)
    command = "openssl crl -inform DER -in crl.der -CAfile ca.pem -noout -text"
    done = await asyncio.to_thread(
        subprocess.run, command.split(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert issued.serial_number.upper() in done.stdout


async def test_a_revoked_seal_maker_is_followed_by_another_with_a_new_key(office: SealOffice) -> None:
    first = await office.make()
    await revoke(office, first.maker_certificate)
    second = await office.make()
    ders = [
        (
            await office.ask(
                office.certificates.GetCertificate, pb.GetCertificateRequest(name=name), resources.Certificate
            )
        ).der
        for name in (first.maker_certificate, second.maker_certificate)
    ]
    assert Certificate.parse(ders[0]).public_key != Certificate.parse(ders[1]).public_key


async def test_a_certificate_needs_its_key_to_be_of_sm2(office: SealOffice) -> None:
    request = csr.CertificationRequest.load(pkcs10(new_key()))
    request["signature_algorithm"] = {"algorithm": "sha256_ecdsa"}
    with pytest.raises(InvalidArgument) as caught:
        await office.issue(certificate_request(request.dump(force=True)))
    assert caught.value.metadata == {"rule": "algorithm"}


async def test_a_certificate_is_revoked_as_it_was_read(office: SealOffice) -> None:
    issued = await office.issue(certificate_request())
    assert await refused(revoke(office, issued.name, etag=OLD)) == "ETAG_MISMATCH"
    assert await refused(revoke(office, issued.name, etag=issued.etag)) == ""
