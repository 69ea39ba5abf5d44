"""Offline verification of one receipt.

A receipt file is the JSON that ``ProveInclusion`` answers (protobuf's JSON form of
``tongban.audit.v1.InclusionProof``), with the ``Receipt`` that the caller was given under the member ``receipt``
where they kept it.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from typing import Any

from libs.audit.digests import opens
from libs.audit.heads import SignedHead, VerifySignature, head_from_json, verify_head
from libs.audit.merkle import leaf_hash, verify_inclusion
from libs.audit.records import Record, parse_canonical, rfc3339
from libs.audit.report import Outcome, Report, Step
from libs.audit.versions import UnknownVersion
from libs.crypto.errors import CryptoError


@dataclass(slots=True)
class _Receipt:
    """What the file says. The head and the record are read by steps of their own."""

    content: dict[str, Any]
    verify_signature: VerifySignature

    @property
    def canonical(self) -> bytes:
        return _bytes(self.content["record"]["canonical"])

    @property
    def record(self) -> Record:
        return parse_canonical(self.canonical)

    @property
    def known(self) -> Record | None:
        """The record, or None where it is of a version that is not known: its leaf and path are checked all the same."""
        try:
            return self.record
        except UnknownVersion:
            return None

    @property
    def head(self) -> SignedHead:
        return head_from_json(self.content["head"])


def verify_receipt(
    data: bytes, verify_signature: VerifySignature, request: bytes | None = None, response: bytes | None = None
) -> Report:
    """Verifies a receipt file without asking anybody.

    Args:
        data: the file.
        verify_signature: checks the head's signature and certificate.
        request: the bytes that are said to have been asked; a step more tells whether they are those of the record.
        response: likewise the bytes of the answer.

    Returns:
        The report. Nothing that stands in the file makes it raise.
    """
    receipt = _Receipt({}, verify_signature)
    steps: list[Step] = []
    failed = False
    given = (("request", request), ("response", response))
    openings = [_opening(what, content) for what, content in given if content is not None]
    for number, (name, clause, check) in enumerate((*_STEPS, *openings), start=1):
        outcome, detail = (Outcome.NOT_DONE, "") if failed else _attempt(check, receipt, data)
        failed = outcome in (Outcome.FAILED, Outcome.NOT_DONE)
        steps.append(Step(number, name, clause, outcome, detail))
    read = steps[1].outcome is Outcome.PASSED
    return Report(tuple(steps), receipt.record if read else None)


_Check = Callable[[_Receipt, bytes], str]


def _attempt(check: _Check, receipt: _Receipt, data: bytes) -> tuple[Outcome, str]:
    try:
        return Outcome.PASSED, check(receipt, data)
    except UnknownVersion as error:
        return Outcome.UNKNOWN_VERSION, str(error)
    except (CryptoError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return Outcome.FAILED, f"{type(error).__name__}: {error}"


def _read_file(receipt: _Receipt, data: bytes) -> str:
    content = json.loads(data)
    if not isinstance(content, dict):
        raise TypeError("the file holds no JSON object")
    receipt.content = content
    return f"log {receipt.head.log}, tree of {receipt.head.tree_size} records"


def _read_record(receipt: _Receipt, _: bytes) -> str:
    record, shown = receipt.record, receipt.content["record"]
    for field in fields(record):
        member, value = _camel(field.name), _as_json(field.name, getattr(record, field.name))
        _compare(f"{member} shown", shown.get(member, value), value)
    return f"{record.name}: {record.action} on {record.object}, {record.result}"


def _check_leaf(receipt: _Receipt, _: bytes) -> str:
    leaf = leaf_hash(receipt.canonical)
    given = receipt.content.get("receipt")
    if given is not None:
        _compare("receipt's leaf hash", _bytes(given["leafHash"]), leaf)
        _compare("receipt's log", given["log"], receipt.head.log)
        if (record := receipt.known) is not None:
            _compare("receipt's record", given["record"], record.name)
            _compare("receipt's transaction id", given["transactionId"], record.transaction_id)
            moment = rfc3339(record.record_time)
            _compare("receipt's time", given.get("recordTime", moment), moment)
    return leaf.hex()


def _check_path(receipt: _Receipt, _: bytes) -> str:
    head = receipt.head
    # Protobuf's JSON leaves out what is zero or empty.
    index = int(receipt.content.get("leafIndex", "0"))
    path = [_bytes(node) for node in receipt.content.get("path", [])]
    verify_inclusion(leaf_hash(receipt.canonical), index, head.tree_size, path, head.root_hash)
    return f"leaf {index}, {len(path)} nodes, root {head.root_hash.hex()}"


def _check_head(receipt: _Receipt, _: bytes) -> str:
    verify_head(receipt.head, receipt.verify_signature)
    return f"signed at {receipt.head.sign_time.isoformat()}"


def _opening(what: str, content: bytes) -> tuple[str, str, "_Check"]:
    clause = f"GB/T 32905; tongban.audit.v1.AuditRecord.{what}_hash"
    return f"open the {what}'s hash", clause, partial(_check_opening, what, content)


def _check_opening(what: str, content: bytes, receipt: _Receipt, _: bytes) -> str:
    salt = (receipt.content.get("receipt") or {}).get("hashSalt")
    if salt is None:
        raise ValueError("the file holds no receipt with the salt of its hashes")
    recorded: bytes = getattr(receipt.record, f"{what}_hash")
    if not opens(_bytes(salt), content, recorded):
        raise ValueError(f"the record is not of these {len(content)} bytes")
    return f"{len(content)} bytes, {recorded.hex()}"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


def _as_json(name: str, value: Any) -> Any:
    """Writes a value of a record as protobuf's JSON form of it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return rfc3339(value)
    if name == "record_count":
        return str(value)  # an int64
    return list(value) if isinstance(value, tuple) else value


def _compare(what: str, stated: object, found: object) -> None:
    if stated != found:
        raise ValueError(f"the {what} is not what the canonical bytes and the head say")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_STEPS: tuple[tuple[str, str, _Check], ...] = (
    ("read the receipt file", "tongban.audit.v1.InclusionProof", _read_file),
    ("read the record", "tongban.audit.v1.AuditRecord.canonical", _read_record),
    ("compute the leaf hash", "RFC 6962, 2.1; GB/T 32905", _check_leaf),
    ("follow the path to the root", "RFC 9162, 2.1.3.2", _check_path),
    ("check the head's signature", "GB/T 32918.2; tongban.audit.v1.AuditHead", _check_head),
)
