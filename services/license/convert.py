"""Rows to messages and to what the rules need. What is masked is masked here, and only here."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol

from libs.crypto.envelope import Column, FieldCipher
from libs.db.engine import Row
from libs.db.etag import etag_of
from libs.errors import invalid_field
from libs.rpc.timestamps import timestamp
from services.license.domain import disclosure, license_type, lifecycle
from services.license.domain import material as material_rules
from services.license.domain import presentation as presentation_rules
from services.license.domain.access import LicenseFacts
from services.license.domain.validity import Validity
from tongban.common.v1 import common_pb2
from tongban.license.v1 import material_service_pb2 as materials_pb
from tongban.license.v1 import presentation_service_pb2 as presentations_pb
from tongban.license.v1 import resources_pb2 as pb
from tongban.license.v1 import verification_service_pb2 as verification_pb

CONTENT = Column("licenses", "content")
NUMBER = Column("licenses", "number")
FILE_NAME = Column("materials", "file_name")
CODE = Column("presentations", "code")

OFD, PDF = "application/ofd", "application/pdf"


def date_message(day: date | None) -> common_pb2.Date | None:
    """Returns a day as a message; None stays "not set"."""
    return common_pb2.Date(year=day.year, month=day.month, day=day.day) if day else None


def date_of(message: common_pb2.Date, field: str) -> date:
    """Returns the day that a message names; raises FIELD_INVALID for one that the calendar does not have."""
    try:
        return date(message.year, message.month, message.day)
    except ValueError:
        raise invalid_field(field, "date.calendar", "there is no such day") from None


def license_type_message(row: Row) -> pb.LicenseType:
    """Builds a type's message."""
    return pb.LicenseType(
        name=f"licenseTypes/{row.id}",
        code=row.code,
        display_name=row.display_name,
        defining_authority=row.defining_authority,
        holder_category=pb.HolderCategory.Value(f"HOLDER_CATEGORY_{row.holder_category}"),
        face_fields=[pb.FaceField(**field) for field in row.face_fields],
        validity_months=row.validity_months,
        page_layout=pb.PageLayout.Value(f"PAGE_LAYOUT_{row.page_layout}"),
        item_codes=row.item_codes,
        original_item_codes=row.original_item_codes,
        state=pb.LicenseTypeState.Value(f"LICENSE_TYPE_STATE_{row.state}"),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        publish_time=timestamp(row.publish_time),
        deprecate_time=timestamp(row.deprecate_time),
        etag=etag_of(row.version),
    )


def license_type_rules(row: Row) -> license_type.LicenseType:
    """Returns what the rules need of a type."""
    return license_type.LicenseType(
        f"licenseTypes/{row.id}",
        license_type.TypeState(row.state),
        license_type.HolderCategory(row.holder_category),
        tuple(license_type.FaceField(**field) for field in row.face_fields),
    )


def holders_of(content: pb.License) -> tuple[license_type.Holder, ...]:
    """Returns the holders as the rules know them."""
    return tuple(
        license_type.Holder(each.subject, each.display_name, each.document.type_code, each.document.number)
        for each in content.holders
    )


class Encrypted(Protocol):
    """What a licence's row holds of its encrypted part."""

    @property
    def id(self) -> str:
        """The row's id, to which the encryption is bound."""

    @property
    def content(self) -> bytes:
        """The encrypted part."""


def open_content(row: Encrypted | Row, cipher: FieldCipher) -> pb.License:
    """Decrypts what a licence says of people: a message with number, holders and face only."""
    return pb.License.FromString(cipher.decrypt(CONTENT, row.id, row.content))


def _document(digest: str | None, media_type: str, size: int | None) -> common_pb2.DocumentRef | None:
    return common_pb2.DocumentRef(digest=digest, media_type=media_type, size_bytes=size or 0) if digest else None


def validity_message(row: Row) -> pb.Validity:
    """Returns from when to when a licence is valid."""
    return pb.Validity(start=date_message(row.valid_from), end=date_message(row.valid_until))


