"""UUIDv7."""

import threading
import uuid

import pytest

from libs.clock import unix_ms
from libs.ids import uuid7
from libs.ids.uuid7 import Uuid7Source


def test_version_variant_and_time() -> None:
    made = uuid7.uuid7(1704164645678)
    parsed = uuid.UUID(made)
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, made)
    assert unix_ms(uuid7.time_of(made)) == 1704164645678


def test_grow_within_a_process() -> None:
    made = [uuid7.uuid7() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_grow_within_one_injected_millisecond() -> None:
    made = [uuid7.uuid7(7) for _ in range(5_000)]
    assert made == sorted(set(made))


def test_injected_time_may_go_back() -> None:
    assert uuid7.uuid7(2) > uuid7.uuid7(1)


def test_threads_share_a_source() -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(uuid7.uuid7() for _ in range(2_000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8_000


def test_tail_fills_every_random_bit() -> None:
    source = Uuid7Source(lambda size: b"\xff" * size)
    assert source.at(0) == "00000000-0000-77ff-bfff-ffffffffffff"
    # The same millisecond adds 2**32 to the tail, which carries over the variant bits.
    assert source.at(0) == "00000000-0000-7800-8000-0000ffffffff"


@pytest.mark.parametrize("text", ["", "x", str(uuid.UUID(int=0)), "00000000-0000-77ff-bfff-FFFFFFFFFFFF"])
def test_refuses_what_is_no_uuid7(text: str) -> None:
    assert not uuid7.is_uuid7(text)
    with pytest.raises(ValueError, match="UUIDv7"):
        uuid7.time_of(text)


@pytest.mark.parametrize("unix_milliseconds", [-1, 1 << 48])
def test_refuses_times_beyond_48_bits(unix_milliseconds: int) -> None:
    with pytest.raises(ValueError, match="48 bits"):
        uuid7.uuid7(unix_milliseconds)
