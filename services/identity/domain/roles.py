"""Which permissions come with which role: what the contracts say (``libs.access.roles``)."""

from libs.access.roles import (
    ADMINISTRATOR,
    ASSISTED_PERSON,
    PERSON,
    REGION,
    SERVICES,
    of_duties,
    of_guest,
    of_service,
)

__all__ = [
    "ADMINISTRATOR",
    "ASSISTED_PERSON",
    "PERSON",
    "REGION",
    "SERVICES",
    "of_duties",
    "of_guest",
    "of_service",
]
