"""What an organisation is, after its unified social credit code (GB 32100-2015)."""

from enum import StrEnum
from types import MappingProxyType

from libs.errors import invalid_field


class OrganizationKind(StrEnum):
    """What an organisation is (OrganizationKind of the contract)."""

    ENTERPRISE = "ENTERPRISE"
    SOLE_TRADER = "SOLE_TRADER"
    COOPERATIVE = "COOPERATIVE"
    SOCIAL_ORGANIZATION = "SOCIAL_ORGANIZATION"
    PUBLIC_INSTITUTION = "PUBLIC_INSTITUTION"
    GOVERNMENT_BODY = "GOVERNMENT_BODY"
    OTHER = "OTHER"


BY_CATEGORY = MappingProxyType(
    {
        "11": OrganizationKind.GOVERNMENT_BODY,
        "12": OrganizationKind.PUBLIC_INSTITUTION,
        "51": OrganizationKind.SOCIAL_ORGANIZATION,
        "52": OrganizationKind.SOCIAL_ORGANIZATION,
        "53": OrganizationKind.SOCIAL_ORGANIZATION,
        "91": OrganizationKind.ENTERPRISE,
        "92": OrganizationKind.SOLE_TRADER,
        "93": OrganizationKind.COOPERATIVE,
    }
)
"""The kind by the code's first two characters (registering authority and type); what is missing here fits any kind."""


def check_kind(category: str, kind: OrganizationKind) -> None:
    """Raises InvalidArgument FIELD_INVALID where the code's ``category`` says that it is of another kind."""
    if BY_CATEGORY.get(category, kind) is not kind:
        raise invalid_field("organization.kind", "uscc.kind", "does not fit the first two characters of the code")
