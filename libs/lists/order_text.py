"""Reads ``order_by`` (AIP-132): one field, with ``desc`` behind it where the greatest comes first."""

import re
from collections.abc import Iterable

from libs.errors import invalid_field

_ORDER = re.compile(r"\s*([a-z][a-z0-9_.]*)(?:\s+(asc|desc))?\s*")


def parse(text: str, known: Iterable[str]) -> tuple[str, bool]:
    """Returns the field that is sorted by, and whether the greatest comes first.

    Args:
        text: what was asked, not empty.
        known: the fields that the list can be sorted by: those with an index, so that no page takes longer than another.

    Raises:
        InvalidArgument: FIELD_INVALID of ``order_by``, rules ``order_by.syntax`` and ``order_by.field``.
    """
    found = _ORDER.fullmatch(text)
    if found is None:
        raise invalid_field(
            "order_by", "order_by.syntax", "one field, and desc behind it where the greatest comes first"
        )
    if found[1] not in known:
        raise invalid_field("order_by", "order_by.field", f"this list is sorted by {', '.join(known)}")
    return found[1], found[2] == "desc"
