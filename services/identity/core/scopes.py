"""Permissions as tokens carry them: patterns ``<service>.<resources>.<verb>`` that may end in ``.*``."""

from collections.abc import Collection, Iterable

from libs.access.rights import READING
from libs.errors import reasons


def covers(held: Iterable[str], wanted: str) -> bool:
    """Says whether one of the patterns ``held`` includes the permission or pattern ``wanted``."""
    return any(_includes(pattern, wanted) for pattern in held)


def narrow(granted: Collection[str], asked: str) -> tuple[str, ...]:
    """Returns what a token gets: all of ``granted`` where nothing is asked, else exactly what is asked.

    Args:
        granted: the patterns that it may hold.
        asked: the scope parameter (RFC 6749, 3.3), separated by spaces; may be empty.

    Raises:
        PermissionDenied: SCOPE_NOT_GRANTED naming the first that is not covered.
    """
    wanted = tuple(dict.fromkeys(asked.split()))
    if not wanted:
        return tuple(granted)
    check_covered(granted, wanted)
    return wanted


def check_covered(held: Collection[str], wanted: Iterable[str]) -> None:
    """Raises PermissionDenied SCOPE_NOT_GRANTED naming the first of ``wanted`` that ``held`` does not cover."""
    for each in wanted:
        if not covers(held, each):
            raise reasons.scope_not_granted(f"{each} can't be given here", scope=each)


def within(role: Iterable[str], *limits: Collection[str]) -> tuple[str, ...]:
    """Returns those permissions of ``role`` that at least one of ``limits`` covers: rights never grow."""
    return tuple(pattern for pattern in role if any(covers(limit, pattern) for limit in limits))


def both(one: Collection[str], other: Collection[str]) -> tuple[str, ...]:
    """Returns what two sets of patterns have in common, as narrow as the narrower one says it, sorted."""
    return tuple(sorted({*within(one, other), *within(other, one)}))


def to_read(held: Collection[str]) -> tuple[str, ...]:
    """Returns what patterns hold that only reads (be it on record), permission by permission, sorted."""
    return within(sorted(READING), held)


def _includes(pattern: str, wanted: str) -> bool:
    if pattern in ("*", wanted):
        return True
    return pattern.endswith(".*") and wanted.startswith(pattern[:-1])
