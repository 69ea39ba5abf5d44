"""Signed tree heads: what is signed, and how it is checked."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.audit.records import parse_rfc3339, rfc3339
from libs.audit.versions import UnknownVersion

CURRENT = 1
"""The version of the text that is signed."""

VerifySignature = Callable[[bytes, bytes, bytes], None]
"""(certificate DER, message, signature DER) -> None. Raises CryptoError or ValueError where the certificate's key did
not make this SM2-with-SM3 signature, or where the certificate is none that the caller trusts for the log."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A tree head as ``tongban.audit.v1.AuditHead``: SM2-with-SM3 over :func:`head_text`."""

    log: str
    tree_size: int
    root_hash: bytes
    sign_time: datetime
    signature: bytes
    certificate: bytes
    version: int = CURRENT


def head_text(log: str, tree_size: int, root_hash: bytes, sign_time: datetime) -> bytes:
    """Returns the bytes to be signed, of version 1: five lines of UTF-8, each with its line feed.

    ``tongban-log-head 1``, log, tree size, root in lower-case hex, sign time (see :func:`libs.audit.records.rfc3339`).
    """
    return f"tongban-log-head 1\n{log}\n{tree_size}\n{root_hash.hex()}\n{rfc3339(sign_time)}\n".encode()


def verify_head(head: SignedHead, verify_signature: VerifySignature) -> None:
    """Checks the head's signature over its text.

    Raises:
        UnknownVersion: a later release signed it, over a text that is not known here.
        CryptoError, ValueError: what ``verify_signature`` raises.
    """
    if head.version != CURRENT:
        raise UnknownVersion("head", head.version, CURRENT)
    text = head_text(head.log, head.tree_size, head.root_hash, head.sign_time)
    verify_signature(head.certificate, text, head.signature)


def head_from_json(content: Any) -> SignedHead:
    """Reads a head from protobuf's JSON form of ``tongban.audit.v1.AuditHead`` (as the gateway answers it).

    Raises:
        ValueError: a member is missing or has another form.
    """
    try:
        return SignedHead(
            log=str(content["log"]),
            tree_size=int(content.get("treeSize", "0")),
            root_hash=base64.b64decode(content["rootHash"], validate=True),
            sign_time=parse_rfc3339(content["signTime"]),
            signature=base64.b64decode(content["signature"], validate=True),
            certificate=base64.b64decode(content["certificate"], validate=True),
            version=int(content["version"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a signed head: {type(error).__name__} {error}") from error


def head_to_json(head: SignedHead) -> dict[str, str | int]:
    """Writes a head in the form that :func:`head_from_json` reads."""
    return {
        "log": head.log,
        "treeSize": str(head.tree_size),
        "rootHash": base64.b64encode(head.root_hash).decode(),
        "signTime": rfc3339(head.sign_time),
        "signature": base64.b64encode(head.signature).decode(),
        "certificate": base64.b64encode(head.certificate).decode(),
        "version": head.version,
    }
