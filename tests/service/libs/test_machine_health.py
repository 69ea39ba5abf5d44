"""Health follows what of this machine a service needs: room on its disks, its keys, its certificates."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.config import DiskConfig
from libs.errors import Unavailable
from libs.observability import metrics
from libs.process import checks
from libs.process.checks import DiskCheck, KeysCheck, folders_of
from libs.rpc.call import Call
from libs.rpc.client import TAKES_CALLS
from libs.rpc.stages.writing import writing
from tests.support import contracts
from tests.support.service import Ground, Service, serving

_UP, _DOWN = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
_WRITER, _READER = "tongban.license.v1.LicenseService", "tongban.events.v1.ChangeService"


@pytest_asyncio.fixture
async def office(ground: Ground) -> AsyncIterator[Service]:
    async with serving(ground, "license") as service:
        yield service


async def _says(office: Service, *names: str) -> list[Any]:
    check: Any = health_pb2_grpc.HealthStub(office.channel).Check  # type: ignore[attr-defined]
    return [(await check(health_pb2.HealthCheckRequest(service=name))).status for name in names]


async def _look(office: Service, times: int = 2) -> None:
    for _ in range(times):
        await office.process.health.look()


def _room(monkeypatch: pytest.MonkeyPatch, megabytes: int, files: int = 10**6) -> None:
    left = SimpleNamespace(f_bavail=megabytes, f_frsize=1_000_000, f_files=10**7, f_favail=files)
    monkeypatch.setattr("libs.process.checks.os.statvfs", lambda _path: left)


async def test_a_full_disk_stops_those_who_write_and_nobody_else(
    office: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _look(office)
    assert await _says(office, "", _WRITER, _READER, "disk", TAKES_CALLS) == [_UP] * 5
    _room(monkeypatch, 299)
    await _look(office)
    assert await _says(office, "", _WRITER, _READER, "disk", TAKES_CALLS) == [_UP, _DOWN, _UP, _DOWN, _UP]
    with pytest.raises(Unavailable, match="disk") as refused:
        office.process.health.require_writing()
    assert refused.value.metadata["dependency"] == "disk"
    assert metrics.DEPENDENCY_AWAY_SINCE.labels("disk")._value.get() > 0
    _room(monkeypatch, 300)
    await _look(office, 1)
    assert await _says(office, _WRITER, "disk") == [_UP, _UP]
    office.process.health.require_writing()
    assert metrics.DEPENDENCY_AWAY_SINCE.labels("disk")._value.get() == 0


async def test_little_room_is_told_by_the_metric_before_anything_stops(
    office: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    _room(monkeypatch, 1_999)
    await _look(office)
    assert await _says(office, _WRITER, "disk") == [_UP, _UP]
    assert metrics.WARNING.labels("disk")._value.get() == 1
    _room(monkeypatch, 2_000)
    await _look(office, 1)
    assert metrics.WARNING.labels("disk")._value.get() == 0


async def test_a_disk_without_room_for_files_is_full(office: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    _room(monkeypatch, 10**6, files=10)
    with pytest.raises(checks.CheckFailed, match="documents: 0 MB left"):
        await DiskCheck(folders_of(office.process.config), DiskConfig())()


async def test_a_call_that_writes_is_refused_before_anything_is_done() -> None:
    def full() -> None:
        raise Unavailable("DEPENDENCY_UNAVAILABLE", "full", dependency="disk")

    async def handler(_request: object, _call: Call) -> Any:
        raise AssertionError("it was called")

    call: Any = None
    held = set()
    for method in contracts.methods():
        served = writing(full)(method, handler)
        if method.writes:
            held.add(str(method.descriptor.name))
            with pytest.raises(Unavailable):
                await served(None, call)
        else:
            assert served is handler, f"{method.name} only reads"
    # Also where no request_id of the request's own tells a repeat; never what only reads, be it on record.
    assert {"IssueLicense", "UploadMaterial", "AppendUpload", "ReceiveCaseTransfer", "CancelOperation"} <= held
    assert not {"GetLicense", "VerifyLicense", "GetCase", "ExchangeToken"} & held


@pytest.mark.parametrize("file", ["log/1.json", "page-tokens/1.json", "log.der", "master"])
async def test_keys_that_can_not_be_opened_any_more_are_told(office: Service, file: str) -> None:
    files, process = office.process.config.keys, office.process
    check = KeysCheck(process.keys, files, process.config.tls, ("log", "page-tokens"))
    process.health.watch({"keys": check}, {})
    await _look(office)
    assert await _says(office, "", _WRITER, "keys") == [_UP] * 3
    path = files.master_key_file if file == "master" else files.folder / file
    path.rename(path.with_name("away"))
    await _look(office)
    assert await _says(office, "", _WRITER, "keys", TAKES_CALLS) == [_DOWN, _DOWN, _DOWN, _UP]
    path.with_name("away").rename(path)
    await _look(office, 1)
    assert await _says(office, "", _WRITER, "keys") == [_UP] * 3


async def test_a_master_key_that_others_may_read_is_told(office: Service) -> None:
    process = office.process
    process.config.keys.master_key_file.chmod(0o644)
    process.health.watch({"keys": KeysCheck(process.keys, process.config.keys, process.config.tls, ("log",))}, {})
    await _look(office)
    assert await _says(office, "keys") == [_DOWN]


@pytest.mark.parametrize(("days", "warned", "over"), [(300, False, False), (350, True, False), (400, True, True)])
async def test_a_certificate_is_told_before_its_end_and_after_it(
    office: Service, monkeypatch: pytest.MonkeyPatch, days: int, warned: bool, over: bool
) -> None:
    now = datetime.now
    monkeypatch.setattr(checks, "datetime", SimpleNamespace(now=lambda zone: now(zone) + timedelta(days=days)))
    process = office.process
    check = KeysCheck(process.keys, process.config.keys, process.config.tls, ("log",))
    process.health.watch({"keys": check}, {})
    await _look(office)
    assert metrics.WARNING.labels("keys")._value.get() == warned
    assert await _says(office, "keys") == [_DOWN if over else _UP]


async def test_what_is_well_is_asked_for_seldom_and_what_is_wrong_each_time() -> None:
    asked, fails = 0, False

    async def check() -> None:
        nonlocal asked
        asked += 1
        if fails:
            raise checks.CheckFailed("it")

    seldom = checks.at_most_every(check, 3600)
    for _ in range(3):
        await seldom()
    assert asked == 1
    always, fails = checks.at_most_every(check, 3600), True
    for _ in range(3):
        with pytest.raises(checks.CheckFailed):
            await always()
    assert asked == 4
