"""Roles narrow what the duties of a post give, at once, and never add to it."""

import asyncio

import pytest

from libs.access import roles as access_roles
from tests.support import sql
from tests.support.refusing import OLD
from tests.support.roles import Roles
from tests.support.substituting import Substitutions
from tests.support.town import Town, reason_of
from tongban.identity.v1 import access_service_pb2, access_service_pb2_grpc, resources_pb2
from tongban.identity.v1 import staff_service_pb2 as pb
from tongban.identity.v1.resources_pb2 import DUTY_RECEIVING, DUTY_REVIEWING

pytestmark = pytest.mark.asyncio(loop_scope="module")
NO_ROLE = "roles/00000000-0000-7000-8000-0000000000aa"
TAKE_IN, SUBMIT, REVIEW = "cases.cases.create", "cases.cases.submit", "cases.cases.review"
OF_ALL = frozenset(access_roles.STAFF)


@pytest.fixture
def kept(home: Town) -> Roles:
    return Roles(home)


async def test_a_post_gives_what_its_roles_name_of_its_duties(home: Town, kept: Roles) -> None:
    role, other = await kept.make(TAKE_IN), await kept.make(SUBMIT)
    post = await kept.post([DUTY_RECEIVING], role.name, other.name)
    assert [*post.roles] == [role.name, other.name]
    member = await kept.member(post.name)
    assert await kept.scope(member) == OF_ALL | {TAKE_IN, SUBMIT}
    plain = await kept.member((await kept.post([DUTY_RECEIVING])).name)
    assert await kept.scope(plain) == set(access_roles.of_duties(["RECEIVING"]))


async def test_each_post_is_narrowed_by_its_own_roles(home: Town, kept: Roles) -> None:
    role = await kept.make(REVIEW)
    narrow, whole = await kept.post([DUTY_REVIEWING], role.name), await kept.post([DUTY_REVIEWING])
    assert await kept.scope(await kept.member(narrow.name)) == OF_ALL | {REVIEW}
    both = await kept.member(narrow.name, whole.name)
    assert await kept.scope(both) == set(access_roles.of_duties(["REVIEWING"]))


async def test_no_role_gives_what_a_duty_does_not(home: Town, kept: Roles) -> None:
    """Separation of duties is held by duties: a role is no way around it."""
    role = await kept.make(TAKE_IN, REVIEW)
    assert await reason_of(kept.post([DUTY_RECEIVING], role.name)) == "FIELD_INVALID"
    assert await reason_of(kept.post([DUTY_REVIEWING], role.name)) == "FIELD_INVALID"
    assert await reason_of(kept.post([DUTY_RECEIVING, DUTY_REVIEWING], role.name)) == "DUTIES_CONFLICT"
    for permission in ("cases.cases.invent", "cases.caseTransfers.receive"):
        assert await reason_of(kept.make(permission)) == "FIELD_INVALID"


async def test_what_is_taken_from_a_role_is_gone_from_the_next_token_and_from_those_given(
    home: Town, kept: Roles
) -> None:
    role = await kept.make(TAKE_IN, SUBMIT)
    post = await kept.post([DUTY_RECEIVING], role.name)
    member = await kept.member(post.name)
    process = home.service.process
    # Early in a second, and all that is withdrawn was heard of: a token of this very second would be refused.
    await asyncio.sleep(1 - process.wall.now().microsecond / 1_000_000)
    narrow = await kept.narrow(role.name, SUBMIT)
    await process.withdrawals.look()
    assert [*narrow.permissions] == [TAKE_IN]
    assert narrow.etag != role.etag
    assert await kept.scope(member) == OF_ALL | {TAKE_IN}
    async with home.service.process.database.read() as connection:
        parties = await sql.scalars(connection, "SELECT party FROM withdrawals")
    assert f"{member} {post.name}" in set(parties)
    assert await reason_of(kept.narrow(role.name, SUBMIT, etag=narrow.etag)) == "FIELD_INVALID"
    assert await reason_of(kept.narrow(role.name, TAKE_IN, etag=narrow.etag)) == "FIELD_INVALID"


async def test_who_stands_in_has_what_the_roles_of_the_post_leave(home: Town, kept: Roles) -> None:
    role = await kept.make(REVIEW)
    post = await kept.post([DUTY_REVIEWING], role.name)
    away, substitute = await kept.member(post.name), await kept.member()
    stand_ins = Substitutions(home)
    made = await stand_ins.arrange(away, substitute, post.name)
    token = await home.granted(**home.asserted(substitute), substitution=made.name)
    assert (await home.verifier().verify(token)).scopes == OF_ALL | {REVIEW}


async def test_the_explanation_names_the_roles(home: Town, kept: Roles) -> None:
    role = await kept.make(TAKE_IN)
    post = await kept.post([DUTY_RECEIVING], role.name)
    member = await kept.member(post.name)
    stub = access_service_pb2_grpc.AccessServiceStub(home.service.channel)
    asked = access_service_pb2.ExplainAccessRequest(principal=member, method="tongban.cases.v1.CaseService.SubmitCase")
    answer = await home.call(
        stub.ExplainAccess, asked, access_service_pb2.ExplainAccessResponse, await home.staff_token("auditing")
    )
    told = [each for each in answer.findings if each.rule == access_service_pb2.ACCESS_RULE_ACCOUNT]
    assert answer.outcome == access_service_pb2.ACCESS_OUTCOME_REFUSED
    assert [{*each.sources} >= {post.name, role.name} for each in told] == [True]


async def test_a_role_that_a_post_has_stays(home: Town, kept: Roles) -> None:
    used, unused = await kept.make(TAKE_IN), await kept.make(TAKE_IN)
    await kept.post([DUTY_RECEIVING], used.name)
    assert await reason_of(kept.delete(used.name)) == "ROLE_IN_USE"
    assert await reason_of(kept.delete(unused.name, etag=OLD)) == "ETAG_MISMATCH"
    await kept.delete(unused.name)
    assert await reason_of(kept.delete(unused.name)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(kept.post([DUTY_RECEIVING], unused.name)) == "RESOURCE_NOT_FOUND"


async def test_who_keeps_roles_and_who_reads_them(home: Town, kept: Roles) -> None:
    role = await kept.make(TAKE_IN, SUBMIT, title="不动产收件")
    clerk, auditor = await home.staff_token(), await home.staff_token("auditing")
    assert await reason_of(kept.make(TAKE_IN, title="不动产收件")) == "RESOURCE_EXISTS"
    assert await reason_of(kept.make(TAKE_IN, token=clerk)) == "PERMISSION_MISSING"
    assert await reason_of(kept.narrow(role.name, SUBMIT, token=auditor)) == "PERMISSION_MISSING"
    assert await reason_of(kept.delete(role.name, token=clerk)) == "PERMISSION_MISSING"
    assert await reason_of(kept.narrow(role.name, SUBMIT, etag=OLD)) == "ETAG_MISMATCH"
    assert await reason_of(kept.narrow(NO_ROLE, SUBMIT)) == "RESOURCE_NOT_FOUND"
    get = pb.GetRoleRequest(name=role.name)
    assert await home.call(home.offices.GetRole, get, resources_pb2.Role, clerk) == role
    missing = home.call(home.offices.GetRole, pb.GetRoleRequest(name=NO_ROLE), resources_pb2.Role, clerk)
    assert await reason_of(missing) == "RESOURCE_NOT_FOUND"
    listed = pb.ListRolesRequest(filter='display_name = "不动产收件"')
    found = await home.call(home.offices.ListRoles, listed, pb.ListRolesResponse, auditor)
    assert [*found.roles] == [role]
