"""Cards bound to a code: by who has seen them, one of a kind to a person, each to one person, shown masked."""

import asyncio
import uuid

import pytest

from tests.support import sql
from tests.support.codes import VOUCHER, Codes
from tests.support.silence import records
from tests.support.town import FIRST, Town, reason_of
from tongban.identity.v1 import code_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEALTH, SOCIAL = pb.CREDENTIAL_KIND_HEALTH_CARD, pb.CREDENTIAL_KIND_SOCIAL_SECURITY_CARD
NOWHERE = "credentialBindings/00000000-0000-7000-8000-0000000000aa"


@pytest.fixture(scope="module")
def codes(home: Town) -> Codes:
    return Codes(home)


def number() -> str:
    """A card's number that no other card has."""
    return f"A{uuid.uuid4().int % 10**15:015}"


async def test_three_cards_are_bound_and_one_is_taken_back(codes: Codes) -> None:
    home, person = codes.town, await codes.town.person()
    own, asked = await home.human_token(person), str(uuid.uuid4())
    card = number()
    first = await codes.bind(person, card, HEALTH, asked=asked)
    assert await codes.bind(person, card, HEALTH, asked=asked) == first
    assert (first.person, first.kind, first.binder, first.etag) == (person, HEALTH, home.staff["receiving"], FIRST)
    assert first.number == "*" * 12 + card[-4:]
    await codes.bind(person, number(), SOCIAL, await home.admin_token())
    await codes.bind(person, number(), VOUCHER)
    listed = await codes.listed(own)
    assert [each.kind for each in listed] == [VOUCHER, SOCIAL, HEALTH]
    gate = await codes.scan("Transport", await codes.shown(person))
    assert list(gate.bound_kinds) == [HEALTH, SOCIAL, VOUCHER]
    assert await reason_of(codes.unbind(first.name, own, etag='"9"')) == "ETAG_MISMATCH"
    ended = await codes.unbind(first.name, own, etag=first.etag)
    assert (ended.state, ended.HasField("unbind_time")) == (pb.CREDENTIAL_BINDING_STATE_UNBOUND, True)
    assert await reason_of(codes.unbind(first.name, own)) == "STATE_CONFLICT"
    assert [each.kind for each in await codes.listed(own, filter="state = CREDENTIAL_BINDING_STATE_ACTIVE")] == [
        VOUCHER,
        SOCIAL,
    ]
    assert (await codes.bind(person, card, HEALTH)).name != first.name


async def test_a_card_is_bound_to_one_person_and_one_of_a_kind_to_each(codes: Codes) -> None:
    one, other = await codes.town.person(), await codes.town.person()
    card = number()
    await codes.bind(one, card)
    assert await reason_of(codes.bind(other, card)) == "RESOURCE_EXISTS"
    assert await reason_of(codes.bind(one, number())) == "RESOURCE_EXISTS"
    await codes.bind(other, card, HEALTH)  # a number of another kind is another card


async def test_one_card_bound_to_two_at_once_is_bound_to_one(codes: Codes) -> None:
    people, card, token = [await codes.town.person() for _ in range(4)], number(), await codes.town.staff_token()
    found = await asyncio.gather(*(codes.bind(each, card, token=token) for each in people), return_exceptions=True)
    assert sum(isinstance(each, pb.CredentialBinding) for each in found) == 1
    assert {getattr(each, "reason", "OK") for each in found} <= {"OK", "RESOURCE_EXISTS", "CONCURRENT_CHANGE"}


async def test_nobody_binds_for_themselves_or_sees_anothers(codes: Codes) -> None:
    home = codes.town
    person, other = await home.person(), await home.person()
    own, theirs = await home.human_token(person), await home.human_token(other)
    assert await reason_of(codes.bind(person, number(), token=own)) == "ACTOR_NOT_ALLOWED"
    made = await codes.bind(person, number())
    assert await reason_of(codes.unbind(made.name, theirs)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(codes.unbind(NOWHERE, own)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(codes.listed(theirs, person=person)) == "NOT_OWNER"
    assert await reason_of(codes.listed(await home.staff_token())) == "FIELD_INVALID"
    nobody = f"persons/{uuid.uuid4()}"
    assert await reason_of(codes.listed(await home.staff_token(), person=nobody)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(codes.bind(nobody, number())) == "RESOURCE_NOT_FOUND"
    before = len(await records(home.service))
    assert [each.name for each in await codes.listed(await home.staff_token(), person=person)] == [made.name]
    assert person in (await records(home.service))[before:]


async def test_staff_do_not_bind_their_own(codes: Codes) -> None:
    home = codes.town
    async with home.service.process.database.read() as connection:
        (row,) = await sql.execute(
            connection, f"SELECT person::text FROM staff WHERE id = '{home.staff['receiving'].removeprefix('staff/')}'"
        )
    me = f"persons/{row[0].removeprefix('persons/')}"
    assert await reason_of(codes.bind(me, number())) == "ACTING_ON_SELF"
    made = await codes.bind(me, number(), token=await home.admin_token())
    assert await reason_of(codes.unbind(made.name, await home.staff_token())) == "ACTING_ON_SELF"


async def test_nothing_is_bound_to_an_account_that_is_closed(codes: Codes) -> None:
    person = await codes.town.person()
    async with codes.town.service.process.database.transaction() as connection:
        await sql.execute(connection, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{person[8:]}'")
    assert await reason_of(codes.bind(person, number())) == "PERSON_NOT_ACTIVE"


async def test_numbers_stand_nowhere_in_clear(codes: Codes) -> None:
    person, card = await codes.town.person(), number()
    made = await codes.bind(person, card)
    await codes.scan("Pharmacy", await codes.shown(person))
    await codes.unbind(made.name, await codes.town.human_token(person))
    async with codes.town.service.process.database.read() as connection:
        for table in ("credential_bindings", "idempotency", "outbox", "audit_records", "code_scans"):
            found = "".join(row[0] for row in await sql.execute(connection, f"SELECT t::text FROM {table} t"))
            assert card not in found
            assert card.encode().hex() not in found


async def test_both_are_told_of(codes: Codes) -> None:
    person = await codes.town.person()
    made = await codes.bind(person, number())
    await codes.unbind(made.name, await codes.town.staff_token())
    async with codes.town.service.process.database.read() as connection:
        rows = await sql.execute(connection, "SELECT type, public FROM outbox ORDER BY seq DESC LIMIT 2")
        found = [(row[0].rpartition("credential_binding.")[2], row[1]) for row in rows]
    assert found == [("unbound.v1", False), ("bound.v1", False)]
