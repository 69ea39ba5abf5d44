"""GrantService: requests, separation, deadlines, grants."""

import asyncio
from typing import Any

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, TongbanError
from libs.events.cloud_event import stream_of
from libs.events.relay import Relay
from libs.rpc.contract import Method
from tests.service.sharing.conftest import (
    ABROAD,
    CONSUMER,
    PROVIDER,
    Sharing,
    content,
    granted,
    request_id,
    rows,
    terms,
)
from tests.support import sql
from tests.support.handling import handling_methods, human_only
from tongban.common.v1 import value_pb2
from tongban.sharing.v1 import grant_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages


async def test_a_request_goes_through_four_people_to_its_grant(sharing: Sharing) -> None:
    resource = await sharing.published()
    await sharing.checked((await sharing.mounted(resource)).name)
    request = await sharing.requested(resource, terms())
    assert (request.applicant, request.content.responsible_phone) == (
        "staff/00000000-0000-7000-8000-000000006331",
        "10000000000",
    )
    await sharing.in_review(request.name)
    done = await sharing.approved(request.name)
    assert done.state == messages.DATA_REQUEST_STATE_GRANTED
    # 2024-05-06 is a Monday; ten working days on, with the make-up Saturday 11 May, is 17 May; twenty, 31 May.
    assert (done.answer_due_date.month, done.answer_due_date.day) == (5, 17)
    assert (done.supply_due_date.month, done.supply_due_date.day) == (5, 31)
    assert [opinion.reviewer for opinion in done.opinions] == [
        "staff/00000000-0000-7000-8000-000000006332",
        "staff/00000000-0000-7000-8000-000000007031",
        "staff/00000000-0000-7000-8000-000000007032",
    ]
    grant = await sharing.grant(done.grant)
    assert (grant.state, grant.terms) == (messages.DATA_GRANT_STATE_ACTIVE, terms())
    assert (grant.queries_today, grant.rows_total) == (0, 0)


async def test_events_tell_of_each_step(sharing: Sharing) -> None:
    process = sharing.service.process
    stream = stream_of("341500", "sharing")
    newest: Any = await process.redis.xrevrange(stream, count=1)
    last, types = (newest[0][0] if newest else b"0"), list[str]()
    await sharing.ready()
    relay = asyncio.create_task(
        Relay(process.database, process.wire, "341500", "sharing", process.uow.committed, "").run()
    )
    while len(types) < 5:
        answer: Any = await process.redis.xread({stream: last}, block=5_000)
        assert answer, types
        entries = answer[0][1]
        last = entries[-1][0]
        types += [fields[b"type"].decode() for _, fields in entries]
    relay.cancel()
    assert types == [
        f"cn.tongban.sharing.data_{name}.v1"
        for name in ("resource.published", "mount.checked", "request.submitted", "request.granted", "grant.provisioned")
    ]


async def test_a_grant_waits_for_its_data(sharing: Sharing) -> None:
    resource = await sharing.published()
    grant = await sharing.granted(resource)
    assert (await sharing.grant(grant)).state == messages.DATA_GRANT_STATE_GRANTED
    await sharing.checked((await sharing.mounted(resource)).name)
    assert (await sharing.grant(grant)).state == messages.DATA_GRANT_STATE_ACTIVE


