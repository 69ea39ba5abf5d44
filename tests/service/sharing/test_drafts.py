"""Drafts of entries, mounts and requests: changed, thrown away, tried; and what the contracts say of each."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from tests.service.sharing.conftest import (
    ABROAD,
    CONSUMER,
    FIELDS,
    PROVIDER,
    Sharing,
    content,
    entry,
    granted,
    request_id,
    terms,
)
from tests.support import drafts
from tests.support.drafts import Drafts
from tests.support.recorded import records_of
from tongban.sharing.v1 import catalog_service_pb2 as catalog
from tongban.sharing.v1 import grant_service_pb2 as grants
from tongban.sharing.v1 import mount_service_pb2 as mounts
from tongban.sharing.v1 import resources_pb2 as pb

_SERIALS = itertools.count(100)
_MANY = 12
Call = Callable[..., Awaitable[Any]]


def _calling(sharing: Sharing, stub: Any, answer: type[Message], usual: str) -> Call:
    async def call(request: Any, token: str = "") -> Any:
        name = type(request).__name__.removesuffix("Request")
        kind = Empty if name.startswith("Delete") else answer
        return await sharing.call(getattr(stub, name), request, kind, token or usual)

    return call


def _reading(call: Call, kind: Any) -> Call:
    async def read(name: str, token: str = "") -> Any:
        return await call(kind(name=name), token)

    return read


async def _entries(sharing: Sharing) -> Drafts:
    """Catalogue entries."""
    call = _calling(sharing, sharing.catalog, pb.DataResource, sharing.provider())

    async def submit(draft: Any) -> Any:
        return await call(catalog.SubmitDataResourceRequest(name=draft.name, request_id=request_id()))

    def create() -> Message:
        made = pb.DataResource(entry=entry(code=f"300001/{next(_SERIALS)}"))
        return catalog.CreateDataResourceRequest(data_resource=made)

    return Drafts(
        process=sharing.service.process,
        call=call,
        create=create,
        update=catalog.UpdateDataResourceRequest,
        delete=catalog.DeleteDataResourceRequest,
        read=_reading(call, catalog.GetDataResourceRequest),
        publish=submit,
        change=("entry.title", "新名称"),
        broken=("entry.provider_code", "x"),
        output=("mounts", [f"dataMounts/{request_id()}"]),
        immutable=("entry.provider_department", CONSUMER),
    )


async def _tables(sharing: Sharing) -> Drafts:
    """Mounts: a resource has one, so each has a resource of its own."""
    behind = iter([(await sharing.drafted(code=f"300002/{place}")).name for place in range(1, _MANY)])
    call = _calling(sharing, sharing.mounts, pb.DataMount, sharing.provider())

    async def check(mount: Any) -> Any:
        return await call(mounts.CheckDataMountRequest(name=mount.name, request_id=request_id()))

    def create() -> Message:
        columns = [pb.ColumnMapping(field=code, column=column) for code, (column, _) in FIELDS.items()]
        table = pb.TableSource(data_source="registry", schema="public", table="firms", columns=columns)
        return mounts.CreateDataMountRequest(data_mount=pb.DataMount(resource=next(behind), table=table))

    return Drafts(
        process=sharing.service.process,
        call=call,
        create=create,
        update=mounts.UpdateDataMountRequest,
        delete=mounts.DeleteDataMountRequest,
        read=_reading(call, mounts.GetDataMountRequest),
        publish=check,
        change=("table.table", "shops"),
        broken=("table.table", 'firms"; --'),
        output=("state", pb.DATA_MOUNT_STATE_ACTIVE),
        immutable=("resource", f"dataResources/{request_id()}"),
    )


async def _asked(sharing: Sharing) -> Drafts:
    """Requests for data; whoever reads one sees who is responsible, and is recorded."""
    resource, other = await sharing.published(), await sharing.published(code="300001/2")
    call = _calling(sharing, sharing.grants, pb.DataRequest, sharing.officer())
    scenarios = itertools.count()

    async def submit(draft: Any) -> Any:
        return await call(grants.SubmitDataRequestRequest(name=draft.name, request_id=request_id()))

    def create() -> Message:
        wanted = content(resource, terms())
        wanted.scenario = f"场景 {next(scenarios)}"
        return grants.CreateDataRequestRequest(data_request=pb.DataRequest(content=wanted))

    return Drafts(
        process=sharing.service.process,
        call=call,
        create=create,
        update=grants.UpdateDataRequestRequest,
        delete=grants.DeleteDataRequestRequest,
        read=_reading(call, grants.GetDataRequestRequest),
        publish=submit,
        change=("content.responsible_person", "另一责任人"),
        broken=("content.responsible_phone", "12"),
        output=("decider", "staff/x"),
        immutable=("content.resource", other),
        but=drafts.LOG,
    )


@pytest_asyncio.fixture
async def entries(sharing: Sharing) -> Drafts:
    return await _entries(sharing)


@pytest_asyncio.fixture
async def tables(sharing: Sharing) -> Drafts:
    return await _tables(sharing)


@pytest_asyncio.fixture
async def asked(sharing: Sharing) -> Drafts:
    return await _asked(sharing)


@pytest.mark.parametrize("rule", drafts.RULES)
@pytest.mark.parametrize("kind", [_entries, _tables, _asked])
async def test_all_keep_the_rules_of_drafts(
    rule: Callable[[Drafts], Awaitable[None]], kind: Callable[[Sharing], Awaitable[Drafts]], sharing: Sharing
) -> None:
    await rule(await kind(sharing))


async def test_an_entry_is_held_to_the_rules_of_the_catalogue(entries: Drafts) -> None:
    draft, other = await entries.made(), await entries.made()
    wrong = drafts.put(draft, "entry.sharing_condition", "")
    assert await drafts.rules_of(entries.call(entries.updating(wrong, "entry.sharing_condition"))) == [
        ("data_resource.entry.sharing_condition", "class.condition")
    ]
    taken = drafts.put(draft, "entry.code", other.entry.code)
    assert await drafts.refused(entries.call(entries.updating(taken, "entry.code"))) == "RESOURCE_EXISTS"


async def test_what_a_mount_rests_on_stays_until_it_goes(sharing: Sharing, entries: Drafts, tables: Drafts) -> None:
    draft = await entries.made()
    mount = await sharing.mounted(draft.name)
    draft = await entries.read(draft.name)
    fewer = drafts.put(draft, "entry.fields", list(draft.entry.fields)[:-1])
    assert await drafts.refused(entries.call(entries.updating(fewer, "entry.fields"))) == "DATA_RESOURCE_MOUNTED"
    assert await drafts.refused(entries.call(entries.deleting(draft))) == "DATA_RESOURCE_MOUNTED"
    titled = await entries.call(entries.updating(drafts.put(draft, "entry.title", "新"), "entry.title"))
    assert titled.mounts == [mount.name]
    await tables.call(tables.deleting(mount))
    draft = await entries.read(draft.name)
    assert draft.mounts == []
    fewer = drafts.put(fewer, "etag", draft.etag)
    changed = await entries.call(entries.updating(fewer, "entry.fields"))
    assert changed.entry.fields == fewer.entry.fields


async def test_a_mount_that_failed_its_check_is_put_right(sharing: Sharing, tables: Drafts) -> None:
    """Before, a mount with a misspelt column stood behind its resource for good."""
    mount = await sharing.mounted((await sharing.drafted()).name, table="shops")
    failed = await sharing.checked(mount.name)
    assert failed.state == pb.DATA_MOUNT_STATE_FAILED
    right = await tables.call(tables.updating(drafts.put(failed, "table.table", "firms"), "table.table"))
    assert (right.state, right.HasField("last_check")) == (pb.DATA_MOUNT_STATE_CREATED, False)
    assert (await sharing.checked(mount.name)).state == pb.DATA_MOUNT_STATE_ACTIVE
    for path, value, rule in (
        ("table.data_source", "other", "data_source.known"),
        ("table.schema", "pg_catalog", "schema.system"),
    ):
        unread = await tables.made()
        wrong = drafts.put(unread, path, value)
        assert await drafts.rules_of(tables.call(tables.updating(wrong, path))) == [(f"data_mount.{path}", rule)]


async def test_drafts_are_their_sides_alone(sharing: Sharing, entries: Drafts, tables: Drafts, asked: Drafts) -> None:
    """Others hear that there is none, or whose it is."""
    entry_, mount, wanted = await entries.made(), await tables.made(), await asked.made()
    stranger = sharing.staff("s9", "departments/00000000-0000-7000-8000-0000000000d9", "sharing.*")
    colleague, abroad = sharing.officer("c2"), sharing.guest("staff/00000000-0000-7000-8000-000000007831", ABROAD)
    for kind, thing, token, reason in (
        (
            entries,
            entry_,
            sharing.staff("c1", CONSUMER, "sharing.dataResources.update sharing.dataResources.delete"),
            "RESOURCE_NOT_FOUND",
        ),
        (entries, entry_, stranger, "NOT_OWNER"),
        (tables, mount, stranger, "RESOURCE_NOT_FOUND"),
        (tables, mount, sharing.staff("s8", CONSUMER, "sharing.* audit.auditRecords.list"), "NOT_OWNER"),
        (asked, wanted, colleague, "NOT_OWNER"),
        (asked, wanted, abroad, "RESOURCE_NOT_FOUND"),
    ):
        for request in (kind.updating(thing, kind.change[0]), kind.deleting(thing)):
            assert await drafts.refused(kind.call(request, token)) == reason


async def test_a_request_is_held_to_its_resource(sharing: Sharing, asked: Drafts) -> None:
    draft = await asked.made()
    for path, value, reason in (
        ("content.terms.fields", granted(["nothing_such"]), "FIELD_UNKNOWN"),
        ("content.terms.departments", [PROVIDER], "NOT_OWNER"),
    ):
        wrong = drafts.put(draft, path, value)
        assert await drafts.refused(asked.call(asked.updating(wrong, path))) == reason
    backwards = drafts.put(draft, "content.terms.end_time", draft.content.terms.start_time)
    told = await drafts.rules_of(asked.call(asked.updating(backwards, "content.terms.end_time")))
    assert told == [("data_request.content.terms", "grant_terms.period")]


async def test_what_is_tried_and_tells_of_somebody_is_on_record_as_seen(sharing: Sharing, asked: Drafts) -> None:
    """An answer names the responsible person, as a read does: ``validate_only`` is no way around the log."""
    draft = await asked.made()
    await asked.call(asked.updating(draft, asked.change[0], validate_only=True))
    tried = grants.SubmitDataRequestRequest(name=draft.name, request_id=request_id(), validate_only=True)
    assert (await asked.call(tried)).state == pb.DATA_REQUEST_STATE_SUBMITTED
    assert (await asked.read(draft.name)).state == pb.DATA_REQUEST_STATE_DRAFT
    for action in ("UpdateDataRequest", "SubmitDataRequest"):
        (record,) = await records_of(sharing.service.process, action)
        assert (record.result, record.object, record.purpose) == ("VALIDATED", draft.name, "")
