"""What an entry of the trust list may say, and what may change in it while it waits for a second human being."""

from datetime import date
from itertools import pairwise

from libs.errors import invalid_field
from services.identity.core.trust import NOTHING, ListedCode, RegionTrust, TrustDirection, narrow, open_ways, suspend

_CODE_LENGTH = 6


def suspended(name: str, trust: RegionTrust, resuming: str, direction: TrustDirection) -> RegionTrust:
    """Returns where the trust stands after closing ``direction``.

    Where it is closed already, but somebody wants to open it again (``resuming``), that wish is refused and all stays.

    Raises:
        FailedPrecondition: STATE_CONFLICT where nothing of it is open, and nobody wants it to be.
    """
    waits = TrustDirection[resuming] if resuming else NOTHING
    if waits & direction and not open_ways(trust) & direction:
        return trust
    return suspend(name, trust, direction)


def narrowed(name: str, trust: RegionTrust, resuming: str, direction: TrustDirection) -> RegionTrust:
    """Returns where the trust stands after letting only reads pass in ``direction``; a wish is refused as by ``suspended``.

    Args:
        name: the region.
        trust: where it stands.
        resuming: in which directions somebody wants changes to pass again, or everything.
        direction: which ways.

    Raises:
        FailedPrecondition: STATE_CONFLICT where only reads pass there, and nobody wants more to.
    """
    waits = TrustDirection[resuming] if resuming else NOTHING
    if waits & direction and direction in trust.reading:
        return trust
    return narrow(name, trust, direction)


def checked_codes(region: str, codes: tuple[ListedCode, ...], field: str) -> tuple[ListedCode, ...]:
    """Returns the codes of a region, the oldest first; where none is given, an id that is a code is the one.

    Raises:
        InvalidArgument: FIELD_INVALID with rule ``region_codes.period`` (a code ends before it begins) or
            ``region_codes.overlap`` (two hold on one day).
    """
    if not codes:
        return (ListedCode(region),) if region.isdecimal() and len(region) == _CODE_LENGTH else ()
    ordered = tuple(sorted(codes, key=_first_day))
    if any(_last_day(each) < _first_day(each) for each in ordered):
        raise invalid_field(field, "region_codes.period", "must not end before it begins")
    if any(_last_day(before) >= _first_day(after) for before, after in pairwise(ordered)):
        raise invalid_field(field, "region_codes.overlap", "no two codes may hold on one day")
    return ordered


def check_kept(before: tuple[ListedCode, ...], after: tuple[ListedCode, ...], today: date, field: str) -> None:
    """Raises FIELD_INVALID ``region_codes.kept`` where a code that has been in force is listed no more.

    What was issued under it is valid still, and names it. Its days may be put right; one that is yet to come may be taken back.
    """
    listed = {each.code for each in after}
    missing = sorted(each.code for each in before if _first_day(each) <= today and each.code not in listed)
    if missing:
        raise invalid_field(field, "region_codes.kept", f"must keep {', '.join(missing)}, which has been in force")


def _first_day(code: ListedCode) -> date:
    return date.fromisoformat(code.begin) if code.begin else date.min


def _last_day(code: ListedCode) -> date:
    return date.fromisoformat(code.end) if code.end else date.max
