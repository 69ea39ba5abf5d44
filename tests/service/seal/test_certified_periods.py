"""Nothing is made, issued or sealed at a time at which the region's authority certifies nobody."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from libs.clock import FakeClock, SystemClock
from libs.crypto.x509 import Certificate, Crl
from libs.errors import FailedPrecondition
from services.seal.core import sealings as tables
from services.seal.core.certificates import certificates
from tests.support.certifying import certificate_request
from tests.support.refusing import refused
from tests.support.seal_office import HASHES, SealOffice, digest_request, document_request, order, seal_office
from tests.support.seals import ofd_document
from tests.support.service import Ground


@pytest.fixture
def clock() -> FakeClock:
    """The business clock of the service."""
    return FakeClock(SystemClock().now())


@pytest_asyncio.fixture
async def office(ground: Ground, clock: FakeClock) -> AsyncIterator[SealOffice]:
    """A seal service under that clock."""
    async with seal_office(ground, clock=clock) as running:
        yield running


async def period(office: SealOffice) -> tuple[datetime, datetime]:
    """From when to when the authority's own certificate holds."""
    (row,) = [row for row in await office.rows(certificates) if row.kind == "AUTHORITY"]
    authority = Certificate.parse(row.der)
    return authority.not_before, authority.not_after


async def test_an_authority_that_has_run_out_certifies_nobody(office: SealOffice, clock: FakeClock) -> None:
    """Nor is there a new seal maker with every order that it refuses."""
    clock.move_to((await period(office))[1] + timedelta(hours=1))
    before = len(await office.rows(certificates))
    for step in (office.make(), office.make(), office.issue(certificate_request())):
        with pytest.raises(FailedPrecondition) as caught:
            await step
        assert (caught.value.reason, caught.value.metadata) == ("CERTIFICATE_NOT_VALID", {"certificate": "authority"})
    assert len(await office.rows(certificates)) == before


async def test_a_service_starts_under_an_authority_that_has_run_out(ground: Ground) -> None:
    """What was sealed before is still validated, and the list of what is revoked still given out."""
    late = FakeClock(SystemClock().now() + timedelta(days=40 * 366))
    async with seal_office(ground, clock=late) as office:
        assert {row.kind for row in await office.rows(certificates)} == {"ROOT", "AUTHORITY"}
        assert Crl.parse(await office.crl()).number == 1
        assert await refused(office.make()) == "CERTIFICATE_NOT_VALID"


async def test_a_seal_is_not_used_before_its_signer_is_certified(office: SealOffice, clock: FakeClock) -> None:
    """The period that was ordered began before the authority's; then the clock is set back between the two."""
    begin, _ = await period(office)
    clock.move_to(begin + timedelta(days=30))
    ordered = order()
    ordered.seal.start_time.FromDatetime(begin - timedelta(days=10))
    seal = await office.make(ordered)
    clock.move_to(begin - timedelta(days=5))
    for use in (
        office.seal_digests(digest_request(seal, HASHES[:1])),
        office.seal_document(document_request(seal, ofd_document())),
    ):
        with pytest.raises(FailedPrecondition) as caught:
            await use
        assert (caught.value.reason, caught.value.metadata) == (
            "CERTIFICATE_NOT_VALID",
            {"certificate": seal.certificate},
        )
    assert await office.rows(tables.sealing_batches) == []
    clock.move_to(begin + timedelta(days=1))
    assert len((await office.seal_digests(digest_request(seal, HASHES[:1]))).signatures) == 1
