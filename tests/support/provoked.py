"""Which reasons each RPC was refused with while tests ran: what it answers is declared, and what it declares was answered.

A stage around all others notes them in every service that a test builds as it really runs. Nothing is noted of the made-up
handlers of ``tests.support.rpc_lab``, nor of processes of their own.

``TONGBAN_PROVOKED=FILE`` adds what was seen to a file; ``python -m tests.support.provoked FILE`` names what is declared and does
not stand there, for who runs the service tests folder by folder.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from google.protobuf.message import Message

import libs.process
from libs.errors import TongbanError
from libs.rpc import refusals
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method
from libs.rpc.server import default_stages
from tests.support import contracts

_PREFIX = "tongban."
_OF_STAGES = frozenset(refusals.IMPLIED) - {
    "ACTING_ON_SELF",
    "REQUEST_ID_REUSED",
    "PAGE_TOKEN_INVALID",
    "AUDIT_UNAVAILABLE",
}
"""What stands in the one chain of stages, the same around every RPC: shown of the chain (tests/conformance/test_rpc_stack.py)
and of every RPC (test_refusals.py, test_bad_input.py), not again of each."""

Pair = tuple[str, str]
"""An RPC, without the first part of its name, and a reason."""


def declared() -> set[Pair]:
    """What each RPC says that it can refuse with, so far as its own handler has to do with it."""
    return {
        (_short(method), reason)
        for method in contracts.methods()
        for reason in refusals.refusals(method)
        if reason in refusals.declared(method) or reason not in _OF_STAGES
    }


def _short(method: Method) -> str:
    return method.name.removeprefix(_PREFIX)


@dataclass
class Provoked:
    """What was seen in this session."""

    seen: set[Pair] = field(default_factory=set)
    undeclared: dict[Pair, str] = field(default_factory=dict)

    def stage(self, method: Method, handler: Handler) -> Handler:
        """Notes what the handler, and every other stage, refuses with."""
        known, name = refusals.refusals(method).keys(), _short(method)

        async def with_note(request: Any, call: Call) -> Message:
            try:
                return await handler(request, call)
            except TongbanError as error:
                self.seen.add((name, error.reason))
                if error.reason not in known:
                    self.undeclared[name, error.reason] = f"{name}: {error}"
                raise

        return with_note

    def take_undeclared(self) -> list[str]:
        """What was answered since the last question and is declared nowhere."""
        found, self.undeclared = self.undeclared, {}
        return list(found.values())

    def missing(self) -> list[str]:
        """After a run of all service tests: what was never provoked. There is no exception from it."""
        return [f"{rpc} {reason}: declared, and no test provokes it" for rpc, reason in sorted(declared() - self.seen)]


@contextmanager
def recording() -> Iterator[Provoked]:
    """Notes what services refuse with, in the length of the block."""
    found = Provoked()

    def with_notes(*arguments: Any, **named: Any) -> list[Stage]:
        return [found.stage, *default_stages(*arguments, **named)]

    with patch.object(libs.process, "default_stages", with_notes):
        yield found


def missing_in(notes: Path) -> list[str]:
    """Names what none of several runs provoked, which all added to one file."""
    seen = {(rpc, reason) for rpc, reason in map(str.split, notes.read_text(encoding="utf-8").splitlines())}
    return Provoked(seen=seen).missing()


if __name__ == "__main__":
    print("\n".join(missing_in(Path(sys.argv[1]))))
