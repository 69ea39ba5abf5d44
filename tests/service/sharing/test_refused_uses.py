"""What every use of shared data is refused with: read or compared, by a department of this region or of another."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.service.sharing.conftest import ABROAD, Sharing, context, query, terms, text
from tests.support import sql
from tests.support.refusing import refused
from tongban.sharing.v1 import data_service_pb2 as data
from tongban.sharing.v1 import resources_pb2 as pb

_OTHER = "departments/00000000-0000-7000-8000-0000000000ee"
_FROM_ABROAD = {
    "department": ABROAD,
    "operator": "//320402/staff/00000000-0000-7000-8000-000000007839",
    "transaction_id": "00000000-0000-4000-8000-000000000007",
    "case": "//320402/cases/1",
}
_ONCE = pb.Quota(queries_per_day=1, rows_per_query=10, rows_total=1000)


@dataclass(frozen=True)
class Use:
    """One of the four: of a resource, under a grant that lets it be used once a day."""

    compares: bool
    abroad: bool
    sharing: Sharing
    resource: str

    async def __call__(
        self, field: str = "name", key: str = "code", page: str = "", other: bool = False, **use: str
    ) -> str:
        """The reason for which it is refused; ``other`` has another department ask, which holds no grant."""
        conditions = [data.KeyCondition(field=key, values=[text("A1")])]
        resource, named = use.pop("resource", self.resource), context(**(self._named(other) | use))
        shared: dict[str, Any] = {"resource": resource, "conditions": conditions, "use_context": named}
        if self.compares:
            given = [data.GivenValue(field=field, value=text("x"))]
            return await refused(self.sharing.compare(data.CompareRequest(given=given, **shared), self._token(other)))
        asked = query(fields=[field], page_token=page, **shared)
        return await refused(self.sharing.query(asked, self._token(other)))

    def _named(self, other: bool) -> dict[str, str]:
        """What is said of who asks: a region of its own departments, at home the token alone."""
        return _FROM_ABROAD | ({"department": f"{ABROAD[:-1]}d"} if other else {}) if self.abroad else {}

    def _token(self, other: bool) -> str:
        if self.abroad:
            return self.sharing.guest("services/sharing")
        return self.sharing.staff("s1", _OTHER) if other else self.sharing.officer()


async def _granted(sharing: Sharing, *, abroad: bool) -> tuple[str, str]:
    """A resource that is mounted, and a grant on it."""
    resource = await sharing.published()
    await sharing.checked((await sharing.mounted(resource)).name)
    if not abroad:
        return resource, await sharing.granted(resource, terms(quota=_ONCE))
    applicant, colleague = (
        sharing.guest(f"staff/00000000-0000-7000-8000-00000000783{place}", ABROAD) for place in (1, 2)
    )
    wanted = terms(region="320402", department=ABROAD, quota=_ONCE)
    request = await sharing.requested(resource, wanted, applicant)
    await sharing.in_review(request.name, applicant, colleague)
    return resource, (await sharing.approved(request.name)).grant


async def _put(sharing: Sharing, table: str, state: str) -> None:
    async with sharing.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE {table} SET state = '{state}', version = version + 1")


@pytest.mark.parametrize("abroad", [False, True])
@pytest.mark.parametrize("compares", [False, True])
async def test_no_use_goes_beyond_its_grant(sharing: Sharing, compares: bool, abroad: bool) -> None:
    resource, grant = await _granted(sharing, abroad=abroad)
    use = Use(compares, abroad, sharing, resource)
    assert await use(case="") == "CASE_REQUIRED"
    assert await use(purpose_code="SUPERVISION") == "GRANT_PURPOSE_MISMATCH"
    assert await use(field="income") == "FIELD_UNKNOWN"
    assert await use(field="code") == "FIELD_NOT_GRANTED"
    assert await use(key="name") == "FIELD_NOT_KEY"
    assert await use(resource="dataResources/00000000-0000-7000-8000-0000000000ff") == "RESOURCE_NOT_FOUND"
    assert await use(other=True) == "GRANT_MISSING"
    assert await use(other=True, grant=grant) == "GRANT_DEPARTMENT_MISMATCH"
    if not compares:
        assert await use(page="x") == "PAGE_TOKEN_INVALID"
    await _put(sharing, "mounts", "SUSPENDED")
    assert await use() == "RESOURCE_NOT_MOUNTED"
    await _put(sharing, "mounts", "ACTIVE")
    await _put(sharing, "grants", "SUSPENDED")
    assert await use() == "GRANT_NOT_ACTIVE"
    await _put(sharing, "grants", "ACTIVE")
    # None of these counted: one use a day there is, and no second.
    assert [await use(), await use()] == ["", "GRANT_QUOTA_EXHAUSTED"]
    sharing.clock.move_to(sharing.clock.now().replace(year=2025))
    assert await use() == "GRANT_OUT_OF_PERIOD"
