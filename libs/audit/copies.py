"""Exported copies of a log: one JSON line per record, checked as a whole against a signed head.

A line holds the canonical bytes as text and the leaf hash in hex. The leaf hash adds no trust: it is what allows to
say *which* record was changed, as long as whoever changed it did not rewrite the hash as well.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from libs.audit.heads import SignedHead, VerifySignature, verify_head
from libs.audit.merkle import Accumulator, leaf_hash
from libs.audit.records import parse_canonical
from libs.audit.report import Outcome, Report, Step
from libs.audit.versions import UnknownVersion
from libs.crypto.errors import CryptoError


def export_line(canonical: bytes) -> bytes:
    """Writes a record's line, with its line feed."""
    content = {"canonical": canonical.decode(), "leafHash": leaf_hash(canonical).hex()}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def verify_log(lines: Iterable[bytes | str], head: SignedHead, verify_signature: VerifySignature) -> Report:
    """Verifies a log copy against a signed head, in memory that grows with the logarithm of its length.

    Args:
        lines: the lines from index 0 on; those beyond the head's size are not read.
        head: the head to hold the copy against.
        verify_signature: checks the head's signature and certificate.

    Returns:
        The report. Nothing that stands in the lines makes it raise.
    """
    copy = _read(lines, head.tree_size)
    complete = copy.tree.size == head.tree_size
    agrees = complete and copy.tree.root() == head.root_hash
    steps = (
        _signature_step(head, verify_signature),
        _records_step(copy),
        _step(3, complete, f"{copy.tree.size} of {head.tree_size}"),
        _step(4, agrees, "the copy is the signed log" if agrees else "the copy is not the signed log"),
    )
    return Report(steps, first_difference=_first_difference(copy, head))


@dataclass(slots=True)
class _Copy:
    """What reading found. ``tree`` is computed from the records, ``claimed`` from the leaf hashes beside them."""

    tree: Accumulator
    claimed: Accumulator
    fault: str | None = None
    fault_index: int | None = None
    unknown: str = ""


_NAMES = (
    ("check the head's signature", "GB/T 32918.2; tongban.audit.v1.AuditHead"),
    ("read every record", "tongban.audit.v1.AuditRecord.canonical"),
    ("count the records", "tongban.audit.v1.AuditHead.tree_size"),
    ("compare the roots", "RFC 6962, 2.1; GB/T 32905"),
)


def _step(number: int, passed: bool, detail: str) -> Step:
    return Step(number, *_NAMES[number - 1], Outcome.PASSED if passed else Outcome.FAILED, detail)


def _signature_step(head: SignedHead, verify_signature: VerifySignature) -> Step:
    try:
        verify_head(head, verify_signature)
    except UnknownVersion as error:
        return Step(1, *_NAMES[0], Outcome.UNKNOWN_VERSION, str(error))
    except (CryptoError, ValueError) as error:
        return _step(1, False, f"{type(error).__name__}: {error}")
    return _step(1, True, f"{head.log}, signed at {head.sign_time.isoformat()}")


def _records_step(copy: _Copy) -> Step:
    if copy.fault is None and copy.unknown:
        return Step(2, *_NAMES[1], Outcome.UNKNOWN_VERSION, copy.unknown)
    return _step(2, copy.fault is None, copy.fault or "every record is canonical and fits its leaf hash")


def _read(lines: Iterable[bytes | str], size: int) -> _Copy:
    copy = _Copy(Accumulator(), Accumulator())
    for index, line in zip(range(size), lines, strict=False):
        read = _read_line(line)
        if read.fault and copy.fault is None:
            copy.fault, copy.fault_index = f"record {index}: {read.fault}", index
        if read.unknown and not copy.unknown:
            copy.unknown = f"record {index}: {read.unknown}"
        copy.tree.add(leaf_hash(read.canonical))
        copy.claimed.add(read.claimed)
    return copy


@dataclass(frozen=True, slots=True)
class _Line:
    """A record's bytes, the leaf hash beside them, what is wrong with them, and whether their version is not known."""

    canonical: bytes = b""
    claimed: bytes = b""
    fault: str = ""
    unknown: str = ""


def _read_line(line: bytes | str) -> _Line:
    canonical = claimed = b""
    unknown = ""
    try:
        content = json.loads(line)
        claimed = bytes.fromhex(content["leafHash"])
        canonical = content["canonical"].encode()
        parse_canonical(canonical)
    except UnknownVersion as error:
        unknown = str(error)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return _Line(canonical, claimed, f"{type(error).__name__}: {error}")
    agrees = leaf_hash(canonical) == claimed
    return _Line(canonical, claimed, "" if agrees else "it is not what its leaf hash was made of", unknown)


def _first_difference(copy: _Copy, head: SignedHead) -> int | None:
    """Names the first index that differs from the signed log.

    Where the claimed leaf hashes lead to the signed root they are the log's own, so the first record that does not fit
    its hash is the first that was changed.
    """
    if copy.tree.size < head.tree_size and copy.fault is None:
        return None
    return copy.fault_index if copy.claimed.root() == head.root_hash else None
