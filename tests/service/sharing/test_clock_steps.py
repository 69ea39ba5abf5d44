"""A clock that steps back gives no quota twice, and one that was ahead spends none for ever."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import ResourceExhausted
from tests.service.sharing.conftest import Sharing, query, terms
from tongban.sharing.v1 import resources_pb2 as pb

MIDNIGHT = datetime(2024, 5, 6, 16, 0, tzinfo=UTC)  # the beginning of 7 May in China


async def used_up(sharing: Sharing) -> str:
    resource, _ = await sharing.ready(terms(quota=pb.Quota(queries_per_day=2, rows_per_query=10, rows_total=1000)))
    for _ in range(2):
        await sharing.query(query(resource))
    with pytest.raises(ResourceExhausted):
        await sharing.query(query(resource))
    return resource


async def test_a_step_back_over_midnight_does_not_give_the_quota_again(sharing: Sharing) -> None:
    sharing.clock.move_to(MIDNIGHT + timedelta(seconds=30))
    resource = await used_up(sharing)
    sharing.clock.move_to(MIDNIGHT - timedelta(seconds=60))
    with pytest.raises(ResourceExhausted):
        await sharing.query(query(resource))
    sharing.clock.move_to(MIDNIGHT + timedelta(minutes=1))
    with pytest.raises(ResourceExhausted):
        await sharing.query(query(resource))
    sharing.clock.move_to(MIDNIGHT + timedelta(days=1))
    assert len((await sharing.query(query(resource))).rows) == 1


async def test_a_clock_that_was_ahead_for_once_spends_no_later_quota(sharing: Sharing) -> None:
    sharing.clock.move_to(MIDNIGHT + timedelta(days=100))
    resource = await used_up(sharing)
    sharing.clock.move_to(MIDNIGHT)
    assert len((await sharing.query(query(resource))).rows) == 1


async def test_uses_on_both_sides_of_a_step_back_count_together(sharing: Sharing) -> None:
    """Not refused by what was read before, but counted by what is written: one after midnight, one before it, no third."""
    resource, _ = await sharing.ready(terms(quota=pb.Quota(queries_per_day=2, rows_per_query=10, rows_total=1000)))
    for moment in (timedelta(seconds=30), -timedelta(seconds=60)):
        sharing.clock.move_to(MIDNIGHT + moment)
        await sharing.query(query(resource))
    for moment in (-timedelta(seconds=30), timedelta(minutes=1)):
        sharing.clock.move_to(MIDNIGHT + moment)
        with pytest.raises(ResourceExhausted):
            await sharing.query(query(resource))
