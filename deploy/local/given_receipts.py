"""Receipts as people have them: what curl printed, the value of the header alone, or a file that a client kept."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from tongban.common.v1 import common_pb2

# As `curl -i` and `-D` print it, as `curl -v` does (`< `), and as gRPC's own tools show metadata.
_LINE = re.compile(r"^(?:< )?(tongban-receipt(?:-abroad)?)(?:-bin)?: *([\w+/-]+=*)\s*$", re.MULTILINE | re.IGNORECASE)
_VALUE = re.compile(r"[\w+/-]+=*")
HERE, ABROAD = "tongban-receipt", "tongban-receipt-abroad"


class NoReceipt(ValueError):
    """What was given holds no receipt; the message says why."""


@dataclass(frozen=True, slots=True)
class GivenReceipt:
    """What was given.

    Attributes:
        receipt: the receipt alone: it names a record, and what proves it must still be asked for.
        proved: a file with the proof in it; empty where there is none.
        log: the log that it is of, `//<region>/<service>`; empty where it can't be read.
    """

    receipt: common_pb2.Receipt | None
    proved: bytes
    log: str


def read(data: bytes, *, abroad: bool = False) -> GivenReceipt:
    """Reads what was given.

    Args:
        data: a file's content, what a program printed, or a header's value.
        abroad: whether the receipt of the other region is meant, where an answer came with two.

    Raises:
        NoReceipt: none is in it, or not the one that is meant.
    """
    text = data.decode("utf-8", "replace").strip()
    if text.startswith("{"):
        return _from_json(data, text)
    if _VALUE.fullmatch(text):
        return _alone(_decoded(text))
    found = {name.lower(): value for name, value in _LINE.findall(text)}
    wanted = ABROAD if abroad else HERE
    if wanted not in found:
        raise NoReceipt(f"no header {wanted} is in it: was the call recorded, and were its headers printed (curl -i)?")
    return _alone(_decoded(found[wanted]))


def _from_json(data: bytes, text: str) -> GivenReceipt:
    """A file with its proof is given to the verification as it is, whatever is wrong with it: that tells what, and where."""
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        content = {}
    if isinstance(content, dict) and isinstance(content.get("record"), str):
        try:
            return _alone(json_format.ParseDict(content, common_pb2.Receipt()))
        except json_format.ParseError as error:
            raise NoReceipt("it is JSON, but neither a receipt nor a receipt with its proof") from error
    try:
        log = str(content["head"]["log"])
    except (KeyError, TypeError):
        log = ""
    return GivenReceipt(None, data, log)


def _alone(receipt: common_pb2.Receipt) -> GivenReceipt:
    if not (receipt.record and receipt.log and receipt.leaf_hash):
        raise NoReceipt("it is no receipt: it does not say which record, of which log, with which leaf hash")
    return GivenReceipt(receipt, b"", receipt.log)


def _decoded(value: str) -> common_pb2.Receipt:
    """Reads base64, with or without its padding, of either alphabet."""
    plain = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return common_pb2.Receipt.FromString(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    except (binascii.Error, DecodeError) as error:
        raise NoReceipt("its value is not the base64 of a receipt") from error
