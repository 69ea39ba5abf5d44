"""Waits for operations, and shows on a terminal how far they are."""

import sys
import time
from collections.abc import Awaitable, Callable
from typing import TextIO

from google.longrunning import operations_pb2
from google.protobuf import duration_pb2

from libs.client.calls import Answer, AsyncRegionCalls
from libs.errors import reasons
from libs.rpc import status
from tongban.operations.v1 import operation_service_pb2 as pb

_WIDTH = 30
_SHOWN_SECONDS, _SILENT_SECONDS = 1.0, 15.0


class ProgressBar:
    """One line of a terminal, drawn again and again; where the stream is no terminal nothing is written."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.shown = self._stream.isatty()
        self._drawn = 0

    def draw(self, operation: operations_pb2.Operation) -> None:
        """Draws how far an operation is."""
        if self.shown:
            line = bar_of(operation)
            # What a longer line left behind is overwritten.
            self._stream.write(f"\r{line.ljust(self._drawn)}")
            self._stream.flush()
            self._drawn = len(line)

    def close(self) -> None:
        """Leaves the line as it stands."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()


def bar_of(operation: operations_pb2.Operation) -> str:
    """Returns how far an operation is as one line: ``[###-------]  30% 300/1000 WRITING``."""
    told = pb.OperationMetadata()
    operation.metadata.Unpack(told)
    phase = "done" if operation.HasField("response") else "failed" if operation.done else told.phase or "waiting"
    if not told.total_items:
        return f"[{'-' * _WIDTH}]   ?% {told.done_items} {phase}"
    share = min(1.0, told.done_items / told.total_items)
    filled = int(share * _WIDTH)
    return (
        f"[{'#' * filled}{'-' * (_WIDTH - filled)}] {int(share * 100):3}% {told.done_items}/{told.total_items} {phase}"
    )


async def waited(
    calls: AsyncRegionCalls,
    operation: operations_pb2.Operation,
    answer: type[Answer],
    timeout: float | None,
    bar: ProgressBar,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Waits until ``operation`` has ended; see ``AsyncTongban.wait``."""
    end = None if timeout is None else clock() + timeout
    bar.draw(operation)
    try:
        while not operation.done:
            left = _SILENT_SECONDS if end is None else end - clock()
            if left <= 0:
                raise reasons.not_done_in_time(f"{operation.name} goes on; wait again, or ask later")
            operation = await _asked(calls, operation.name, min(left, _SHOWN_SECONDS if bar.shown else _SILENT_SECONDS))
            bar.draw(operation)
    finally:
        bar.close()
    if operation.HasField("error"):
        raise status.from_status(operation.error)
    response = answer()
    if not operation.response.Unpack(response):
        raise TypeError(f"{operation.name} came to {operation.response.type_url}")
    return response


def _asked(calls: AsyncRegionCalls, name: str, seconds: float) -> Awaitable[operations_pb2.Operation]:
    patience = duration_pb2.Duration()
    patience.FromMilliseconds(round(seconds * 1000))
    return calls.call(pb.WaitOperationRequest(name=name, timeout=patience), operations_pb2.Operation)
