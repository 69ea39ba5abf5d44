"""Mounting tables behind catalogue entries, and looking whether they fit."""

from libs.db import rows
from libs.db.command import command_of
from libs.db.engine import Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field, not_found
from libs.ids.uuid7 import uuid7
from services.sharing.caller import Caller, calling, key_of
from services.sharing.convert import mount_message, source_of, stored_entry
from services.sharing.domain import mounts as rules
from services.sharing.domain.catalog import ResourceForm
from services.sharing.domain.grants import GrantState
from services.sharing.domain.mounts import MountState
from services.sharing.sources import DataSources
from services.sharing.store.catalog import CatalogStore
from services.sharing.store.grants import GrantStore
from services.sharing.tables import grants, mounts, resources
from services.sharing.usecases.catalog import sees_resource
from services.sharing.usecases.mount_watch import write_check
from tongban.sharing.v1 import events_pb2 as events
from tongban.sharing.v1 import mount_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages


def emit_provisioned(tx: Transaction, grant: str, resource: str, terms: messages.GrantTerms) -> None:
    """Tells that the data behind a grant is supplied."""
    tx.emit(
        grant,
        events.GrantProvisioned(
            grant=grant,
            resource=resource,
            consumer_region=terms.consumer_region,
            start_time=terms.start_time,
            end_time=terms.end_time,
        ),
    )


class Mounts:
    """Use cases of MountService."""

    def __init__(
        self, uow: UnitOfWork, catalog: CatalogStore, grant_store: GrantStore, sources: DataSources, home: str
    ) -> None:
        self._uow = uow
        self._catalog = catalog
        self._grants = grant_store
        self._sources = sources
        self._home = home

    async def create(self, request: pb.CreateMountRequest) -> messages.Mount:
        """Mounts a table, unchecked."""
        caller, key, identifier = calling(self._home), key_of(request.resource), uuid7()
        source = source_of(request.table)
        if source.data_source not in self._sources:
            raise invalid_field("table.data_source", "data_source.known", "no such data source is configured")

        async def work(tx: Transaction) -> messages.Mount:
            resource = await self._provided(tx, caller, key)
            entry = stored_entry(resource)
            if entry.form is not ResourceForm.TABLE:
                raise invalid_field("resource", "resource.form", "only a resource in the form of a table is mounted so")
            rules.check_source(source, entry.fields)
            row = await rows.insert(
                tx.connection,
                mounts,
                {
                    "id": identifier,
                    "resource_id": key,
                    "state": MountState.CREATED.name,
                    "source": request.table.SerializeToString(),
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            await rows.update(tx.connection, resources, key, {"mount_id": identifier, "update_time": tx.now})
            return mount_message(row)

        return await self._uow.run(command_of(request), work)

    async def _provided(self, tx: Transaction, caller: Caller, key: str) -> Row:
        resource = await self._catalog.lock_resource(tx.connection, key)
        if not sees_resource(caller, resource):
            raise not_found(f"resources/{key}")
        caller.must_provide(resource.provider_department)
        return resource

    async def get(self, request: pb.GetMountRequest) -> messages.Mount:
        """Reads a mount."""
        return mount_message((await self._own(request.name))[0])

    async def _own(self, name: str) -> tuple[Row, Row]:
        """Reads a mount and its resource; to others than the provider it does not exist."""
        mount = await self._catalog.mount(key_of(name))
        resource = await self._catalog.resource(mount.resource_id)
        caller = calling(self._home)
        if not caller.provides(resource.provider_department) and not caller.audits:
            raise not_found(name)
        return mount, resource

    async def check(self, request: pb.CheckMountRequest) -> messages.Mount:
        """Holds a mount against the table as it is; the look itself happens before the transaction."""
        row, resource = await self._own(request.name)
        calling(self._home).must_provide(resource.provider_department)
        source = source_of(messages.TableSource.FromString(row.source))
        seen = await self._sources.inspect(source)
        faults = rules.findings(source, stored_entry(resource).fields, seen.columns)

        async def work(tx: Transaction) -> messages.Mount:
            mount = await self._catalog.lock_mount(tx.connection, row.id)
            check_etag(request.name, mount.version, request.etag)
            state = rules.checked(request.name, MountState[mount.state], faults)
            mount = await write_check(tx, mount, seen, faults, state)
            if state is MountState.ACTIVE:
                await self._provision(tx, mount.resource_id)
            return mount_message(mount)

        return await self._uow.run(command_of(request), work)

    async def _provision(self, tx: Transaction, resource_key: str) -> None:
        for grant in await self._grants.lock_waiting(tx.connection, resource_key):
            changes = {"state": GrantState.PROVISIONED.name, "update_time": tx.now}
            await rows.update(tx.connection, grants, grant.id, changes)
            terms = messages.GrantTerms.FromString(grant.terms)
            emit_provisioned(tx, f"grants/{grant.id}", f"resources/{resource_key}", terms)
