"""Service items (政务服务事项): what a version must satisfy before it can be written or published."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from libs.errors import InvalidArgument, reasons, require_state
from services.cases.core.clock import HandlingLimits
from services.cases.core.offers import ItemState


class HandlingKind(StrEnum):
    """Decided on the spot (即办件), within the promised limit (承诺件), or otherwise (GB/T 39046 A.6)."""

    INSTANT = "INSTANT"
    PROMISED = "PROMISED"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """One version that exists of an item: its number, its state, and its id."""

    number: int
    state: ItemState
    id: str = ""


# USCC of the implementing body, level of exercise, basic code; deduced from published codes, regional forms differ.
_NATIONAL_TASK_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}[1-7][0-9A-Z]{12}")
_BASIC_CODE_LENGTH = 12


def next_version(task_code: str, versions: Iterable[KnownVersion]) -> int:
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
    require_draft(item, state)
    return ItemState.PUBLISHED


def require_draft(item: str, state: ItemState) -> None:
    """Raises ``STATE_CONFLICT`` unless the version is a draft: under what was published cases run."""
    require_state(item, state, ItemState.DRAFT)


def check_limits(limits: HandlingLimits, kind: HandlingKind) -> None:
    """Refuses a promise longer than the law allows, and one that doesn't go with the handling kind.

    Raises:
        InvalidArgument: ``ITEM_LIMIT_INVALID``.
    """
    if limits.promised_days < 0 or limits.promised_days > limits.statutory_days:
        raise _limit_refused(limits, "the promised limit must lie between 0 and the statutory one")
    if (kind is HandlingKind.INSTANT) != (limits.promised_days == 0) and kind is not HandlingKind.OTHER:
        raise _limit_refused(limits, "0 days are promised exactly where an item is decided on the spot")


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


def _limit_refused(limits: HandlingLimits, message: str) -> InvalidArgument:
    return reasons.item_limit_invalid(message, statutory=str(limits.statutory_days), promised=str(limits.promised_days))
