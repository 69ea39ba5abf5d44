"""BatchGetCases: several cases by one call, all or none, each on record by itself."""

import pytest
from google.protobuf.message import Message

from libs.errors import InvalidArgument, NotFound, PermissionDenied
from tests.service.cases.conftest import OTHER_DEPARTMENT, Town, applicant, context
from tests.support.recorded import records_of
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import resources_pb2 as pb

_NEVER = "cases/00000000-0000-7000-8000-00000000dead"


async def _several(town: Town, token: str, *names: str, **more: Message) -> list[pb.Case]:
    request = rpc.BatchGetCasesRequest(names=names, **more)  # type: ignore[arg-type]
    return list((await town.call(town.cases.BatchGetCases, request, rpc.BatchGetCasesResponse, token)).cases)


async def test_several_come_whole_and_in_the_order_of_their_names(town: Town) -> None:
    item = await town.item()
    first, second = await town.create(item), await town.create(item)
    for token in (town.person, town.clerk):
        found = await _several(town, token, second.name, first.name)
        assert found == [await town.get(second.name, token), await town.get(first.name, token)]


async def test_each_is_on_record_by_its_own_name(town: Town) -> None:
    item = await town.item()
    names = [(await town.create(item)).name for _ in range(3)]
    await _several(town, town.person, *names)
    assert await records_of(town.service.process, "BatchGetCases") == []
    await _several(town, town.clerk, *names)
    found = await records_of(town.service.process, "BatchGetCases")
    assert [(each.object, each.fields, each.record_count) for each in found] == [(name, ("case",), 1) for name in names]
    assert len({each.transaction_id for each in found}) == 1


async def test_where_one_may_not_be_read_none_is(town: Town) -> None:
    item = await town.item()
    own = await town.create(item)
    with pytest.raises(NotFound) as never:
        await _several(town, town.person, own.name, _NEVER)
    assert never.value.metadata == {"resource": _NEVER}
    # A stranger's is to a person as one that never was.
    with pytest.raises(NotFound) as theirs:
        await _several(town, town.stranger, own.name)
    assert (theirs.value.reason, theirs.value.metadata) == (never.value.reason, {"resource": own.name})
    with pytest.raises(InvalidArgument) as unsaid:
        await _several(town, town.stranger_clerk, own.name)
    assert unsaid.value.violations[0].field == "use_context.purpose_code"
    scope = "cases.cases.get"
    staff = "staff/00000000-0000-7000-8000-0000000000b9"
    narrow = town.service.issuer.token(staff, "STAFF", scope, dept=OTHER_DEPARTMENT)
    with pytest.raises(PermissionDenied) as refused:
        await _several(town, narrow, own.name, use_context=context())
    assert refused.value.metadata == {"permission": "audit.auditRecords.list"}
    assert await records_of(town.service.process, "BatchGetCases") == []
    assert applicant().display_name == (await _several(town, town.clerk, own.name))[0].applicant.display_name


async def test_who_supervises_says_why_once_for_all(town: Town) -> None:
    item = await town.item()
    names = [(await town.create(item)).name for _ in range(2)]
    assert len(await _several(town, town.stranger_clerk, *names, use_context=context())) == 2
    found = await records_of(town.service.process, "BatchGetCases")
    assert [(each.object, each.purpose_code) for each in found] == [(name, context().purpose_code) for name in names]
