"""Configuration and secrets of a region are complete, closed to others, and the same again at the next start."""

import importlib
import stat
import tomllib
from pathlib import Path

import pytest

from deploy.local.regions import LIUAN, SERVICES, LocalRegion, PortTaken, is_free, settle
from deploy.local.secret_files import dsn_password, password, write_secret
from deploy.local.settings import config_path, write_all
from libs.config import ServiceConfig, load
from services.gateway.config import GatewayConfig
from tests.support.ports import listening


@pytest.fixture
def local(tmp_path: Path) -> LocalRegion:
    return settle(tmp_path, LIUAN, 0)


def test_every_service_configuration_is_what_the_library_takes(local: LocalRegion) -> None:
    write_all(local)
    for service in SERVICES:
        document = tomllib.loads(config_path(local, service).read_text(encoding="utf-8"))
        own: type[ServiceConfig] = importlib.import_module(f"services.{service}.__main__").Config
        config = own.model_validate(document)
        assert config.region.id == "341500"
        assert service not in config.neighbours
        assert config.grpc.allow["tongban.audit.v1.AuditService"] == ["gateway"]


def test_gateway_configuration_is_what_the_gateway_takes(local: LocalRegion) -> None:
    write_all(local)
    config = load(config_path(local, "gateway"), GatewayConfig)
    assert set(config.neighbours) == set(SERVICES)
    assert config.identity.issuer == config.public.base_url


def test_only_those_who_call_stand_on_the_allowlist(local: LocalRegion) -> None:
    write_all(local)
    seal = tomllib.loads(config_path(local, "seal").read_text(encoding="utf-8"))["grpc"]["allow"]
    cases = tomllib.loads(config_path(local, "cases").read_text(encoding="utf-8"))["grpc"]["allow"]
    assert set(seal["tongban.seal.v1.SealingService"]) == {"gateway", "license"}
    assert set(seal["tongban.seal.v1.CertificateService"]) == {"gateway", "license", "sharing"}
    assert cases.pop("tongban.cases.v1.CalendarService") == ["gateway", "sharing"]
    # Identity follows the changes of every service for the webhooks of its clients.
    assert cases.pop("tongban.events.v1.ChangeService") == ["gateway", "identity"]
    assert all(callers == ["gateway"] for callers in cases.values())
    assert not any(name.startswith("tongban.cases.") for name in seal)


def test_secrets_are_closed_and_survive_the_next_start(local: LocalRegion) -> None:
    write_all(local)
    secrets = local.path("secrets")
    first = {file.name: file.read_text(encoding="utf-8") for file in secrets.iterdir()}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in secrets.iterdir())
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in local.path("config").iterdir())
    write_all(local)
    assert {file.name: file.read_text(encoding="utf-8") for file in secrets.iterdir()} == first
    assert dsn_password(secrets / "seal.dsn") == password(secrets / "seal.password")


def test_no_secret_stands_in_a_service_configuration_but_by_the_name_of_its_file(local: LocalRegion) -> None:
    write_all(local)
    database = password(local.path("secrets", "cases.password"))
    assert database not in config_path(local, "cases").read_text(encoding="utf-8")


def test_ports_are_kept_while_they_are_free(tmp_path: Path) -> None:
    first = settle(tmp_path, LIUAN, 0)
    assert settle(tmp_path, LIUAN, 0).ports == first.ports
    with listening(first.ports["redis"]):
        assert settle(tmp_path, LIUAN, 0).ports["redis"] != first.ports["redis"]


def test_a_taken_gateway_port_gives_one_clear_line(tmp_path: Path) -> None:
    with listening(0) as port:
        assert not is_free(port)
        with pytest.raises(PortTaken, match=f"^port {port} is taken; choose another for the gateway of 六安市$"):
            settle(tmp_path, LIUAN, port)


def test_a_secret_replaces_another_as_a_whole(tmp_path: Path) -> None:
    write_secret(tmp_path / "secret", "one")
    write_secret(tmp_path / "secret", "two")
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]
    assert (tmp_path / "secret").read_text(encoding="utf-8") == "two"


def test_the_business_clock_can_be_set_only_where_it_was_asked_for(tmp_path: Path) -> None:
    usual = settle(tmp_path, LIUAN, 0)
    write_all(usual)
    assert "clock" not in tomllib.loads(config_path(usual, "cases").read_text(encoding="utf-8"))
    replayed = settle(tmp_path, LIUAN, 0, replay=True)
    write_all(replayed)
    clock = tomllib.loads(config_path(replayed, "cases").read_text(encoding="utf-8"))["clock"]
    assert Path(clock["replay_file"]).read_text(encoding="ascii") == "0"
