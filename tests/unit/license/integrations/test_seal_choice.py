"""Which seal a licence gets: the newest that can seal, however many stand before it."""

# ruff: noqa: N802 - gRPC fixes these names

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from libs.errors import FailedPrecondition, NotFound
from libs.rpc import status
from services.license.integrations.seal import SELF, SealService
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import resources_pb2 as seals
from tongban.seal.v1 import seal_service_pb2 as pb
from tongban.seal.v1.seal_service_pb2_grpc import SealServiceServicer, add_SealServiceServicer_to_server
from tongban.seal.v1.sealing_service_pb2_grpc import SealingServiceServicer, add_SealingServiceServicer_to_server

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DEPARTMENT = "departments/01890000-0000-7000-8000-000000000001"


def seal(number: int, **changes: Any) -> seals.Seal:
    made = seals.Seal(
        name=f"seals/{number}",
        seal_id=f"{number:032x}",
        owner=DEPARTMENT,
        state=seals.SEAL_STATE_ACTIVE,
        round=seals.RoundSeal(diameter_mm=42),
        users=[seals.SealUser(subject=changes.get("user", SELF))],
    )
    made.start_time.FromDatetime(NOW - timedelta(days=1))
    made.end_time.FromDatetime(NOW + timedelta(days=1))
    return made


class Office(SealServiceServicer, SealingServiceServicer):
    """A seal service that lists two a page, and refuses every use of one seal."""

    GetSeal = GetSealPicture = CreateSeal = RevokeSeal = SealDigests = GetSealing = ListSealings = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.seals: list[seals.Seal] = []
        self.asked = 0

    async def ListSeals(self, request: pb.ListSealsRequest, context: Any) -> pb.ListSealsResponse:
        assert request.filter == f"owner = {DEPARTMENT} AND state = SEAL_STATE_ACTIVE"
        self.asked += 1
        start = int(request.page_token or 0)
        token = str(start + 2) if len(self.seals) > start + 2 else ""
        return pb.ListSealsResponse(seals=self.seals[start : start + 2], next_page_token=token)

    async def SealDocument(self, request: Any, context: Any) -> Any:
        error = FailedPrecondition("SEAL_NOT_USABLE", "ended", seal=request.seal, state="REVOKED")
        details = status.to_status(error).SerializeToString()
        await context.abort(status.grpc_code(error), error.message, ((status.DETAILS_KEY, details),))


@pytest_asyncio.fixture
async def office() -> AsyncIterator[tuple[Office, SealService]]:
    server, known = grpc.aio.server(), Office()
    add_SealServiceServicer_to_server(known, server)
    add_SealingServiceServicer_to_server(known, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield known, SealService(lambda: channel)
    await server.stop(None)


async def test_the_seal_is_looked_for_on_every_page(office: tuple[Office, SealService]) -> None:
    known, client = office
    known.seals = [*(seal(number, user="services/cases") for number in range(5)), seal(7)]
    assert (await client.seal_of(DEPARTMENT, NOW)).name == "seals/7"
    known.seals.pop()
    client.forget()
    with pytest.raises(NotFound):
        await client.seal_of(DEPARTMENT, NOW)


async def test_a_choice_that_ended_is_not_kept(office: tuple[Office, SealService]) -> None:
    known, client = office
    known.seals = [seal(2), seal(1)]
    assert (await client.seal_of(DEPARTMENT, NOW)).name == "seals/2"
    known.seals.pop(0)
    assert (await client.seal_of(DEPARTMENT, NOW)).name == "seals/2"
    with pytest.raises(FailedPrecondition, match="SEAL_NOT_USABLE"):
        await client.seal_document("id", "seals/2", b"x", (1, 1), common_pb2.UseContext())
    assert (await client.seal_of(DEPARTMENT, NOW)).name == "seals/1"
