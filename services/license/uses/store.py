"""The list of uses."""

from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.license.core.recording import LicenseUse, license_uses
from tongban.license.v1 import resources_pb2 as pb
from tongban.license.v1.use_service_pb2 import ListLicenseUsesRequest

OF_HOLDERS = "license_id IN (SELECT id FROM licenses WHERE holders && CAST(:holders AS text[]))"
"""Uses of licences that one of some accounts holds."""
_TEXTS = ("license_identifier", "presentation", "actor")
LISTED = FilteredList(
    LicenseUse,
    ListLicenseUsesRequest,
    license_uses,
    {
        "license": fields.named("license_id", "licenses"),
        **{name: fields.text(name) for name in _TEXTS},
        **{f"use_context.{name}": fields.text(name) for name in ("purpose_code", "service_item")},
        "action": fields.choice("action", pb.UseAction),
        "basis": fields.choice("basis", pb.UseBasis),
        "use_time": fields.moment("use_time"),
    },
    {
        "use_time": Order(
            ("use_time", "id"),
            (
                Path(("license_id",)),
                Path(("case_name",), "case_name <> ''"),
                Path(("service_item",), "service_item <> ''"),
                Path((), OF_HOLDERS, few=True, by=("license_id",)),
            ),
        )
    },
    "use_time desc",
)
