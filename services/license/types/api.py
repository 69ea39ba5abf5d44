"""LicenseTypeService: the catalogue of licence types."""

from google.protobuf.empty_pb2 import Empty

from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field
from libs.ids import uscc
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from libs.rpc.patches import patch_of
from services.license.core.catalogue import LicenseType
from services.license.core.parts import Parts
from services.license.types import store
from services.license.types.convert import face_fields_of, license_type_message, new_type, written
from services.license.types.rules import check_face_fields, published, require_draft
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_type_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources


class LicenseTypeApi:
    """Keeps the catalogue."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_license_type(self, request: pb.CreateLicenseTypeRequest, call: Call) -> resources.LicenseType:
        """Creates a type as a draft."""
        _check(request.license_type)

        async def work(tx: Transaction) -> resources.LicenseType:
            return license_type_message(await store.ADD.add(tx.connection, new_type(request.license_type, tx.now)))

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def update_license_type(self, request: pb.UpdateLicenseTypeRequest, call: Call) -> resources.LicenseType:
        """Changes a draft."""
        patch = patch_of(request, resources.LicenseType)

        async def work(tx: Transaction) -> resources.LicenseType:
            kind = await self._draft(tx, patch.name, request.etag)
            wanted = patch.over(license_type_message(kind))
            _check(wanted)
            kind = await store.UPDATE.one(tx.connection, kind.id, update_time=tx.now, **written(wanted))
            self._parts.types.forget(kind.name)
            return license_type_message(kind)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def delete_license_type(self, request: pb.DeleteLicenseTypeRequest, call: Call) -> Empty:
        """Throws a draft away."""

        async def work(tx: Transaction) -> Empty:
            kind = await self._draft(tx, request.name, request.etag)
            await store.DELETE.gone(tx.connection, kind.id)
            self._parts.types.forget(kind.name)
            tx.about = kind.name
            return Empty()

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _draft(self, tx: Transaction, name: str, etag: str) -> LicenseType:
        kind = await store.lock(tx.connection, name)
        require_draft(name, kind.state)
        check_etag(name, kind.version, etag)
        return kind

    async def publish_license_type(self, request: pb.PublishLicenseTypeRequest, call: Call) -> resources.LicenseType:
        """Brings a draft into the catalogue."""

        async def work(tx: Transaction) -> resources.LicenseType:
            kind = await store.lock(tx.connection, request.name)
            check_etag(request.name, kind.version, request.etag)
            state = published(request.name, kind.state)
            kind = await store.UPDATE.one(tx.connection, kind.id, state=state, publish_time=tx.now, update_time=tx.now)
            self._parts.types.forget(kind.name)
            _tell_published(tx, kind)
            return license_type_message(kind)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_license_type(self, request: pb.GetLicenseTypeRequest, call: Call) -> resources.LicenseType:
        """Gets a type."""
        return license_type_message(await self._parts.types.get(request.name))

    async def list_license_types(self, request: pb.ListLicenseTypesRequest, call: Call) -> pb.ListLicenseTypesResponse:
        """Lists types, by code."""
        async with self._parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, self._parts.pages, request)
        messages = [license_type_message(kind) for kind in shown]
        return pb.ListLicenseTypesResponse(license_types=messages, next_page_token=token)


def _check(kind: resources.LicenseType) -> None:
    if not uscc.is_valid(kind.code[:18]):
        raise invalid_field("license_type.code", "uscc.check", "the credit code in it is not valid")
    check_face_fields(face_fields_of(kind))


def _tell_published(tx: Transaction, kind: LicenseType) -> None:
    tx.emit(
        kind.name,
        events.LicenseTypePublished(
            license_type=kind.name,
            code=kind.code,
            display_name=kind.display_name,
            publish_time=timestamp(kind.publish_time),
        ),
    )
