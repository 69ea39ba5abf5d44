"""What is recorded of a call is the bytes that came and went, and nobody reads from it what they said."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.audit.digests import opens
from libs.audit.records import Record
from libs.db.schema import audit_records, idempotency
from libs.rpc.status import from_rpc_error
from tests.support import sql
from tests.support.patience import PATIENCE
from tests.support.recorded import records_of
from tests.support.service import Ground, Service, serving
from tests.support.wire_form import reversed_fields
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import resources_pb2

# The standard's own example (GB 11643-1999), not a living person's.
DOCUMENT = common_pb2.IdentityDocument(type_code="111", number="11010519491231002X")
CREATE = "/tongban.identity.v1.AccountService/CreatePerson"
LOOK_UP = "/tongban.identity.v1.AccountService/LookupPerson"


class Wire:
    """Sends and gets bytes, and reads what the service kept of them."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._token = service.issuer.token("staff/00000000-0000-7000-8000-000000000001", "STAFF")

    async def call(self, path: str, data: bytes) -> bytes:
        """Calls an RPC."""
        sent: Any = self.service.channel.unary_unary(path)
        try:
            answer: bytes = await sent(data, metadata=(("authorization", f"Bearer {self._token}"),), timeout=PATIENCE)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, "identity") from error
        return answer

    async def rows(self, statement: sa.Executable) -> list[Any]:
        """The first column of what a statement finds."""
        async with self.service.process.database.read() as connection:
            return await sql.scalars(connection, statement)

    async def records(self, action: str) -> list[Record]:
        """The records of what was done by an RPC."""
        return await records_of(self.service.process, action)

    def salt(self, record: Record) -> bytes:
        """The salt that the record's receipt carries."""
        return self.service.process.log.salt(record.name.rpartition("/")[2])


@pytest_asyncio.fixture
async def wire(ground: Ground) -> AsyncIterator[Wire]:
    """The identity service on a fresh database."""
    async with serving(ground, "identity") as service:
        yield Wire(service)


def created(name: str = "测试甲") -> pb.CreatePersonRequest:
    person = resources_pb2.Person(
        full_name=name,
        documents=[resources_pb2.HeldDocument(document=DOCUMENT)],
        contact_points=[resources_pb2.ContactPoint(phone="13800001234")],
    )
    return pb.CreatePersonRequest(person=person, request_id="00000000-0000-4000-8000-00000000000b")


async def test_a_record_is_of_the_bytes_that_came_and_went_and_of_no_others(wire: Wire) -> None:
    """The caller's library writes the last field first; what we would have written in its place is not what came."""
    usual = created().SerializeToString()
    asked = reversed_fields(created())
    assert asked != usual
    answered = await wire.call(CREATE, asked)
    (record,) = await wire.records("CreatePerson")
    salt = wire.salt(record)
    assert opens(salt, asked, record.request_hash)
    assert not opens(salt, usual, record.request_hash)
    assert opens(salt, answered, record.response_hash)
    assert not opens(salt, answered + b"\0", record.response_hash)


async def test_a_repeat_by_a_library_that_writes_in_another_order_gets_the_first_answer(wire: Wire) -> None:
    first = await wire.call(CREATE, reversed_fields(created()))
    assert await wire.call(CREATE, created().SerializeToString()) == first
    assert await wire.call(CREATE, reversed_fields(created())) == first
    assert len(await wire.records("CreatePerson")) == 1
    with pytest.raises(Exception, match="REQUEST_ID_REUSED"):
        await wire.call(CREATE, created("测试乙").SerializeToString())


async def test_nobody_guesses_from_the_log_who_was_looked_for(wire: Wire) -> None:
    """Who holds the log tries all numbers of a day; who holds the receipt shows the one they asked for."""
    asked = pb.LookupPersonRequest(
        document=DOCUMENT, use_context=common_pb2.UseContext(purpose_code="ASSISTANCE", purpose="窗口受理")
    )
    await wire.call(CREATE, created().SerializeToString())
    await wire.call(LOOK_UP, asked.SerializeToString())
    await wire.call(LOOK_UP, asked.SerializeToString())
    first, second = await wire.records("LookupPerson")
    guesses = {
        hashlib.new("sm3", asked.SerializeToString()).digest(),
        hashlib.new("sm3", DOCUMENT.number.encode()).digest(),
    }
    assert not {first.request_hash, second.request_hash} & guesses
    assert first.request_hash != second.request_hash
    assert opens(wire.salt(first), asked.SerializeToString(), first.request_hash)
    assert not opens(wire.salt(second), asked.SerializeToString(), first.request_hash)
    canonicals = await wire.rows(sa.select(audit_records.c.canonical))
    assert not [each for each in canonicals if wire.salt(first).hex().encode() in each]


async def test_nobody_guesses_from_the_table_of_answers_whose_account_was_made(wire: Wire) -> None:
    asked = created().SerializeToString()
    await wire.call(CREATE, asked)
    (kept,) = await wire.rows(sa.select(idempotency.c.digest))
    assert hashlib.new("sm3", asked).digest() not in kept
