"""What every step on a request, an entry and a mount is refused with: whoever's it is, whatever was read of it, wherever it stands."""

from datetime import UTC, datetime

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from tests.service.sharing.conftest import ABROAD, CONSUMER, Sharing, request_id, rows, terms, text
from tests.support import sql
from tests.support.refusing import OLD, asked, refused, steps
from tongban.sharing.v1 import catalog_service_pb2, mount_service_pb2
from tongban.sharing.v1 import resources_pb2 as pb

STEPS = [each for each in steps("sharing.v1.GrantService") if each != "DeleteDataRequest"]
ENTRIES = [each for each in steps("sharing.v1.CatalogService") if each != "DeleteDataResource"]


async def _step(sharing: Sharing, rpc: str, name: str, token: str, etag: str = "") -> str:
    request = asked(rpc, name, etag or await sharing.etag(name))
    return await refused(sharing.call(getattr(sharing.grants, rpc), request, pb.DataRequest, token))


async def _steps(sharing: Sharing, name: str, etag: str = "") -> dict[str, str]:
    """What each step is refused with, taken by whose step it would be, who had no part in any other before."""
    own = dict.fromkeys(STEPS, sharing.provider("p3"))
    own |= {"SubmitDataRequest": sharing.officer(), "PreReviewDataRequest": sharing.officer("c3")}
    return {rpc: await _step(sharing, rpc, name, token, etag) for rpc, token in own.items()}


async def test_no_step_is_taken_on_a_request_that_has_changed_since_it_was_read(sharing: Sharing) -> None:
    request = await sharing.requested(await sharing.published(), terms())
    assert await _steps(sharing, request.name, OLD) == dict.fromkeys(STEPS, "ETAG_MISMATCH")


async def test_who_may_not_take_a_step_learns_nothing_of_how_the_request_stands(sharing: Sharing) -> None:
    """A neighbour, who is no side of it, not even that it is there; but for the pre-review, which is the whole region's."""
    request = await sharing.requested(await sharing.published(), terms())
    neighbour = sharing.staff("n1", "departments/00000000-0000-7000-8000-0000000000d2")
    theirs = [each for each in STEPS if each != "PreReviewDataRequest"]
    for etag in (OLD, request.etag):
        found = {rpc: await _step(sharing, rpc, request.name, neighbour, etag) for rpc in theirs}
        assert found == dict.fromkeys(theirs, "RESOURCE_NOT_FOUND")
        assert await _step(sharing, "SubmitDataRequest", request.name, sharing.officer("c3"), etag) == "NOT_OWNER"
        assert await _step(sharing, "ReviewDataRequest", request.name, sharing.officer("c3"), etag) == "NOT_OWNER"


async def test_no_step_is_taken_on_a_request_that_was_decided(sharing: Sharing) -> None:
    request = await sharing.requested(await sharing.published(), terms())
    await sharing.in_review(request.name)
    await sharing.approved(request.name)
    assert await _steps(sharing, request.name) == dict.fromkeys(STEPS, "STATE_CONFLICT")


async def test_what_is_the_provider_s_to_say_the_asking_side_does_not_say(sharing: Sharing) -> None:
    """And another region's request is consented to there, before it is anybody's here."""
    resource = await sharing.published()
    request = await sharing.requested(resource, terms())
    await sharing.in_review(request.name)
    for rpc in ("ApproveDataRequest", "RefuseDataRequest"):
        assert await _step(sharing, rpc, request.name, sharing.officer("c3")) == "NOT_OWNER"
    assert await _step(sharing, "RefuseDataRequest", request.name, sharing.provider()) == "REVIEW_NOT_SEPARATED"
    applicant = sharing.guest("staff/00000000-0000-7000-8000-000000007831", ABROAD)
    wanted = terms(region="320402", department=ABROAD, fields=["name"], compare_fields=[])
    theirs = await sharing.requested(resource, wanted, applicant)
    assert await _step(sharing, "SubmitDataRequest", theirs.name, applicant) == ""
    assert await _step(sharing, "PreReviewDataRequest", theirs.name, sharing.provider()) == "NOT_OWNER"


async def test_an_entry_is_handed_in_and_published_once_as_it_was_read(sharing: Sharing) -> None:
    draft, name = await sharing.drafted(code="307001/77"), await sharing.published()

    async def step(rpc: str, name: str, etag: str) -> str:
        return await refused(
            sharing.call(getattr(sharing.catalog, rpc), asked(rpc, name, etag), pb.DataResource, sharing.provider())
        )

    assert {rpc: await step(rpc, draft.name, OLD) for rpc in ENTRIES} == dict.fromkeys(ENTRIES, "ETAG_MISMATCH")
    get = catalog_service_pb2.GetDataResourceRequest(name=name)
    published = await sharing.call(sharing.catalog.GetDataResource, get, pb.DataResource, sharing.provider())
    found = {rpc: await step(rpc, name, published.etag) for rpc in ENTRIES}
    assert found == dict.fromkeys(ENTRIES, "STATE_CONFLICT")


async def test_a_mount_is_checked_by_its_provider_as_it_was_read(sharing: Sharing) -> None:
    name = await sharing.published()
    mount = await sharing.mounted(name)

    async def step(rpc: str, request: Message, token: str) -> str:
        answer = Empty if rpc == "DeleteDataMount" else pb.DataMount
        return await refused(sharing.call(getattr(sharing.mounts, rpc), request, answer, token))

    auditor = sharing.staff("a1", CONSUMER, "sharing.* audit.*")
    assert await step("CheckDataMount", asked("CheckDataMount", mount.name, OLD), sharing.provider()) == "ETAG_MISMATCH"
    assert await step("CheckDataMount", asked("CheckDataMount", mount.name), auditor) == "NOT_OWNER"
    again = mount_service_pb2.CreateDataMountRequest(data_mount=mount, request_id=request_id())
    again.data_mount.ClearField("name")
    assert await step("CreateDataMount", again, auditor) == "NOT_OWNER"
    async with sharing.service.process.database.transaction() as connection:
        await sql.execute(connection, "UPDATE mounts SET state = 'SUSPENDED'")
    assert await step("CheckDataMount", asked("CheckDataMount", mount.name), sharing.provider()) == "STATE_CONFLICT"


async def test_a_request_is_for_what_is_there_and_is_granted_within_that(sharing: Sharing) -> None:
    nowhere = "dataResources/00000000-0000-7000-8000-0000000000ff"
    assert await refused(sharing.requested(nowhere, terms())) == "RESOURCE_NOT_FOUND"
    request = await sharing.requested(await sharing.published(), terms())
    await sharing.in_review(request.name)
    narrowed = terms()
    narrowed.row_conditions.append(rows("income", pb.ROW_OPERATOR_IN, text("1")))
    assert await refused(sharing.approved(request.name, narrowed)) == "FIELD_UNKNOWN"


async def test_what_is_answered_within_days_is_not_handed_in_where_no_calendar_reaches(sharing: Sharing) -> None:
    """The last year of which working days are counted at all is 2100."""
    resource = await sharing.published()
    draft, waiting = await sharing.requested(resource, terms()), await sharing.requested(resource, terms())
    await sharing.in_review(waiting.name)
    sharing.clock.move_to(datetime(2100, 12, 30, tzinfo=UTC))
    assert await _step(sharing, "SubmitDataRequest", draft.name, sharing.officer()) == "CALENDAR_UNKNOWN"
    assert await _step(sharing, "ApproveDataRequest", waiting.name, sharing.provider("p2")) == "CALENDAR_UNKNOWN"
