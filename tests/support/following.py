"""Somebody who reads on in the log of a service's public events."""

from typing import Any

import sqlalchemy as sa

from libs.events.relay import Relay
from tests.support import sql
from tests.support.patience import invoke
from tests.support.process import running, until
from tests.support.service import Service
from tongban.events.v1 import change_service_pb2, change_service_pb2_grpc

Page = change_service_pb2.ListChangesResponse


class Follower:
    """Follows a running service, by whatever token."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._name = service.process.service
        self._changes = change_service_pb2_grpc.ChangeServiceStub(service.channel)

    async def ask(self, token: str, cursor: str = "", **asked: Any) -> Page:
        """Asks for a page."""
        request = change_service_pb2.ListChangesRequest(**{"service": self._name, "cursor": cursor, **asked})
        return await invoke(self._changes.ListChanges, request, Page, to=self._name, token=token)

    async def told(self, token: str, subject: str, **asked: Any) -> list[str]:
        """The verbs of what somebody is told of a thing."""
        page = await self.ask(token, subject=subject, **asked)
        return [change.type.split(".")[-2] for change in page.changes]

    async def take_up(self) -> None:
        """Has the relay take up what lies in the outbox."""
        process = self._service.process
        region = process.config.region.id
        relay = Relay(process.database, process.wire, region, self._name, process.uow.committed, "https://region.test")

        async def empty() -> bool:
            async with process.database.read() as connection:
                return not await sql.scalar(connection, sa.text("SELECT count(*) FROM outbox"))

        async with running(relay.run):
            await until(empty)
