"""Licence types as messages, and back."""

from datetime import datetime
from typing import Any

from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from libs.values.kinds import ValueField
from libs.values.messages import type_message, type_of
from services.license.core.catalogue import HolderCategory, LicenseType, TypeState
from tongban.license.v1 import resources_pb2 as resources

STATES = Names(resources.LicenseTypeState)
_CATEGORIES, _LAYOUTS = Names(resources.HolderCategory), Names(resources.PageLayout)


def new_type(kind: resources.LicenseType, now: datetime) -> LicenseType:
    """Returns the draft of a type that is described so."""
    return LicenseType(
        id=uuid7(),
        state=TypeState.DRAFT,
        publish_time=None,
        deprecate_time=None,
        version=1,
        create_time=now,
        update_time=now,
        **written(kind),
    )


def written(kind: resources.LicenseType) -> dict[str, Any]:
    """Returns what callers write of a type, by column."""
    return {
        "code": kind.code,
        "display_name": kind.display_name,
        "defining_authority": kind.defining_authority,
        "holder_category": HolderCategory(_CATEGORIES.name(kind.holder_category)),
        "face_fields": face_fields_of(kind),
        "validity_months": kind.validity_months,
        "page_layout": _LAYOUTS.name(kind.page_layout),
        "item_codes": tuple(kind.item_codes),
        "original_item_codes": tuple(kind.original_item_codes),
    }


def face_fields_of(kind: resources.LicenseType) -> tuple[ValueField, ...]:
    """Returns the items of the face."""
    return tuple(ValueField(each.key, each.label, each.required, type_of(each.type)) for each in kind.face_fields)


def license_type_message(kind: LicenseType) -> resources.LicenseType:
    """Builds a type's message."""
    return resources.LicenseType(
        name=kind.name,
        code=kind.code,
        display_name=kind.display_name,
        defining_authority=kind.defining_authority,
        holder_category=_CATEGORIES.number(kind.holder_category.value),
        face_fields=[
            resources.FaceField(
                key=each.key, label=each.display_name, required=each.required, type=type_message(each.type)
            )
            for each in kind.face_fields
        ],
        validity_months=kind.validity_months,
        page_layout=_LAYOUTS.number(kind.page_layout),
        item_codes=kind.item_codes,
        original_item_codes=kind.original_item_codes,
        state=STATES.number(kind.state.value),
        create_time=timestamp(kind.create_time),
        update_time=timestamp(kind.update_time),
        publish_time=timestamp(kind.publish_time),
        deprecate_time=timestamp(kind.deprecate_time),
        etag=etag_of(kind.version),
    )
