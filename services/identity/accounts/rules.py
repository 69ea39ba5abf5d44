"""What an organisation is, after its unified social credit code (GB 32100-2015); and that a document is named once."""

from collections.abc import Sequence
from enum import StrEnum
from types import MappingProxyType

from libs.errors import invalid_field


class OrganizationKind(StrEnum):
    """What an organisation is (PartyKind of the contract, but a natural person)."""

    ENTERPRISE = "ENTERPRISE"
    PUBLIC_INSTITUTION = "PUBLIC_INSTITUTION"
    SOCIAL_ORGANIZATION = "SOCIAL_ORGANIZATION"
    UNINCORPORATED_ENTERPRISE = "UNINCORPORATED_ENTERPRISE"
    GOVERNMENT_BODY = "GOVERNMENT_BODY"
    SOLE_TRADER = "SOLE_TRADER"
    COOPERATIVE = "COOPERATIVE"
    OTHER = "OTHER"


BY_CATEGORY = MappingProxyType(
    {
        "11": frozenset({OrganizationKind.GOVERNMENT_BODY}),
        "12": frozenset({OrganizationKind.PUBLIC_INSTITUTION}),
        "51": frozenset({OrganizationKind.SOCIAL_ORGANIZATION}),
        "52": frozenset({OrganizationKind.SOCIAL_ORGANIZATION}),
        "53": frozenset({OrganizationKind.SOCIAL_ORGANIZATION}),
        "91": frozenset({OrganizationKind.ENTERPRISE, OrganizationKind.UNINCORPORATED_ENTERPRISE}),
        "92": frozenset({OrganizationKind.SOLE_TRADER}),
        "93": frozenset({OrganizationKind.COOPERATIVE}),
    }
)
"""The kinds by the code's first two characters (registering authority and type); what is missing here fits any kind."""


def check_kind(category: str, kind: OrganizationKind) -> None:
    """Raises InvalidArgument FIELD_INVALID where the code's ``category`` says that it is of another kind."""
    if kind not in BY_CATEGORY.get(category, {kind}):
        raise invalid_field("organization.kind", "uscc.kind", "does not fit the first two characters of the code")


def check_unlike(documents: Sequence[tuple[str, str]]) -> None:
    """Raises InvalidArgument FIELD_INVALID where one of ``documents``, by type and number, stands there twice."""
    for at, document in enumerate(documents):
        if document in documents[:at]:
            raise invalid_field(f"person.documents[{at}].document", "documents.unique", "is named already")
