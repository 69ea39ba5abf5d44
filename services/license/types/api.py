"""LicenseTypeService: the catalogue of licence types."""

from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field
from libs.ids import uscc
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.license.core.catalogue import LicenseType
from services.license.core.parts import Parts
from services.license.types import store
from services.license.types.convert import face_fields_of, license_type_message, new_type
from services.license.types.rules import check_face_fields, published
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_type_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources


class LicenseTypeApi:
    """Keeps the catalogue."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_license_type(self, request: pb.CreateLicenseTypeRequest, call: Call) -> resources.LicenseType:
        """Creates a type as a draft."""
        if not uscc.is_valid(request.code[:18]):
            raise invalid_field("code", "uscc.check", "the credit code in it is not valid")
        check_face_fields(face_fields_of(request))

        async def work(tx: Transaction) -> resources.LicenseType:
            return license_type_message(await store.ADD.add(tx.connection, new_type(request, tx.now)))

        return await self._parts.uow.run(command_of(request, call=call), work)

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
