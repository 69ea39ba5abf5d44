"""A seal is in force as long as all that it hangs on: its signer's certificate and its maker's."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from libs.clock import FakeClock, SystemClock
from libs.crypto.x509 import Crl
from libs.errors import Aborted, DeadlineExceeded, FailedPrecondition
from tests.support import sql
from tests.support.seal_office import OWNER, SealOffice, digest_request, document_request, fresh, order, seal_office
from tests.support.seals import ofd_document
from tests.support.service import Ground
from tongban.seal.v1 import certificate_service_pb2 as certificates_pb
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import seal_service_pb2 as pb


async def revoke(office: SealOffice, name: str, request_id: str = "") -> resources.Certificate:
    """Revokes a certificate."""
    request = certificates_pb.RevokeCertificateRequest(
        name=name, request_id=request_id or fresh(), reason=resources.REVOCATION_REASON_KEY_COMPROMISE
    )
    answer: resources.Certificate = await office.ask(
        office.certificates.RevokeCertificate, request, resources.Certificate
    )
    return answer


async def seal_of(office: SealOffice, name: str) -> resources.Seal:
    """Reads a seal."""
    seal: resources.Seal = await office.ask(office.seals.GetSeal, pb.GetSealRequest(name=name), resources.Seal)
    return seal


async def in_force(office: SealOffice) -> list[str]:
    """The seals that a licence service may choose from."""
    request = pb.ListSealsRequest(filter=f"owner = {OWNER} AND state = SEAL_STATE_ACTIVE")
    found = await office.ask(office.seals.ListSeals, request, pb.ListSealsResponse)
    return [seal.name for seal in found.seals]


async def certificate(office: SealOffice, name: str) -> resources.Certificate:
    """Reads a certificate."""
    request = certificates_pb.GetCertificateRequest(name=name)
    found: resources.Certificate = await office.ask(office.certificates.GetCertificate, request, resources.Certificate)
    return found


async def rows(office: SealOffice, query: str) -> list[Any]:
    """Rows of the service's database."""
    async with office.service.process.database.read() as connection:
        return list((await sql.execute(connection, query)).all())


async def test_a_seal_ends_with_its_signers_certificate(office: SealOffice) -> None:
    older, newer = await office.make(), await office.make()
    request_id = fresh()
    before = {row.id for row in await rows(office, "SELECT id FROM audit_records")}
    await revoke(office, newer.certificate, request_id)
    ended = await seal_of(office, newer.name)
    assert ended.state == resources.SEAL_STATE_REVOKED
    assert ended.HasField("revoke_time")
    assert ended.revoke_reason == f"{newer.certificate}: KEY_COMPROMISE"
    assert ended.etag != newer.etag
    # The good seal is what is left to choose from, and it seals.
    assert await in_force(office) == [older.name]
    await office.seal_document(document_request(older, ofd_document()))
    for use in (
        office.seal_document(document_request(newer, ofd_document())),
        office.seal_digests(digest_request(newer, [bytes(32)])),
    ):
        with pytest.raises(FailedPrecondition) as caught:
            await use
        assert (caught.value.reason, caught.value.metadata["state"]) == ("SEAL_NOT_USABLE", "REVOKED")
    # A repeat is the first answer, and changes nothing.
    repeated = await revoke(office, newer.certificate, request_id)
    assert repeated.state == resources.CERTIFICATE_STATE_REVOKED
    assert await seal_of(office, newer.name) == ended
    recorded = [row for row in await rows(office, "SELECT id, object FROM audit_records") if row.id not in before]
    about = Counter(row.object for row in recorded)
    assert (about[newer.certificate], about[older.name] >= 1) == (1, True)
    assert about[newer.name] >= 1
    with pytest.raises(FailedPrecondition) as again:
        await office.revoke(newer)
    assert again.value.reason == "STATE_CONFLICT"


