"""Items as messages, and back."""

from datetime import datetime
from typing import Any

from libs.db.etag import etag_of
from libs.errors import reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from libs.values.checks import declared_faults
from services.cases.core.items import ItemRow, form_of
from services.cases.items.rules import code_warnings
from tongban.cases.v1 import item_service_pb2 as pb

ITEM_STATES, HANDLING_KINDS = Names(pb.ServiceItemState), Names(pb.HandlingKind)


def item_message(row: ItemRow) -> pb.ServiceItem:
    """Builds the message of an item version."""
    content = pb.ItemContent.FromString(row.content)
    return pb.ServiceItem(
        name=row.name,
        version=row.number,
        state=ITEM_STATES.number(row.state),
        content=content,
        code_warnings=code_warnings(content.basic_code, content.task_code),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        publish_time=timestamp(row.publish_time),
        supersede_time=timestamp(row.supersede_time),
        etag=etag_of(row.version),
    )


def new_item(content: pb.ItemContent, number: int, now: datetime) -> ItemRow:
    """Returns the draft with this content."""
    return ItemRow(
        id=uuid7(),
        number=number,
        task_code=content.task_code,
        department=content.department,
        create_time=now,
        update_time=now,
        **written(content),
    )


def written(content: pb.ItemContent) -> dict[str, Any]:
    """Returns what can be written of a draft more than once, by column."""
    return {
        "category": content.category,
        "cross_region": content.HasField("cross_region"),
        "open_regions": tuple(content.cross_region.regions),
        "content": content.SerializeToString(),
        "statutory_limit_days": content.statutory_limit.amount,
    }


def check_form_fields(content: pb.ItemContent) -> None:
    """Raises FIELD_INVALID where two fields of an item's form have one key, or what one declares makes no sense."""
    broken = tuple(declared_faults(form_of(content), "service_item.content.form_fields"))
    if broken:
        raise reasons.field_invalid("the form can't be declared so", violations=broken)
