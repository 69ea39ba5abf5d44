"""MountService: mounting tables behind catalogue entries, and looking whether they fit."""

from datetime import datetime
from typing import Any

from google.protobuf.empty_pb2 import Empty

from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction, Work
from libs.errors import invalid_field, not_found
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from libs.rpc.patches import patch_of, standing_in
from services.sharing.core.catalogue import ResourceForm
from services.sharing.core.grants import supply_waiting
from services.sharing.core.ids import key_of
from services.sharing.core.messages import source_of
from services.sharing.core.mounting import MountState, findings
from services.sharing.core.mounts import Mount
from services.sharing.core.participants import Participant, participant
from services.sharing.core.parts import Parts
from services.sharing.core.resources import CatalogueResource, lock_resource, lock_seen, resource
from services.sharing.mounts.checking import write_check
from services.sharing.mounts.convert import mount_message
from services.sharing.mounts.rules import check_source, checked, require_unused
from services.sharing.mounts.store import ADD, DELETE, MOUNTED, UPDATE, lock_mount, mount
from tongban.sharing.v1 import mount_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages


class MountApi:
    """Mounts data behind catalogue entries: tables, which are the one kind of source today."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_data_mount(self, request: pb.CreateDataMountRequest, call: Call) -> messages.DataMount:
        """Mounts a table, unchecked."""
        caller, wanted, made = participant(call.actor, self._parts.home), request.data_mount, uuid7()
        key = key_of(wanted.resource)

        async def work(tx: Transaction) -> messages.DataMount:
            self._check_known(wanted.table)
            found = await lock_seen(tx.connection, key, caller)
            caller.must_provide(found.provider_department)
            _check_fits(found, wanted.table)
            row = await ADD.add(tx.connection, _created(made, key, wanted.table, tx.now))
            await MOUNTED.one(tx.connection, key, mount_id=made, update_time=tx.now)
            return mount_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    def _check_known(self, table: messages.TableSource) -> None:
        if table.data_source not in self._parts.sources:
            path = "data_mount.table.data_source"
            raise invalid_field(path, "data_source.known", "no such data source is configured")

    async def update_data_mount(self, request: pb.UpdateDataMountRequest, call: Call) -> messages.DataMount:
        """Mounts another table in place of one that nobody reads through."""
        patch, caller = patch_of(request, messages.DataMount), participant(call.actor, self._parts.home)

        async def work(tx: Transaction) -> messages.DataMount:
            row, behind = await _unused(tx, patch.name, request.etag, caller)
            table = patch.over(mount_message(row)).table
            self._check_known(table)
            _check_fits(behind, table)
            return mount_message(await UPDATE.one(tx.connection, row.id, **_unchecked(table), update_time=tx.now))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def delete_data_mount(self, request: pb.DeleteDataMountRequest, call: Call) -> Empty:
        """Takes away a mount that nobody reads through."""
        caller = participant(call.actor, self._parts.home)

        async def work(tx: Transaction) -> Empty:
            row, behind = await _unused(tx, request.name, request.etag, caller)
            await MOUNTED.one(tx.connection, behind.id, mount_id=None, update_time=tx.now)
            await DELETE.gone(tx.connection, row.id)
            tx.about = row.name
            return Empty()

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
        return await self._parts.uow.prepared(command_of(request, call=call), lambda: self._looked_at(request, caller))

    async def _looked_at(self, request: pb.CheckDataMountRequest, caller: Participant) -> Work[messages.DataMount]:
        """Looks at the table behind a mount, and returns what writes down what was found."""
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

        return work


def _check_fits(behind: CatalogueResource, table: messages.TableSource) -> None:
    """Raises what keeps the table from being mounted behind the entry."""
    with standing_in("data_mount"):
        if behind.facts.form is not ResourceForm.TABLE:
            raise invalid_field("resource", "resource.form", "only a resource in the form of a table is mounted so")
        check_source(source_of(table), behind.facts.fields)


async def _unused(tx: Transaction, name: str, etag: str, caller: Participant) -> tuple[Mount, CatalogueResource]:
    """Locks the entry and then the mount, as mounting does; raises what keeps the caller from changing it."""
    known = await mount(tx.connection, key_of(name))
    behind = await lock_resource(tx.connection, known.resource_id)
    if not caller.provides(behind.provider_department) and not caller.audits:
        raise not_found(name)
    caller.must_provide(behind.provider_department)
    row = await lock_mount(tx.connection, known.id)
    require_unused(name, row.state)
    check_etag(name, row.version, etag)
    return row, behind


def _unchecked(table: messages.TableSource) -> dict[str, Any]:
    """Returns the columns of a mount whose table nobody has looked at yet."""
    return {
        "state": MountState.CREATED,
        "source": table.SerializeToString(),
        "column_types": {},
        "key_columns": (),
        "check_time": None,
        "estimated_rows": None,
        "findings": (),
    }


def _created(key: str, resource_key: str, table: messages.TableSource, now: datetime) -> Mount:
    return Mount(
        id=key,
        resource_id=resource_key,
        source=table.SerializeToString(),
        column_types={},
        create_time=now,
        update_time=now,
    )
