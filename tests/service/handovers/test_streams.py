"""A decision, its licence, the end of the case: over real streams that are lost, cut, emptied or put back."""

from collections.abc import Awaitable, Callable

import pytest

from tests.service.handovers.offices import CASES, Offices
from tests.support.process import running, until
from tongban.cases.v1 import resources_pb2 as pb

Loss = Callable[[Offices], Awaitable[None]]


async def _deleted(offices: Offices) -> None:
    await offices.redis.delete(*offices.streams)


async def _trimmed(offices: Offices) -> None:
    for stream in offices.streams:
        await offices.redis.xtrim(stream, maxlen=0, approximate=False)


async def _flushed(offices: Offices) -> None:
    await offices.redis.flushall()


@pytest.mark.parametrize("lose", [_deleted, _trimmed, _flushed], ids=["deleted", "trimmed", "flushed"])
@pytest.mark.parametrize("at", ["decided", "issued"])
async def test_cases_close_with_one_licence_each_although_the_stream_was_lost(
    offices: Offices, lose: Loss, at: str
) -> None:
    names = await offices.decide()
    async with running(offices.relay(offices.cases)):
        await until(lambda: offices.drained(offices.cases))
    if at == "issued":
        async with running(*offices.tasks(offices.license)):
            await until(offices.issued)
    await lose(offices)
    async with running(*offices.tasks(offices.cases, offices.license)):
        await offices.sweep()
        await until(lambda: offices.closed(names))
        await offices.sweep()
        await until(lambda: offices.drained(offices.cases))
        await until(lambda: offices.drained(offices.license))
    assert sorted(await offices.licenses()) == sorted(names)
    assert len(offices.license.known.sealed) == CASES
    for name in names:
        assert (await offices.cases.history(pb.Case(name=name))).count("CLOSE") == 1


async def test_an_older_copy_of_the_streams_is_put_back_under_the_running_services(offices: Offices) -> None:
    async with running(*offices.tasks(offices.cases, offices.license)):
        first = await offices.decide()
        await until(lambda: offices.closed(first))
        copies = {stream: await offices.redis.dump(stream) for stream in offices.streams}
    second = await offices.more()
    async with running(offices.relay(offices.cases)):
        await until(lambda: offices.drained(offices.cases))
    async with running(*offices.tasks(offices.cases, offices.license)):
        for stream, copy in copies.items():
            await offices.redis.restore(stream, 0, copy, replace=True)
        await offices.sweep()
        await until(lambda: offices.closed(first + second))
    assert sorted(await offices.licenses()) == sorted(first + second)
