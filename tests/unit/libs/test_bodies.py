"""How a repeated request_id is held against what was kept of the first."""

from dataclasses import replace

import pytest

from libs.crypto.envelope import FieldCipher
from libs.crypto.sm3 import sm3
from libs.crypto.tongsuo import default_provider
from libs.db.bodies import kept_body, same_body
from libs.db.command import Command, command_of_event
from libs.rpc.messages import wire_bytes
from tongban.common.v1 import common_pb2

CIPHER = FieldCipher({1: bytes(16)}, b"index key", default_provider())
AS_WE_WRITE, AS_OTHERS_WRITE, ANOTHER = sm3(b"ordered"), sm3(b"in another order"), sm3(b"another body")


def command(digest: bytes, meaning: bytes = b"", caller: str = "staff/1", request_id: str = "1") -> Command:
    return Command(caller, "a.b.C", request_id, digest, common_pb2.Money, meaning=meaning)


FIRST = kept_body(CIPHER, command(AS_OTHERS_WRITE, AS_WE_WRITE))


@pytest.mark.parametrize(
    ("again", "same"),
    [
        (command(AS_OTHERS_WRITE, AS_WE_WRITE), True),
        (command(AS_WE_WRITE, AS_WE_WRITE), True),
        (command(AS_WE_WRITE), True),
        (command(sm3(b"in a third order"), AS_WE_WRITE), True),
        # A later release of ours writes the message otherwise: the same bytes are still the same body.
        (command(AS_OTHERS_WRITE, sm3(b"as a later release writes it")), True),
        (command(ANOTHER, sm3(b"of another meaning")), False),
        (command(ANOTHER), False),
        # What one meant and the other wrote are not held against each other.
        (command(sm3(b"x"), AS_OTHERS_WRITE), False),
        (command(AS_OTHERS_WRITE, AS_WE_WRITE, request_id="2"), False),
        (command(AS_OTHERS_WRITE, AS_WE_WRITE, caller="staff/2"), False),
    ],
)
def test_the_same_body_has_the_same_bytes_or_the_same_meaning(again: Command, same: bool) -> None:
    assert same_body(CIPHER, again, FIRST) is same


def test_what_is_kept_is_a_version_and_two_keyed_digests() -> None:
    assert (len(FIRST), FIRST[0]) == (65, 1)
    assert AS_OTHERS_WRITE not in FIRST
    assert AS_WE_WRITE not in FIRST
    assert kept_body(FieldCipher({1: bytes(16)}, b"another key", default_provider()), command(AS_OTHERS_WRITE)) != FIRST
    one, other = (kept_body(CIPHER, command(AS_WE_WRITE, request_id=each)) for each in "12")
    assert one[1:33] != other[1:33]


@pytest.mark.parametrize("kept", [b"", b"\x01", b"\x02" + FIRST[1:], FIRST[:20], AS_WE_WRITE])
def test_what_was_kept_otherwise_is_not_the_same(kept: bytes) -> None:
    assert not same_body(CIPHER, command(AS_OTHERS_WRITE, AS_WE_WRITE), kept)


def test_an_event_is_recorded_by_the_bytes_that_its_producer_wrote() -> None:
    told = common_pb2.Date(year=2026, month=3)
    data = b"\x10\x03\x08\xea\x0f"
    assert common_pb2.Date.FromString(data) == told
    made = command_of_event("test", "1", told, common_pb2.Money, data=data, actor="services/test")
    assert (made.digest, made.meaning) == (sm3(data), sm3(wire_bytes(told)))
    assert made.digest != made.meaning
    assert replace(made, meaning=b"") != made
