"""One audit record and the canonical bytes that its leaf is made over.

The record is that of ``tongban.audit.v1.AuditRecord``; it holds who did what, to what, why, when, and how it ended.

The bytes of every version begin with ``{"v":<version>,``. A version never changes once a release has written it: a
field more, or another meaning, is another version, and what was written under an older one is read as it was written
(``tests/vectors/audit`` holds a log of each release).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_type_hints

from libs.audit.merkle import leaf_hash
from libs.audit.versions import UnknownVersion

__all__ = ["Record", "RecordInvalid", "leaf_hash", "parse_canonical", "parse_rfc3339", "rfc3339", "version_of"]

CURRENT = 1
"""The version that is written."""

_FIELDS: Mapping[int, tuple[str, ...]] = {
    1: (
        "name",
        "record_time",
        "transaction_id",
        "trace_id",
        "actor",
        "on_behalf_of",
        "department",
        "assurance",
        "action",
        "object",
        "fields",
        "purpose_code",
        "purpose",
        "service_item",
        "case",
        "basis_kind",
        "basis",
        "result",
        "record_count",
        "request_hash",
        "response_hash",
    )
}
"""What a record of each version says, named one by one: that the class gets a field changes no bytes of before."""

_VERSION = re.compile(rb'\{"v":([1-9][0-9]{0,8}),')


class RecordInvalid(ValueError):
    """The bytes are not the canonical form of a record; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that was done or refused. Fields and meanings are those of ``tongban.audit.v1.AuditRecord``.

    ``record_time`` carries a time zone and at most microseconds; digests are those of :mod:`libs.audit.digests`, 32 bytes
    or empty. ``version`` is that of the canonical form.
    """

    name: str
    record_time: datetime
    transaction_id: str
    action: str
    result: str
    trace_id: str = ""
    actor: str = ""
    on_behalf_of: str = ""
    department: str = ""
    assurance: int = 0
    object: str = ""
    fields: tuple[str, ...] = ()
    purpose_code: str = ""
    purpose: str = ""
    service_item: str = ""
    case: str = ""
    basis_kind: str = ""
    basis: str = ""
    record_count: int = 0
    request_hash: bytes = b""
    response_hash: bytes = b""
    version: int = CURRENT

    def canonical(self) -> bytes:
        """Returns the record as compact JSON in UTF-8, its version first, then keys sorted, digests in lower-case hex.

        Every field stands in it, the empty ones too, so that one record has exactly one form.
        """
        content = {name: _plain(getattr(self, name)) for name in _FIELDS[self.version]}
        return b'{"v":%d,' % self.version + _encode(content)[1:]


_TYPES = get_type_hints(Record)


def rfc3339(moment: datetime) -> str:
    """Writes ``moment`` as protobuf's JSON does: UTC with ``Z`` and 0, 3 or 6 digits of fraction.

    So a time in a head or receipt file is, letter for letter, the time that was hashed or signed.

    Raises:
        ValueError: ``moment`` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time of the audit log needs a time zone")
    utc = moment.astimezone(UTC)
    digits = "" if not utc.microsecond else f".{utc.microsecond:06d}".removesuffix("000")
    return f"{utc.isoformat(timespec='microseconds')[:19]}{digits}Z"


def parse_rfc3339(text: str) -> datetime:
    """Reads what :func:`rfc3339` writes, and nothing else.

    Raises:
        ValueError: the text has another form.
    """
    moment = datetime.fromisoformat(text)
    if rfc3339(moment) != text:
        raise ValueError(f"not a canonical time: {text}")
    return moment


def version_of(data: bytes) -> int:
    """Returns the version that canonical bytes say they have, known or not.

    Raises:
        RecordInvalid: they say none.
    """
    found = _VERSION.match(data)
    if found is None:
        raise RecordInvalid("not a canonical record: it says no version")
    return int(found[1])


def parse_canonical(data: bytes) -> Record:
    """Reads canonical bytes back, of any version that was ever written.

    Raises:
        UnknownVersion: a later release wrote them; nothing is said of whether they are right.
        RecordInvalid: ``data`` is not, byte for byte, the canonical form of some record.
    """
    version = version_of(data)
    if version not in _FIELDS:
        raise UnknownVersion("record's canonical form", version, CURRENT)
    try:
        content = json.loads(data)
        values = {name: _typed(name, content[name]) for name in _FIELDS[version]}
        record = Record(**values, version=version)
        agrees = record.canonical() == data
    except (ValueError, KeyError, TypeError) as error:
        raise RecordInvalid(f"not a canonical record: {type(error).__name__} {error}") from error
    if not agrees:
        raise RecordInvalid("not a canonical record: its bytes differ from the canonical form of what they say")
    return record


# Kept, because json.dumps with options builds one each time: a third of its cost.
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _encode(content: dict[str, Any]) -> bytes:
    return _ENCODER.encode(content).encode()


def _plain(value: Any) -> Any:
    if type(value) in (str, int):
        return value
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value


def _typed(name: str, value: Any) -> Any:
    kind = _TYPES[name]
    if kind is datetime:
        return parse_rfc3339(value)
    if kind is bytes:
        return bytes.fromhex(value)
    if name == "fields":
        return tuple(_checked(str, item) for item in value)
    return _checked(int if kind is int else str, value)


def _checked(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
