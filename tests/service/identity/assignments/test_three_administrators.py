"""Administrator, security officer and auditor are three human beings, and posts are the security officer's to give (GB/T 22239-2019, level 3)."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support import sql
from tests.support.client_keys import new_key, public_jwk
from tests.support.service import Ground
from tests.support.substituting import Substitutions
from tests.support.town import LIUAN, Town, reason_of, request_id, town
from tongban.identity.v1 import client_service_pb2, resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
NEEDED = "SECURITY_OFFICER_NEEDED"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def region(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A region whose first start made a security officer before its two administrators."""
    async with town(ground, tmp_path_factory.mktemp("three"), LIUAN) as found:
        await found.settle(
            ("receiving", resources_pb2.DUTY_RECEIVING),
            ("reviewing", resources_pb2.DUTY_REVIEWING),
            ("auditing", resources_pb2.DUTY_AUDITING),
            ("security", resources_pb2.DUTY_SECURITY),
        )
        await found.administrators()
        yield found


async def _member(region: Town) -> str:
    return (await region.make_staff(f"T-{request_id()[:8]}", await region.admin_token())).name


async def _unassign(region: Town, name: str, post: str, token: str) -> resources_pb2.Staff:
    request = pb.UnassignStaffRequest(name=name, post=region.posts[post], request_id=request_id())
    return await region.call(region.offices.UnassignStaff, request, resources_pb2.Staff, token)


async def test_only_the_security_officer_gives_posts(region: Town) -> None:
    officer, (admin, _) = await region.staff_token("security"), await region.administrators()
    for giver in (admin, await region.admin_token()):
        refused = region.assign(await _member(region), region.posts["reviewing"], giver)
        assert await reason_of(refused) == NEEDED
        refused = region.assign(await _member(region), region.posts["administrators"], giver)
        assert await reason_of(refused) == NEEDED
    held = await region.assign(await _member(region), region.posts["reviewing"], officer)
    assert [each.post for each in held.assignments] == [region.posts["reviewing"]]
    # One alone takes it, whichever of them.
    assert not (await _unassign(region, held.name, "reviewing", admin)).assignments
    away, substitute = await _member(region), await _member(region)
    await region.assign(away, region.posts["reviewing"], officer)
    stand_ins = Substitutions(region)
    assert await reason_of(stand_ins.arrange(away, substitute, region.posts["reviewing"], token=admin)) == NEEDED
    await stand_ins.arrange(away, substitute, region.posts["reviewing"], token=officer)


async def test_the_security_officer_manages_nothing(region: Town) -> None:
    officer = await region.staff_token("security")
    assert await reason_of(region.make_post("新岗", [resources_pb2.DUTY_DATA], officer)) == "PERMISSION_MISSING"
    assert await reason_of(region.make_staff("9", officer, await region.person())) == "PERMISSION_MISSING"


async def test_what_takes_two_takes_the_security_officer_and_another(region: Town) -> None:
    officer, (admin, _) = await region.staff_token("security"), await region.administrators()
    name = await _member(region)
    waits = await region.assign(name, region.posts["auditing"], officer)
    assert [each.approvals for each in waits.pending_assignments] == [1]
    assert await reason_of(region.stand_behind(waits, region.posts["auditing"], officer)) == "ACTING_ON_SELF"
    held = await region.stand_behind(waits, region.posts["auditing"], admin)
    assert [each.post for each in held.assignments] == [region.posts["auditing"]]


async def test_an_administrator_and_the_security_officer_are_the_two_for_a_channel(region: Town) -> None:
    officer, (admin, _) = await region.staff_token("security"), await region.administrators()
    client = resources_pb2.Client(
        display_name="自助终端",
        kind=resources_pb2.CLIENT_KIND_CHANNEL,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(new_key("kiosk-1"))]),
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        assertion_right=resources_pb2.AssertionRight(actor_kinds=[options_pb2.ACTOR_KIND_PERSON], max_assurance=4),
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id="kiosk", request_id=request_id())
    assert await reason_of(region.call(region.clients.CreateClient, create, resources_pb2.Client, officer)) == (
        "PERMISSION_MISSING"
    )
    made = await region.call(region.clients.CreateClient, create, resources_pb2.Client, admin)
    assert made.state == resources_pb2.CLIENT_STATE_REQUESTED
    read = await region.call(
        region.clients.GetClient, client_service_pb2.GetClientRequest(name=made.name), resources_pb2.Client, officer
    )
    approve = client_service_pb2.ApproveClientRequest(name=made.name, etag=read.etag, request_id=request_id())
    stands = await region.call(region.clients.ApproveClient, approve, resources_pb2.Client, officer)
    assert stands.state == resources_pb2.CLIENT_STATE_ACTIVE


