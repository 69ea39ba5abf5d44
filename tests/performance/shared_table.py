"""A department's table that the region shares with itself: four people take part, as a grant needs."""

from deploy.local.demo import shared_data
from deploy.local.demo.application import PURPOSE, PURPOSE_CODE
from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import LONG_AGO, LONG_AHEAD, Office, post_with_staff
from deploy.local.regions import LIUAN
from tests.performance.ground import Ground
from tests.support.regions import fill_department_table
from tongban.identity.v1 import resources_pb2
from tongban.sharing.v1 import grant_service_pb2 as api
from tongban.sharing.v1 import grant_service_pb2_grpc
from tongban.sharing.v1 import resources_pb2 as pb

FIRMS = 1000
FIELDS = ("entity_name", "credit_grade")
_PER_DAY = 1_000_000


async def opened(ground: Ground) -> tuple[str, list[str]]:
    """Fills, publishes, mounts and grants the table; returns the resource and the USCCs that stand in it."""
    office = ground.office
    firms = await fill_department_table(ground.state, LIUAN, FIRMS)
    resource = await shared_data.publish_data_resource(office)
    await _grant(office, resource)
    return resource, [uscc for uscc, _ in firms]


async def _staff(office: Office) -> None:
    token = await office.admin_token()
    for number, key in enumerate(("asking", "consenting"), start=80):
        office.staff[key] = await post_with_staff(office, token, number, key, resources_pb2.DUTY_DATA)


async def _grant(office: Office, resource: str) -> None:
    await _staff(office)
    stub = grant_service_pb2_grpc.GrantServiceStub(office.gateway.channel)
    create = api.CreateDataRequestRequest(
        request_id=request_id(), data_request=pb.DataRequest(content=_content(office, resource))
    )
    token = await office.token_of("asking")
    name = (await office.gateway.call(stub.CreateDataRequest, create, pb.DataRequest, token)).name
    submit = api.SubmitDataRequestRequest(name=name, request_id=request_id())
    held = await office.gateway.call(stub.SubmitDataRequest, submit, pb.DataRequest, token)
    steps = (
        (stub.PreReviewDataRequest, api.PreReviewDataRequestRequest, "consenting"),
        (stub.ReviewDataRequest, api.ReviewDataRequestRequest, "data"),
        (stub.ApproveDataRequest, api.ApproveDataRequestRequest, "data2"),
    )
    for method, kind, duty in steps:
        request = kind(name=name, etag=held.etag, request_id=request_id(), opinion="同意")
        held = await office.gateway.call(method, request, pb.DataRequest, await office.token_of(duty))


def _content(office: Office, resource: str) -> pb.RequestContent:
    terms = pb.GrantTerms(
        consumer_region=office.gateway.id,
        departments=[office.department],
        fields=[pb.GrantedField(field=each, rule=pb.FIELD_RULE_CLEAR) for each in FIELDS],
        purpose_code=PURPOSE_CODE,
        purpose=PURPOSE,
        case_required=True,
        quota=pb.Quota(queries_per_day=_PER_DAY, rows_per_query=10, rows_total=_PER_DAY),
    )
    terms.start_time.FromDatetime(LONG_AGO)
    terms.end_time.FromDatetime(LONG_AHEAD)
    return pb.RequestContent(
        resource=resource,
        legal_basis="《政务数据共享条例》",
        scenario="审批核验",
        terms=terms,
        sharing_method=pb.SHARING_METHOD_PLATFORM,
        responsible_person="示例责任人",
        responsible_phone="10000000000",
        security_commitment="仅用于所述办件",
    )
