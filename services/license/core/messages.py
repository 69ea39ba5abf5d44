"""Licences as messages. What is masked of them is masked here, and only here."""

from typing import Any

from libs.crypto.envelope import FieldCipher
from libs.db.etag import etag_of
from libs.ids.documents import mask_document_number
from libs.rpc.messages import Names, date_message, timestamp
from libs.values.kinds import Value
from libs.values.messages import values_of
from services.license.core.catalogue import Holder
from services.license.core.licenses import OFD, PDF, License, opened
from tongban.common.v1 import common_pb2
from tongban.license.v1 import resources_pb2 as pb

LICENSE_STATES = Names(pb.LicenseState)
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


def named(row: License) -> pb.License:
    """Returns the answer as it is stored for repeats: the name alone, since a repeat reads the licence again."""
    return pb.License(name=row.name)


def license_message(row: License, cipher: FieldCipher, home: str, *, abroad: bool = False) -> pb.License:
    """Builds a licence's message with its face; its name carries the region ``home`` where another region asked."""
    message = _public(row, home)
    message.MergeFrom(opened(row.id, row.content, cipher))
    if abroad:
        message.name = f"//{home}/{row.name}"
    return message


def listed_license(row: License, cipher: FieldCipher, home: str) -> pb.License:
    """Builds a licence's message for a list: without its face, numbers of persons' documents masked."""
    message = license_message(row, cipher, home)
    shorten(message)
    return message


def shorten(message: pb.License) -> None:
    """Takes out of a licence's message what no list says."""
    message.ClearField("face_fields")
    for holder in message.holders:
        document = holder.document
        document.number = mask_document_number(document.type_code, document.number)


def _public(row: License, home: str) -> pb.License:
    times: dict[str, Any] = {name: timestamp(at) for name in _TIMES if (at := getattr(row, name)) is not None}
    return pb.License(
        name=row.name,
        identifier=row.identifier,
        license_type=f"licenseTypes/{row.license_type}",
        type_code=row.type_code,
        type_display_name=row.type_display_name,
        version=row.license_version,
        issuer=pb.Issuer(department=row.issuer_department, display_name=row.issuer_name, code=row.issuer_code),
        issue_date=date_message(row.issue_date),
        validity=validity_message(row),
        item_code=row.item_code,
        case=row.case_name,
        region=home,
        receiving_region=row.receiving_region,
        ofd=document_ref(row.ofd_digest, OFD, row.ofd_size),
        pdf=document_ref(row.pdf_digest, PDF, row.pdf_size),
        seal=row.seal,
        sealing=row.sealing,
        qr_content=row.qr_content,
        previous_identifier=row.previous_identifier,
        associated_identifier=row.associated_identifier,
        next_identifier=row.next_identifier,
        state=LICENSE_STATES.number(row.state.value),
        state_reason=row.state_reason,
        state_legal_basis=row.state_legal_basis,
        etag=etag_of(row.version),
        **times,
    )


def validity_message(row: License) -> pb.Validity:
    """Returns from when to when a licence is valid."""
    return pb.Validity(start_date=date_message(row.valid_from), end_date=date_message(row.valid_until))


def document_ref(digest: str | None, media_type: str, size: int | None) -> common_pb2.DocumentRef | None:
    """Returns the reference to a file; None where there is none, which a message takes as "not set"."""
    return common_pb2.DocumentRef(digest=digest, media_type=media_type, size_bytes=size or 0) if digest else None


def face_of(content: pb.License) -> dict[str, Value]:
    """Returns what stands on the face, as the rules know it."""
    return values_of(content.face_fields, "face_fields")


def holders_of(content: pb.License) -> tuple[Holder, ...]:
    """Returns the holders as the rules know them."""
    return tuple(
        Holder(each.subject, each.display_name, each.document.type_code, each.document.number)
        for each in content.holders
    )
