"""Whether an item that is to be published and its licence type go together: else every decision on it would fail."""

from collections.abc import Iterator
from dataclasses import dataclass

from libs.errors import FailedPrecondition, TongbanError, Violation, reasons
from libs.values.checks import fits
from libs.values.messages import type_of
from services.cases.core.items import license_type_of
from services.cases.integrations import is_passing
from services.cases.integrations.licenses import LicenseService
from tongban.cases.v1 import item_service_pb2
from tongban.common.v1 import party_pb2
from tongban.license.v1 import resources_pb2 as license_pb


@dataclass(frozen=True, slots=True)
class PublishingCheck:
    """Compares items with the licence service's catalogue."""

    licenses: LicenseService

    async def check(self, content: item_service_pb2.ItemContent) -> None:
        """Checks an item that yields a licence; one that yields none needs no check.

        Raises:
            FailedPrecondition: LICENSE_TYPE_NOT_PUBLISHED, also where there is no such type.
            InvalidArgument: FIELD_INVALID, with each field of the form that does not fit.
            Unavailable: DEPENDENCY_UNAVAILABLE.
        """
        license_type = license_type_of(content)
        if not license_type:
            return
        kind = await self._type(license_type)
        if kind.state != license_pb.LICENSE_TYPE_STATE_PUBLISHED:
            raise _not_published(license_type, license_pb.LicenseTypeState.Name(kind.state))
        broken = (*_form_violations(content, kind), *_holder_violations(content, kind))
        if broken:
            raise reasons.field_invalid("the item does not fit its licence type", violations=broken)

    async def _type(self, name: str) -> license_pb.LicenseType:
        try:
            return await self.licenses.license_type(name)
        except TongbanError as error:
            if is_passing(error):
                raise reasons.dependency_unavailable(
                    "the licence type can't be read now",
                    retry_after=1.0,
                    dependency="license",
                ) from error
            raise _not_published(name, "") from error


def _not_published(name: str, state: str) -> FailedPrecondition:
    return reasons.license_type_not_published(
        f"{name} is not in the catalogue",
        license_type=name,
        state=state.removeprefix("LICENSE_TYPE_STATE_"),
    )


def _form_violations(content: item_service_pb2.ItemContent, kind: license_pb.LicenseType) -> Iterator[Violation]:
    known = {field.key: type_of(field.type) for field in kind.face_fields}
    filled: dict[str, bool] = {}
    for place, field in enumerate(content.form_fields):
        if not field.license_field:
            continue
        path = f"content.form_fields[{place}].license_field"
        if field.license_field not in known:
            yield Violation(path, "license_field.known", "the licence type has no such field")
        elif not fits(type_of(field.type), known[field.license_field]):
            yield Violation(path, "license_field.type", "the field's values are not what the licence type asks for")
        if field.license_field in filled:
            yield Violation(path, "license_field.once", "another field of the form fills it already")
        filled[field.license_field] = field.required
    for wanted in kind.face_fields:
        if wanted.required and not filled.get(wanted.key, False):
            yield Violation(
                "content.form_fields",
                "license_field.required",
                f"a required field of the form must fill {wanted.key}, which the licence type requires",
            )


def _holder_violations(content: item_service_pb2.ItemContent, kind: license_pb.LicenseType) -> Iterator[Violation]:
    holders = {
        license_pb.HOLDER_CATEGORY_PERSON: (True,),
        license_pb.HOLDER_CATEGORY_ORGANIZATION: (False,),
    }.get(kind.holder_category, (True, False))
    for place, applicant in enumerate(content.applicant_kinds):
        if (applicant == party_pb2.PARTY_KIND_PERSON) not in holders:
            yield Violation(
                f"content.applicant_kinds[{place}]", "applicant_kinds.holder", "the licence type is not for them"
            )
