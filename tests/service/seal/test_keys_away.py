"""A seal service whose keys can't be opened: nothing is signed, nothing is left behind, and all goes on when they are back."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest_asyncio
import sqlalchemy as sa

from libs.crypto.x509 import Crl
from services.seal.config import Sealing as SealingConfig
from services.seal.core import sealings as tables
from services.seal.core.certificates import certificates
from services.seal.core.seals import seals
from tests.support.certifying import certificate_request
from tests.support.refusing import refused
from tests.support.seal_office import HASHES, SealOffice, digest_request, document_request, order, seal_office
from tests.support.seals import ofd_document
from tests.support.service import Ground
from tongban.seal.v1 import resources_pb2 as resources


@pytest_asyncio.fixture
async def office(ground: Ground) -> AsyncIterator[SealOffice]:
    """A seal service that keeps no key open."""
    async with seal_office(ground, sealing=SealingConfig(opened_seals=0, workers=1)) as running:
        yield running


@contextmanager
def keys_away(office: SealOffice) -> Iterator[None]:
    """Takes the folder of the key store away for the length of the block."""
    folder = office.service.process.config.keys.folder
    away = folder.with_name("away")
    folder.rename(away)
    try:
        yield
    finally:
        away.rename(folder)


async def _counts(office: SealOffice, *of: sa.Table) -> list[int]:
    return [len(await office.rows(table)) for table in of]


async def test_nothing_is_made_without_the_authoritys_and_the_makers_keys(office: SealOffice) -> None:
    seal, request = order(), certificate_request()
    before = await _counts(office, seals, certificates)
    with keys_away(office):
        assert await refused(office.make(seal)) == "KEY_UNAVAILABLE"
        assert await refused(office.issue(request)) == "KEY_UNAVAILABLE"
    assert await _counts(office, seals, certificates) == before
    await office.make(seal)
    assert (await office.issue(request)).state == resources.CERTIFICATE_STATE_VALID


async def test_nothing_is_sealed_without_the_seals_key_and_a_repeat_is_once_it_is_back(office: SealOffice) -> None:
    seal = await office.make()
    digests, document = digest_request(seal, HASHES[:2]), document_request(seal, ofd_document())
    with keys_away(office):
        assert await refused(office.seal_digests(digests)) == "KEY_UNAVAILABLE"
        assert await refused(office.seal_document(document)) == "KEY_UNAVAILABLE"
    voided = await office.rows(tables.sealing_outcomes)
    assert [(row.state, row.void_reason, row.signatures) for row in voided] == [("VOIDED", "KEY_UNAVAILABLE", [])] * 2
    assert len((await office.seal_digests(digests)).signatures) == 2
    assert (await office.seal_document(document)).sealing.state == resources.SEALING_STATE_SIGNED


async def test_a_list_that_lags_is_not_given_out_and_the_next_reader_publishes_it(office: SealOffice) -> None:
    """What was revoked while the key was away is revoked; nobody is handed the list on which it is missing."""
    seal, before = await office.make(), Crl.parse(await office.crl())
    with keys_away(office):
        await office.revoke(seal)
        assert await refused(office.crl()) == "KEY_UNAVAILABLE"
    after = Crl.parse(await office.crl())
    assert (len(before.entries), len(after.entries), after.number) == (0, 1, before.number + 1)
