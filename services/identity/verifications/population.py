"""The operator's own list of the population as a table that a name and a number are looked up in, and cannot be read out of.

A table is a file: eight bytes that say what it is, then the digests of its rows, 32 bytes each, sorted. A digest is the
HMAC-SHA-256 of name, document type and number by the table's key: who has the file alone learns nothing, and who has the key too can
ask for those whom they know. A million rows take 32 MB and one page fault or two a question. A table is replaced as a whole, by a
rename; who looks takes up the new one at the next question.
"""

import csv
import hashlib
import hmac
import mmap
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import overload

from libs import names
from libs.errors import InvalidArgument
from services.identity.core.accounts import normal_number

COLUMNS = ("full_name", "document_type", "document_number")
_MAGIC, _SIZE, _PRIVATE = b"TBPOPU01", 32, 0o600
_SHORTEST_KEY = 32


class NoPopulationTable(ValueError):
    """The file is no table, or its key is none."""


class WrongRow(ValueError):
    """A row of the list can't be taken; the message names its line and the rule, and nothing of the person."""


def digest_of(key: bytes, full_name: str, document_type: str, document_number: str) -> bytes:
    """Returns what a table holds of a row; the name counts in the way of writing that all ways have in common."""
    told = "\0".join((names.key(full_name), document_type, document_number))
    return hmac.new(key, told.encode(), hashlib.sha256).digest()


def prepare(rows: Iterable[Sequence[str]], key: bytes, today: date) -> bytes:
    """Makes a table.

    Args:
        rows: a header of ``COLUMNS``, then each person's document.
        key: 32 bytes at least.
        today: for what a number tells of birth.

    Raises:
        WrongRow: with the line that can't be taken; a row that stands twice counts once.
        NoPopulationTable: the key is too short.
    """
    if len(key) < _SHORTEST_KEY:
        raise NoPopulationTable("the key has less than 32 bytes")
    found = iter(rows)
    if tuple(next(found, ())) != COLUMNS:
        raise WrongRow(f"line 1: the columns are {', '.join(COLUMNS)}")
    digests = sorted({_digest(line, row, key, today) for line, row in enumerate(found, 2)})
    return _MAGIC + b"".join(digests)


def _digest(line: int, row: Sequence[str], key: bytes, today: date) -> bytes:
    if len(row) != len(COLUMNS):
        raise WrongRow(f"line {line}: there are {len(row)} columns")
    name, document_type, number = (each.strip() for each in row)
    if not name:
        raise WrongRow(f"line {line}: full_name is empty")
    try:
        return digest_of(key, name, document_type, normal_number(document_type, number, "document_number", today))
    except InvalidArgument as error:
        raise WrongRow(f"line {line}: document_number: {error.violations[0].rule}") from None


def size_of(table: bytes) -> int:
    """Returns how many rows a table has."""
    return (len(table) - len(_MAGIC)) // _SIZE


def write(table: Path, content: bytes) -> None:
    """Puts a table into the place of another, whole or not at all."""
    half = table.with_name(f"{table.name}.part")
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    half.replace(table)


def rows_of(file: Path) -> Iterator[list[str]]:
    """Reads a list: CSV in UTF-8, with or without a byte order mark."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        yield from csv.reader(stream)


class _Digests(Sequence[bytes]):
    """A table's digests, as they lie in the file."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content

    def __len__(self) -> int:
        return (len(self._content) - len(_MAGIC)) // _SIZE

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        begin = len(_MAGIC) + place * _SIZE
        return self._content[begin : begin + _SIZE]


class PopulationTable:
    """A table that is looked up in, as it stands now."""

    def __init__(self, file: Path, key: bytes) -> None:
        if len(key) < _SHORTEST_KEY:
            raise NoPopulationTable("the key has less than 32 bytes")
        self._file = file
        self._key = key
        self._content: mmap.mmap | None = None
        self._known: tuple[int, int, int] = (0, 0, 0)

    def has(self, full_name: str, document_type: str, document_number: str) -> bool:
        """Tells whether a row says that name and document belong together; raises OSError, NoPopulationTable."""
        digests, wanted = _Digests(self._open()), digest_of(self._key, full_name, document_type, document_number)
        place = bisect_left(digests, wanted)
        return place < len(digests) and hmac.compare_digest(digests[place], wanted)

    def close(self) -> None:
        """Lets go of the file."""
        if self._content is not None:
            self._content.close()
            self._content = None

    def _open(self) -> mmap.mmap:
        with self._file.open("rb") as stream:
            now = os.fstat(stream.fileno())
            seen = (now.st_dev, now.st_ino, now.st_mtime_ns)
            if self._content is not None and seen == self._known:
                return self._content
            if now.st_size < len(_MAGIC) or (now.st_size - len(_MAGIC)) % _SIZE or stream.read(8) != _MAGIC:
                raise NoPopulationTable("this is no table")
            opened = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self.close()
        self._content, self._known = opened, seen
        return opened
