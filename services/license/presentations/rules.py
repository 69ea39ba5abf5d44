"""Handing licences to one verifier for one case, by a code of 128 random bits (用证码)."""

import re
from base64 import b32encode
from dataclasses import replace
from datetime import datetime, timedelta

from libs.errors import NotFound, invalid_field, not_found, reasons
from libs.ids.region import REGION_ID
from services.license.core.reading import Presentation, PresentationState, Reader, bound_elsewhere

CODE_ENTROPY_BYTES = 16
DEFAULT_LIFE = timedelta(minutes=10)
LONGEST_LIFE = timedelta(days=90)
_CODE = re.compile(rf"({REGION_ID})-[A-Z2-7]{{26}}", re.ASCII)


def code_text(region: str, entropy: bytes) -> str:
    """Returns the code for 16 random bytes: region, hyphen, 26 characters of base32, which are easy to type."""
    if len(entropy) != CODE_ENTROPY_BYTES:
        raise ValueError(f"a code needs {CODE_ENTROPY_BYTES} random bytes")
    return f"{region}-{b32encode(entropy).decode('ascii').rstrip('=')}"


def region_of_code(code: str) -> str:
    """Returns the region that made ``code``; raises PRESENTATION_CODE_INVALID where it is none."""
    match = _CODE.fullmatch(code)
    if match is None:
        raise code_invalid()
    return match[1]


def code_invalid() -> NotFound:
    """Builds the error for a code that no presentation has. It does not repeat the code, which is a secret."""
    return reasons.presentation_code_invalid("no presentation has this code")


def expiry(now: datetime, wanted: datetime | None) -> datetime:
    """Returns when a presentation made ``now`` ends: as ``wanted``, or 10 minutes on.

    Raises FIELD_INVALID unless it is after now and at most 90 days on.
    """
    until = now + DEFAULT_LIFE if wanted is None else wanted
    if until <= now:
        raise invalid_field("presentation.expire_time", "expire_time.future", "must be after now")
    if until > now + LONGEST_LIFE:
        raise invalid_field("presentation.expire_time", "expire_time.limit", "must be at most 90 days on")
    return until


def check_consent(holder: str, actor_subjects: frozenset[str], consent: str) -> None:
    """Raises CONSENT_MISSING where somebody else than the holder presents without the holder's consent.

    ``actor_subjects`` are the names for whom the token speaks: the person, and the firm under a mandate.
    """
    if holder not in actor_subjects and not consent:
        raise reasons.consent_missing("the holder's consent is needed", resource=holder)


def check_held(holder: str, license_name: str, holders: frozenset[str], *, official: bool) -> None:
    """Raises where ``holder`` is not among the ``holders`` of a licence to be presented.

    Raises:
        NotFound: RESOURCE_NOT_FOUND for people, as for a licence that never was.
        PermissionDenied: NOT_OWNER for officials.
    """
    if holder in holders:
        return
    if not official:
        raise not_found(license_name)
    raise reasons.not_owner(f"{license_name} is not the holder's")


def redeem(presentation: Presentation, reader: Reader, case_name: str, now: datetime) -> Presentation:
    """Returns the presentation after its code was redeemed: bound to the redeemer and the case.

    Args:
        presentation: what the code belongs to.
        reader: who redeems it.
        case_name: the case it is redeemed for, canonical; may be empty where the presentation has none either.
        now: the time.

    Raises:
        FailedPrecondition: PRESENTATION_EXPIRED, PRESENTATION_USED.
        PermissionDenied: PRESENTATION_BOUND_ELSEWHERE.
    """
    # The binding comes first: a stranger with a stolen code shall not learn what became of it.
    presentation.check_binding(reader, case_name)
    presentation.check_open(now)
    if presentation.state is PresentationState.REDEEMED:
        raise reasons.presentation_used(f"{presentation.name} has been redeemed", resource=presentation.name)
    return replace(
        presentation,
        state=PresentationState.REDEEMED if presentation.single_use else PresentationState.ACTIVE,
        redeem_count=presentation.redeem_count + 1,
        redeemer=presentation.redeemer or reader.own_name(),
        case_name=presentation.case_name or case_name,
        redeem_time=now,
        update_time=now,
    )


def check_by_name(presentation: Presentation, reader: Reader, *, works_on: bool) -> None:
    """Checks that the presentation's name may stand for its code: only where it is bound to a case already.

    The name is no secret, nor is the case's. They are enough where the reader is the very verifier that the holder named, or,
    of those whom a whole region's presentation is for, one that ``works_on`` the case.

    Raises PRESENTATION_BOUND_ELSEWHERE with the rule ``code`` or ``case``.
    """
    if not presentation.case_name:
        raise bound_elsewhere(presentation.name, "code")
    if not works_on and presentation.verifier != reader.own_name():
        raise bound_elsewhere(presentation.name, "case")


def withdraw(presentation: Presentation) -> Presentation:
    """Returns the presentation after the holder took it back; what was read before stays read."""
    return replace(presentation, state=PresentationState.WITHDRAWN)
