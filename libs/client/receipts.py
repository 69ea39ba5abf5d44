"""Receipts of recorded calls: found in answers, proved by the log, and verified without asking anybody."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from libs.audit.receipts import verify_receipt
from libs.audit.report import Report
from libs.audit.trust import trust
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate
from tongban.audit.v1 import audit_service_pb2
from tongban.common.v1 import common_pb2

OnReceipt = Callable[[common_pb2.Receipt], None]
_RECEIPT = common_pb2.Receipt.DESCRIPTOR


def receipts_in(answer: Message) -> Iterator[common_pb2.Receipt]:
    """Yields the receipts that an answer holds."""
    if isinstance(answer, common_pb2.Receipt):
        yield answer
    elif can_hold(answer.DESCRIPTOR):
        for field, value in answer.ListFields():
            if field.message_type is not None and not field.message_type.GetOptions().map_entry:
                for each in value if field.is_repeated else (value,):
                    yield from receipts_in(each)


@cache
def can_hold(message: Any) -> bool:
    """Tells whether a message of this kind can hold a receipt."""
    return _reaches(message, set())


def _reaches(message: Descriptor, seen: set[str]) -> bool:
    if message is _RECEIPT:
        return True
    if message.full_name in seen:
        return False
    seen.add(str(message.full_name))
    return any(field.message_type is not None and _reaches(field.message_type, seen) for field in message.fields)


def receipt_file(proof: audit_service_pb2.InclusionProof, receipt: common_pb2.Receipt) -> bytes:
    """The receipt as a file that ``tongban audit verify`` reads: what proves it, and itself."""
    content = json_format.MessageToDict(proof) | {"receipt": json_format.MessageToDict(receipt)}
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def verify(file: bytes, root: bytes) -> Report:
    """Verifies a receipt's file offline.

    Args:
        file: what ``prove`` returned.
        root: the region's SM2 root certificate (DER), had from whom one trusts.

    Returns:
        The report: whether the record stands in the log whose head the region signed.
    """
    return verify_receipt(file, trust(Certificate.parse(root), default_provider()))