async def test_nobody_acts_twice_on_one_request(sharing: Sharing) -> None:
    resource = await sharing.published()
    name = (await sharing.requested(resource, terms())).name
    submit = pb.SubmitDataRequestRequest(name=name, request_id=request_id())
    with pytest.raises(PermissionDenied) as other:
        await sharing.call(sharing.grants.SubmitDataRequest, submit, messages.DataRequest, sharing.officer("c2"))
    assert other.value.reason == "NOT_OWNER"
    submit.request_id = request_id()
    await sharing.call(sharing.grants.SubmitDataRequest, submit, messages.DataRequest, sharing.officer())
    etag = await sharing.etag(name)
    own = pb.PreReviewDataRequestRequest(name=name, etag=etag, request_id=request_id(), opinion="同意")
    with pytest.raises(PermissionDenied) as error:
        await sharing.call(sharing.grants.PreReviewDataRequest, own, messages.DataRequest, sharing.officer())
    assert error.value.metadata == {"request": name, "step": "pre_review"}
    await sharing.call(sharing.grants.PreReviewDataRequest, own, messages.DataRequest, sharing.officer("c2"))
    etag = await sharing.etag(name)
    review = pb.ReviewDataRequestRequest(name=name, etag=etag, request_id=request_id(), opinion="同意")
    with pytest.raises(PermissionDenied) as consumer:
        await sharing.call(sharing.grants.ReviewDataRequest, review, messages.DataRequest, sharing.officer("c3"))
    assert consumer.value.reason == "NOT_OWNER"
    await sharing.call(sharing.grants.ReviewDataRequest, review, messages.DataRequest, sharing.provider())
    etag = await sharing.etag(name)
    approve = pb.ApproveDataRequestRequest(name=name, etag=etag, request_id=request_id(), opinion="准予")
    with pytest.raises(PermissionDenied) as same:
        await sharing.call(sharing.grants.ApproveDataRequest, approve, messages.DataRequest, sharing.provider())
    assert same.value.reason == "REVIEW_NOT_SEPARATED"
    refuse = pb.RefuseDataRequestRequest(name=name, etag=etag, request_id=request_id(), reason="不符合共享条件")
    refused = await sharing.call(sharing.grants.RefuseDataRequest, refuse, messages.DataRequest, sharing.provider("p2"))
    assert (refused.state, refused.refusal_reason) == (messages.DATA_REQUEST_STATE_REFUSED, "不符合共享条件")
    approve.etag = refused.etag
    with pytest.raises(FailedPrecondition) as late:
        await sharing.call(sharing.grants.ApproveDataRequest, approve, messages.DataRequest, sharing.provider("p2"))
    assert late.value.reason == "STATE_CONFLICT"


async def test_two_who_approve_at_once_make_one_grant(sharing: Sharing) -> None:
    resource = await sharing.published()
    name = (await sharing.requested(resource, terms())).name
    await sharing.in_review(name)
    etag = await sharing.etag(name)
    results = await asyncio.gather(
        *(
            sharing.call(
                sharing.grants.ApproveDataRequest,
                pb.ApproveDataRequestRequest(name=name, etag=etag, request_id=request_id(), opinion="准予"),
                messages.DataRequest,
                sharing.provider(f"q{n}"),
            )
            for n in range(6)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(each, messages.DataRequest) for each in results) == 1
    assert {each.reason for each in results if isinstance(each, TongbanError)} == {"ETAG_MISMATCH"}
    listed = await sharing.call(
        sharing.grants.ListDataGrants, pb.ListDataGrantsRequest(), pb.ListDataGrantsResponse, sharing.provider()
    )
    assert len(listed.data_grants) == 1


async def test_a_grant_is_narrower_than_the_request_or_none(sharing: Sharing) -> None:
    resource = await sharing.published()
    name = (await sharing.requested(resource, terms(fields=["name"]))).name
    await sharing.in_review(name)
    with pytest.raises(InvalidArgument) as error:
        await sharing.approved(name, terms(fields=["name", "phone"]))
    assert error.value.metadata == {"request": name, "part": "fields"}
    quota = messages.Quota(queries_per_day=1, rows_per_query=1, rows_total=1)
    done = await sharing.approved(name, terms(fields=["name"], compare_fields=[], quota=quota))
    assert (await sharing.grant(done.grant)).terms.quota == quota


_FIELDS = [
    messages.DataField(code="code", title="code", data_type=messages.DATA_TYPE_CHARACTER, key=True),
    messages.DataField(code="staff", title="staff", data_type=messages.DATA_TYPE_INTEGER),
    messages.DataField(code="name", title="name", data_type=messages.DATA_TYPE_CHARACTER),
    messages.DataField(code="phone", title="phone", data_type=messages.DATA_TYPE_CHARACTER),
    messages.DataField(
        code="secret",
        title="secret",
        data_type=messages.DATA_TYPE_CHARACTER,
        sharing_class=messages.SHARING_CLASS_NOT_SHARED,
    ),
]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (terms(department=PROVIDER), "NOT_OWNER"),
        (terms(region="320402", department=ABROAD), "NOT_OWNER"),
        (terms(fields=["income"]), "FIELD_UNKNOWN"),
        (
            terms(row_conditions=[rows("staff", messages.ROW_OPERATOR_AT_LEAST, value_pb2.Value(string_value="x"))]),
            "FIELD_INVALID",
        ),
        (terms(fields=["secret"], compare_fields=[]), "RESOURCE_NOT_SHARED"),
    ],
)
async def test_what_may_not_be_asked(sharing: Sharing, wanted: messages.GrantTerms, reason: str) -> None:
    resource = await sharing.published(fields=_FIELDS, restriction_basis="《示例法》第一条")
    if len(wanted.fields) > 2:
        del wanted.fields[:]
        wanted.fields.extend(granted(["name"], ["phone"]))
    with pytest.raises(TongbanError) as error:
        await sharing.requested(resource, wanted)
    assert error.value.reason == reason


