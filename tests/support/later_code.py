"""Tomorrow's code, as far as today's lacks it: a region that runs by tomorrow's contracts (`tests.support.later_release`) says with
the progress of a case what only they know."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from services.cases.core.payloads import MessageReader
from tests.support.tomorrow import NEW_STATE
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources

DESK = "三号窗口"
SAYS_MORE: Mapping[int, Mapping[str, Any]] = {
    resources.CASE_ACTION_ACCEPT: {"contact_desk": DESK},
    resources.CASE_ACTION_START_REVIEW: {"contact_desk": DESK, "state": NEW_STATE},
}
"""By the action that is told: a field more, and a state more."""


def use() -> None:
    """Has this process do so."""
    packed = MessageReader.packed

    def packed_later(self: MessageReader, content: Message) -> pb.TransferMessage:
        if isinstance(content, pb.TransferProgress):
            for name, value in SAYS_MORE.get(content.action, {}).items():
                setattr(content, name, value)
        return packed(self, content)

    MessageReader.packed = packed_later  # type: ignore[method-assign]
