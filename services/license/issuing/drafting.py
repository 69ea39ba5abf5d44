"""Turns an order for a licence into a draft: everything checked, everything fixed, and the exact bytes to be sealed."""

import os
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from libs import names
from libs.civil.calendar import local_day
from libs.crypto.envelope import Column
from libs.crypto.sm3 import sm3
from libs.documents.store import digest_of
from libs.errors import InvalidArgument, Violation, invalid_field, reasons
from libs.ids import documents, license_identifier, uscc
from libs.ids.documents import is_organization
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import date_of
from services.license.core import qr
from services.license.core.catalogue import LicenseType
from services.license.core.licenses import CONTENT, OFD, License
from services.license.core.messages import face_of, holders_of
from services.license.core.parts import Parts
from services.license.core.validity import LicenseTerm, check_validity, validity_from
from services.license.integrations.seal import SealToUse
from services.license.issuing import numbering
from services.license.issuing.rules import check_issue
from services.license.rendering.service import Renderer, longest_field, page_of
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

NUMBER = Column("licenses", "number")
_NO_SEAL = SealToUse("", "", 40)


@dataclass(frozen=True, slots=True)
class Draft:
    """A licence about to be committed, and the page to be sealed."""

    license: License
    page: bytes


@dataclass(frozen=True, slots=True)
class Marks:
    """What makes a licence this one: its id, its serial, its day; and its identifier, where one was told of before."""

    id: str
    serial: str
    day: date
    identifier: str = ""


def _new_marks(now: datetime) -> Marks:
    return Marks(uuid7(), numbering.serial_from(os.urandom(numbering.SERIAL_ENTROPY_BYTES)), local_day(now))


