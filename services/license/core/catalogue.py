"""Licence types and holders, as the rules of several features know them."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from libs.values.kinds import ValueField


class TypeState(Enum):
    """Where a type stands; the names are those of LicenseTypeState in the contract."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    DEPRECATED = "DEPRECATED"


class HolderCategory(Enum):
    """Who may hold a licence of a type; the names are those of HolderCategory in the contract."""

    PERSON = "PERSON"
    ORGANIZATION = "ORGANIZATION"
    ANY = "ANY"


@dataclass(frozen=True, slots=True)
class LicenseType:
    """A type of licence in the region's catalogue.

    Attributes:
        code: 21 characters, the credit code of who defines it and a serial (GB/T 36903).
        face_fields: the items of information on the face (照面信息项), as they are printed.
        validity_months: for how long its licences are good; 0 for ever.
        page_layout: as PageLayout in the contract, ``A4_PORTRAIT`` or ``A4_LANDSCAPE``.
        item_codes: the items that ask for it.
        original_item_codes: the items whose verifiers get the original under a presentation.
    """

    id: str
    code: str
    display_name: str
    defining_authority: str
    holder_category: HolderCategory
    face_fields: tuple[ValueField, ...]
    validity_months: int
    page_layout: str
    item_codes: tuple[str, ...]
    original_item_codes: tuple[str, ...]
    state: TypeState
    publish_time: datetime | None
    deprecate_time: datetime | None
    version: int
    create_time: datetime
    update_time: datetime

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"licenseTypes/{self.id}"


@dataclass(frozen=True, slots=True)
class Holder:
    """A holder (持证主体): account (may be empty), printed name, and document (type code of GA/T 2000.156, number)."""

    subject: str
    display_name: str
    document_type: str
    document_number: str
