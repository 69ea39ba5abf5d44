"""Materials (材料): which are missing, which don't belong, which may come later (容缺受理)."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from libs.errors import invalid_field, reasons


@dataclass(frozen=True, slots=True)
class MaterialRule:
    """One material of an item: its code, whether no case goes without it, whether it may come after acceptance."""

    code: str
    required: bool = False
    tolerable: bool = False


@dataclass(frozen=True, slots=True)
class Obligation:
    """A material promised until a day; ``fulfilled`` when it has arrived."""

    code: str
    due: date
    fulfilled: bool = False


def check_rules(rules: Sequence[MaterialRule]) -> None:
    """Refuses an item whose material codes aren't unique. Raises ``CASE_MATERIAL_UNKNOWN``."""
    _refuse_unknown(_repeated(rule.code for rule in rules))


def check_codes(rules: Iterable[MaterialRule], supplied: Sequence[str]) -> None:
    """Refuses codes that the item doesn't have or that are given twice. Raises ``CASE_MATERIAL_UNKNOWN``."""
    known = {rule.code for rule in rules}
    _refuse_unknown([*(code for code in supplied if code not in known), *_repeated(supplied)])


def missing_at_submission(rules: Iterable[MaterialRule], present: Collection[str]) -> tuple[str, ...]:
    """Returns the required codes that are missing; a tolerable one may still come."""
    return tuple(rule.code for rule in rules if rule.required and not rule.tolerable and rule.code not in present)


def missing_at_acceptance(
    rules: Iterable[MaterialRule], present: Collection[str], tolerated: Collection[str] = ()
) -> tuple[str, ...]:
    """Returns the required codes that are missing and not among the ``tolerated``."""
    return tuple(
        rule.code for rule in rules if rule.required and rule.code not in present and rule.code not in tolerated
    )


def missing_from_correction(asked: Iterable[str], supplied: Collection[str]) -> tuple[str, ...]:
    """Returns the codes that were asked for and not supplied; an empty code stands for the form and is left out."""
    return tuple(code for code in asked if code and code not in supplied)


def tolerate(
    rules: Iterable[MaterialRule], present: Collection[str], obligations: Sequence[Obligation], today: date
) -> tuple[Obligation, ...]:
    """Returns the obligations of an acceptance with tolerance.

    Raises:
        InvalidArgument: ``CASE_MATERIAL_UNKNOWN`` for codes that the item doesn't have or that stand twice,
            ``FIELD_INVALID`` for a day that isn't in the future.
        FailedPrecondition: ``CASE_TOLERANCE_NOT_ALLOWED`` for materials that aren't tolerable or are there already.
    """
    known = tuple(rules)
    codes = [obligation.code for obligation in obligations]
    check_codes(known, codes)
    tolerable = {rule.code for rule in known if rule.tolerable} - set(present)
    refused = ",".join(code for code in codes if code not in tolerable)
    if refused:
        raise reasons.case_tolerance_not_allowed(f"can't be supplied later: {refused}", materials=refused)
    if any(obligation.due <= today for obligation in obligations):
        raise invalid_field("obligations.due_date", "obligation.future", "must lie after the day of acceptance")
    return tuple(obligations)


def fulfill(obligations: Iterable[Obligation], supplied: Collection[str]) -> tuple[Obligation, ...]:
    """Returns the obligations with those that ``supplied`` answers fulfilled.

    Raises:
        InvalidArgument: ``CASE_MATERIAL_UNKNOWN``: a code answers no open obligation.
    """
    held = tuple(obligations)
    _refuse_unknown([code for code in supplied if code not in open_codes(held)])
    return tuple(replace(one, fulfilled=one.fulfilled or one.code in supplied) for one in held)


def open_codes(obligations: Iterable[Obligation]) -> tuple[str, ...]:
    """Returns the codes that are still to come."""
    return tuple(obligation.code for obligation in obligations if not obligation.fulfilled)


def _repeated(codes: Iterable[str]) -> list[str]:
    return [code for code, times in Counter(codes).items() if times > 1]


def _refuse_unknown(codes: Sequence[str]) -> None:
    if codes:
        listed = ",".join(dict.fromkeys(codes))
        raise reasons.case_material_unknown(f"unknown or repeated: {listed}", materials=listed)