class Drafting:
    """Draws up licences."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    async def draw_up(
        self, order: pb.IssueLicenseRequest, kind: LicenseType, now: datetime, marks: Marks | None = None
    ) -> Draft:
        """Checks an order and draws its page; the page of the licence that was told of once, where ``marks`` are given.

        Raises:
            InvalidArgument: FIELD_INVALID, also where the licence that was told of was of another type or issuer.
            FailedPrecondition: LICENSE_TYPE_NOT_PUBLISHED, SEAL_NOT_USABLE.
            PermissionDenied: NOT_OWNER, SEAL_USE_NOT_ALLOWED.
            NotFound: RESOURCE_NOT_FOUND, for department or seal.
        """
        content = _content(order, now)
        await self._check_content(content, kind)
        await self._check_issuer(order.issuer)
        seal = await self._seal(order, now)
        marks = marks or _new_marks(now)
        drawn = self._numbered(
            _planned(order, kind, content, seal, now, marks), _identifier(order, kind, marks), marks.serial, content
        )
        try:
            page = await self._renderer.draw(page_of(drawn, content, kind), OFD)
        except InvalidArgument as error:
            raise _of_content(error, content, kind) from error
        return Draft(replace(drawn, page_digest=digest_of(page)), page)

    async def check(self, order: pb.IssueLicenseRequest, kind: LicenseType, now: datetime) -> None:
        """Checks of an order what hangs on holders and face alone, its page included; keeps nothing.

        Raises:
            InvalidArgument: FIELD_INVALID.
            FailedPrecondition: LICENSE_TYPE_NOT_PUBLISHED.
        """
        content = _content(order, now)
        await self._check_content(content, kind)
        # The page that a licence of this content would get, but for issuer, numbers and seal.
        specimen = _planned(order, kind, content, _NO_SEAL, now, Marks("", "", local_day(now)))
        try:
            await self._renderer.check(page_of(replace(specimen, qr_content="-"), content, kind))
        except InvalidArgument as error:
            raise _of_content(error, content, kind) from error

    async def _check_content(self, content: resources.License, kind: LicenseType) -> None:
        check_issue(kind, holders_of(content), face_of(content))
        broken = tuple(await self._renderer.unprintable(content, kind))
        if broken:
            raise reasons.field_invalid("the licence can't be printed", violations=broken)

    async def _check_issuer(self, issuer: resources.Issuer) -> None:
        uscc.parse(issuer.code, "issuer.code")
        if issuer.department.startswith("//"):
            raise invalid_field("issuer.department", "issuer.region", "must be a department of this region")
        known = await self._parts.identity.department(issuer.department)
        if known.uscc != issuer.code or not names.same(known.display_name, issuer.display_name):
            raise reasons.not_owner("name or code of the issuer are not the department's")

    async def _seal(self, order: pb.IssueLicenseRequest, now: datetime) -> SealToUse:
        if order.seal:
            return await self._parts.seals.named(order.seal, order.issuer.department, now)
        return await self._parts.seals.seal_of(order.issuer.department, now)

    def _numbered(self, planned: License, identifier: str, serial: str, content: resources.License) -> License:
        """Gives a planned licence its numbers, its QR code, and its encrypted content."""
        home, cipher = self._parts.home, self._parts.cipher
        region = self._parts.code_on(planned.issue_date) or home
        content.number = content.number or numbering.number_from(region, planned.issue_date, serial)
        validity = LicenseTerm(planned.valid_from, planned.valid_until)
        face = qr.face_bytes(identifier, content.number, holders_of(content), validity, face_of(content))
        check = qr.check_of(sm3(face))
        return replace(
            planned,
            identifier=identifier,
            number_index=cipher.blind_index(NUMBER, content.number.upper()),
            content=cipher.encrypt(CONTENT, planned.id, content.SerializeToString()),
            face_check=check,
            qr_content=qr.qr_text(self._parts.base_url, qr.QrContent(home, identifier, check)),
        )


def _planned(
    order: pb.IssueLicenseRequest,
    kind: LicenseType,
    content: resources.License,
    seal: SealToUse,
    now: datetime,
    marks: Marks,
) -> License:
    """Returns the licence but for what is made of its numbers: identifier, number, QR code, content."""
    validity = _validity(order, marks.day, kind.validity_months)
    return License(
        id=marks.id,
        identifier="",
        number_index=b"",
        license_type=kind.id,
        type_code=kind.code,
        type_display_name=kind.display_name,
        holders=tuple(holder.subject for holder in content.holders if holder.subject),
        organization_names=_organizations(content),
        content=b"",
        issue_date=marks.day,
        valid_from=validity.start,
        valid_until=validity.end,
        face_check="",
        qr_content="",
        state_time=now,
        create_time=now,
        update_time=now,
        **_of_order(order),
        **_of_seal(seal),
    )


def _of_order(order: pb.IssueLicenseRequest) -> dict[str, Any]:
    return {
        "issuer_department": order.issuer.department,
        "issuer_name": order.issuer.display_name,
        "issuer_code": order.issuer.code,
        "item_code": order.item_code,
        "case_name": order.case,
        "receiving_region": order.receiving_region,
    }


def _of_seal(seal: SealToUse) -> dict[str, Any]:
    return {"seal": seal.name, "seal_id": seal.seal_id, "seal_diameter": seal.diameter_mm}


def _identifier(order: pb.IssueLicenseRequest, kind: LicenseType, marks: Marks) -> str:
    identifier = str(license_identifier.build(kind.code, order.issuer.code, marks.serial))
    if marks.identifier not in ("", identifier):
        raise invalid_field("told_license.identifier", "license_identifier.issuer", "is not of this type and issuer")
    return identifier


def _content(order: pb.IssueLicenseRequest, now: datetime) -> resources.License:
    content = resources.License(number=order.number.strip(), holders=order.holders, face_fields=order.face_fields)
    today = local_day(now)
    for position, holder in enumerate(content.holders):
        path, document = f"holders[{position}]", holder.document
        names.check(holder.display_name, f"{path}.display_name")
        document.number = documents.normal_number(document.type_code, document.number, f"{path}.document.number", today)
    return content


def _of_content(error: InvalidArgument, content: resources.License, kind: LicenseType) -> InvalidArgument:
    """Says of a refusal by the page which field of the content it means."""
    broken = tuple(
        Violation(longest_field(content, kind), each.rule, each.description) if each.field == "fields" else each
        for each in error.violations
    )
    return error.about(*broken)


def _validity(order: pb.IssueLicenseRequest, today: date, months: int) -> LicenseTerm:
    if not order.HasField("validity"):
        return validity_from(today, months)
    end = date_of(order.validity.end_date, "validity.end_date") if order.validity.HasField("end_date") else None
    return check_validity(LicenseTerm(date_of(order.validity.start_date, "validity.start_date"), end))


def _organizations(content: resources.License) -> tuple[str, ...]:
    return tuple(holder.display_name for holder in content.holders if is_organization(holder.document.type_code))
