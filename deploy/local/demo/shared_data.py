"""A department's own table in 六安, mounted, shared with 天宁 under a grant: catalogue, mount, request, reviews, grant."""

from datetime import UTC, datetime

import asyncpg

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import LONG_AGO, LONG_AHEAD, Office
from tongban.sharing.v1 import (
    catalog_service_pb2,
    grant_service_pb2,
    mount_service_pb2,
)
from tongban.sharing.v1 import resources_pb2 as pb

DATA_SOURCE = "department"
_TABLE = "enterprise_credit"
_FIELDS = {
    "uscc": ("统一社会信用代码", True),
    "entity_name": ("企业名称", False),
    "credit_grade": ("信用等级", False),
    "tax_amount": ("纳税额", False),
}


async def fill_department_table(owner_dsn: str, reader: str, firms: list[tuple[str, str]]) -> None:
    """Makes and fills the department's own table, as its system of record would, outside of Tongban."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {_TABLE} (uscc text PRIMARY KEY, entity_name text NOT NULL,"
            " credit_grade text NOT NULL, tax_amount text NOT NULL)"
        )
        await connection.execute(f'GRANT SELECT ON {_TABLE} TO "{reader}"')
        rows = [(code, name, "A", "100000") for code, name in firms]
        statement = f"INSERT INTO {_TABLE} VALUES ($1, $2, $3, $4) ON CONFLICT (uscc) DO NOTHING"  # noqa: S608 - constant
        await connection.executemany(statement, rows)
    finally:
        await connection.close()


async def publish_data_resource(office: Office) -> str:
    """Enters the resource in 六安's catalogue, publishes it and mounts the table; returns its name."""
    gateway = office.gateway
    first, second = await office.token_of("data"), await office.token_of("data2")
    entry = pb.CatalogEntry(
        code=f"3{gateway.code}/0001",
        title="企业信用信息",
        summary="企业的信用等级,供跨省审批核验",
        provider_department=office.department,
        provider_code=office.uscc,
        form=pb.RESOURCE_FORM_TABLE,
        format="table",
        fields=[
            pb.DataField(
                code=code,
                title=title,
                data_type=pb.DATA_TYPE_CHARACTER,
                length=100,
                key=key,
                sharing_class=pb.SHARING_CLASS_CONDITIONAL,
                source_department=office.department,
            )
            for code, (title, key) in _FIELDS.items()
        ],
        sharing_class=pb.SHARING_CLASS_CONDITIONAL,
        sharing_condition="用于跨省通办事项的审查,须有办件编号",
        sharing_method=pb.SHARING_METHOD_PLATFORM,
        update_cycle=pb.UPDATE_CYCLE_DAILY,
        data_level=pb.DATA_LEVEL_GENERAL,
    )
    create = catalog_service_pb2.CreateDataResourceRequest(
        data_resource=pb.DataResource(entry=entry), request_id=request_id()
    )
    made = await gateway.using(first).call(create, pb.DataResource)
    submit = catalog_service_pb2.SubmitDataResourceRequest(name=made.name, request_id=request_id())
    submitted = await gateway.using(first).call(submit, pb.DataResource)
    publish = catalog_service_pb2.PublishDataResourceRequest(
        name=made.name, etag=submitted.etag, request_id=request_id()
    )
    await gateway.using(second).call(publish, pb.DataResource)
    await _mount(office, made.name, first)
    return made.name


async def _mount(office: Office, resource: str, token: str) -> None:
    gateway = office.gateway
    table = pb.TableSource(
        data_source=DATA_SOURCE,
        schema="public",
        table=_TABLE,
        columns=[pb.ColumnMapping(field=code, column=code) for code in _FIELDS],
    )
    create = mount_service_pb2.CreateDataMountRequest(
        request_id=request_id(), data_mount=pb.DataMount(resource=resource, table=table)
    )
    made = await gateway.using(token).call(create, pb.DataMount)
    check = mount_service_pb2.CheckDataMountRequest(name=made.name, request_id=request_id())
    checked = await gateway.using(token).call(check, pb.DataMount)
    if checked.state != pb.DATA_MOUNT_STATE_ACTIVE:
        raise RuntimeError(f"the mount was not accepted: {list(checked.last_check.findings)}")


async def grant(provider: Office, consumer: Office, resource: str, purpose: str) -> str:
    """Has 天宁 ask for the resource and 六安 grant two of its fields; four people take part. Returns the grant's name."""
    gateway = provider.gateway
    applicant = await consumer.token_in(gateway, "data")
    reviewer_there = await consumer.token_in(gateway, "data2")
    request = await gateway.using(applicant).sharing.create_data_request(
        data_request=pb.DataRequest(content=_content(consumer, resource, purpose))
    )
    name = request.name
    submit = grant_service_pb2.SubmitDataRequestRequest(name=name, request_id=request_id())
    request = await gateway.using(applicant).call(submit, pb.DataRequest)
    pre_review = grant_service_pb2.PreReviewDataRequestRequest(
        name=name, etag=request.etag, request_id=request_id(), opinion="同意申请"
    )
    request = await gateway.using(reviewer_there).call(pre_review, pb.DataRequest)
    review = grant_service_pb2.ReviewDataRequestRequest(
        name=name, etag=request.etag, request_id=request_id(), opinion="同意共享"
    )
    request = await gateway.using(await provider.token_of("data")).call(review, pb.DataRequest)
    approve = grant_service_pb2.ApproveDataRequestRequest(
        name=name, etag=request.etag, request_id=request_id(), opinion="准予"
    )
    granted = await gateway.using(await provider.token_of("data2")).call(approve, pb.DataRequest)
    return granted.grant


def _content(consumer: Office, resource: str, purpose: str) -> pb.RequestContent:
    region = consumer.gateway.id
    terms = pb.GrantTerms(
        consumer_region=region,
        departments=[f"//{region}/{consumer.department}"],
        fields=[pb.GrantedField(field=each, rule=pb.FIELD_RULE_CLEAR) for each in ("entity_name", "credit_grade")],
        purpose_code="CROSS_REGION_HANDLING",
        purpose=purpose,
        case_required=True,
        quota=pb.Quota(queries_per_day=1000, rows_per_query=10, rows_total=10_000),
    )
    terms.start_time.FromDatetime(max(LONG_AGO, datetime(2023, 12, 1, tzinfo=UTC)))
    terms.end_time.FromDatetime(LONG_AHEAD)
    return pb.RequestContent(
        resource=resource,
        legal_basis="《政务数据共享条例》",
        scenario="跨省通办事项审查",
        terms=terms,
        sharing_method=pb.SHARING_METHOD_PLATFORM,
        responsible_person="示例责任人",
        responsible_phone="10000000000",
        security_commitment="仅用于所述办件,不转交他人",
    )
