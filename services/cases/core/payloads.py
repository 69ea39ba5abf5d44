"""Messages between regions as they travel: an envelope, and the very bytes of what it says.

The sender makes the bytes once and repeats them as they are; receipts are over them. So no library has to write a message as
another one did, and a region that runs another release gets the same receipt.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf.message import Message

from libs.rpc.editions import PayloadReader
from libs.rpc.unknown_fields import unknown_fields
from services.cases.core.exchange import MessageDirection, Payload, may_stand
from tongban.cases.v1 import exchange_service_pb2 as pb

FORMATS = (1,)
"""The formats that are read; the last is written."""
PAYLOADS: Mapping[str, type[Message]] = {
    Payload.APPLICATION: pb.TransferApplication,
    Payload.CORRECTION: pb.TransferCorrection,
    Payload.PROGRESS: pb.TransferProgress,
    Payload.RESULT: pb.TransferResult,
    Payload.RATING: pb.TransferRating,
    Payload.WITHDRAWAL: pb.TransferWithdrawal,
    Payload.ACKNOWLEDGEMENT: pb.TransferAcknowledgement,
}


def payload_digest(message: pb.TransferMessage) -> str:
    """Returns the digest that a receipt names: SM3 of the payload's bytes as they are."""
    return f"sm3:{hashlib.new('sm3', message.payload).hexdigest()}"


def content_key(payload_type: str, digest: str) -> str:
    """Returns what two messages of one number must have in common to be the same."""
    return f"{payload_type} {digest}"


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """A message of another region, as far as it is understood.

    Attributes:
        envelope: the envelope.
        whole: the bytes of all of it, with what is not understood.
        digest: that of the payload.
        doubts: what is not understood, each as ``path: rule``.
        content: the payload; None where it is not understood.
    """

    envelope: pb.TransferMessage
    whole: bytes
    digest: str
    doubts: tuple[str, ...]
    content: Any

    @property
    def sequence(self) -> int:
        """Its number."""
        return self.envelope.sequence

    @property
    def kind(self) -> str:
        """The name of its payload's type."""
        return self.envelope.payload_type

    @property
    def key(self) -> str:
        """What a repeat of it has in common with it."""
        return content_key(self.kind, self.digest)


class MessageReader:
    """Opens what other regions send, and packs what is sent to them."""

    def __init__(self, payloads: PayloadReader) -> None:
        self._payloads = payloads

    @property
    def release(self) -> str:
        """Our release."""
        return self._payloads.own.release

    @property
    def edition(self) -> str:
        """What our contracts are told from others by; it changes with them."""
        return self._payloads.own.fingerprint

    @property
    def taken(self) -> frozenset[str]:
        """The payloads that are understood, by the full names of their messages."""
        return self._payloads.taken

    def packed(self, content: Message) -> pb.TransferMessage:
        """Returns the message that says ``content``; exchange, numbers and regions are filled in when it is sent."""
        return pb.TransferMessage(
            format_version=FORMATS[-1],
            release=self.release,
            payload_type=str(content.DESCRIPTOR.full_name),
            payload=content.SerializeToString(),
        )

    def opened(self, request: Message, whole: bytes, way: MessageDirection) -> OpenedMessage:
        """Opens a request that brings a message, with its bytes as they came: the three have one shape, and are kept so."""
        envelope = cast("pb.TransferMessage", request.message)  # type: ignore[attr-defined]
        doubts = self._doubts(request, envelope, way)
        known = PAYLOADS.get(envelope.payload_type)
        content = known.FromString(envelope.payload) if known is not None and not doubts else None
        return OpenedMessage(envelope, whole, payload_digest(envelope), doubts, content)

    def kept(self, whole: bytes, way: MessageDirection) -> OpenedMessage:
        """Opens a message again that was kept."""
        return self.opened(pb.ReceiveCaseTransferRequest.FromString(whole), whole, way)

    def _doubts(self, request: Message, envelope: pb.TransferMessage, way: MessageDirection) -> tuple[str, ...]:
        if envelope.format_version not in FORMATS:
            return ("message.format_version: transfer.format",)
        around = tuple(f"{each.field}: {each.rule}" for each in unknown_fields(request))
        within = self._payloads.doubts(envelope.payload_type, envelope.release, envelope.payload)
        if not (around or within) and not may_stand(way, envelope.sequence, envelope.payload_type):
            return ("message.payload_type: transfer.place",)
        return (*around, *within)
