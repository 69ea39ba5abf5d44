"""What is read and changed of licences that are there."""

from collections.abc import Sequence

from libs.db.engine import Database
from libs.db.query import Query, Update
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.license.core.licenses import KnownLicense, License, license_id, licenses
from tongban.license.v1 import resources_pb2 as pb
from tongban.license.v1.license_service_pb2 import ListLicensesRequest

UPDATE = Update(License)
_BY_IDENTIFIER = Query(License, "SELECT {columns} FROM licenses WHERE identifier = :identifier")
_ISSUED = Query(
    KnownLicense, "SELECT {columns} FROM licenses WHERE id = ANY(CAST(:ids AS uuid[])) AND ofd_digest IS NOT NULL"
)
_ENDS = ("revoke_time", "withdraw_time", "cancel_time", "expire_time", "transfer_time", "void_time")
_TIMES = ("issue_time", "suspend_time", "resume_time", *_ENDS)
OF_CASE = "case_name <> '' AND state <> 'VOIDED'"
SHOWN = "state NOT IN ('DRAFT', 'VOIDED')"
"""What everybody but the issuer sees: an unfinished licence does not exist."""
LISTED = FilteredList(
    License,
    ListLicensesRequest,
    licenses,
    {
        **{name: fields.text(name) for name in ("identifier", "type_code", "item_code", "receiving_region", "seal")},
        **{name: fields.moment(name, nullable=True) for name in _TIMES},
        "license_type": fields.named("license_type", "licenseTypes"),
        "state": fields.choice("state", pb.LicenseState),
        "issue_date": fields.day("issue_date"),
        "create_time": fields.moment("create_time"),
    },
    {
        "create_time": Order(
            ("create_time", "id"),
            (
                Path(("issuer_department",)),
                Path(("holders",), few=True),
                Path(("case_name",), OF_CASE, few=True),
                Path(("identifier",), few=True),
            ),
        )
    },
    "create_time desc",
)


class ListedLicenses:
    """Finds licences by more than their name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_identifier(self, identifier: str) -> License:
        """Reads a licence by its identifier of GB/T 36904; raises NotFound."""
        async with self._database.read() as connection:
            found = await _BY_IDENTIFIER.first(connection, identifier=identifier)
        if found is None:
            raise not_found("licenses")
        return found

    async def issued(self, names: Sequence[str]) -> frozenset[str]:
        """Returns which of some licences were ever issued, whatever became of them."""
        async with self._database.read() as connection:
            found = await _ISSUED.all(connection, ids=[license_id(name) for name in names])
        return frozenset(each.name for each in found)
