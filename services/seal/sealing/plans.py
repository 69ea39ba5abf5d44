"""One call's use of a seal: what is planned, what was committed of it, and what the use of the key brought."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

from services.seal.sealing.opened import OpenedSeal
from services.seal.sealing.rules import SealingKind
from tongban.common.v1 import common_pb2

Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True)
class SealingItem:
    """One signature to be made.

    Attributes:
        tbs: the exact TBS_Sign bytes.
        digest: SM3 of them.
        data_hash: what the signature protects.
        property_info: where that lies.
    """

    tbs: bytes
    digest: bytes
    data_hash: bytes
    property_info: str


@dataclass(frozen=True, slots=True)
class SealingPlan:
    """One call's use of a seal.

    Attributes:
        seal: the seal.
        kind: what is sealed.
        at: timeInfo, whole seconds.
        items: the signatures to be made, at least one.
        source_digest: SM3 of the document as it came in, or None.
    """

    seal: OpenedSeal
    kind: SealingKind
    at: datetime
    items: Sequence[SealingItem]
    source_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class SealingIntent:
    """A committed batch.

    Attributes:
        batch: its id.
        attempt: how many batches the call has had with it.
        seal_version: the seal's version when it was read.
        ids: the sealings' ids, in the order of the plan's items.
        numbers: their numbers.
        use: purpose and case as they were recorded.
        user: who uses the seal.
        receipt: proof of the record.
        commit_time: when.
        request_digest: what is kept of the call's body, to know a repeat by.
    """

    batch: str
    attempt: int
    seal_version: int
    ids: Sequence[str]
    numbers: Sequence[str]
    use: common_pb2.UseContext
    user: str
    receipt: common_pb2.Receipt
    commit_time: datetime
    request_digest: bytes

    @property
    def names(self) -> list[str]:
        """The sealings' resource names."""
        return [f"sealings/{each}" for each in self.ids]


@dataclass(frozen=True, slots=True)
class SealingProduct(Generic[Answer]):
    """What the use of the key brought.

    Attributes:
        signatures: DER, in the order of the plan's items.
        answer: builds the answer that is stored, given the time of the result.
        result_digest: SM3 of the sealed document, or None.
    """

    signatures: Sequence[bytes]
    answer: Callable[[datetime], Answer]
    result_digest: bytes | None = None


class SealingWork(Protocol[Answer]):
    """What one call has to do with the key."""

    @property
    def plan(self) -> SealingPlan:
        """What is to be signed, fixed to the byte before anything is committed."""

    async def product(self, intent: SealingIntent) -> SealingProduct[Answer]:
        """Uses the key; raises what it refuses with, and nothing was handed out then."""
