"""Verifies a receipt without asking anybody: by SM2 and SM3, which a client that only calls does not need."""

from libs.audit.receipts import verify_receipt
from libs.audit.report import Report
from libs.audit.trust import trust
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate


def verify(file: bytes, root: bytes) -> Report:
    """Verifies a receipt's file offline.

    Args:
        file: what ``prove`` returned.
        root: the region's SM2 root certificate (DER), had from whom one trusts.

    Returns:
        The report: whether the record stands in the log whose head the region signed.
    """
    return verify_receipt(file, trust(Certificate.parse(root), default_provider()))