@pytest.mark.parametrize(
    ("holds", "wanted"),
    [
        ("admin-1", "security"),
        ("admin-1", "auditing"),
        ("security", "administrators"),
        ("security", "auditing"),
        ("auditing", "administrators"),
        ("auditing", "security"),
    ],
)
async def test_they_are_three_human_beings(region: Town, holds: str, wanted: str) -> None:
    """Under another record, in another department, and by a substitution too."""
    officer, admin = await region.staff_token("security"), await region.admin_token()
    if holds == "security":
        # Who is to have it is the officer: another one asks.
        name = await _member(region)
        waits = await region.assign(name, region.posts["security"], officer)
        await region.stand_behind(waits, region.posts["security"], (await region.administrators())[0])
        officer = await region.human_token(name)
    get = pb.GetStaffRequest(name=region.staff[holds])
    member = await region.call(region.offices.GetStaff, get, resources_pb2.Staff, admin)
    assert await reason_of(region.assign(member.name, region.posts[wanted], officer)) == "DUTIES_CONFLICT"
    away = region.staff["admin-2" if wanted == "administrators" else wanted]
    arranged = Substitutions(region).arrange(away, member.name, region.posts[wanted], token=officer)
    assert await reason_of(arranged) == "DUTIES_CONFLICT"
    office = resources_pb2.Department(
        display_name=f"局{request_id()[:8]}", uscc=region.people.uscc("11"), region_code=region.code
    )
    create = pb.CreateDepartmentRequest(department=office, request_id=request_id())
    department = (await region.call(region.offices.CreateDepartment, create, resources_pb2.Department, admin)).name
    duty = resources_pb2.Duty.Value(f"DUTY_{'ADMINISTRATION' if wanted == 'administrators' else wanted.upper()}")
    asked = pb.CreatePostRequest(
        parent=department, post=resources_pb2.Post(display_name="兼", duties=[duty]), request_id=request_id()
    )
    post = (await region.call(region.offices.CreatePost, asked, resources_pb2.Post, admin)).name
    hat = resources_pb2.Staff(staff_number="2", department=department, person=member.person)
    entry = pb.CreateStaffRequest(staff=hat, request_id=request_id())
    other = (await region.call(region.offices.CreateStaff, entry, resources_pb2.Staff, admin)).name
    assert await reason_of(region.assign(other, post, officer)) == "DUTIES_CONFLICT"


async def test_a_security_officer_is_always_left_and_their_term_gives_it_back(region: Town) -> None:
    admin, second = await region.administrators()
    now = region.service.process.clock.now()
    async with region.service.process.database.transaction() as connection:
        key = region.staff["security"].removeprefix("staff/")
        await sql.execute(
            connection,
            f"UPDATE assignments SET expire_time = '{now.isoformat()}' WHERE staff <> '{key}' AND post IN "
            "(SELECT id FROM posts WHERE 'SECURITY' = ANY(duties))",
        )
    taken = _unassign(region, region.staff["security"], "security", admin)
    assert await reason_of(taken) == "APPROVERS_NEEDED"
    async with region.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE assignments SET expire_time = '{now.isoformat()}' WHERE staff = '{key}'")
    # Nobody is security officer any more: two administrators make the next one.
    name = await _member(region)
    waits = await region.assign(name, region.posts["security"], admin)
    await region.stand_behind(waits, region.posts["security"], second)
    assert await reason_of(region.assign(await _member(region), region.posts["reviewing"], admin)) == NEEDED