def license_message(row: Row, content: pb.License, home: str, *, abroad: bool = False) -> pb.License:
    """Builds a licence's message with its face; its name carries the region ``home`` where another region asked."""
    times: dict[str, Any] = {name: timestamp(getattr(row, name)) for name in _TIMES}
    message = pb.License(
        name=f"//{home}/licenses/{row.id}" if abroad else f"licenses/{row.id}",
        identifier=row.identifier,
        license_type=f"licenseTypes/{row.license_type}",
        type_code=row.type_code,
        type_display_name=row.type_display_name,
        version=row.license_version,
        issuer=pb.Issuer(department=row.issuer_department, display_name=row.issuer_name, code=row.issuer_code),
        issue_date=date_message(row.issue_date),
        validity=validity_message(row),
        item_code=row.item_code,
        case_name=row.case_name,
        region_code=home,
        receiving_region=row.receiving_region,
        ofd=_document(row.ofd_digest, OFD, row.ofd_size),
        pdf=_document(row.pdf_digest, PDF, row.pdf_size),
        seal=row.seal,
        sealing=row.sealing,
        qr_content=row.qr_content,
        previous_identifier=row.previous_identifier,
        associated_identifier=row.associated_identifier,
        next_identifier=row.next_identifier,
        state=pb.LicenseState.Value(f"LICENSE_STATE_{row.state}"),
        state_reason=row.state_reason,
        state_legal_basis=row.state_legal_basis,
        etag=etag_of(row.version),
        **times,
    )
    message.MergeFrom(content)
    return message


_TIMES = (
    "create_time",
    "update_time",
    "issue_time",
    "suspend_time",
    "resume_time",
    "revoke_time",
    "withdraw_time",
    "cancel_time",
    "expire_time",
    "transfer_time",
    "void_time",
)


def listed_license(row: Row, content: pb.License, home: str) -> pb.License:
    """Builds a licence's message for a list: without its face, numbers of persons' documents masked."""
    message = license_message(row, content, home)
    message.ClearField("face_fields")
    for holder in message.holders:
        document = holder.document
        document.number = disclosure.mask_document_number(document.type_code, document.number)
    return message


def license_facts(row: Row, home: str) -> LicenseFacts:
    """Returns what decides about the use of a licence."""
    return LicenseFacts(
        f"licenses/{row.id}",
        home,
        frozenset(row.holders),
        row.issuer_department,
        row.case_name,
        row.receiving_region,
        row.type_code,
    )


def standing_of(row: Row, today: date) -> lifecycle.Standing:
    """Returns what a licence is worth on a day."""
    return lifecycle.standing(lifecycle.State(row.state), Validity(row.valid_from, row.valid_until), today)


def presentation_rules_of(row: Row) -> presentation_rules.Presentation:
    """Returns what the rules need of a presentation."""
    return presentation_rules.Presentation(
        f"presentations/{row.id}",
        presentation_rules.PresentationState(row.state),
        frozenset(row.licenses),
        row.verifier,
        row.item_code,
        row.case_name,
        row.single_use,
        row.expire_time,
        row.redeem_count,
        row.redeemer,
    )


def use_context(row: Row) -> common_pb2.UseContext:
    """Returns the context as it was recorded."""
    return common_pb2.UseContext(
        purpose=row.purpose,
        case_name=row.case_name,
        legal_basis=row.legal_basis,
        department=row.department,
        operator=row.operator,
        transaction_id=row.transaction_id,
    )


