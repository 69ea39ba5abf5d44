"""CatalogService and MountService."""

from typing import Any

import asyncpg
import pytest

from libs.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    TongbanError,
)
from tests.service.sharing.conftest import CONSUMER, FIELDS, PROVIDER, Sharing, entry, request_id
from tongban.sharing.v1 import catalog_service_pb2 as pb
from tongban.sharing.v1 import mount_service_pb2
from tongban.sharing.v1 import resources_pb2 as messages


async def test_an_entry_goes_from_draft_to_publication(sharing: Sharing) -> None:
    draft = await sharing.drafted()
    assert draft.state == messages.DATA_RESOURCE_STATE_DRAFT
    request = pb.SubmitDataResourceRequest(name=draft.name, request_id=request_id(), etag=draft.etag)
    submitted = await sharing.call(
        sharing.catalog.SubmitDataResource, request, messages.DataResource, sharing.provider()
    )
    again = await sharing.call(sharing.catalog.SubmitDataResource, request, messages.DataResource, sharing.provider())
    assert again == submitted
    publish = pb.PublishDataResourceRequest(name=draft.name, request_id=request_id(), etag=draft.etag)
    with pytest.raises(Aborted) as stale:
        await sharing.call(sharing.catalog.PublishDataResource, publish, messages.DataResource, sharing.provider("p2"))
    assert stale.value.reason == "ETAG_MISMATCH"
    publish.etag = submitted.etag
    published = await sharing.call(
        sharing.catalog.PublishDataResource, publish, messages.DataResource, sharing.provider("p2")
    )
    assert published.state == messages.DATA_RESOURCE_STATE_PUBLISHED
    assert published.publish_time.ToDatetime().year == 2024
    get = pb.GetDataResourceRequest(name=draft.name)
    assert (
        await sharing.call(sharing.catalog.GetDataResource, get, messages.DataResource, sharing.officer()) == published
    )
    publish.request_id, publish.etag = request_id(), published.etag
    with pytest.raises(FailedPrecondition) as error:
        await sharing.call(sharing.catalog.PublishDataResource, publish, messages.DataResource, sharing.provider("p2"))
    assert error.value.reason == "STATE_CONFLICT"


async def test_a_draft_is_hidden_from_others(sharing: Sharing) -> None:
    draft = await sharing.drafted()
    get = pb.GetDataResourceRequest(name=draft.name)
    scope = "sharing.dataResources.get sharing.dataResources.list sharing.dataResources.submit sharing.dataMounts.*"
    stranger = sharing.staff("s1", CONSUMER, scope)
    person = sharing.service.issuer.token("persons/00000000-0000-7000-8000-000000000001", "PERSON", scope)
    for token in (stranger, person, sharing.guest("staff/00000000-0000-7000-8000-000000007831")):
        with pytest.raises(NotFound):
            await sharing.call(sharing.catalog.GetDataResource, get, messages.DataResource, token)
        listed = await sharing.call(
            sharing.catalog.ListDataResources, pb.ListDataResourcesRequest(), pb.ListDataResourcesResponse, token
        )
        assert not listed.data_resources
    submit = pb.SubmitDataResourceRequest(name=draft.name, request_id=request_id())
    with pytest.raises(NotFound):
        await sharing.call(sharing.catalog.SubmitDataResource, submit, messages.DataResource, stranger)
    with pytest.raises(PermissionDenied) as owner:
        await sharing.call(
            sharing.catalog.SubmitDataResource, submit, messages.DataResource, sharing.staff("a", CONSUMER)
        )
    assert owner.value.reason == "NOT_OWNER"


