"""Shows and scans are counted exactly: what was refused or repeated is none of them."""

import asyncio
import uuid

import pytest

from services.identity.codes import store
from services.identity.codes.worker import KEPT, ForgottenScans
from tests.support import sql
from tests.support.codes import Codes, gate
from tests.support.town import Town, reason_of
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import code_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def codes(home: Town) -> Codes:
    return Codes(home)


async def test_a_hundred_shows_and_sixty_one_scans_are_so_many(codes: Codes) -> None:
    """The shares are those of 湾沚区's year: of 12.924 million shows 8.03 million were scanned, 62 in 100."""
    before = await codes.statistics()
    token = await codes.town.human_token(await codes.town.person())
    shown = [each.code for each in await asyncio.gather(*(codes.issue(token) for _ in range(100)))]
    await codes.stream([gate(*shown[:40])])
    for scene, some in (("Pharmacy", shown[40:47]), ("Visit", shown[47:52]), ("Office", shown[52:61])):
        scanner = await codes.scanner(scene)
        await asyncio.gather(*(codes.scan(scene, code, scanner) for code in some))
    # What is refused or repeated counts for nothing.
    await codes.stream([gate(*shown[:40], "no code")])
    assert await reason_of(codes.scan("Visit", shown[47])) == "CODE_REPLAYED"
    found = await codes.statistics()
    assert found.total_shows - before.total_shows == 100
    assert found.total_scans - before.total_scans == 61
    assert _by_scene(found) - _by_scene(before) == {
        (pb.CODE_SCENE_TRANSPORT, 40),
        (pb.CODE_SCENE_PHARMACY, 7),
        (pb.CODE_SCENE_VISIT, 5),
        (pb.CODE_SCENE_OFFICE, 9),
    }
    assert [each.shows for each in found.days] == [100]


def _by_scene(found: pb.QueryCodeStatisticsResponse) -> set[tuple[int, int]]:
    return {(each.scene, each.scans) for day in found.days for each in day.scenes}


async def test_a_period_is_one_that_there_is(codes: Codes) -> None:
    async def ask(start: tuple[int, int, int], end: tuple[int, int, int]) -> pb.QueryCodeStatisticsResponse:
        dates = [common_pb2.Date(year=y, month=m, day=d) for y, m, d in (start, end)]
        request = pb.QueryCodeStatisticsRequest(start_date=dates[0], end_date=dates[1])
        method, answer = codes.stub.QueryCodeStatistics, pb.QueryCodeStatisticsResponse
        return await codes.town.call(method, request, answer, await codes.town.staff_token())

    assert (await ask((2020, 1, 1), (2020, 12, 31))).total_shows == 0
    assert await reason_of(ask((2020, 1, 2), (2020, 1, 1))) == "FIELD_INVALID"
    assert await reason_of(ask((2020, 1, 1), (2021, 1, 1))) == "FIELD_INVALID"


async def test_scans_are_forgotten_a_day_behind_their_codes(codes: Codes) -> None:
    process, person = codes.town.service.process, (await codes.town.person()).removeprefix("persons/")
    code, _ = codes.mint().make(person, 3)
    await codes.scan("Visit", code)
    forgotten = ForgottenScans(process.database, process.wall)
    await forgotten.turn()
    assert await reason_of(codes.scan("Visit", code)) == "CODE_REPLAYED"
    async with process.database.read() as connection:
        assert await store.forget(connection, process.wall.now() - KEPT, 10) == 0
        old = f"INSERT INTO code_scans VALUES ('{uuid.uuid4().hex}', 'VISIT', '', now() - interval '25 hours')"
        await sql.execute(connection, old)
        await forgotten.turn()
        found = await sql.execute(connection, "SELECT min(expire_time) > now() - interval '1 day' FROM code_scans")
        assert [row[0] for row in found] == [True]
