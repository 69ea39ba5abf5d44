"""The contract is the registry of events: each type has one message, and what an RPC says to emit is one of them."""

import re
from collections import Counter

from tests.support import contracts
from tongban.options.v1 import options_pb2

_TYPE = re.compile(r"cn\.tongban\.[a-z]+\.[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*\.v1")


def _declared() -> dict[str, str]:
    """The type that each message of an ``events.proto`` declares."""
    return {
        name: str(message.GetOptions().Extensions[options_pb2.message].event)
        for module in contracts.files()
        if module.name.endswith("/events.proto")
        for name, message in module.message_types_by_name.items()
    }


def test_each_type_has_one_message_and_its_name() -> None:
    declared = {name: kind for name, kind in _declared().items() if kind}
    assert [kind for kind in declared.values() if not _TYPE.fullmatch(kind)] == []
    assert [kind for kind, count in Counter(declared.values()).items() if count > 1] == []
    words = {name: "".join(word.title() for word in re.split(r"[._]", kind)[3:-1]) for name, kind in declared.items()}
    assert [f"{name}: {word}" for name, word in words.items() if name != word] == []


def test_what_is_emitted_has_a_message() -> None:
    emitted = {
        kind
        for method in contracts.methods()
        for kind in method.descriptor.GetOptions().Extensions[options_pb2.rpc].emits
    }
    assert emitted - set(_declared().values()) == set()
    assert emitted, "some RPC emits something"
