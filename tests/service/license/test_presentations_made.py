"""CreatePresentation takes the resource: what the server writes is ignored, faults tell where they stand, and it can be tried."""

from datetime import timedelta

from tests.service.license.conftest import FIRM, OTHER_DEPARTMENT, STRANGER, License, context, request_id
from tests.service.license.presenting import CONSENT, OUR_CASE, agent, create, redeem, refused, violations
from tests.support import drafts
from tests.support.recorded import records_of
from tongban.license.v1 import presentation_service_pb2 as pb


async def test_to_present_can_be_tried_and_no_code_comes_of_it(licensing: License) -> None:
    """Everything is checked; there is no presentation and no code, and the request_id stays free."""
    made, same = await licensing.issued(), request_id()
    before = await drafts.everything(licensing.service.process, but=drafts.LOG)
    tried = await create(licensing, agent(licensing), made.name, request_id=same, validate_only=True)
    assert (tried.presentation.holder, [each.license for each in tried.presentation.licenses], tried.code) == (
        FIRM,
        [made.name],
        "",
    )
    too_late = pb.Presentation()
    too_late.expire_time.FromDatetime(licensing.clock.now() - timedelta(seconds=1))
    late = create(
        licensing, agent(licensing), made.name, request_id=same, validate_only=True, expire_time=too_late.expire_time
    )
    assert await violations(late) == [("presentation.expire_time", "expire_time.future")]
    assert await drafts.everything(licensing.service.process, but=drafts.LOG) == before
    presented = await create(licensing, agent(licensing), made.name, request_id=same)
    assert presented.code.startswith("341500-")


async def test_staff_see_what_they_try_for_somebody_on_record(licensing: License) -> None:
    made = await licensing.issued()
    await create(licensing, licensing.staff(), made.name, holder=FIRM, consent=CONSENT, validate_only=True)
    (record,) = await records_of(licensing.service.process, "CreatePresentation")
    assert (record.result, record.purpose) == ("VALIDATED", "跨省办事")


async def test_what_was_read_is_made_anew_and_what_only_the_service_writes_is_ignored(licensing: License) -> None:
    """The resource is one (AIP-133): an answer sent back makes another, with a name, a state and times of its own."""
    made = await licensing.issued()
    here = {"verifier": f"//341500/{OTHER_DEPARTMENT}", "use_context": context(case=OUR_CASE)}
    first = (await create(licensing, agent(licensing), made.name, **here)).presentation
    redeemed = await redeem(licensing, licensing.staff(OTHER_DEPARTMENT), name=first.name)
    again = pb.CreatePresentationRequest(presentation=redeemed.presentation, request_id=request_id())
    method, answer = licensing.presentations.CreatePresentation, pb.CreatePresentationResponse
    second = (await licensing.call(method, again, answer, agent(licensing))).presentation
    assert second.name != first.name
    assert (second.state, second.redeem_count) == (pb.PRESENTATION_STATE_ACTIVE, 0)
    assert not second.HasField("redeem_time")
    assert (second.holder, second.licenses, second.use_context) == (first.holder, first.licenses, first.use_context)


async def test_the_record_of_a_presentation_says_what_for(licensing: License) -> None:
    """The context stands in the resource, and in the log as ever."""
    made = await licensing.issued()
    await create(licensing, agent(licensing), made.name, use_context=context("贷款", case=OUR_CASE))
    (record,) = await records_of(licensing.service.process, "CreatePresentation")
    assert (record.purpose, record.case) == ("贷款", OUR_CASE)


async def test_faults_are_told_where_they_stand_in_the_presentation(licensing: License) -> None:
    made = await licensing.issued()
    assert await violations(create(licensing, agent(licensing), made.name, verifier="341500")) == [
        ("presentation.verifier", "string.pattern")
    ]
    consented = context(consent=CONSENT)
    assert await violations(create(licensing, agent(licensing), made.name, use_context=consented)) == [
        ("presentation.use_context.consent", "basis.kind")
    ]
    unknown = context()
    unknown.purpose_code = "NEVER_HEARD_OF"
    asked = create(licensing, agent(licensing), made.name, use_context=unknown)
    assert (await refused(asked))[0] == "PURPOSE_UNKNOWN"
    assert await violations(create(licensing, licensing.staff(), made.name)) == [
        ("presentation.holder", "holder.required")
    ]


async def test_a_request_id_is_of_one_presentation_and_an_official_hears_whose_licence_it_is_not(
    licensing: License,
) -> None:
    made, same = await licensing.issued(), request_id()
    await create(licensing, agent(licensing), made.name, request_id=same)
    other = create(licensing, agent(licensing), made.name, request_id=same, item_code="item-2")
    assert (await refused(other))[0] == "REQUEST_ID_REUSED"
    theirs = create(licensing, licensing.staff(), made.name, holder=STRANGER, consent=CONSENT)
    assert (await refused(theirs))[0] == "NOT_OWNER"
