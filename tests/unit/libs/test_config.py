"""Configuration is strict: what it does not know stops the start, with one line that names it."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from libs.config import RegionConfig, Section, ServiceConfig, load

GOOD = """
[region]
id = "341500"
name = "六安市"
[grpc]
port = 7001
[grpc.allow]
"tongban.cases.v1.CaseService" = ["gateway"]
[tls]
ca = "ca.pem"
cert = "cases.pem"
key = "cases.key"
[database]
dsn_file = "cases.dsn"
owner_dsn_file = "cases_owner.dsn"
[redis]
url = "redis://127.0.0.1:6379/0"
event_key_file = "events.key"
[metrics]
port = 9001
[documents]
folder = "documents"
[keys]
folder = "keys"
master_key_file = "master.key"
[identity]
address = "127.0.0.1:7002"
issuer = "http://127.0.0.1:8080"
jwks_url = "http://127.0.0.1:7003/jwks"
[public]
base_url = "http://127.0.0.1:8080"
"""


def _load(folder: Path, text: str) -> ServiceConfig:
    file = folder / "cases.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, ServiceConfig)


def _fault(folder: Path, text: str) -> str:
    with pytest.raises(SystemExit) as stop:
        _load(folder, text)
    return str(stop.value.code)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    config = _load(tmp_path, GOOD)
    assert (config.region.id, config.grpc.port, config.grpc.host) == ("341500", 7001, "127.0.0.1")
    assert config.tls.ca == Path("ca.pem")
    assert config.clock.replay_file is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD.replace("port = 7001", "port = 7001\nprot = 7001"), "grpc.prot"),
        (GOOD + "[tracing]\non = true\n", "tracing"),
        ("debug = true\n" + GOOD, "debug"),
        (GOOD.replace("port = 9001", 'port = "many"'), "metrics.port"),
        (GOOD.replace('id = "341500"\n', ""), "region.id"),
        (GOOD.replace('["gateway"]', '"gateway"'), "grpc.allow"),
    ],
)
def test_a_wrong_key_is_named_in_one_line(tmp_path: Path, text: str, named: str) -> None:
    fault = _fault(tmp_path, text)
    assert fault.startswith(f"configuration cases.toml: {named}")
    assert "\n" not in fault


def test_every_fault_has_a_line(tmp_path: Path) -> None:
    text = GOOD.replace("port = 7001", "prot = 7001").replace('name = "六安市"', "")
    lines = _fault(tmp_path, text).splitlines()
    assert {line.split(": ")[1] for line in lines} == {"region.name", "grpc.port", "grpc.prot"}


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    assert _fault(tmp_path, "[region").startswith("configuration cases.toml: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        load(tmp_path / "seal.toml", ServiceConfig)
    assert "seal.toml" in str(stop.value.code)


def test_values_of_a_fault_are_not_shown(tmp_path: Path) -> None:
    """A secret put where it does not belong must not land on a terminal or in a log."""
    assert "hunter2" not in _fault(tmp_path, GOOD + '[secret]\npassword = "hunter2"\n')


def test_a_configuration_does_not_change(tmp_path: Path) -> None:
    config = _load(tmp_path, GOOD)
    with pytest.raises(ValueError, match="frozen"):
        config.grpc.port = 1
    assert Section.model_config["extra"] == "forbid"


def test_a_region_keeps_its_id_while_its_code_changes() -> None:
    codes = [{"code": "340221", "end": "2020-07-15"}, {"code": "340210", "begin": "2020-07-16"}]
    wanzhi = RegionConfig.model_validate({"id": "wanzhi", "name": "芜湖市湾沚区", "codes": codes})
    assert [wanzhi.code_on(date(2020, 7, day)) for day in (15, 16)] == ["340221", "340210"]
    assert RegionConfig(id="341500", name="六安市").code_on(date(2024, 1, 1)) == "341500"
    assert RegionConfig(id="wanzhi-town", name="湾沚镇").code_on(date(2024, 1, 1)) == ""


@pytest.mark.parametrize("bad", ["", "w", "-wanzhi", "wanzhi-", "Wanzhi", "wan_zhi", "湾沚", "w" * 33, "wanzhi\n"])
def test_an_id_of_a_region_can_stand_in_a_host_name(bad: str) -> None:
    with pytest.raises(ValidationError):
        RegionConfig(id=bad, name="湾沚区")
