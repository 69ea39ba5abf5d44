"""An edge that is about to end finishes what it has begun, and ends all the same where it can't."""

import pytest

from deploy.local.draining import EnvoyDrain
from tests.support.json_server import json_server
from tests.support.patience import PATIENCE
from tests.support.ports import free_port

_TOLD = ["/drain_listeners", "/healthcheck/fail"]


def _stats(value: int) -> object:
    return {"stats": [{"name": "http.edge.downstream_rq_active", "value": value}]}


async def test_it_is_looked_at_until_nothing_is_under_way() -> None:
    asked: list[str] = []
    under_way = iter((2, 1, 0))

    def answer(path: str, _body: bytes) -> tuple[int, object]:
        asked.append(path.partition("?")[0])
        return 200, _stats(next(under_way)) if path.startswith("/stats") else {}

    with json_server(answer) as admin:
        await EnvoyDrain(admin, PATIENCE).finish()
    assert asked == [*_TOLD, "/stats", "/stats", "/stats"]


@pytest.mark.parametrize("nonsense", [[], "no", {"stats": {}}, {"stats": [{"value": "many"}]}, {"stats": 7}], ids=repr)
async def test_what_answers_nonsense_is_not_waited_for(nonsense: object) -> None:
    with json_server(lambda _path, _body: (200, nonsense)) as admin:
        await EnvoyDrain(admin, PATIENCE).finish()


async def test_what_goes_on_for_ever_is_not_waited_for_longer() -> None:
    with json_server(lambda _path, _body: (200, _stats(1))) as admin:
        await EnvoyDrain(admin, 0.3).finish()


async def test_what_is_gone_already_needs_no_draining() -> None:
    await EnvoyDrain(f"http://127.0.0.1:{free_port()}", PATIENCE).finish()