def presentation_message(row: Row, state: str, region: str = "") -> presentations_pb.Presentation:
    """Builds a presentation's message, without its code; ``region`` goes in front of names for another region."""
    front = f"//{region}/" if region else ""
    return presentations_pb.Presentation(
        name=f"{front}presentations/{row.id}",
        holder=f"{front}{row.holder}" if row.holder[:2] != "//" else row.holder,
        licenses=[f"{front}{name}" for name in row.licenses],
        verifier=row.verifier,
        item_code=row.item_code,
        context=use_context(row),
        consent=row.consent,
        single_use=row.single_use,
        redeem_count=row.redeem_count,
        state=presentations_pb.PresentationState.Value(f"PRESENTATION_STATE_{state}"),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        expire_time=timestamp(row.expire_time),
        redeem_time=timestamp(row.redeem_time),
        withdraw_time=timestamp(row.withdraw_time),
        etag=etag_of(row.version),
    )


def material_rules_of(row: Row) -> material_rules.Material:
    """Returns what the rules need of a material."""
    return material_rules.Material(
        f"materials/{row.id}",
        row.owner,
        row.uploader,
        row.category,
        row.case_name,
        row.handling_region,
        row.reusable,
        row.valid_until,
        material_rules.MaterialState(row.state),
    )


def material_message(row: Row, file_name: str, state: str, region: str = "") -> materials_pb.Material:
    """Builds a material's message; ``region`` goes in front of its name where another region asked."""
    return materials_pb.Material(
        name=f"//{region}/materials/{row.id}" if region else f"materials/{row.id}",
        owner=row.owner,
        category=row.category,
        file_name=file_name,
        document=common_pb2.DocumentRef(digest=row.digest, media_type=row.media_type, size_bytes=row.size),
        case_name=row.case_name,
        handling_region=row.handling_region,
        reusable=row.reusable,
        valid_until=date_message(row.valid_until),
        uploader=row.uploader,
        reuse_count=row.reuse_count,
        state=materials_pb.MaterialState.Value(f"MATERIAL_STATE_{state}"),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        erase_time=timestamp(row.erase_time),
        etag=etag_of(row.version),
    )


def use_message(row: Row) -> pb.LicenseUse:
    """Builds a use's message."""
    return pb.LicenseUse(
        name=f"licenseUses/{row.id}",
        license=f"licenses/{row.license_id}",
        license_identifier=row.license_identifier,
        action=pb.UseAction.Value(f"USE_ACTION_{row.action}"),
        basis=pb.UseBasis.Value(f"USE_BASIS_{row.basis}"),
        presentation=row.presentation,
        context=use_context(row),
        actor=row.actor,
        region_code=row.region_code,
        copy=_document(row.copy_digest, row.copy_media_type or "", row.copy_size),
        use_time=timestamp(row.use_time),
        record=row.record,
    )


def verification_message(told: disclosure.Disclosure, region: str) -> verification_pb.VerifyLicenseResponse:
    """Builds the answer of a public verification; times and what is said of a copy are the caller's."""
    answer = verification_pb.VerifyLicenseResponse(
        standing=verification_pb.Standing.Value(f"STANDING_{told.standing.value}"),
        seal_outcome=verification_pb.SealOutcome.Value(f"SEAL_OUTCOME_{told.seal_outcome.value}"),
        region_code=region,
        organization_names=told.organization_names,
        comparisons=_comparisons(told.comparisons),
    )
    if told.public is not None:
        answer.MergeFrom(_public(told.public))
    return answer


def _public(facts: disclosure.PublicFacts) -> verification_pb.VerifyLicenseResponse:
    validity = pb.Validity(start=date_message(facts.validity.start), end=date_message(facts.validity.end))
    return verification_pb.VerifyLicenseResponse(
        identifier=facts.identifier,
        type_display_name=facts.type_display_name,
        issuer_display_name=facts.issuer_display_name,
        version=facts.version,
        validity=validity,
        issue_date=date_message(facts.issue_date),
        state_time=timestamp(facts.state_time),
    )


def _comparisons(
    pairs: Sequence[tuple[disclosure.ComparedField, bool]],
) -> list[verification_pb.Comparison]:
    return [
        verification_pb.Comparison(
            field=verification_pb.ComparedField.Value(f"COMPARED_FIELD_{field.value}"), matched=matched
        )
        for field, matched in pairs
    ]