async def test_nobody_enters_data_for_another_department(sharing: Sharing) -> None:
    request = pb.CreateDataResourceRequest(
        request_id=request_id(), data_resource=messages.DataResource(entry=entry(provider_department=CONSUMER))
    )
    with pytest.raises(PermissionDenied) as error:
        await sharing.call(sharing.catalog.CreateDataResource, request, messages.DataResource, sharing.provider())
    assert error.value.reason == "NOT_OWNER"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sharing_condition": ""}, "data_resource.entry.sharing_condition"),
        ({"code": "3/1"}, "data_resource.entry.code"),
        (
            {"fields": [messages.DataField(code="a", title="a", data_type=messages.DATA_TYPE_CHARACTER)]},
            "data_resource.entry.fields",
        ),
        ({"sharing_class": messages.SHARING_CLASS_NOT_SHARED}, "data_resource.entry.restriction_basis"),
    ],
)
async def test_the_rules_of_the_catalogue_name_the_field(sharing: Sharing, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        await sharing.drafted(**changes)
    assert error.value.violations[0].field == field


async def test_a_code_names_one_resource(sharing: Sharing) -> None:
    await sharing.drafted()
    with pytest.raises(AlreadyExists) as error:
        await sharing.drafted()
    assert error.value.metadata == {"resource": "resources"}


async def test_lists_are_filtered_and_paged(sharing: Sharing) -> None:
    for number in range(5):
        await sharing.drafted(code=f"300001/{number}")
    await sharing.published(code="300002/1")

    async def listed(**wanted: Any) -> list[str]:
        request, codes = pb.ListDataResourcesRequest(page_size=2, **wanted), []
        while True:
            page = await sharing.call(
                sharing.catalog.ListDataResources, request, pb.ListDataResourcesResponse, sharing.provider()
            )
            codes += [each.entry.code for each in page.data_resources]
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return codes

    assert await listed() == [*(f"300001/{number}" for number in range(5)), "300002/1"]
    assert await listed(filter="state = DATA_RESOURCE_STATE_PUBLISHED") == ["300002/1"]
    assert await listed(filter=f"entry.code = 300001/3 AND entry.provider_department = {PROVIDER}") == ["300001/3"]
    assert await listed(filter="entry.sharing_class = SHARING_CLASS_UNCONDITIONAL") == []


async def test_a_mount_is_held_against_the_table(sharing: Sharing) -> None:
    resource = await sharing.published()
    mount = await sharing.mounted(resource)
    assert mount.state == messages.DATA_MOUNT_STATE_CREATED
    checked = await sharing.checked(mount.name)
    assert (checked.state, list(checked.last_check.findings)) == (messages.DATA_MOUNT_STATE_ACTIVE, [])
    owner = await asyncpg.connect(sharing.source)
    await owner.execute("ALTER TABLE firms DROP COLUMN trade; ALTER TABLE firms ALTER COLUMN founded TYPE text")
    failed = await sharing.checked(mount.name)
    assert failed.state == messages.DATA_MOUNT_STATE_FAILED
    assert sorted(failed.last_check.findings) == [
        "column founded is text, which does not hold DATE",
        "there is no column trade",
    ]
    await owner.execute("DROP TABLE firms")
    await owner.close()
    assert "no table public.firms" in (await sharing.checked(mount.name)).last_check.findings[0]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"data_source": "unknown"}, "data_source.known"),
        ({"schema": "pg_catalog"}, "schema.system"),
        ({"columns": dict.fromkeys(FIELDS, "firm_name")}, "mapping.column_twice"),
        ({"columns": {"code": "code"}}, "mapping.missing"),
        ({"table": 'firms"; DROP TABLE firms; --'}, "string.pattern"),
    ],
)
async def test_a_wrong_mount_is_refused(sharing: Sharing, changes: dict[str, Any], rule: str) -> None:
    resource = await sharing.published()
    with pytest.raises(InvalidArgument) as error:
        await sharing.mounted(resource, **changes)
    assert error.value.violations[0].rule == rule


async def test_a_resource_has_one_mount_and_its_provider_alone_sees_it(sharing: Sharing) -> None:
    resource = await sharing.published()
    mount = await sharing.mounted(resource)
    with pytest.raises(AlreadyExists) as error:
        await sharing.mounted(resource)
    assert error.value.metadata == {"resource": "mounts"}
    get = mount_service_pb2.GetDataMountRequest(name=mount.name)
    assert await sharing.call(sharing.mounts.GetDataMount, get, messages.DataMount, sharing.provider("p2")) == mount
    with pytest.raises(NotFound):
        await sharing.call(sharing.mounts.GetDataMount, get, messages.DataMount, sharing.officer())
    found = await sharing.call(
        sharing.catalog.GetDataResource,
        pb.GetDataResourceRequest(name=resource),
        messages.DataResource,
        sharing.provider(),
    )
    assert found.mounts == [mount.name]


async def test_only_tables_are_mounted_so(sharing: Sharing) -> None:
    resource = await sharing.published(form=messages.RESOURCE_FORM_FILE)
    with pytest.raises(InvalidArgument) as error:
        await sharing.mounted(resource)
    assert error.value.violations[0].rule == "resource.form"


async def test_the_reader_can_not_write(sharing: Sharing) -> None:
    from services.sharing.integrations.data_sources import DataSources  # noqa: PLC0415 - the fixture configures it

    config: Any = sharing.service.process.config
    sources = DataSources(config.data_sources)
    with pytest.raises((asyncpg.PostgresError, TongbanError)):
        await sources.fetch("registry", "CREATE TABLE pg_temp.t (a int)", ())
    await sources.close()
