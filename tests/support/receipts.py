"""Watches that every call which wrote a record answers with a receipt."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from libs.audit.log import Log
from libs.rpc.call import Call


@dataclass
class RecordedCalls:
    """The records that each call made, and the calls that answered without a receipt.

    Nothing can be said from here of a refused call: its records may have been taken back with its transaction. A repeat answers with
    the receipt of the first, whose record is not among those that it made itself.
    """

    _made: dict[int, tuple[Call, set[str]]] = field(default_factory=dict)
    _faults: list[str] = field(default_factory=list)

    def take_faults(self) -> list[str]:
        """Returns what was seen since it was last asked."""
        found, self._faults = self._faults, []
        return found

    @contextmanager
    def watching(self) -> "Iterator[RecordedCalls]":
        """Watches all services in this process."""
        entry, send = Log.entry, Call.send_receipts

        def noting(log: Log, command: Any, *args: Any, **more: Any) -> Any:
            made = entry(log, command, *args, **more)
            if command.call is not None:
                _, names = self._made.setdefault(id(command.call), (command.call, set()))
                names.add(made.id)
            return made

        async def sending(call: Call) -> None:
            _, names = self._made.pop(id(call), (call, set[str]()))
            refusing = sys.exc_info()[1] is not None
            if names and not refusing and call.receipt is None:
                self._faults.append(f"{call.method.name} recorded {sorted(names)} and answered without a receipt")
            await send(call)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Log, "entry", noting)
            patch.setattr(Call, "send_receipts", sending)
            yield self
