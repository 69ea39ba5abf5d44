"""The sharing service with a department's own table to mount, and everything up to the grant in a few calls."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest_asyncio
import sqlalchemy as sa
from google.protobuf.message import Message

from deploy.local.secret_files import write_secret
from libs.clock import FakeClock
from libs.process import Process
from libs.security.withdrawals import Withdrawals
from services.sharing.config import DataSource
from tests.service.sharing.identity import identity_beside
from tests.support.backends import HOST
from tests.support.patience import invoke_recorded
from tests.support.service import Ground, Service, serving
from tongban.audit.v1 import audit_service_pb2 as audit
from tongban.audit.v1 import audit_service_pb2_grpc
from tongban.common.v1 import common_pb2, value_pb2
from tongban.sharing.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    data_service_pb2,
    data_service_pb2_grpc,
    grant_service_pb2,
    grant_service_pb2_grpc,
    mount_service_pb2,
    mount_service_pb2_grpc,
)
from tongban.sharing.v1 import resources_pb2 as pb

Answer = TypeVar("Answer", bound=Message)
NOW = datetime(2024, 5, 6, 9, 0, tzinfo=UTC)
PROVIDER = "departments/00000000-0000-7000-8000-00000000000a"
CONSUMER = "departments/00000000-0000-7000-8000-00000000000b"
ABROAD = "//320402/departments/00000000-0000-7000-8000-00000000000c"
PURPOSE_CODE, PURPOSE = "QUALIFICATION_CHECK", "核验经营场所"


def id_of(word: str) -> str:
    """The id of whom these tests call by a short word."""
    return f"00000000-0000-7000-8000-{word.encode().hex():0>12}"


_TABLE = """
CREATE TABLE firms (
  code text NOT NULL, firm_name varchar(100) NOT NULL, trade text, capital numeric, staff integer, founded date,
  active boolean, seen timestamptz, score double precision, owner_phone text, token uuid, photo bytea
);
INSERT INTO firms VALUES
  ('A1', '示例甲公司', '便利店', 12.50, 7, '2020-02-29', true, '2024-01-01T00:00:00Z', 0.5, '10000000001',
   '00000000-0000-7000-8000-000000000001'),
  ('A2', '示例乙公司', '食品', 99, 2, '2021-01-01', false, NULL, NULL, '10000000002', NULL),
  ('A3', '示例丙公司', '五金', 5, 1, NULL, NULL, NULL, NULL, '10000000003', NULL),
  ('B1', '示例丁公司', '食品', 1, 1, NULL, NULL, NULL, NULL, '10000000004', NULL),
  ('B1', '示例戊公司', '食品', 2, 1, NULL, NULL, NULL, NULL, '10000000005', NULL);
