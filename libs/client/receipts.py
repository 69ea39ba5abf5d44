"""Receipts of recorded calls, as a client keeps them: proved by the log."""

import json
from collections.abc import Callable

from google.protobuf import json_format

from tongban.audit.v1 import audit_service_pb2
from tongban.common.v1 import common_pb2

OnReceipt = Callable[[common_pb2.Receipt], None]


def receipt_file(proof: audit_service_pb2.InclusionProof, receipt: common_pb2.Receipt) -> bytes:
    """The receipt as a file that ``tongban audit verify`` reads: what proves it, and itself."""
    content = json_format.MessageToDict(proof) | {"receipt": json_format.MessageToDict(receipt)}
    return json.dumps(content, ensure_ascii=False, indent=1).encode()