async def test_the_seals_of_a_maker_end_with_its_certificate_and_take_theirs_with_them(office: SealOffice) -> None:
    made = [await office.make() for _ in range(3)]
    already = await office.revoke(made[0])
    await revoke(office, made[0].maker_certificate)
    for seal in made[1:]:
        ended = await seal_of(office, seal.name)
        assert (ended.state, ended.revoke_reason) == (
            resources.SEAL_STATE_REVOKED,
            f"{seal.maker_certificate}: KEY_COMPROMISE",
        )
        signer = await certificate(office, seal.certificate)
        assert (signer.state, signer.revocation_reason) == (
            resources.CERTIFICATE_STATE_REVOKED,
            resources.REVOCATION_REASON_CESSATION_OF_OPERATION,
        )
    # What had ended before stays as it ended.
    assert await seal_of(office, already.name) == (await seal_of(office, made[0].name))
    assert (await seal_of(office, already.name)).revoke_reason == "机构撤并"
    assert await in_force(office) == []
    assert len(Crl.parse(await office.crl()).entries) == 4
    # The next seal is another maker's, and in force.
    fresh_seal = await office.make()
    assert fresh_seal.maker_certificate != made[0].maker_certificate
    assert await in_force(office) == [fresh_seal.name]


async def test_each_ending_is_told_once(office: SealOffice) -> None:
    seal = await office.make()
    await revoke(office, seal.maker_certificate)
    records = await rows(office, "SELECT object, convert_from(canonical, 'UTF8') AS told FROM audit_records")
    ended = [row for row in records if "RevokeCertificate" in row.told]
    assert Counter(row.object for row in ended) == Counter((seal.name, seal.certificate, seal.maker_certificate))


async def test_a_seal_expires_with_its_certificates(ground: Ground) -> None:
    clock = FakeClock(SystemClock().now())
    async with seal_office(ground, clock=clock) as office:
        request = order()
        # Longer than the region's authority certifies anybody.
        authority = await certificate(office, (await office.make()).certificate)
        end = authority.not_after_time.ToDatetime(clock.now().tzinfo)
        seal = await office.make(request)
        async with office.service.process.database.transaction() as connection:
            await sql.execute(connection, "UPDATE seals SET valid_until_time = valid_until_time + interval '30 years'")
        clock.advance(end - clock.now() - timedelta(hours=1))
        assert seal.name in await in_force(office)
        clock.advance(timedelta(hours=2))
        assert (await seal_of(office, seal.name)).state == resources.SEAL_STATE_EXPIRED
        assert seal.name not in await in_force(office)
        with pytest.raises(FailedPrecondition) as caught:
            await office.seal_document(document_request(seal, ofd_document()))
        assert (caught.value.reason, caught.value.metadata["state"]) == ("SEAL_NOT_USABLE", "EXPIRED")


async def test_seals_made_and_makers_revoked_at_once_never_contradict_each_other(office: SealOffice) -> None:
    first = await office.make()

    async def try_to(step: Awaitable[object]) -> None:
        # CONCURRENT_CHANGE: the maker whose certificate was taken ended meanwhile. A call that ran out of time did all or
        # nothing.
        with suppress(Aborted, DeadlineExceeded):
            await step

    await asyncio.gather(
        *(try_to(office.make()) for _ in range(2)),
        try_to(revoke(office, first.maker_certificate)),
        *(try_to(office.make()) for _ in range(2)),
    )
    left = await rows(
        office,
        "SELECT s.state, m.revoke_time IS NULL AS maker_holds, c.revoke_time IS NULL AS signer_holds FROM seals s"
        " JOIN certificates m ON m.id = s.maker_certificate JOIN certificates c ON c.id = s.certificate",
    )
    assert {tuple(row) for row in left} <= {("ACTIVE", True, True), ("REVOKED", False, False)}


async def test_a_seal_and_its_certificate_revoked_at_once_both_end(office: SealOffice) -> None:
    for _ in range(4):
        seal = await office.make()
        outcomes = await asyncio.gather(office.revoke(seal), revoke(office, seal.certificate), return_exceptions=True)
        assert all(getattr(each, "reason", "STATE_CONFLICT") == "STATE_CONFLICT" for each in outcomes)
        assert sum(isinstance(each, FailedPrecondition) for each in outcomes) == 1
        assert (await seal_of(office, seal.name)).state == resources.SEAL_STATE_REVOKED
        assert (await certificate(office, seal.certificate)).state == resources.CERTIFICATE_STATE_REVOKED