"""
FIELDS = {
    "code": ("code", pb.DATA_TYPE_CHARACTER),
    "name": ("firm_name", pb.DATA_TYPE_CHARACTER),
    "trade": ("trade", pb.DATA_TYPE_CHARACTER),
    "capital": ("capital", pb.DATA_TYPE_CURRENCY),
    "staff": ("staff", pb.DATA_TYPE_NUMERIC),
    "founded": ("founded", pb.DATA_TYPE_DATE),
    "active": ("active", pb.DATA_TYPE_LOGICAL),
    "seen": ("seen", pb.DATA_TYPE_DATE_TIME),
    "score": ("score", pb.DATA_TYPE_DOUBLE),
    "phone": ("owner_phone", pb.DATA_TYPE_CHARACTER),
    "token": ("token", pb.DATA_TYPE_GENERAL),
    "photo": ("photo", pb.DATA_TYPE_GENERAL),
}
KEYS = {"code", "staff", "token"}
ASKED = ["name", "trade", "capital", "staff", "founded", "active", "seen", "score"]


def request_id() -> str:
    return str(uuid.uuid4())


def text(value: str) -> value_pb2.Value:
    return value_pb2.Value(string_value=value)


async def make_source(ground: Ground, folder: Path, encoding: str = "UTF8") -> tuple[str, DataSource]:
    """Makes a database as a department would have it, with a role that may only read; returns the owner's DSN too."""
    name = f"registry_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(ground.backends.postgres_dsn)
    await server.execute(
        f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    await server.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'test'")
    await server.close()
    url = sa.make_url(ground.backends.postgres_dsn).set(database=name)
    owner = url.render_as_string(hide_password=False)
    inside = await asyncpg.connect(owner)
    await inside.execute(_TABLE)
    await inside.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{name}"')
    await inside.close()
    write_secret(folder / "registry.dsn", url.set(username=name, password="test").render_as_string(hide_password=False))
    return owner, DataSource(dsn_file=folder / "registry.dsn")


def entry(**changes: Any) -> pb.CatalogEntry:
    fields = [
        pb.DataField(code=code, title=code, data_type=kind, key=code in KEYS) for code, (_, kind) in FIELDS.items()
    ]
    values: dict[str, Any] = {
        "code": "300001/1",
        "title": "经营主体",
        "summary": "示例",
        "provider_department": PROVIDER,
        "provider_code": "913415000000000000",
        "form": pb.RESOURCE_FORM_TABLE,
        "fields": fields,
        "sharing_class": pb.SHARING_CLASS_CONDITIONAL,
        "sharing_condition": "办件需要",
        "sharing_method": pb.SHARING_METHOD_PLATFORM,
        "update_cycle": pb.UPDATE_CYCLE_DAILY,
        "data_level": pb.DATA_LEVEL_GENERAL,
        **changes,
    }
    return pb.CatalogEntry(**values)


def granted(clear: Sequence[str], compared: Sequence[str] = ()) -> list[pb.GrantedField]:
    fields = [pb.GrantedField(field=each, rule=pb.FIELD_RULE_CLEAR) for each in clear]
    return fields + [pb.GrantedField(field=each, rule=pb.FIELD_RULE_COMPARE) for each in compared if each not in clear]


def rows(field: str, operator: "pb.RowOperator.ValueType", *values: value_pb2.Value) -> pb.RowCondition:
    return pb.RowCondition(field_condition=pb.FieldCondition(field=field, operator=operator, values=values))


def terms(*, region: str = "341500", department: str = CONSUMER, **changes: Any) -> pb.GrantTerms:
    fields = granted(changes.pop("fields", ASKED), changes.pop("compare_fields", ["phone"]))
    quota = changes.pop("quota", pb.Quota(queries_per_day=100, rows_per_query=10, rows_total=1000))
    made = pb.GrantTerms(
        **{
            "consumer_region": region,
            "departments": [department],
            "fields": fields,
            "purpose_code": PURPOSE_CODE,
            "purpose": PURPOSE,
            "case_required": True,
            "quota": quota,
            **changes,
        }
    )
    made.start_time.FromDatetime(datetime(2024, 1, 1, tzinfo=UTC))
    made.end_time.FromDatetime(datetime(2024, 12, 31, tzinfo=UTC))
    return made


def content(resource: str, wanted: pb.GrantTerms) -> pb.RequestContent:
    return pb.RequestContent(
        resource=resource,
        legal_basis="《政务数据共享条例》",
        scenario="窗口受理",
        terms=wanted,
        sharing_method=pb.SHARING_METHOD_PLATFORM,
        responsible_person="示例责任人",
        responsible_phone="10000000000",
        security_commitment="不转交他人",
    )


@dataclass
class Sharing:
    """The service under test with its people: two of the provider, three of the consumer, each with a token."""

    service: Service
    clock: FakeClock
    source: str
    tokens: dict[str, str] = field(default_factory=dict)
    told: list[common_pb2.Receipt] = field(default_factory=list)
    """The receipts of the calls, in the order in which they were answered; of one that went abroad that of the region there."""

    def __post_init__(self) -> None:
        channel = self.service.channel
        self.catalog = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        self.mounts = mount_service_pb2_grpc.MountServiceStub(channel)
        self.grants = grant_service_pb2_grpc.GrantServiceStub(channel)
        self.data = data_service_pb2_grpc.DataServiceStub(channel)
        self.log = audit_service_pb2_grpc.AuditServiceStub(channel)

    def staff(self, person: str, department: str, scope: str = "sharing.*", **claims: Any) -> str:
        return self.service.issuer.token(f"staff/{id_of(person)}", "STAFF", scope, dept=department, **claims)

    def guest(self, subject: str, department: str = "") -> str:
        human = f"//320402/persons/{subject[6:]}" if subject.startswith("staff/") else None
        return self.service.issuer.token(
            f"//320402/{subject}", "REGION", "sharing.*", region="320402", dept=department or None, human=human
        )

    def provider(self, person: str = "p1") -> str:
        return self.staff(person, PROVIDER)

    def officer(self, person: str = "c1") -> str:
        # Narrow on purpose: whoever publishes is of the competent authority and sees more.
        return self.staff(
            person,
            CONSUMER,
            "sharing.dataResources.get sharing.dataRequests.* sharing.dataGrants.* sharing.data.* sharing.dataMounts.get",
        )

    async def call(self, function: Any, request: Message, answer: type[Answer], token: str) -> Answer:
        got, receipt = await invoke_recorded(function, request, answer, to="sharing", token=token)
        self.told += [receipt] if receipt is not None else []
        return got

    async def drafted(self, **changes: Any) -> pb.DataResource:
        create = catalog_service_pb2.CreateDataResourceRequest(
            request_id=request_id(), data_resource=pb.DataResource(entry=entry(**changes))
        )
        return await self.call(self.catalog.CreateDataResource, create, pb.DataResource, self.provider())

    async def published(self, **changes: Any) -> str:
        name = (await self.drafted(**changes)).name
        submit = catalog_service_pb2.SubmitDataResourceRequest(name=name, request_id=request_id())
        submitted = await self.call(self.catalog.SubmitDataResource, submit, pb.DataResource, self.provider())
        publish = catalog_service_pb2.PublishDataResourceRequest(
            name=name, etag=submitted.etag, request_id=request_id()
        )
        await self.call(self.catalog.PublishDataResource, publish, pb.DataResource, self.provider("p2"))
        return name

    async def mounted(self, resource: str, **changes: Any) -> pb.DataMount:
        columns = changes.pop("columns", {code: column for code, (column, _) in FIELDS.items()})
        table = pb.TableSource(
            data_source="registry",
            schema="public",
            table="firms",
            columns=[pb.ColumnMapping(field=code, column=column) for code, column in columns.items()],
        )
        table.MergeFrom(pb.TableSource(**changes))
        create = mount_service_pb2.CreateDataMountRequest(
            request_id=request_id(), data_mount=pb.DataMount(resource=resource, table=table)
        )
        return await self.call(self.mounts.CreateDataMount, create, pb.DataMount, self.provider())

    async def checked(self, mount: str) -> pb.DataMount:
        check = mount_service_pb2.CheckDataMountRequest(name=mount, request_id=request_id())
        return await self.call(self.mounts.CheckDataMount, check, pb.DataMount, self.provider())

    async def requested(self, resource: str, wanted: pb.GrantTerms, token: str = "") -> pb.DataRequest:
        create = grant_service_pb2.CreateDataRequestRequest(
            request_id=request_id(), data_request=pb.DataRequest(content=content(resource, wanted))
        )
        return await self.call(self.grants.CreateDataRequest, create, pb.DataRequest, token or self.officer())

    async def in_review(self, name: str, applicant: str = "", colleague: str = "") -> None:
        submit = grant_service_pb2.SubmitDataRequestRequest(name=name, request_id=request_id())
        held = await self.call(self.grants.SubmitDataRequest, submit, pb.DataRequest, applicant or self.officer())
        pre_review = grant_service_pb2.PreReviewDataRequestRequest(
            name=name, etag=held.etag, request_id=request_id(), opinion="同意"
        )
        consents = colleague or self.officer("c2")
        held = await self.call(self.grants.PreReviewDataRequest, pre_review, pb.DataRequest, consents)
        review = grant_service_pb2.ReviewDataRequestRequest(
            name=name, etag=held.etag, request_id=request_id(), opinion="可以共享"
        )
        await self.call(self.grants.ReviewDataRequest, review, pb.DataRequest, self.provider())

    async def etag(self, name: str) -> str:
        """The etag of a request as it stands now."""
        get = grant_service_pb2.GetDataRequestRequest(name=name)
        return (await self.call(self.grants.GetDataRequest, get, pb.DataRequest, self.provider())).etag

    async def approved(self, name: str, narrowed: pb.GrantTerms | None = None) -> pb.DataRequest:
        approve = grant_service_pb2.ApproveDataRequestRequest(
            name=name, etag=await self.etag(name), request_id=request_id(), opinion="准予", terms=narrowed
        )
        return await self.call(self.grants.ApproveDataRequest, approve, pb.DataRequest, self.provider("p2"))

    async def granted(self, resource: str, wanted: pb.GrantTerms | None = None) -> str:
        request = await self.requested(resource, wanted or terms())
        await self.in_review(request.name)
        return (await self.approved(request.name)).grant

    async def granted_abroad(self, resource: str) -> str:
        applicant, colleague = (
            self.guest("staff/00000000-0000-7000-8000-000000007831", ABROAD),
            self.guest("staff/00000000-0000-7000-8000-000000007832", ABROAD),
        )
        wanted = terms(region="320402", department=ABROAD, fields=["name", "trade"], compare_fields=[])
        request = await self.requested(resource, wanted, applicant)
        await self.in_review(request.name, applicant, colleague)
        return (await self.approved(request.name)).grant

    async def ready(self, wanted: pb.GrantTerms | None = None) -> tuple[str, str]:
        """Publishes, mounts and grants; returns resource and grant."""
        resource = await self.published()
        await self.checked((await self.mounted(resource)).name)
        return resource, await self.granted(resource, wanted)

    async def query(self, request: data_service_pb2.QueryRequest, token: str = "") -> data_service_pb2.QueryResponse:
        return await self.call(self.data.Query, request, data_service_pb2.QueryResponse, token or self.officer())

    async def compare(
        self, request: data_service_pb2.CompareRequest, token: str = ""
    ) -> data_service_pb2.CompareResponse:
        return await self.call(self.data.Compare, request, data_service_pb2.CompareResponse, token or self.officer())

    async def grant(self, name: str) -> pb.DataGrant:
        request = grant_service_pb2.GetDataGrantRequest(name=name)
        return await self.call(self.grants.GetDataGrant, request, pb.DataGrant, self.officer())

    async def records(self, transaction_id: str = "", page_size: int = 100) -> list[audit.AuditRecord]:
        request = audit.ListAuditRecordsRequest(parent="sharing", page_size=page_size)
        request.filter = f"transaction_id = {transaction_id}" if transaction_id else ""
        token = self.service.issuer.token("staff/00000000-0000-7000-8000-756469746f72", "STAFF", "audit.*")
        return list(
            (await self.call(self.log.ListAuditRecords, request, audit.ListAuditRecordsResponse, token)).audit_records
        )


def context(**changes: Any) -> common_pb2.UseContext:
    return common_pb2.UseContext(**{"purpose_code": PURPOSE_CODE, "purpose": PURPOSE, "case": "cases/1", **changes})


def query(resource: str, *codes: str, fields: list[str] | None = None, **changes: Any) -> data_service_pb2.QueryRequest:
    """A query by code."""
    conditions = [data_service_pb2.KeyCondition(field="code", values=map(text, codes or ("A1",)))]
    return data_service_pb2.QueryRequest(
        **{
            "resource": resource,
            "fields": fields or ["name", "trade"],
            "conditions": conditions,
            "use_context": context(),
            **changes,
        }
    )


@asynccontextmanager
async def running(ground: Ground, folder: Path, withdrawals: Withdrawals | None = None) -> AsyncIterator[Sharing]:
    """Runs the service at a fixed time, with one data source; ``withdrawals`` are those that it goes by."""
    owner, source = await make_source(ground, folder)
    clock = FakeClock(NOW)
    away = DataSource(dsn_file=folder / "away.dsn")
    write_secret(away.dsn_file, "postgresql://nobody@127.0.0.1:1/nothing")

    def prepare(process: Process) -> None:
        process.withdrawals = withdrawals or process.withdrawals

    async with identity_beside(ground, f"http://{HOST}:1") as address:
        extra: dict[str, Any] = {
            "data_sources": {"registry": source, "away": away},
            "neighbours": {"identity": address},
        }
        async with serving(ground, "sharing", clock, prepare=prepare, **extra) as service:
            yield Sharing(service, clock, owner)


@pytest_asyncio.fixture
async def sharing(ground: Ground, tmp_path: Path) -> AsyncIterator[Sharing]:
    """The sharing service at a fixed time, with one data source."""
    async with running(ground, tmp_path) as made:
        yield made
