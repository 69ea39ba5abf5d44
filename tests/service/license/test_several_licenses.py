"""Several licences are read at once: all or none, in the order of their names, each a use, under one record."""

import pytest
import sqlalchemy as sa

from libs.errors import TongbanError
from tests.service.license.conftest import FIRM, OTHER_DEPARTMENT, PERSON, STRANGER, License, context
from tests.support import sql
from tongban.license.v1 import license_service_pb2 as pb

NOBODYS = "licenses/00000000-0000-7000-8000-0000000000ff"


async def several(licensing: License, token: str, *names: str) -> list[str]:
    request = pb.BatchGetLicensesRequest(names=names, use_context=context())
    method, answer = licensing.licenses.BatchGetLicenses, pb.BatchGetLicensesResponse
    found = (await licensing.call(method, request, answer, token)).licenses
    assert all(each.face_fields for each in found)
    return [each.name for each in found]


async def counted(licensing: License, statement: str) -> int:
    async with licensing.service.process.database.read() as connection:
        return int(await sql.scalar(connection, sa.text(statement), {}))


async def test_all_come_in_the_order_asked_each_a_use_of_one_record(licensing: License) -> None:
    made = [(await licensing.issued()).name for _ in range(3)]
    records = await counted(licensing, "SELECT count(*) FROM audit_records")
    uses = await counted(licensing, "SELECT count(*) FROM license_uses")
    for token in (licensing.staff(), licensing.person(PERSON, org=FIRM)):
        wanted = [made[2], made[0], made[1]]
        assert await several(licensing, token, *wanted) == wanted
    assert await counted(licensing, "SELECT count(*) FROM audit_records") == records + 2
    assert await counted(licensing, "SELECT count(*) FROM license_uses") == uses + 6
    assert await counted(licensing, "SELECT count(DISTINCT record) FROM license_uses WHERE action = 'READ'") == 2


@pytest.mark.parametrize("who", ["nobody has it", "a stranger", "another department"])
async def test_where_one_may_not_be_read_none_is(licensing: License, who: str) -> None:
    made = [(await licensing.issued()).name for _ in range(2)]
    uses = await counted(licensing, "SELECT count(*) FROM license_uses")
    token, names, reason = {
        "nobody has it": (licensing.staff(), [*made, NOBODYS], "RESOURCE_NOT_FOUND"),
        "a stranger": (licensing.person(STRANGER), made, "RESOURCE_NOT_FOUND"),
        "another department": (licensing.staff(OTHER_DEPARTMENT), made, "LICENSE_USE_NOT_ALLOWED"),
    }[who]
    with pytest.raises(TongbanError) as caught:
        await several(licensing, token, *names)
    assert caught.value.reason == reason
    assert await counted(licensing, "SELECT count(*) FROM license_uses") == uses


@pytest.mark.parametrize(
    "names", [[], [NOBODYS, NOBODYS], [f"licenses/00000000-0000-7000-8000-{n:012d}" for n in range(51)]]
)
async def test_names_are_bounded_and_each_comes_once(licensing: License, names: list[str]) -> None:
    with pytest.raises(TongbanError) as caught:
        await several(licensing, licensing.staff(), *names)
    assert caught.value.reason == "FIELD_INVALID"
