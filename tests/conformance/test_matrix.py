"""Every RPC against thirty-one kinds of caller: what each is answered at the door is what `matrix.txt` says."""

import pytest

from libs.rpc.contract import Method
from tests.support import contracts
from tests.support.calls import Caller, all_of
from tests.support.matrix import COLUMNS, LETTERS, letter, written

pytestmark = pytest.mark.asyncio(loop_scope="module")
_TABLE = written()


async def test_each_caller_is_answered_as_it_is_written_down(caller: Caller) -> None:
    async def check(method: Method) -> str:
        found = "".join([await letter(caller, method, column) for column in COLUMNS])
        name = method.name.removeprefix("tongban.")
        return "" if found == _TABLE.get(name) else f"{name} {found}"

    assert await all_of(caller.methods(), check) == []


async def test_the_table_has_every_rpc_and_no_other() -> None:
    assert list(_TABLE) == sorted(method.name.removeprefix("tongban.") for method in contracts.methods())
    assert {len(letters) for letters in _TABLE.values()} == {len(COLUMNS)} == {31}
    assert set("".join(_TABLE.values())) <= set(LETTERS.values())
