"""What is done on knowledge that is overtaken: decided anew, and refused where that never ends."""

import pytest
import sqlalchemy as sa

from libs.errors import FailedPrecondition
from services.sharing.core.grants import GrantUsage
from services.sharing.grants.service import Settlement, UsageLedger
from tests.service.sharing.conftest import Sharing, context, entry, query, terms, text
from tests.support import sql
from tests.support.refusing import asked, refused
from tongban.sharing.v1 import data_service_pb2 as data
from tongban.sharing.v1 import resources_pb2 as pb

_RECLASSIFIED = "UPDATE resources SET entry = :entry, sharing_class = 'NOT_SHARED', version = version + 1"


@pytest.fixture
def overtaken(sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Changes every grant between a use's decision and its settlement; the list says how often."""
    settle, times = UsageLedger.settle, list[str]()

    async def late(self: UsageLedger, use: Settlement) -> GrantUsage | None:
        times.append(use.on.grant)
        async with sharing.service.process.database.transaction() as connection:
            await sql.execute(connection, "UPDATE grants SET version = version + 1")
        return await settle(self, use)

    monkeypatch.setattr(UsageLedger, "settle", late)
    return times


async def test_nothing_leaves_under_a_grant_that_keeps_being_changed(
    sharing: Sharing, overtaken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resource, grant = await sharing.ready()
    compared = data.CompareRequest(
        resource=resource,
        conditions=query(resource).conditions,
        given=[data.GivenValue(field="name", value=text("x"))],
        use_context=context(),
    )
    assert await refused(sharing.query(query(resource))) == "CONCURRENT_CHANGE"
    assert await refused(sharing.compare(compared)) == "CONCURRENT_CHANGE"
    assert len(overtaken) == 6, "each is decided three times"
    monkeypatch.undo()
    assert (await sharing.grant(grant)).queries_today == 0
    recorded = [record.result for record in await sharing.records()]
    assert recorded.count("CONCURRENT_CHANGE") == 2
    assert await refused(sharing.query(query(resource))) == await refused(sharing.compare(compared)) == ""


async def test_what_the_law_has_closed_since_is_neither_handed_in_nor_granted(sharing: Sharing) -> None:
    """No RPC reclassifies what is published; who runs the region may have to, while requests are under way."""
    resource = await sharing.published()
    draft, waiting = await sharing.requested(resource, terms()), await sharing.requested(resource, terms())
    await sharing.in_review(waiting.name)
    closed = entry(sharing_class=pb.SHARING_CLASS_NOT_SHARED, restriction_basis="《中华人民共和国数据安全法》")
    async with sharing.service.process.database.transaction() as connection:
        await sql.execute(connection, sa.text(_RECLASSIFIED), {"entry": closed.SerializeToString()})
    for rpc, name, token in (
        ("SubmitDataRequest", draft.name, sharing.officer()),
        ("ApproveDataRequest", waiting.name, sharing.provider("p2")),
    ):
        before = await sharing.etag(name)
        step = sharing.call(getattr(sharing.grants, rpc), asked(rpc, name, before), pb.DataRequest, token)
        with pytest.raises(FailedPrecondition) as caught:
            await step
        assert (caught.value.reason, caught.value.metadata["basis"]) == (
            "RESOURCE_NOT_SHARED",
            closed.restriction_basis,
        )
        assert await sharing.etag(name) == before
