"""Tells of clients, and of certificates of clients, that end soon: 30, 7 and 1 days before, once each, through restarts.

Credentials live by the machine's clock, and so does this.
"""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from libs.background import attempt
from libs.db.command import Command
from libs.db.connection import DatabaseConnection
from libs.db.leader import lead
from libs.db.uow import Transaction, derived_request_id
from libs.rpc.messages import timestamp
from services.identity.api_clients import store
from services.identity.core.client_certificates import ClientCertificate
from services.identity.core.client_rules import NOTICE_DAYS, Client, certificates_due, notice_due
from services.identity.core.parts import Parts
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_SELF = "services/identity"
_TASK = "identity:client-ends"
_EVERY_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class ClientEnds:
    """Warns of the ends of clients and of their certificates, on one replica at a time."""

    parts: Parts

    async def run(self) -> None:
        """Looks for ever."""
        await lead(self.parts.database, _TASK, self._turn)

    async def _turn(self, _lock: DatabaseConnection) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)

    async def look(self) -> None:
        """Tells what is due now; one client that can't be told of stops no other."""
        now = self.parts.wall.now()
        async with self.parts.database.read() as connection:
            found = await store.expiring(connection, now, now + timedelta(days=max(NOTICE_DAYS)))
            certified = await store.certified(connection)
        for row in found:
            if notice_due(row, now):
                await attempt(_TASK, partial(self._tell, row.name))
        for row in certified:
            if certificates_due(row, now):
                await attempt(_TASK, partial(self._tell_of_certificates, row.name))

    async def _tell(self, name: str) -> None:
        async def work(tx: Transaction) -> None:
            # Read anew under its lock: it may have been told of, moved or suspended meanwhile.
            row = await store.lock(tx.connection, name, "")
            days = notice_due(row, self.parts.wall.now())
            if days:
                await store.NOTED.one(tx.connection, id=row.id, days=days)
                tx.record(row.name)
                tx.emit(row.name, _event(row, days))

        await self.parts.uow.step(_command("expiring", name), work)

    async def _tell_of_certificates(self, name: str) -> None:
        async def work(tx: Transaction) -> None:
            # Read anew under its lock, as above; a rotation may have taken the place of what was due.
            row = await store.lock(tx.connection, name, "")
            due = certificates_due(row, self.parts.wall.now())
            if not due:
                return
            told = [replace(each, told=due.get(each.thumbprint, each.told)) for each in row.certificates]
            await store.TOLD.one(tx.connection, id=row.id, certificates=json.dumps([each.to_json() for each in told]))
            tx.record(row.name)
            for each in told:
                if each.thumbprint in due:
                    tx.emit(row.name, _certificate_event(row, each))

        await self.parts.uow.step(_command("certificates-expiring", name), work)


def _command(what: str, client: str) -> Command:
    return Command(
        caller=_SELF,
        method=f"clients:{what}",
        request_id=derived_request_id(f"client-{what}", client),
        digest=client.encode(),
        response_type=resources.Client,
        actor=_SELF,
    )


def _certificate_event(row: Client, certificate: ClientCertificate) -> events.ClientCertificateExpiring:
    return events.ClientCertificateExpiring(
        client=row.name,
        owner=row.owner,
        thumbprint=certificate.thumbprint,
        not_after_time=timestamp(certificate.not_after),
        notice_days=certificate.told,
    )


def _event(row: Client, days: int) -> events.ClientExpiring:
    return events.ClientExpiring(
        client=row.name, owner=row.owner, expire_time=timestamp(row.expire_time), notice_days=days
    )
