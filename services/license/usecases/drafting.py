"""Turns an order for a licence into a draft: everything checked, everything fixed, and the exact bytes to be sealed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from libs import names
from libs.crypto.envelope import FieldCipher
from libs.crypto.sm3 import sm3
from libs.db.engine import Row
from libs.documents.store import digest_of
from libs.errors import InvalidArgument, Violation, invalid_field, reasons
from libs.ids import documents, license_identifier, uscc
from libs.ids.uuid7 import uuid7
from services.license.clients.identity import IdentityClient
from services.license.clients.seal import SealClient, SealToUse
from services.license.convert import CONTENT, NUMBER, OFD, date_of, holders_of, license_type_rules
from services.license.domain import numbering, qr
from services.license.domain.license_type import check_issue, is_organization
from services.license.domain.lifecycle import State
from services.license.domain.validity import Validity, check_validity, civil_date, validity_from
from services.license.pages import Renderer, longest_field, page_of
from services.license.rendering import LicensePage
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources


@dataclass(frozen=True, slots=True)
class Draft:
    """A licence about to be committed: its columns, and the page to be sealed."""

    columns: dict[str, Any]
    page: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """What makes a licence this one: its id, its serial, its day; and its identifier, where one was told of before."""

    id: str
    serial: str
    day: date
    identifier: str = ""


def _new(now: datetime) -> Told:
    return Told(uuid7(), numbering.serial_from(os.urandom(numbering.SERIAL_ENTROPY_BYTES)), civil_date(now))


class Drafting:
    """Draws up licences."""

    def __init__(
        self,
        identity: IdentityClient,
        seals: SealClient,
        renderer: Renderer,
        cipher: FieldCipher,
        home: str,
        base_url: str,
    ) -> None:
        self._identity = identity
        self._seals = seals
        self._renderer = renderer
        self._cipher = cipher
        self._home = home
        self._base_url = base_url

    async def draw_up(self, order: pb.IssueLicenseRequest, kind: Row, now: datetime, told: Told | None = None) -> Draft:
        """Checks an order and draws its page; the page of the licence that was ``told`` of once, where there was one.

        Raises:
            InvalidArgument: FIELD_INVALID, also where the told licence was of another type or issuer.
            FailedPrecondition: LICENSE_TYPE_NOT_PUBLISHED, SEAL_NOT_USABLE.
            PermissionDenied: NOT_OWNER, SEAL_USE_NOT_ALLOWED.
            NotFound: RESOURCE_NOT_FOUND, for department or seal.
        """
        content = _content(order, now)
        await self._check_content(content, kind)
        await self._check_issuer(order.issuer)
        seal = await self._seal(order, now)
        columns = self._columns(order, kind, content, seal, now, told or _new(now))
        try:
            page = await self._renderer.draw(page_of(columns, content, kind._asdict()), OFD)
        except InvalidArgument as error:
            raise _of_content(error, content) from error
        return Draft(columns | {"page_digest": digest_of(page)}, page)

    async def check(self, order: pb.IssueLicenseRequest, kind: Row, now: datetime) -> None:
        """Checks of an order what hangs on holders and face alone, its page included; keeps nothing.

        Raises:
            InvalidArgument: FIELD_INVALID.
            FailedPrecondition: LICENSE_TYPE_NOT_PUBLISHED.
        """
        content = _content(order, now)
        await self._check_content(content, kind)
        try:
            await self._renderer.check(_specimen(content, kind, civil_date(now)))
        except InvalidArgument as error:
            raise _of_content(error, content) from error

    async def _check_content(self, content: resources.License, kind: Row) -> None:
        check_issue(license_type_rules(kind), holders_of(content), content.face_fields)
        broken = tuple(await self._renderer.unprintable(content))
        if broken:
            raise reasons.field_invalid("the licence can't be printed", violations=broken)

    async def _check_issuer(self, issuer: resources.Issuer) -> None:
        uscc.parse(issuer.code, "issuer.code")
        known = await self._identity.department(issuer.department)
        if known.uscc != issuer.code or not names.same(known.display_name, issuer.display_name):
            raise reasons.not_owner("name or code of the issuer are not the department's")

    async def _seal(self, order: pb.IssueLicenseRequest, now: datetime) -> SealToUse:
        if order.seal:
            return await self._seals.named(order.seal, order.issuer.department, now)
        return await self._seals.seal_of(order.issuer.department, now)

    def _columns(
        self,
        order: pb.IssueLicenseRequest,
        kind: Row,
        content: resources.License,
        seal: SealToUse,
        now: datetime,
        told: Told,
    ) -> dict[str, Any]:
        key, today = told.id, told.day
        content.number = content.number or numbering.number_from(self._home, today, told.serial)
        identifier = str(license_identifier.build(kind.code, order.issuer.code, told.serial))
        if told.identifier not in ("", identifier):
            raise invalid_field(
                "told_license.identifier", "license_identifier.issuer", "is not of this type and issuer"
            )
        validity = _validity(order, today, kind.validity_months)
        return {
            "id": key,
            "identifier": identifier,
            "license_type": kind.id,
            "type_code": kind.code,
            "type_display_name": kind.display_name,
            "license_version": 1,
            "number_index": self._cipher.blind_index(NUMBER, content.number.upper()),
            "issuer_department": order.issuer.department,
            "issuer_name": order.issuer.display_name,
            "issuer_code": order.issuer.code,
            "holders": [holder.subject for holder in content.holders if holder.subject],
            "organization_names": _organizations(content),
            "content": self._cipher.encrypt(CONTENT, key, content.SerializeToString()),
            "issue_date": today,
            "valid_from": validity.start,
            "valid_until": validity.end,
            "item_code": order.item_code,
            "case_name": order.case_name,
            "receiving_region": order.receiving_region,
            **self._check(identifier, content, validity),
            "seal": seal.name,
            "seal_id": seal.seal_id,
            "seal_diameter": seal.diameter_mm,
            "state": State.DRAFT.value,
            "state_time": now,
            "create_time": now,
            "update_time": now,
        }

    def _check(self, identifier: str, content: resources.License, validity: Validity) -> Mapping[str, str]:
        face = qr.face_bytes(identifier, content.number, holders_of(content), validity, content.face_fields)
        check = qr.check_of(sm3(face))
        text = qr.qr_text(self._base_url, qr.QrContent(self._home, identifier, check))
        return {"face_check": check, "qr_content": text}


def _content(order: pb.IssueLicenseRequest, now: datetime) -> resources.License:
    content = resources.License(number=order.number.strip(), holders=order.holders, face_fields=order.face_fields)
    today = civil_date(now)
    for position, holder in enumerate(content.holders):
        path, document = f"holders[{position}]", holder.document
        names.check(holder.display_name, f"{path}.display_name")
        document.number = documents.normal_number(document.type_code, document.number, f"{path}.document.number", today)
    return content


def _of_content(error: InvalidArgument, content: resources.License) -> InvalidArgument:
    """Says of a refusal by the page which field of the content it means."""
    broken = tuple(
        Violation(longest_field(content), each.rule, each.description) if each.field == "fields" else each
        for each in error.violations
    )
    return error.about(*broken)


def _specimen(content: resources.License, kind: Row, today: date) -> LicensePage:
    """Returns the page that a licence of this content would get, but for issuer, numbers and seal."""
    validity = validity_from(today, kind.validity_months)
    columns: dict[str, Any] = {
        "type_display_name": kind.display_name,
        "issuer_name": "",
        "identifier": "",
        "issuer_code": "",
        "qr_content": "-",
        "issue_date": today,
        "valid_from": validity.start,
        "valid_until": validity.end,
        "seal_diameter": 40,
        "type_code": kind.code,
    }
    return page_of(columns, content, kind._asdict())


def _validity(order: pb.IssueLicenseRequest, today: date, months: int) -> Validity:
    if not order.HasField("validity"):
        return validity_from(today, months)
    end = date_of(order.validity.end, "validity.end") if order.validity.HasField("end") else None
    return check_validity(Validity(date_of(order.validity.start, "validity.start"), end))


def _organizations(content: resources.License) -> list[str]:
    return [holder.display_name for holder in content.holders if is_organization(holder.document.type_code)]
