"""The listener for partners who come with a certificate: off unless the operator writes it down, and then known to every process that must know."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.local import own_settings
from deploy.local.own_settings import FILE, OwnSettings, WrongSettings
from deploy.local.regions import LIUAN, SERVICES, TIANNING, LocalRegion, PortTaken, settle
from deploy.local.serve import RunOrder, local_regions_of
from deploy.local.settings import config_path, write_all
from deploy.local.state import StateFolder
from services.gateway.config import GatewayConfig
from services.gateway.contracts import read_image, services
from services.gateway.envoy_config import bootstrap
from services.identity.config import Config
from tests.support.partner_certificates import PartnersDoor
from tests.support.ports import free_port, listening


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> PartnersDoor:
    return PartnersDoor.made(tmp_path_factory.mktemp("door"), free_port())


def _given(state: Path, text: str) -> OwnSettings:
    (state / FILE).write_text(text, encoding="utf-8")
    return own_settings.read(state)


def _config(local: LocalRegion, name: str) -> dict[str, Any]:
    return tomllib.loads(config_path(local, name).read_text(encoding="utf-8"))


def _settled(state: Path, own: OwnSettings) -> list[LocalRegion]:
    wanted = RunOrder({LIUAN.id: free_port(), TIANNING.id: free_port()}, replicas={LIUAN.id: 2})
    return local_regions_of(StateFolder(state), wanted, own)


def _managers(config: GatewayConfig) -> dict[str, dict[str, Any]]:
    """The connection manager of each listener."""
    listeners = bootstrap(config, services(read_image()))["static_resources"]["listeners"]
    return {each["name"]: each["filter_chains"][0]["filters"][0]["typed_config"] for each in listeners}


def _gateway(local: LocalRegion) -> GatewayConfig:
    return GatewayConfig.model_validate(_config(local, "gateway"))


def _removed(manager: dict[str, Any]) -> list[str]:
    (first,) = (each for each in manager["http_filters"] if each["name"].endswith("header_mutation"))
    return [each["remove"] for each in first["typed_config"]["mutations"]["request_mutations"] if "remove" in each]


def test_every_process_knows_of_it_in_the_region_that_has_one(tmp_path: Path, door: PartnersDoor) -> None:
    here, other = _settled(tmp_path, _given(tmp_path, door.settings(LIUAN.id)))
    for local in (here, other):
        write_all(local)
    for service in (*SERVICES, "gateway"):
        assert _config(here, service)["public"]["mtls_url"] == door.url
        assert "mtls_url" not in _config(other, service)["public"]
    identity = Config.model_validate(_config(here, "identity-2"))
    assert identity.mtls_http is not None
    ports = [str(here.ports[name]) for name in ("identity_mtls", "identity-2_mtls")]
    assert str(identity.mtls_http.port) == ports[1]
    section = _gateway(here).mtls
    assert section is not None
    assert section.identity == ",".join(f"127.0.0.1:{port}" for port in ports)
    assert str(section.ca) == door.files["ca"]
    assert Config.model_validate(_config(other, "identity")).mtls_http is None
    assert _gateway(other).mtls is None


def test_at_all_other_listeners_a_caller_s_word_is_taken_away(tmp_path: Path, door: PartnersDoor) -> None:
    here, other = _settled(tmp_path, _given(tmp_path, door.settings(LIUAN.id)))
    for local in (here, other):
        write_all(local)
    assert _managers(_gateway(other)).keys() == {"edge"}
    found = _managers(_gateway(here))
    assert found.keys() == {"edge", "mtls"}
    plain = (found["edge"], _managers(_gateway(other))["edge"])
    assert {each["forward_client_cert_details"] for each in plain} == {"SANITIZE"}
    assert all("x-forwarded-client-cert" in _removed(each) for each in plain)
    assert found["mtls"]["forward_client_cert_details"] == "SANITIZE_SET"


def test_who_begins_no_handshake_holds_no_connection(tmp_path: Path, door: PartnersDoor) -> None:
    """The number of connections is limited, for both listeners together."""
    here, _ = _settled(tmp_path, _given(tmp_path, door.settings(LIUAN.id)))
    write_all(here)
    made = bootstrap(_gateway(here), [])["static_resources"]["listeners"][1]["filter_chains"][0]
    assert made["transport_socket_connect_timeout"] == "10s"


def test_what_is_revoked_is_looked_up_where_a_list_is_given(tmp_path: Path, door: PartnersDoor) -> None:
    crl = tmp_path / "crl.pem"
    crl.write_bytes(door.signer.revoking())
    text = f'{door.settings(LIUAN.id)}crl = "{crl}"\n'
    here, _ = _settled(tmp_path, _given(tmp_path, text))
    write_all(here)
    made = bootstrap(_gateway(here), [])["static_resources"]["listeners"][1]["filter_chains"][0]["transport_socket"]
    assert made["typed_config"]["common_tls_context"]["validation_context"]["crl"] == {"filename": str(crl)}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://", "https://a/b", "127.0.0.1:1"])
def test_it_is_called_by_https(tmp_path: Path, door: PartnersDoor, url: str) -> None:
    text = door.settings(LIUAN.id).replace(door.url, url)
    with pytest.raises(WrongSettings, match=r"regions\.341500\.mtls\.url"):
        _given(tmp_path, text)


@pytest.mark.parametrize("key", ["cert", "key", "ca"])
def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path, door: PartnersDoor, key: str) -> None:
    text = door.settings(LIUAN.id).replace(door.files[key], str(tmp_path / "nothing.pem"))
    own = _given(tmp_path, text)
    with pytest.raises(WrongSettings, match=rf"regions\.341500\.mtls\.{key}: there is no such file"):
        _settled(tmp_path, own)


def test_its_port_is_nobody_else_s(tmp_path: Path, door: PartnersDoor) -> None:
    """Not another region's listener's, nor a gateway's, nor one behind a gateway: Envoy would go on without it, and nobody be told."""
    again = door.settings(TIANNING.id)
    with pytest.raises(PortTaken, match=f"port {door.port} is taken; choose another for the partners of 六安市"):
        _settled(tmp_path, _given(tmp_path, f"{door.settings(LIUAN.id)}{again}"))
    own, wanted = _given(tmp_path, again), RunOrder({LIUAN.id: free_port(), TIANNING.id: door.port})
    with pytest.raises(PortTaken, match=f"port {door.port} is taken; choose another for the gateway of"):
        local_regions_of(StateFolder(tmp_path), wanted, own)
    for first, second in ((LIUAN, TIANNING), (TIANNING, LIUAN)):
        alone = settle(tmp_path, first, 0)
        inside = replace(door, port=alone.ports["pages"])
        wanted = RunOrder({first.id: free_port(), second.id: free_port()})
        for which in (first, second):
            found = local_regions_of(StateFolder(tmp_path), wanted, _given(tmp_path, inside.settings(which.id)))
            assert all(inside.port not in each.ports.values() for each in found)


def test_a_port_that_is_taken_stops_the_start(tmp_path: Path, door: PartnersDoor) -> None:
    own = _given(tmp_path, door.settings(LIUAN.id))
    with listening(door.port), pytest.raises(PortTaken, match=str(door.port)):
        _settled(tmp_path, own)


def test_three_replicas_of_everything_fit_into_a_block_of_ports(tmp_path: Path) -> None:
    local = settle(tmp_path, LIUAN, 0, replicas=3)
    block = max(local.ports.values()) - min(local.ports.values()) + 1
    assert block == len(local.ports) <= 50
    assert replace(local, mtls=None).mtls_addresses().count(",") == 2
