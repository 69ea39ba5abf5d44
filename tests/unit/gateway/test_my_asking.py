"""Uses of all services are one list, newest first; who is away is named, and nothing of one moment is parted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.errors import Code, TongbanError, reasons
from services.gateway.my import asking
from services.gateway.my.asking import Asked
from tongban.common.v1 import use_pb2
from tongban.owndata.v1 import own_data_service_pb2 as pb


def _use(service: str, seconds: int) -> use_pb2.Use:
    use = use_pb2.Use(service=service)
    use.use_time.FromSeconds(1_700_000_000 + seconds)
    return use


class Services:
    """Answers for the services: each has uses at these seconds, in pages of ``size``; a TongbanError is away, or refuses."""

    def __init__(self, size: int = 50, **told: Sequence[int] | TongbanError) -> None:
        self.size, self.told = size, told
        self.filters: list[str] = []

    async def __call__(self, _method: Any, request: Any, answer: Any, *, to: str, **_more: Any) -> Any:
        told = self.told.get(to, ())
        if isinstance(told, TongbanError):
            raise told
        self.filters.append(request.filter)
        start = int(request.page_token or 0)
        rest = told[start + self.size :]
        page = [_use(to, each) for each in told[start : start + self.size]]
        return pb.ListUsesResponse(uses=page, next_page_token=str(start + self.size) if rest else "")


def _asked(monkeypatch: pytest.MonkeyPatch, services: Services) -> Asked:
    monkeypatch.setattr(asking, "invoke", services)

    class Channel:
        def unary_unary(self, *_args: Any, **_more: Any) -> None:
            return None

        def __getattr__(self, _name: str) -> Any:
            return self.unary_unary

    return Asked(lambda _name: Channel(), "token")  # type: ignore[arg-type,return-value]


def _told(found: asking.Uses) -> list[tuple[str, int]]:
    return [(each.service, each.use_time.seconds - 1_700_000_000) for each in found.uses]


async def test_the_newest_of_all_services_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _asked(monkeypatch, Services(identity=(9, 5, 1), license=(8, 2), cases=(7,)))
    found = await asked.uses(4)
    assert _told(found) == [("identity", 9), ("license", 8), ("cases", 7), ("identity", 5)]
    assert found.more
    assert found.unreachable == []
    whole = await asked.uses(6)
    assert (len(whole.uses), whole.more) == (6, False)


async def test_uses_of_one_moment_are_not_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _asked(monkeypatch, Services(2, identity=(9, 5, 5, 5, 5, 1), license=(5,)))
    found = await asked.uses(2)
    assert sorted(_told(found)) == [*[("identity", 5)] * 4, ("identity", 9), ("license", 5)]
    assert found.more


async def test_who_goes_on_begins_before_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services(identity=(1,))
    await _asked(monkeypatch, services).uses(2, ("identity",), datetime(2024, 3, 4, tzinfo=UTC))
    assert services.filters == ['use_time < "2024-03-04T00:00:00+00:00"']


async def test_who_is_away_is_named_and_who_refuses_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    away = reasons.dependency_unavailable("away", retry_after=1.0, dependency="seal")
    found = await _asked(monkeypatch, Services(identity=(1,), seal=away)).uses(5)
    assert (_told(found), found.unreachable) == ([("identity", 1)], ["seal"])
    refused = reasons.assurance_too_low("too low", required="2", actual="1")
    with pytest.raises(TongbanError) as error:
        await _asked(monkeypatch, Services(license=refused)).uses(5)
    assert error.value.code is Code.PERMISSION_DENIED
