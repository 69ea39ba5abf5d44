"""The licence service's database is put back from an older copy after cases were closed: nobody loses their licence."""

from typing import Any

import pytest
import sqlalchemy as sa

from libs.errors import TongbanError
from services.license.core.licenses import licenses
from tests.service.handovers.offices import CASES, Offices
from tests.service.license.conftest import License
from tests.support import sql
from tests.support.copies import copy_of_process
from tests.support.patience import PATIENCE
from tests.support.process import running, until
from tests.support.service import Ground
from tongban.license.v1 import license_service_pb2 as license_pb

_LASTING = (
    "id",
    "identifier",
    "number_index",
    "issue_date",
    "valid_until",
    "page_digest",
    "ofd_digest",
    "qr_content",
    "state",
    "case_name",
    "holders",
    "sealing",
)


@pytest.fixture
def comparing(offices: Offices) -> Offices:
    """Case handling asks the real licence service what it knows."""

    async def compare(request: license_pb.CompareLicensesRequest) -> Any:
        licensing = offices.license
        return await licensing.service.channel_as("cases").unary_unary(
            "/tongban.license.v1.LicenseService/CompareLicenses",
            license_pb.CompareLicensesRequest.SerializeToString,
            license_pb.CompareLicensesResponse.FromString,
        )(request, timeout=PATIENCE)

    offices.cases.known.compare = compare
    return offices


async def _compare(offices: Offices) -> int:
    """Compares, once the services have their connections again; returns how many licences are missing."""
    found: list[int] = []

    async def compared() -> bool:
        try:
            found.append(await offices.cases.part("HandOverComparison").compare())
        except TongbanError:
            return False
        return True

    await until(compared)
    return found[-1]


async def _lasting(licensing: License, name: str) -> list[Any]:
    """What of a licence is the same for ever."""
    query = sa.select(*(licenses.c[each] for each in _LASTING)).where(licenses.c.id == name.removeprefix("licenses/"))
    async with licensing.service.process.database.read() as connection:
        return [tuple(row) for row in await sql.execute(connection, query)]


async def test_a_licence_of_a_closed_case_that_an_older_copy_lacks_is_made_again(
    comparing: Offices, ground: Ground
) -> None:
    offices = comparing
    async with running(*offices.tasks(offices.cases, offices.license)):
        kept = await offices.decide()
        await until(lambda: offices.closed(kept))
    copy = copy_of_process(ground, offices.license.service.process)
    await copy.make()
    async with running(*offices.tasks(offices.cases, offices.license)):
        lost = await offices.more()
        await until(lambda: offices.closed(lost))
        case = await offices.case(lost[0])
        before, signed = await _lasting(offices.license, case.results[0].license), len(offices.license.known.sealed)
        assert await _compare(offices) == 0
        await copy.put_back()
        assert await _compare(offices) == 1
        await offices.sweep()
        await until(lambda: offices.is_issued(case.results[0].license))
        assert await _lasting(offices.license, case.results[0].license) == before, (
            "the same licence, whose paper is in somebody's hands"
        )
        await offices.sweep()
        assert await _compare(offices) == 0
        await until(lambda: offices.drained(offices.cases))
        await until(lambda: offices.drained(offices.license))
    assert sorted(await offices.licenses()) == sorted(kept + lost)
    assert len(offices.license.known.sealed) == signed == CASES + 1, "nothing was sealed twice"
    assert (await offices.cases.history(case)).count("CLOSE") == 1
    assert await offices.case(lost[0]) == case
