"""Which events each RPC emitted while tests ran: what it emits is declared (`emits`), and what it declares was emitted.

``TONGBAN_EMITTED=FILE ./run test`` writes down what was seen. Nothing is noted of processes of their own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from unittest.mock import patch

from google.protobuf.message import Message

from libs.db.evidence import Evidence
from libs.events.types import event_type
from tests.support import contracts
from tongban.options.v1 import options_pb2

Emission = tuple[str, str]
"""An RPC by its full name, and a type of event."""


@cache
def declared() -> frozenset[Emission]:
    """What each RPC says that it emits."""
    return frozenset(
        (method.name, kind)
        for method in contracts.methods()
        for kind in method.descriptor.GetOptions().Extensions[options_pb2.rpc].emits
    )


@dataclass
class Emitting:
    """What was seen in this session."""

    seen: set[Emission] = field(default_factory=set)
    undeclared: set[Emission] = field(default_factory=set)

    def note(self, method: str, kind: str) -> None:
        """Notes an event that a command wrote; what no RPC did is nobody's to declare."""
        if method not in _rpcs():
            return
        self.seen.add((method, kind))
        if (method, kind) not in declared():
            self.undeclared.add((method, kind))

    def take_undeclared(self) -> list[str]:
        """What was emitted since the last question and is declared nowhere."""
        found, self.undeclared = self.undeclared, set()
        return [f"{method}: {kind}" for method, kind in sorted(found)]

    def missing(self) -> list[str]:
        """After a run of all service tests: what is declared and was never emitted."""
        return [
            f"{method} {kind}: declared, and no test has it emitted" for method, kind in sorted(declared() - self.seen)
        ]


@cache
def _rpcs() -> frozenset[str]:
    return frozenset(method.name for method in contracts.methods())


@contextmanager
def recording() -> Iterator[Emitting]:
    """Notes what commands emit, in the length of the block."""
    found, emit = Emitting(), Evidence.emit

    def noting(self: Evidence, subject: str, data: Message) -> str:
        found.note(self.command.method, event_type(type(data)))
        return emit(self, subject, data)

    with patch.object(Evidence, "emit", noting):
        yield found
