"""Requests with a field that their contract lacks, as a client of a newer contract would send them."""

from collections.abc import Iterator

from google.protobuf.message import Message

from libs.rpc.contract import Method
from tests.support import contracts
from tests.support.requests import full

NUMBER = 15_001
FIELD = bytes([0xC8, 0xA9, 0x07, 0x01])
"""Field 15001 as a varint: (15001 << 3) in seven bits a byte, then 1."""


def with_unknown(method: Method) -> Iterator[tuple[str, bytes]]:
    """The full request once for each message of ours in it, each time with the unknown field there; with its path."""
    count = len(list(messages_in(full(method.descriptor.input_type), "")))
    for place in range(count):
        request = full(method.descriptor.input_type)
        path, message = list(messages_in(request, ""))[place]
        message.MergeFromString(FIELD)
        yield f"{path}{NUMBER}", request.SerializeToString()


def messages_in(message: Message, path: str = "") -> Iterator[tuple[str, Message]]:
    """A message and all of ours that are set within it, each with the path to it, in an order that is always the same."""
    yield path, message
    for field, value in message.ListFields():
        if not contracts.is_ours(field.message_type) or contracts.is_map(field):
            continue
        if field.is_repeated:
            for place, each in enumerate(value):
                yield from messages_in(each, f"{path}{field.name}[{place}].")
        else:
            yield from messages_in(value, f"{path}{field.name}.")