async def test_what_may_not_be_asked_is_not_asked_by_a_change(sharing: Sharing) -> None:
    resource = await sharing.published(fields=_FIELDS, restriction_basis="《示例法》第一条")
    draft = await sharing.requested(resource, terms(fields=["name"], compare_fields=[]))
    request = pb.UpdateDataRequestRequest(data_request=draft, request_id=request_id(), etag=draft.etag)
    request.data_request.content.terms.fields[0].field = "secret"
    request.update_mask.paths.append("content.terms.fields")
    with pytest.raises(TongbanError) as error:
        await sharing.call(sharing.grants.UpdateDataRequest, request, messages.DataRequest, sharing.officer())
    assert error.value.reason == "RESOURCE_NOT_SHARED"


async def test_requests_and_grants_are_seen_by_their_two_sides_only(sharing: Sharing) -> None:
    resource, grant = await sharing.ready()
    request = (await sharing.grant(grant)).request
    stranger = sharing.staff("s1", "departments/00000000-0000-7000-8000-0000000000ee")
    auditor = sharing.staff("s2", "departments/00000000-0000-7000-8000-0000000000ee", "sharing.* audit.*")

    async def seen(token: str) -> tuple[int, int]:
        grants = await sharing.call(
            sharing.grants.ListDataGrants,
            pb.ListDataGrantsRequest(filter=f"resource = {resource}"),
            pb.ListDataGrantsResponse,
            token,
        )
        requests = await sharing.call(
            sharing.grants.ListDataRequests, pb.ListDataRequestsRequest(), pb.ListDataRequestsResponse, token
        )
        return len(grants.data_grants), len(requests.data_requests)

    for token in (sharing.officer(), sharing.provider(), auditor):
        assert await seen(token) == (1, 1)
        got = await sharing.call(
            sharing.grants.GetDataRequest, pb.GetDataRequestRequest(name=request), messages.DataRequest, token
        )
        assert got.grant == grant
    for token in (
        stranger,
        sharing.guest("staff/00000000-0000-7000-8000-000000007831", ABROAD),
        sharing.guest("services/sharing"),
    ):
        assert await seen(token) == (0, 0)
        with pytest.raises(NotFound):
            await sharing.call(
                sharing.grants.GetDataGrant, pb.GetDataGrantRequest(name=grant), messages.DataGrant, token
            )
        with pytest.raises(NotFound):
            await sharing.call(
                sharing.grants.GetDataRequest, pb.GetDataRequestRequest(name=request), messages.DataRequest, token
            )


