"""Keeps an error small: what must fit into a response's trailers, whatever stood in the request that it speaks of.

gRPC's peers take 8 KiB of metadata and Envoy closes the connection, which all callers share, over trailers that it can't
take. The details travel in base64 and the message percent-encoded, so both are counted as they travel.
"""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

from libs.errors import Violation

MOST_VIOLATIONS = 20
OMITTED = "omitted_violations"
"""The metadata key under which the violations are counted that are not named."""

_MESSAGE = 700  # bytes, percent-encoded
_REASON = 64  # bytes
_KEY = 64
_MOST_METADATA = 12
_METADATA = 900  # bytes of all keys and values
_VIOLATIONS = 2_400
_WIDE = (200, 120, 200)  # bytes of a violation's field, rule and description
_NARROW = (64, 24, 32)
_CUT = "…"


def clip(text: str, most: int) -> str:
    """Returns ``text`` in at most ``most`` bytes of UTF-8, with an ellipsis where it was cut; broken text is mended."""
    data = text.encode("utf-8", "replace")
    if len(data) <= most:
        return data.decode()
    return data[: most - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT


def message(text: str) -> str:
    """Returns an error's sentence as short as it may be sent."""
    text = clip(text, _MESSAGE)
    while len(quote(text)) > _MESSAGE:
        text = clip(text, len(text.encode()) * 3 // 4)
    return text


def reason(text: str) -> str:
    """Returns a reason as short as it may be sent."""
    return clip(text, _REASON)


def metadata(given: Mapping[str, str]) -> dict[str, str]:
    """Returns an error's metadata; where it is too much, the longest values are cut and no promised key goes."""
    items = [(clip(str(key), _KEY), str(value)) for key, value in list(given.items())[:_MOST_METADATA]]
    room = _METADATA - sum(len(key.encode()) for key, _ in items)
    share = _share([len(value.encode("utf-8", "replace")) for _, value in items], room)
    return {key: clip(value, share) for key, value in items}


def _share(lengths: Iterable[int], room: int) -> int:
    """Returns the length to which the longest must be cut so that all fit into ``room``."""
    rest = sorted(lengths)
    while rest and rest[0] <= room // len(rest):
        room -= rest.pop(0)
    return room // len(rest) if rest else room


def violations(given: Sequence[Violation]) -> list[Violation]:
    """Returns the first violations, cut where they would be too much together."""
    first = given[:MOST_VIOLATIONS]
    wide = [_cut(each, _WIDE) for each in first]
    if sum(len((v.field + v.rule + v.description).encode()) for v in wide) <= _VIOLATIONS:
        return wide
    return [_cut(each, _NARROW) for each in first]


def _cut(violation: Violation, widths: tuple[int, int, int]) -> Violation:
    field, rule, description = widths
    return Violation(clip(violation.field, field), clip(violation.rule, rule), clip(violation.description, description))
