"""People are told who asked for shared data about them: sharing knows no accounts, so it goes by the numbers of their documents."""

from typing import Any

import asyncpg

from tests.service.sharing.conftest import CONSUMER, PURPOSE, Sharing, query, terms, text
from tests.service.sharing.identity import NUMBERS, USCC
from tests.support.refusing import refused
from tongban.common.v1 import use_pb2
from tongban.owndata.v1 import own_data_service_pb2 as pb
from tongban.owndata.v1.own_data_service_pb2_grpc import OwnDataServiceStub
from tongban.sharing.v1 import data_service_pb2

(PERSON,) = NUMBERS
OTHER = "persons/00000000-0000-7000-8000-000000000002"
FIRM = "organizations/00000000-0000-7000-8000-000000000003"


async def _put(sharing: Sharing, *codes: str) -> None:
    connection = await asyncpg.connect(sharing.source)
    for code in codes:
        await connection.execute(
            "INSERT INTO firms (code, firm_name, owner_phone) VALUES ($1, '甲', '10000000009')", code
        )
    await connection.close()


async def _uses(sharing: Sharing, subject: str = PERSON, **claims: Any) -> list[use_pb2.Use]:
    token = sharing.service.issuer.token(subject, "PERSON", "owndata.*", acr=4, **claims)
    method = OwnDataServiceStub(sharing.service.channel).ListUses
    request = pb.ListUsesRequest(parent="sharing")
    return list((await sharing.call(method, request, pb.ListUsesResponse, token)).uses)


async def test_whose_number_was_asked_for_is_told_and_nobody_else(sharing: Sharing) -> None:
    await _put(sharing, NUMBERS[PERSON])
    resource, grant = await sharing.ready()
    await sharing.query(query(resource, "A1"))
    assert await _uses(sharing) == []
    await sharing.query(query(resource, NUMBERS[PERSON], "A1"))
    (use,) = await _uses(sharing)
    assert (use.subject, use.resource, use.way) == (PERSON, resource, use_pb2.USE_WAY_FETCHED)
    assert [*use.fields] == ["name", "trade"]
    assert (use.use_context.department, use.use_context.purpose, use.use_context.grant) == (CONSUMER, PURPOSE, grant)
    assert await _uses(sharing, OTHER) == []


async def test_who_is_not_in_the_data_was_not_told_of(sharing: Sharing) -> None:
    resource, _ = await sharing.ready()
    await sharing.query(query(resource, NUMBERS[PERSON]))
    assert await _uses(sharing) == []


async def test_a_comparison_is_a_use_too(sharing: Sharing) -> None:
    await _put(sharing, NUMBERS[PERSON])
    resource, _ = await sharing.ready()
    for number in (NUMBERS[PERSON], "440301199001011234"):
        asked = data_service_pb2.CompareRequest(
            resource=resource,
            conditions=[data_service_pb2.KeyCondition(field="code", values=[text(number)])],
            given=[data_service_pb2.GivenValue(field="phone", value=text("1"))],
            use_context=query(resource).use_context,
        )
        await sharing.compare(asked)
    assert [each.way for each in await _uses(sharing)] == [use_pb2.USE_WAY_COMPARED]


async def test_a_firm_is_known_by_its_code(sharing: Sharing) -> None:
    await _put(sharing, USCC)
    resource, _ = await sharing.ready(terms())
    await sharing.query(query(resource, USCC))
    (use,) = await _uses(sharing, org=FIRM, mandate="mandates/00000000-0000-7000-8000-000000000009")
    assert use.subject == FIRM


async def test_who_has_a_former_name_or_helps_somebody_is_told_as_well(sharing: Sharing) -> None:
    """Identity reveals to a token the account of its own person alone: neither a name of before nor a neighbour's."""
    await _put(sharing, NUMBERS[PERSON])
    resource, _ = await sharing.ready()
    await sharing.query(query(resource, NUMBERS[PERSON]))
    (use,) = await _uses(sharing, former=[OTHER])
    assert use.subject == PERSON
    (use,) = await _uses(sharing, org=OTHER, mandate="mandates/00000000-0000-7000-8000-000000000009")
    assert use.subject == PERSON


async def test_no_number_stands_in_the_table(sharing: Sharing) -> None:
    await _put(sharing, NUMBERS[PERSON])
    resource, _ = await sharing.ready()
    await sharing.query(query(resource, NUMBERS[PERSON]))
    async with sharing.service.process.database.read() as connection:
        driver = await connection.ready()
        found = [row[0] for row in await driver.fetch("SELECT subject FROM data_uses")]
    assert len(found) == 1
    assert NUMBERS[PERSON] not in found[0]


async def test_without_identity_nothing_is_told_and_that_is_said(sharing: Sharing) -> None:
    sharing.service.process._channels.clear()
    sharing.service.process.config.neighbours["identity"] = "127.0.0.1:1"
    assert await refused(_uses(sharing)) == "DEPENDENCY_UNAVAILABLE"
