"""Operations as google.longrunning has them, and what is stored of them."""

from google.longrunning import operations_pb2
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2

from libs.crypto.envelope import Column, FieldCipher
from libs.errors import TongbanError
from libs.operations.rules import LongOperation
from libs.operations.work import operation
from libs.rpc import status
from libs.rpc.messages import timestamp, wire_bytes
from tongban.operations.v1 import operation_service_pb2 as pb


class SealedFields:
    """Closes up what an operation was asked, and what came of it: both may tell of people."""

    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher

    def close(self, name: str, key: str, content: bytes) -> bytes:
        """Returns the stored form of the column ``name`` of the operation with the id ``key``."""
        return self._cipher.encrypt(Column("operations", name), key, content)

    def open(self, name: str, key: str, stored: bytes) -> bytes:
        """Returns what was closed up; nothing of nothing."""
        return self._cipher.decrypt(Column("operations", name), key, stored) if stored else b""

    def response(self, key: str, response: Message) -> bytes:
        """Closes up what an operation came to."""
        packed = any_pb2.Any()
        packed.Pack(response)
        return self.close("response", key, wire_bytes(packed))

    def error(self, key: str, error: TongbanError) -> bytes:
        """Closes up what an operation failed with."""
        return self.close("error", key, wire_bytes(status.to_status(error)))

    def message(self, found: LongOperation, service: str, language: str) -> operations_pb2.Operation:
        """Returns an operation as it is told, its error with the sentence in ``language``."""
        made = operations_pb2.Operation(name=operation(found, service), done=found.end_time is not None)
        made.metadata.Pack(_metadata(found))
        if found.error is not None:
            stored = status_pb2.Status.FromString(self.open("error", found.id, found.error))
            made.error.CopyFrom(status.to_status(status.from_status(stored), language))
        elif found.response is not None:
            made.response.ParseFromString(self.open("response", found.id, found.response))
        return made


def _metadata(found: LongOperation) -> pb.OperationMetadata:
    return pb.OperationMetadata(
        method=found.method,
        create_time=timestamp(found.create_time),
        start_time=timestamp(found.start_time),
        update_time=timestamp(found.update_time),
        end_time=timestamp(found.end_time),
        phase=found.phase,
        done_items=found.done,
        total_items=found.total,
        cancel_requested=found.cancel_requested,
        attempts=found.attempts,
        purge_time=timestamp(found.expire_time),
    )
