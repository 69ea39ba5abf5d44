"""Whose entries, requests and grants each caller reaches: what each is answered about a real one is what `matrix_of_things.txt` says."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest_asyncio
from google.protobuf.message import Message

from libs.security.withdrawals import Withdrawals
from tests.service.sharing.conftest import (
    FIELDS,
    PROVIDER,
    Sharing,
    content,
    entry,
    query,
    request_id,
    running,
    terms,
    text,
)
from tests.service.sharing.conftest import context as use
from tests.support.refusing import OLD, asked
from tests.support.service import Ground
from tests.support.things import (
    CLERK,
    Asking,
    Question,
    differences,
    of_nobody,
    one_mandate_revoked,
    rpcs_of,
    written,
)
from tongban.sharing.v1 import catalog_service_pb2 as catalog
from tongban.sharing.v1 import data_service_pb2 as data
from tongban.sharing.v1 import grant_service_pb2 as grants
from tongban.sharing.v1 import mount_service_pb2 as mounts
from tongban.sharing.v1 import resources_pb2 as pb

ELSEWHERE = "departments/00000000-0000-7000-8000-0000000000d2"


@dataclass
class Furnished:
    """The service with things of the department in it, by what the table calls them."""

    sharing: Sharing
    names: dict[str, str]
    codes: Any = field(default_factory=lambda: count(1))


@pytest_asyncio.fixture
async def furnished(ground: Ground, tmp_path: Path) -> AsyncIterator[Furnished]:
    """Entries, mounts, requests and a grant of the department's; others have asked it for one, and are refused nothing yet."""
    async with running(ground, tmp_path, Withdrawals(one_mandate_revoked)) as sharing:
        published = await sharing.published()
        await sharing.checked((await sharing.mounted(published)).name)
        draft = await sharing.drafted(code="300001/2")
        mount = await sharing.mounted(draft.name)
        clerk = sharing.service.issuer.token(CLERK, "STAFF", "sharing.*", dept=PROVIDER)
        made = await sharing.requested(published, terms(department=PROVIDER), clerk)
        received = await sharing.requested(published, terms())
        names = {"published": published, "draft": draft.name, "mount": mount.name, "asked": made.name}
        yield Furnished(sharing, {**names, "received": received.name, "granted": await _granted(sharing, published)})


async def _granted(sharing: Sharing, resource: str) -> str:
    """A grant of the department's data for its own use."""
    first, second = (sharing.staff(each, PROVIDER) for each in ("c1", "c2"))
    request = await sharing.requested(resource, terms(department=PROVIDER), first)
    await sharing.in_review(request.name, first, second)
    return (await sharing.approved(request.name)).grant


def _made(there: Furnished) -> dict[str, Callable[[str], Message]]:
    names = there.names
    make: dict[str, Callable[[str], Message]] = {
        "CatalogService.CreateDataResource": lambda _: catalog.CreateDataResourceRequest(
            data_resource=pb.DataResource(entry=entry(code=f"300002/{next(there.codes)}")), request_id=request_id()
        ),
        "CatalogService.UpdateDataResource": lambda thing: _updated(
            catalog.UpdateDataResourceRequest(data_resource=pb.DataResource(name=names[thing], entry=entry())),
            "entry.title",
        ),
        "CatalogService.GetDataResource": lambda thing: catalog.GetDataResourceRequest(name=names[thing]),
        "CatalogService.ListDataResources": lambda _: catalog.ListDataResourcesRequest(page_size=1000),
        "DataService.Query": lambda _: query(names["published"]),
        "DataService.Compare": lambda _: data.CompareRequest(
            resource=names["published"],
            conditions=query(names["published"]).conditions,
            given=[data.GivenValue(field="phone", value=text("10000000001"))],
            use_context=use(),
        ),
        "GrantService.CreateDataRequest": lambda _: grants.CreateDataRequestRequest(
            data_request=pb.DataRequest(content=content(names["published"], terms(department=PROVIDER))),
            request_id=request_id(),
        ),
        "GrantService.UpdateDataRequest": lambda thing: _updated(
            grants.UpdateDataRequestRequest(
                data_request=pb.DataRequest(
                    name=names[thing], content=content(names["published"], terms(department=PROVIDER))
                )
            ),
            "content.scenario",
        ),
        "GrantService.GetDataRequest": lambda thing: grants.GetDataRequestRequest(name=names[thing]),
        "GrantService.ListDataRequests": lambda _: grants.ListDataRequestsRequest(page_size=1000),
        "GrantService.GetDataGrant": lambda thing: grants.GetDataGrantRequest(name=names[thing]),
        "GrantService.ListDataGrants": lambda _: grants.ListDataGrantsRequest(page_size=1000),
        "MountService.CreateDataMount": lambda thing: mounts.CreateDataMountRequest(
            data_mount=pb.DataMount(resource=names[thing], table=_table()), request_id=request_id()
        ),
        "MountService.UpdateDataMount": lambda thing: _updated(
            mounts.UpdateDataMountRequest(data_mount=pb.DataMount(name=names[thing], table=_table())), "table.table"
        ),
        "MountService.GetDataMount": lambda thing: mounts.GetDataMountRequest(name=names[thing]),
    }
    steps = {line.split()[0].removeprefix("sharing.v1.") for line in written("sharing")} - set(make)
    return {**make, **{step: _step(step, names) for step in steps}}


def _step(rpc: str, names: dict[str, str]) -> Callable[[str], Message]:
    return lambda thing: asked(rpc.rpartition(".")[2], names[thing], OLD)


def _updated(request: Any, path: str) -> Message:
    request.etag, request.request_id = OLD, request_id()
    request.update_mask.paths.append(path)
    return request  # type: ignore[no-any-return]


def _table() -> pb.TableSource:
    columns = [pb.ColumnMapping(field=code, column=column) for code, (column, _) in FIELDS.items()]
    return pb.TableSource(data_source="registry", schema="public", table="firms", columns=columns)


def _questions(there: Furnished) -> list[Question]:
    make = _made(there)
    return [_question(there, line, make) for line in written("sharing")]


def _question(there: Furnished, line: str, make: dict[str, Callable[[str], Message]]) -> Question:
    rpc, thing = line.split()
    shows = there.names[thing] if ".List" in rpc else ""
    return Question(rpc, thing, lambda: make[rpc.removeprefix("sharing.v1.")](thing), shows)


async def test_each_caller_is_answered_about_a_real_thing_as_it_is_written_down(furnished: Furnished) -> None:
    asking = Asking(furnished.sharing.service, PROVIDER, ELSEWHERE)
    assert await differences(asking, "sharing", _questions(furnished)) == []


def test_the_table_has_every_rpc() -> None:
    asked_about = {line.split()[0] for line in written("sharing")}
    assert asked_about | of_nobody("sharing") == rpcs_of("sharing")
    assert asked_about.isdisjoint(of_nobody("sharing"))
