"""Real names are proven against a department's table that identity reaches through sharing: a use under a grant like any other."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.errors import Unavailable
from services.identity.config import SharedRegisterSection
from services.identity.verifications.shared import SharedRegister
from tests.service.sharing.conftest import CONSUMER, PROVIDER, Sharing, terms

FIRM = ("示例甲公司", "111", "A1")
"""A row of the department's table: a name beside a number."""


@pytest_asyncio.fixture
async def identity(sharing: Sharing) -> AsyncIterator[grpc.aio.Channel]:
    """The channel of the identity service, by its certificate."""
    channel = sharing.service.channel_as("identity")
    yield channel
    await channel.close()


async def _granted(sharing: Sharing, **changes: object) -> tuple[str, str]:
    wanted: dict[str, Any] = {
        "purpose_code": "IDENTITY_CHECK",
        "case_required": False,
        "fields": [],
        "compare_fields": ["name"],
    }
    return await sharing.ready(terms(**wanted | changes))


def _section(resource: str, department: str = CONSUMER, **more: str) -> SharedRegisterSection:
    return SharedRegisterSection(
        resource=resource, department=department, number_field="code", name_field="name", **more
    )


async def test_a_name_beside_a_number_agrees_and_the_use_is_counted_and_recorded(
    sharing: Sharing, identity: grpc.aio.Channel
) -> None:
    resource, grant = await _granted(sharing)
    register = SharedRegister(_section(resource), lambda: identity)
    assert await register.matches(*FIRM)
    assert not await register.matches("示例乙公司", "111", "A1")
    assert not await register.matches("示例甲公司", "111", "nobody")
    assert (await sharing.grant(grant)).queries_today == 3
    record = next(each for each in await sharing.records() if each.action.endswith("DataService.Compare"))
    assert (record.actor, record.department, record.purpose_code) == ("services/identity", CONSUMER, "IDENTITY_CHECK")
    assert (record.basis_kind, record.basis) == ("grant", grant)


async def test_the_documents_type_is_compared_where_the_table_has_one(
    sharing: Sharing, identity: grpc.aio.Channel
) -> None:
    resource, _ = await _granted(sharing)
    register = SharedRegister(_section(resource, type_field="trade"), lambda: identity)
    # Not a key of this table: a wrong setting proves nobody, and is told to the operator, not to the person.
    with pytest.raises(Unavailable) as told:
        await register.matches(*FIRM)
    assert (told.value.reason, told.value.metadata["dependency"]) == ("DEPENDENCY_UNAVAILABLE", "register")


@pytest.mark.parametrize(
    ("changes", "department"),
    [({}, PROVIDER), ({"purpose_code": "QUALIFICATION_CHECK"}, CONSUMER), ({"case_required": True}, CONSUMER)],
    ids=["no grant", "for something else", "for cases"],
)
async def test_what_no_grant_gives_is_not_asked(
    sharing: Sharing, identity: grpc.aio.Channel, changes: dict[str, object], department: str
) -> None:
    resource, _ = await _granted(sharing, **changes)
    with pytest.raises(Unavailable):
        await SharedRegister(_section(resource, department), lambda: identity).matches(*FIRM)


async def test_while_sharing_is_away_nobody_is_proven_and_nobody_fails(sharing: Sharing) -> None:
    resource, _ = await _granted(sharing)
    nowhere = grpc.aio.insecure_channel("127.0.0.1:1")
    with pytest.raises(Unavailable):
        await SharedRegister(_section(resource), lambda: nowhere).matches(*FIRM)
    await nowhere.close()