async def test_lists_are_filtered_and_paged_newest_first(sharing: Sharing) -> None:
    resource = await sharing.published()
    names = [(await sharing.requested(resource, terms())).name for _ in range(3)]
    text = (
        f"content.resource = {resource} AND content.terms.departments:{CONSUMER} AND state = DATA_REQUEST_STATE_DRAFT"
    )
    request = pb.ListDataRequestsRequest(page_size=2, filter=text)
    first = await sharing.call(sharing.grants.ListDataRequests, request, pb.ListDataRequestsResponse, sharing.officer())
    request.page_token = first.next_page_token
    second = await sharing.call(
        sharing.grants.ListDataRequests, request, pb.ListDataRequestsResponse, sharing.officer()
    )
    assert [each.name for each in (*first.data_requests, *second.data_requests)] == names[::-1]
    request.filter = f"content.terms.departments:{PROVIDER}"
    with pytest.raises(InvalidArgument):
        await sharing.call(sharing.grants.ListDataRequests, request, pb.ListDataRequestsResponse, sharing.officer())


async def test_the_responsible_person_is_encrypted_at_rest(sharing: Sharing) -> None:
    resource = await sharing.published()
    await sharing.requested(resource, terms())
    async with sharing.service.process.database.read() as connection:
        row = (await sql.execute(connection, "SELECT * FROM requests")).one()
    assert "示例责任人".encode() not in b"".join(value for value in row if isinstance(value, bytes))


async def test_a_repeated_creation_gives_the_same_request(sharing: Sharing) -> None:
    resource = await sharing.published()
    request = pb.CreateDataRequestRequest(
        request_id=request_id(), data_request=messages.DataRequest(content=content(resource, terms()))
    )
    made = [
        await sharing.call(sharing.grants.CreateDataRequest, request, messages.DataRequest, sharing.officer())
        for _ in range(2)
    ]
    assert made[0] == made[1]
    request.data_request.content.scenario = "别的场景"
    with pytest.raises(FailedPrecondition) as error:
        await sharing.call(sharing.grants.CreateDataRequest, request, messages.DataRequest, sharing.officer())
    assert error.value.reason == "REQUEST_ID_REUSED"


async def test_one_human_being_under_four_records_is_one(sharing: Sharing) -> None:
    resource = await sharing.published()
    human = "persons/00000000-0000-7000-8000-0000000000c1"

    def hand(place: int, department: str) -> str:
        return sharing.staff(f"hand{place}", department, human=human)

    applicant = hand(1, CONSUMER)
    name = (await sharing.requested(resource, terms(), applicant)).name
    submit = pb.SubmitDataRequestRequest(name=name, request_id=request_id())
    await sharing.call(sharing.grants.SubmitDataRequest, submit, messages.DataRequest, applicant)
    steps = (
        (sharing.grants.PreReviewDataRequest, pb.PreReviewDataRequestRequest, CONSUMER, sharing.officer("c2")),
        (sharing.grants.ReviewDataRequest, pb.ReviewDataRequestRequest, PROVIDER, sharing.provider()),
        (sharing.grants.ApproveDataRequest, pb.ApproveDataRequestRequest, PROVIDER, sharing.provider("p2")),
    )
    for place, (method, kind, department, another) in enumerate(steps, start=2):
        request = kind(name=name, etag=await sharing.etag(name), request_id=request_id(), opinion="同意")
        with pytest.raises(PermissionDenied) as same:
            await sharing.call(method, request, messages.DataRequest, hand(place, department))
        assert same.value.reason == "REVIEW_NOT_SEPARATED"
        await sharing.call(method, request, messages.DataRequest, another)


@pytest.mark.parametrize("method", handling_methods("tongban.sharing.v1"), ids=lambda method: method.descriptor.name)
async def test_a_machine_is_nobodys_second_pair_of_eyes(sharing: Sharing, method: Method) -> None:
    """An administrator with four clients, a service, and a service of another region."""
    assert human_only(method)
    stub = getattr(sharing.grants, method.descriptor.name)
    machines = [
        sharing.service.issuer.token("clients/first", "CLIENT", "sharing.*"),
        sharing.service.issuer.token("services/sharing", "SERVICE", "sharing.*"),
        sharing.guest("services/sharing"),
    ]
    for token in machines:
        with pytest.raises(PermissionDenied) as refused:
            await sharing.call(stub, method.request_type(), messages.DataRequest, token)
        assert refused.value.reason == "ACTOR_NOT_ALLOWED"
