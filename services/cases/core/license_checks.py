"""Whether the licence that a case would yield can be issued, asked before the case is taken up and before it is decided.

After the decision a refusal would come too late: the applicant has a right to a licence that can't be printed. Only items that
yield one ask; the licence service remembers what passed, so that an unchanged application costs it nothing to ask again.
"""

import re
from dataclasses import dataclass

from libs.db.command import digest_of
from libs.db.uow import AskFirst
from libs.errors import InvalidArgument, TongbanError, Violation, reasons
from libs.values.checks import at_key
from services.cases.core.applications import party_of
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemVersion
from services.cases.integrations import is_passing
from services.cases.integrations.licenses import LicenseService
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import value_pb2
from tongban.license.v1 import license_service_pb2

_FACE_FIELD = re.compile(r'face_fields\["(?P<key>\w+)"\]')
_HOLDER = re.compile(r"holders\[\d+\]\.?")


def license_fields(item: ItemVersion, content: pb.Case) -> dict[str, value_pb2.Value]:
    """Returns what of a case's form stands on its licence, by the keys of the licence type."""
    values = content.form_values
    return {
        each.license_field: values[each.key]
        for each in item.content.form_fields
        if each.license_field and each.key in values
    }


def own_path(item: ItemVersion, path: str) -> str:
    """Returns the field of the case that a field of its licence comes from: that of the form, or of the applicant."""
    face = _FACE_FIELD.match(path)
    if face is not None:
        found = (each.key for each in item.content.form_fields if each.license_field == face["key"])
        key = next(found, "")
        return at_key("form_values", key) + path[face.end() :] if key else path
    return _HOLDER.sub("applicant.", path).rstrip(".")


@dataclass(frozen=True, slots=True)
class LicenseChecks:
    """Asks the licence service, once for each content."""

    licenses: LicenseService

    def ask(self, record: CaseRecord, item: ItemVersion, asked: set[bytes]) -> None:
        """Has the licence of a case checked outside of the transaction, unless that passed already in this call.

        Raises:
            AskFirst: to be settled; what the licence service refuses is raised from there: FIELD_INVALID with the fields of
                the case, LICENSE_TYPE_NOT_PUBLISHED, RESOURCE_NOT_FOUND, or DEPENDENCY_UNAVAILABLE.
        """
        if not item.license_type:
            return
        request = license_service_pb2.CheckLicenseRequest(
            license_type=item.license_type,
            holders=[party_of(record.content.applicant)],
            face_fields=license_fields(item, record.content),
        )
        digest = digest_of(request)
        if digest in asked:
            return

        async def settle() -> None:
            await self._check(request, item)
            asked.add(digest)

        raise AskFirst(settle)

    async def _check(self, request: license_service_pb2.CheckLicenseRequest, item: ItemVersion) -> None:
        try:
            await self.licenses.check(request)
        except InvalidArgument as error:
            broken = tuple(
                Violation(own_path(item, each.field), each.rule, each.description) for each in error.violations
            )
            raise reasons.field_invalid("the licence could not be printed", violations=broken) from error
        except TongbanError as error:
            if not is_passing(error):
                raise
            raise reasons.dependency_unavailable(
                "whether the licence can be issued can't be told now",
                retry_after=error.retry_after or 1.0,
                dependency="license",
            ) from error
