"""What work has used and freed is given back."""

import gc

from lxml import etree

from libs.workers import ThreadPool
from libs.workers.memory import MemoryRelease, resident

_MEGABYTE = 1 << 20
_TREE = b"<a>" + b'<b c="d"/>' * 300_000 + b"</a>"


async def test_what_a_thread_used_and_freed_is_given_back() -> None:
    pool = ThreadPool(2, "test", returning=True)
    before, during = resident(), 0

    def parse() -> int:
        root = etree.fromstring(_TREE)
        used = resident()
        assert len(root) == 300_000
        del root
        gc.collect()
        return used

    for _ in range(4):
        during = max(during, await pool.run(parse))
    await pool.close()
    assert during - before > 40 * _MEGABYTE
    assert resident() - before < 40 * _MEGABYTE


def test_what_has_not_grown_is_left_alone() -> None:
    returning = MemoryRelease()
    calls: list[int] = []
    returning._trim = calls.append
    returning()
    assert calls == []
    returning._floor -= 40 * _MEGABYTE
    returning()
    returning()
    assert calls == [0]
