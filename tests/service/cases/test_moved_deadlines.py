"""A calendar that moves a deadline moves what another region's window was told of it."""

from datetime import date

from tests.service.cases.conftest import day
from tests.service.cases.pairs import Pair, pair
from tests.service.cases.test_calendar import imported
from tongban.cases.v1 import exchange_service_pb2 as rpc
from tongban.cases.v1 import resources_pb2 as pb

__all__ = ["pair"]


async def test_the_window_in_the_other_region_hears_of_a_moved_deadline(pair: Pair) -> None:
    home, handling = pair.home, pair.handling
    for town in (home, handling):
        town.at(date(2026, 12, 28))
    request = pair.request()
    sent = await pair.send(request)
    await pair.carry()
    name = f"cases/{request.case_id}"
    accepted = await handling.step("Accept", name)
    await pair.carry()
    told = (await pair.transfer(home, sent.name)).progress
    assert day(told.promised_date) == day(accepted.promised_date) == date(2027, 1, 5)
    await imported(handling, 2027, date(2027, 1, 4), date(2027, 1, 5), date(2027, 1, 6))
    assert await handling.part("DeadlineRecounter").recount() == 1
    await pair.carry()
    moved = (await pair.transfer(home, sent.name)).progress
    assert (day(moved.promised_date), moved.state, moved.action) == (
        date(2027, 1, 8),
        pb.CASE_STATE_ACCEPTED,
        pb.CASE_ACTION_RESCHEDULE,
    )
    assert day((await handling.get(name)).promised_date) == date(2027, 1, 8)
    assert (await pair.transfer(home, sent.name)).state == rpc.CASE_TRANSFER_STATE_ACCEPTED
