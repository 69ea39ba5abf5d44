"""Receipts of recorded calls, as a client keeps them: proved by the log, and verified without asking anybody."""

import json
from collections.abc import Callable

from google.protobuf import json_format

from libs.audit.receipts import verify_receipt
from libs.audit.report import Report
from libs.audit.trust import trust
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate
from tongban.audit.v1 import audit_service_pb2
from tongban.common.v1 import common_pb2

OnReceipt = Callable[[common_pb2.Receipt], None]


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
