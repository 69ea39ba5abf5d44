"""Whose certificate for windows is over serves nobody there; who must have one is said by the region."""

from datetime import UTC, date, timedelta

import pytest

from services.identity.config import Windows
from tests.support import sql
from tests.support.refusing import OLD
from tests.support.service import Ground
from tests.support.town import LIUAN, Town, reason_of, request_id, town
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOBODY = "staff/00000000-0000-7000-8000-0000000000aa"


def _today(home: Town) -> date:
    """The day in China by the business clock."""
    return (home.service.process.clock.now().astimezone(UTC) + timedelta(hours=8)).date()


async def _clerk(home: Town) -> resources_pb2.Staff:
    admin = await home.admin_token()
    made = await home.make_staff(request_id()[:12], admin)
    return await home.assign(made.name, home.posts["receiving"], admin)


async def _certify(
    home: Town, name: str, last: date, etag: str, token: str = "", number: str = "SG-2024-001"
) -> resources_pb2.Staff:
    day = common_pb2.Date(year=last.year, month=last.month, day=last.day)
    draft = resources_pb2.StaffCertification(number=number, expire_date=day)
    request = pb.CertifyStaffRequest(name=name, certification=draft, etag=etag, request_id=request_id())
    token = token or await home.admin_token()
    return await home.call(home.offices.CertifyStaff, request, resources_pb2.Staff, token)


async def _over(home: Town, name: str) -> None:
    """Has a certificate be over, as days do."""
    async with home.service.process.database.transaction() as connection:
        yesterday = _today(home) - timedelta(days=1)
        await sql.execute(
            connection,
            f"UPDATE staff SET certificate_expire_date = '{yesterday}' WHERE id = '{name.removeprefix('staff/')}'",
        )


async def test_it_holds_through_its_last_day_and_no_longer(home: Town) -> None:
    clerk, person = await _clerk(home), await home.human_token(await home.person())
    token = await home.human_token(clerk.name)
    await home.at_window(person, token)
    held = await _certify(home, clerk.name, _today(home), clerk.etag)
    assert (held.certification.number, held.certification.expire_date.day) == ("SG-2024-001", _today(home).day)
    await home.at_window(person, token)
    await _over(home, clerk.name)
    assert await reason_of(home.at_window(person, token)) == "STAFF_NOT_CERTIFIED"
    # In office they go on; the next certificate lets them back to the window.
    await home.human_token(clerk.name)
    await _certify(home, clerk.name, _today(home) + timedelta(days=365), held.etag, number="SG-2025-001")
    await home.at_window(person, token)


async def test_who_enters_it_and_what_it_must_be(home: Town) -> None:
    clerk, later = await _clerk(home), _today(home) + timedelta(days=30)
    yesterday = _today(home) - timedelta(days=1)
    own = await home.human_token(clerk.name)
    administrator = home.staff.get("administration")
    refusals = {
        "over": (_certify(home, clerk.name, yesterday, clerk.etag), "FIELD_INVALID"),
        "nobody": (_certify(home, NOBODY, later, clerk.etag), "RESOURCE_NOT_FOUND"),
        "read before": (_certify(home, clerk.name, later, OLD), "ETAG_MISMATCH"),
        "by a clerk": (_certify(home, clerk.name, later, clerk.etag, own), "PERMISSION_MISSING"),
    }
    for case, (asked, reason) in refusals.items():
        assert await reason_of(asked) == reason, case
    assert administrator is not None
    get = pb.GetStaffRequest(name=administrator)
    admin = await home.staff_token("administration")
    etag = (await home.call(home.offices.GetStaff, get, resources_pb2.Staff, admin)).etag
    assert await reason_of(_certify(home, administrator, later, etag, admin)) == "ACTING_ON_SELF"


async def test_those_that_end_soon_are_listed(home: Town) -> None:
    soon, late, none = [await _clerk(home) for _ in range(3)]
    await _certify(home, soon.name, _today(home) + timedelta(days=30), soon.etag)
    await _certify(home, late.name, _today(home) + timedelta(days=31), late.etag)
    limit = (_today(home) + timedelta(days=30)).isoformat()
    request = pb.ListStaffRequest(filter=f"certification.expire_date <= {limit}")
    admin = await home.admin_token()
    found = await home.call(home.offices.ListStaff, request, pb.ListStaffResponse, admin)
    names = {each.name for each in found.staff}
    assert soon.name in names
    assert names.isdisjoint({late.name, none.name})


async def test_who_has_left_is_not_certified(home: Town) -> None:
    clerk = await _clerk(home)
    async with home.service.process.database.transaction() as connection:
        left = f"UPDATE staff SET state = 'LEFT' WHERE id = '{clerk.name.removeprefix('staff/')}'"
        await sql.execute(connection, left)
    later = _today(home) + timedelta(days=30)
    assert await reason_of(_certify(home, clerk.name, later, clerk.etag)) == "STAFF_NOT_ACTIVE"


async def test_a_region_that_asks_for_certificates_has_nobody_without_at_a_window(
    ground: Ground, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("certified")
    async with town(ground, folder, LIUAN, windows=Windows(certified=True)) as strict:
        await strict.settle(("receiving", resources_pb2.DUTY_RECEIVING))
        name = strict.staff["receiving"]
        person, token = await strict.human_token(await strict.person()), await strict.staff_token()
        assert await reason_of(strict.at_window(person, token)) == "STAFF_NOT_CERTIFIED"
        get = pb.GetStaffRequest(name=name)
        etag = (await strict.call(strict.offices.GetStaff, get, resources_pb2.Staff, token)).etag
        await _certify(strict, name, _today(strict), etag)
        await strict.at_window(person, token)
