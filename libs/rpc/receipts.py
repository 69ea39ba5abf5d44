"""Receipts on their way: in the metadata that a call answers with first (decision 0045).

Before the answer, not after it: Envoy's transcoder makes headers of what comes first and drops the trailers, and of a stream
the receipt is there before the first byte of what it is of ("no record, no service").
"""

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from tongban.common.v1 import common_pb2

RECEIPT = "tongban-receipt-bin"
"""The receipt of the call's record, serialized; answers of the JSON edge carry the same as ``tongban-receipt``, in base64."""
RECEIPT_ABROAD = "tongban-receipt-abroad-bin"
"""The receipt of another region that was asked for the caller; at the JSON edge ``tongban-receipt-abroad``."""


def received(metadata: Iterable[tuple[str, str | bytes]] | None) -> list[common_pb2.Receipt]:
    """Reads the receipts of a call: that of the region that was called first, then that of another region.

    What came under their names and is no receipt is left out: the call was done all the same, and its answer counts.
    """
    found = {key: value for key, value in metadata or () if isinstance(value, bytes)}
    read = (_read(found[key]) for key in (RECEIPT, RECEIPT_ABROAD) if key in found)
    return [receipt for receipt in read if receipt is not None]


def _read(data: bytes) -> common_pb2.Receipt | None:
    try:
        return common_pb2.Receipt.FromString(data)
    except DecodeError:
        return None


def held(metadata: Iterable[tuple[str, str | bytes]] | None) -> common_pb2.Receipt | None:
    """Returns the receipt of who holds what was asked for: another region, where that was asked; None where there is none."""
    found = received(metadata)
    return found[-1] if found else None
