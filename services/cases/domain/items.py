"""Service items (政务服务事项): what a version must satisfy before it can be written or published."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from libs.errors import InvalidArgument, reasons, state_conflict
from services.cases.domain.clock import Limits


class ItemState(StrEnum):
    """Where an item version stands, named as in the contract."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    SUPERSEDED = "SUPERSEDED"
    RETIRED = "RETIRED"


class HandlingKind(StrEnum):
    """Decided on the spot (即办件), within the promised limit (承诺件), or otherwise (GB/T 39046 A.6)."""

    INSTANT = "INSTANT"
    PROMISED = "PROMISED"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class ItemVersion:
    """One version that exists of an item: its number and state."""

    number: int
    state: ItemState


@dataclass(frozen=True, slots=True)
class Offer:
    """To whom and over what an item version is offered; names of the contract's enum values.

    Attributes:
        item: its resource name.
        task_code: its implementation code.
        state: where the version stands.
        applicant_types: whom it serves.
        channels: the ways in.
        cross_region: whether it stands on the cross-region list.
        open_regions: the regions that may take it in, six digits each; empty means every trusted region.
    """

    item: str
    task_code: str
    state: ItemState
    applicant_types: frozenset[str]
    channels: frozenset[str]
    cross_region: bool = False
    open_regions: frozenset[str] = frozenset()


# USCC of the implementing body, level of exercise, basic code; deduced from published codes, regional forms differ.
_NATIONAL_TASK_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}[1-7][0-9A-Z]{12}")
_BASIC_CODE_LENGTH = 12


def next_version(task_code: str, versions: Iterable[ItemVersion]) -> int:
    """Returns the number of the next draft: one more than the newest, without gaps.

    Raises:
        FailedPrecondition: ``ITEM_DRAFT_EXISTS``: a draft is there already.
    """
    newest = 0
    for version in versions:
        if version.state is ItemState.DRAFT:
            raise reasons.item_draft_exists(
                f"version {version.number} of {task_code} is still a draft",
                task_code=task_code,
                version=str(version.number),
            )
        newest = max(newest, version.number)
    return newest + 1


def publish(item: str, state: ItemState) -> ItemState:
    """Returns the state after publication. Raises ``STATE_CONFLICT`` where the version isn't a draft."""
    if state is not ItemState.DRAFT:
        raise state_conflict(item, state, ItemState.DRAFT)
    return ItemState.PUBLISHED


def check_limits(limits: Limits, kind: HandlingKind) -> None:
    """Refuses a promise longer than the law allows, and one that doesn't go with the handling kind.

    Raises:
        InvalidArgument: ``ITEM_LIMIT_INVALID``.
    """
    if limits.promised_days < 0 or limits.promised_days > limits.statutory_days:
        raise _limit_refused(limits, "the promised limit must lie between 0 and the statutory one")
    if (kind is HandlingKind.INSTANT) != (limits.promised_days == 0) and kind is not HandlingKind.OTHER:
        raise _limit_refused(limits, "0 days are promised exactly where an item is decided on the spot")


def check_offer(offer: Offer, applicant_type: str, channel: str) -> None:
    """Refuses a case that the item isn't offered for.

    Raises:
        FailedPrecondition: ``ITEM_NOT_PUBLISHED``, ``CASE_APPLICANT_NOT_SERVED``, ``CASE_CHANNEL_NOT_OFFERED``.
    """
    if offer.state is not ItemState.PUBLISHED:
        raise reasons.item_not_published(f"{offer.item} is {offer.state}", item=offer.item)
    if applicant_type not in offer.applicant_types:
        raise reasons.case_applicant_not_served(
            f"{offer.item} does not serve {applicant_type}", applicant_type=applicant_type
        )
    if channel not in offer.channels:
        raise reasons.case_channel_not_offered(f"{offer.item} is not offered over {channel}", channel=channel)


def check_open_to(offer: Offer, region: str) -> None:
    """Refuses an application from a region that the item isn't open to. Raises ``ITEM_NOT_CROSS_REGION``."""
    if not offer.cross_region or (offer.open_regions and region not in offer.open_regions):
        raise reasons.item_not_cross_region(
            f"{offer.task_code} is not open to {region}",
            task_code=offer.task_code,
            region=region,
        )


def code_warnings(basic_code: str, task_code: str) -> Sequence[str]:
    """Lists where codes differ from the national form (12 and 31 characters). Remarks: regional forms are common."""
    warnings = []
    if len(basic_code) != _BASIC_CODE_LENGTH:
        warnings.append(f"basic_code has {len(basic_code)} characters, the national form {_BASIC_CODE_LENGTH}")
    if not _NATIONAL_TASK_CODE.fullmatch(task_code):
        warnings.append("task_code is not of the national form: USCC (18), level (1), basic code (12)")
    elif not task_code.endswith(basic_code):
        warnings.append("task_code does not end with basic_code")
    return warnings


def _limit_refused(limits: Limits, message: str) -> InvalidArgument:
    return reasons.item_limit_invalid(message, statutory=str(limits.statutory_days), promised=str(limits.promised_days))
