"""What we write ourselves we write in one order: digests, stored answers and comparisons stand on it."""

import pytest

from libs.rpc.messages import wire_bytes
from tests.support import contracts, requests
from tests.support.wire_form import disorder, filled, reversed_fields
from tongban.cases.v1 import exchange_service_pb2
from tongban.common.v1 import value_pb2
from tongban.sharing.v1 import data_service_pb2


def test_the_library_writes_fields_by_ascending_number_in_every_request_and_answer() -> None:
    """A library that does otherwise would make one content two: then `libs.db.bodies` needs a new version."""
    messages = [
        filled(descriptor)
        for method in contracts.methods()
        for descriptor in (method.descriptor.input_type, method.descriptor.output_type)
    ]
    assert len(messages) > 200
    odd = {each.DESCRIPTOR.full_name: [*disorder(wire_bytes(each), each.DESCRIPTOR)] for each in messages}
    assert {name: where for name, where in odd.items() if where} == {}


def test_entries_of_maps_stand_in_the_order_of_their_keys() -> None:
    names = [f"{n:02}" for n in range(50)]
    rows = [
        data_service_pb2.Row(values={name: value_pb2.Value(bool_value=True) for name in order})
        for order in (names, names[::-1])
    ]
    assert wire_bytes(rows[0]) == wire_bytes(rows[1])
    assert [*disorder(wire_bytes(rows[1]), rows[1].DESCRIPTOR)] == []


def test_another_library_s_order_says_the_same() -> None:
    """The tests' own hand is tested: what it turns around differs in bytes and not in meaning."""
    message = requests.full(exchange_service_pb2.ReceiveCaseTransferRequest.DESCRIPTOR)
    turned = reversed_fields(message)
    assert turned != wire_bytes(message)
    assert [*disorder(turned, message.DESCRIPTOR)]
    assert wire_bytes(type(message).FromString(turned)) == wire_bytes(message)


@pytest.mark.parametrize("unknown", [b"\xf8\x07\x01", b"\x98\xf0\x3a\x01"])
def test_fields_that_are_not_known_are_kept(unknown: bytes) -> None:
    message = requests.full(exchange_service_pb2.ReceiveCaseTransferRequest.DESCRIPTOR)
    read = type(message).FromString(unknown + wire_bytes(message))
    assert len(wire_bytes(read)) == len(wire_bytes(message)) + len(unknown)
