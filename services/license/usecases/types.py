"""The catalogue of licence types."""

from typing import Any

from libs.db import rows
from libs.db.command import Command
from libs.db.etag import check_etag
from libs.db.paging import next_token, page_size, position
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field
from libs.ids import uscc
from libs.ids.uuid7 import uuid7
from libs.rpc.timestamps import timestamp
from services.license.convert import license_type_message
from services.license.domain.license_type import FaceField, TypeState, check_face_fields, published
from services.license.store.types import TypeStore
from services.license.tables import license_types
from tongban.license.v1 import events_pb2 as events
from tongban.license.v1 import license_type_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources


class LicenseTypes:
    """Use cases of LicenseTypeService."""

    def __init__(self, uow: UnitOfWork, store: TypeStore) -> None:
        self._uow = uow
        self._store = store

    async def create(self, command: Command, request: pb.CreateLicenseTypeRequest) -> resources.LicenseType:
        """Creates a type as a draft."""
        if not uscc.is_valid(request.code[:18]):
            raise invalid_field("code", "uscc.check", "the credit code in it is not valid")
        fields = [_field(each) for each in request.face_fields]
        check_face_fields([FaceField(**each) for each in fields])

        async def work(tx: Transaction) -> resources.LicenseType:
            row = await rows.insert(
                tx.connection,
                license_types,
                {
                    "id": uuid7(),
                    "code": request.code,
                    "display_name": request.display_name,
                    "defining_authority": request.defining_authority,
                    "face_fields": fields,
                    "holder_category": _short(
                        resources.HolderCategory.Name(request.holder_category), "HOLDER_CATEGORY_"
                    ),
                    "validity_months": request.validity_months,
                    "page_layout": _short(resources.PageLayout.Name(request.page_layout), "PAGE_LAYOUT_"),
                    "item_codes": list(request.item_codes),
                    "original_item_codes": list(request.original_item_codes),
                    "state": TypeState.DRAFT.value,
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            return license_type_message(row)

        return await self._uow.run(command, work)

    async def publish(self, command: Command, request: pb.PublishLicenseTypeRequest) -> resources.LicenseType:
        """Brings a draft into the catalogue."""
        identifier = request.name.removeprefix("licenseTypes/")

        async def work(tx: Transaction) -> resources.LicenseType:
            row = await self._store.lock(tx.connection, identifier)
            check_etag(request.name, row.version, request.etag)
            state = published(request.name, TypeState(row.state))
            row = await rows.update(
                tx.connection,
                license_types,
                identifier,
                {
                    "state": state.value,
                    "publish_time": tx.now,
                    "update_time": tx.now,
                },
            )
            tx.emit(
                request.name,
                events.LicenseTypePublished(
                    license_type=request.name,
                    code=row.code,
                    display_name=row.display_name,
                    publish_time=timestamp(tx.now),
                ),
            )
            return license_type_message(row)

        return await self._uow.run(command, work)

    async def get(self, name: str) -> resources.LicenseType:
        """Reads a type."""
        return license_type_message(await self._store.get(name.removeprefix("licenseTypes/")))

    async def page(self, request: pb.ListLicenseTypesRequest) -> pb.ListLicenseTypesResponse:
        """Lists types by code."""
        after = position(request, request.page_token)
        state = _short(resources.LicenseTypeState.Name(request.state), "LICENSE_TYPE_STATE_")
        named: dict[str, Any] = {
            "state": state if request.state else "",
            "code": request.code,
            "item_code": [request.item_code] if request.item_code else None,
            "after": after[0] if after else "",
        }
        size = page_size(request.page_size)
        found = await self._store.page(size + 1, {name: value for name, value in named.items() if value})
        shown = found[:size]
        return pb.ListLicenseTypesResponse(
            license_types=[license_type_message(row) for row in shown],
            next_page_token=next_token(request, shown[-1].code) if len(found) > size else "",
        )


def _short(name: str, prefix: str) -> str:
    return name.removeprefix(prefix)


def _field(field: resources.FaceField) -> dict[str, Any]:
    return {"key": field.key, "label": field.label, "required": field.required, "max_length": field.max_length}
