"""MountService: mounting tables behind catalogue entries, and looking whether they fit."""

from datetime import datetime

from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from services.sharing.core.catalogue import ResourceForm
from services.sharing.core.grants import supply_waiting
from services.sharing.core.ids import key_of
from services.sharing.core.messages import source_of
from services.sharing.core.mounting import TableSource, findings
from services.sharing.core.mounts import Mount
from services.sharing.core.participants import Participant, participant
from services.sharing.core.parts import Parts
from services.sharing.core.resources import CatalogueResource, lock_seen, resource
from services.sharing.mounts.checking import write_check
from services.sharing.mounts.convert import mount_message
from services.sharing.mounts.rules import check_source, checked
from services.sharing.mounts.store import ADD, MOUNTED, lock_mount, mount
from tongban.sharing.v1 import mount_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages


class MountApi:
    """Mounts tables."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_data_mount(self, request: pb.CreateDataMountRequest, call: Call) -> messages.DataMount:
        """Mounts a table, unchecked."""
        caller, source = participant(call.actor, self._parts.home), source_of(request.table)
        made, key = uuid7(), key_of(request.resource)
        if source.data_source not in self._parts.sources:
            raise invalid_field("table.data_source", "data_source.known", "no such data source is configured")

        async def work(tx: Transaction) -> messages.DataMount:
            await _check_provided(tx, caller, key, source)
            row = await ADD.add(tx.connection, _created(made, key, request.table, tx.now))
            await MOUNTED.one(tx.connection, key, mount_id=made, update_time=tx.now)
            return mount_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_data_mount(self, request: pb.GetDataMountRequest, call: Call) -> messages.DataMount:
        """Gets a mount."""
        row, _ = await self._seen(request.name, participant(call.actor, self._parts.home))
        return mount_message(row)

    async def _seen(self, name: str, caller: Participant) -> tuple[Mount, CatalogueResource]:
        """Reads a mount and its resource; to others than the provider it does not exist."""
        key = key_of(name)
        async with self._parts.database.read() as connection:
            row = await mount(connection, key)
            behind = await resource(connection, row.resource_id)
        if not caller.provides(behind.provider_department) and not caller.audits:
            raise not_found(name)
        return row, behind

    async def check_data_mount(self, request: pb.CheckDataMountRequest, call: Call) -> messages.DataMount:
        """Holds a mount against the table as it is; the look itself happens before the transaction."""
        caller = participant(call.actor, self._parts.home)
        row, behind = await self._seen(request.name, caller)
        caller.must_provide(behind.provider_department)
        source = row.table()
        seen = await self._parts.sources.inspect(source.data_source, source.schema, source.table)
        faults = findings(source, behind.facts.fields, seen.columns)

        async def work(tx: Transaction) -> messages.DataMount:
            locked = await lock_mount(tx.connection, row.id)
            check_etag(request.name, locked.version, request.etag)
            written = await write_check(tx, locked, seen, faults, checked(request.name, locked.state, faults))
            if written.is_active:
                await supply_waiting(tx, written.resource_id)
            return mount_message(written)

        return await self._parts.uow.run(command_of(request, call=call), work)


async def _check_provided(tx: Transaction, caller: Participant, key: str, source: TableSource) -> None:
    """Locks the entry, and raises what keeps the caller from mounting the table behind it."""
    found = await lock_seen(tx.connection, key, caller)
    caller.must_provide(found.provider_department)
    if found.facts.form is not ResourceForm.TABLE:
        raise invalid_field("resource", "resource.form", "only a resource in the form of a table is mounted so")
    check_source(source, found.facts.fields)


def _created(key: str, resource_key: str, table: messages.TableSource, now: datetime) -> Mount:
    return Mount(
        id=key,
        resource_id=resource_key,
        source=table.SerializeToString(),
        column_types={},
        create_time=now,
        update_time=now,
    )
