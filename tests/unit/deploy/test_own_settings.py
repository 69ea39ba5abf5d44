"""The operator's settings stay as they are, reach the processes, and are told where they are wrong; edits elsewhere are told."""

import importlib
import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.local import own_settings
from deploy.local.databases import DEPARTMENT
from deploy.local.own_settings import FILE, OwnSettings, WrongSettings
from deploy.local.processes import region_processes
from deploy.local.regions import LIUAN, SERVICES, WANZHI, LocalRegion, settle
from deploy.local.settings import config_path, write_all
from libs.config import RegionConfig
from libs.db.pool import OWN
from services.gateway.config import GatewayConfig
from services.gateway.edited import marked, marked_resources
from services.identity import config as identity
from services.sharing import config as sharing


@pytest.fixture
def local(tmp_path: Path) -> LocalRegion:
    return settle(tmp_path, LIUAN, 0)


def _given(state: Path, text: str) -> OwnSettings:
    (state / FILE).write_text(text, encoding="utf-8")
    return own_settings.read(state)


def _config(local: LocalRegion, name: str) -> dict[str, Any]:
    return tomllib.loads(config_path(local, name).read_text(encoding="utf-8"))


def test_the_file_is_made_once_and_never_written_again(tmp_path: Path) -> None:
    own_settings.make(tmp_path)
    assert own_settings.read(tmp_path) == OwnSettings(), "everything in it is commented out"
    (tmp_path / FILE).write_text('log_level = "debug"  # mine\n', encoding="utf-8")
    own_settings.make(tmp_path)
    assert (tmp_path / FILE).read_text(encoding="utf-8") == 'log_level = "debug"  # mine\n'


def test_every_line_of_the_template_is_one_that_counts(tmp_path: Path) -> None:
    own_settings.make(tmp_path)
    lines = (tmp_path / FILE).read_text(encoding="utf-8").splitlines()
    keys = [
        line.removeprefix("# ") for line in lines if line.startswith(("# [", "# ")) and ("=" in line or "[" in line)
    ]
    found = _given(tmp_path, "\n".join(keys))
    assert found.port("341500") == 8080
    assert found.replicas_in("341500") == 2
    assert found.changes("cases")["database"] == {"pool_size": 32}


def test_what_belongs_to_no_section_of_a_service_reaches_it_too(local: LocalRegion, tmp_path: Path) -> None:
    text = '[services.identity]\nbreached_passwords_file = "/srv/lost.txt"\n[services.identity.windows]\ncertified = true\n'
    write_all(local, _given(tmp_path, text))
    found = identity.Config.model_validate(_config(local, "identity"))
    assert (found.breached_passwords_file, found.windows.certified) == (Path("/srv/lost.txt"), True)


def test_what_it_says_reaches_the_processes_through_their_own_models(local: LocalRegion, tmp_path: Path) -> None:
    own = _given(
        tmp_path,
        'log_level = "debug"\nthreads = 3\npool_size = 7\nleast_free_mb = 11\n[services.cases.database]\npool_size = 9\n',
    )
    write_all(local, own)
    for service, size in (("seal", 7), ("license", 7), ("cases", 9)):
        found = _config(local, service)
        model = importlib.import_module(
            f"services.{service}.config" if service == "license" else f"services.{service}.__main__"
        ).Config
        model.model_validate(found)
        assert (found["database"]["pool_size"], found["telemetry"]["log_level"]) == (size, "debug")
        assert found["disk"]["least_free_mb"] == 11
    assert _config(local, "seal")["sealing"]["workers"] == 3
    assert _config(local, "license")["issuing"]["render_threads"] == 3
    assert _config(local, "gateway")["telemetry"]["log_level"] == "debug"


def test_any_other_key_of_a_process_reaches_it(local: LocalRegion, tmp_path: Path) -> None:
    text = '[services.gateway.cors]\norigins = ["https://a.example"]\n[services.sharing.data_sources.other]\ndsn_file = "/dsn"\n'
    write_all(local, _given(tmp_path, text))
    assert GatewayConfig.model_validate(_config(local, "gateway")).cors.origins == ["https://a.example"]
    sources = sharing.Config.model_validate(_config(local, "sharing")).data_sources
    assert (set(sources), sources["other"].dsn_file) == ({DEPARTMENT, "other"}, Path("/dsn"))


@pytest.mark.parametrize(
    "text",
    ["", "pool_size = 80", "[services.cases.database]\npool_size = 48", "[services.seal.database]\npool_size = 4"],
)
@pytest.mark.parametrize("replicas", [1, 2])
def test_postgresql_takes_what_all_pools_may_open(tmp_path: Path, text: str, replicas: int) -> None:
    own = _given(tmp_path, text)
    local = replace(settle(tmp_path, LIUAN, 0, replicas=replicas), connections=own.connections(replicas))
    write_all(local, own)
    sizes = [_config(local, service)["database"].get("pool_size", 24) for service in SERVICES]
    (server,) = [each for each in region_processes(local) if each.name == "postgres"]
    (limit,) = [int(part.partition("=")[2]) for part in server.command if part.startswith("max_connections=")]
    assert limit >= replicas * (sum(sizes) + len(sizes) * OWN)
    assert limit == max(200 * replicas, own.connections(replicas))


def test_a_region_whose_id_is_no_code_is_told_its_codes(tmp_path: Path) -> None:
    """A list of tables is no list of JSON's in TOML."""
    local = settle(tmp_path, WANZHI, 0)
    write_all(local)
    for name in (*SERVICES, "gateway"):
        region = RegionConfig.model_validate(_config(local, name)["region"])
        assert (region.id, [each.code for each in region.codes]) == ("wanzhi", ["340210"])


def test_host_and_public_url_reach_the_gateway_and_the_issuer(local: LocalRegion) -> None:
    outside = replace(local, host="0.0.0.0", public_url="https://tongban.example/")
    write_all(outside)
    gateway = _config(outside, "gateway")
    assert gateway["http"]["host"] == "0.0.0.0"
    assert gateway["public"]["base_url"] == gateway["identity"]["issuer"] == "https://tongban.example"
    assert outside.local_url == "http://127.0.0.1:0", "what the start itself asks stays on this machine"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pool_sise = 3", "pool_sise: Extra inputs are not permitted"),
        ('pool_size = "many"', "pool_size: Input should be a valid integer"),
        ("[regions.110000]\nport = 1", "regions.110000: there is no such region here"),
        ("[services.case.database]\npool_size = 1", "services.case: there is no such service"),
        ("replicas = 9", "replicas: 1 to 3"),
        ('log_level = "loud"', "log_level: one of debug, info, warning, error"),
        ("pool_size =", "Invalid value"),
        ("pool_size = 3", "pool_size: Input should be greater than or equal to 4"),
        ("threads = -1", "threads: Input should be greater than or equal to 0"),
        ("least_free_mb = -1", "least_free_mb: Input should be greater than or equal to 0"),
        ("[regions.341500]\nport = 65536", "regions.341500.port: Input should be less than or equal to 65535"),
        ("[regions.341500]\nport = 0", "regions.341500.port: Input should be greater than or equal to 1"),
        ('host = "here"', "host: an IPv4 address"),
        ('host = "::"', "host: an IPv4 address"),
        ('[regions.341500]\npublic_url = "tongban.example"', "regions.341500.public_url: scheme, host and port alone"),
        (
            '[regions.341500]\npublic_url = "https://a.example/x"',
            "regions.341500.public_url: scheme, host and port alone",
        ),
        (
            '[regions.341500]\npublic_url = "https://a.example:x"',
            "regions.341500.public_url: scheme, host and port alone",
        ),
        ("[services.cases.database]\npool_sise = 1", "services.cases.database.pool_sise: Extra inputs"),
        ("[services.cases.data_base]\npool_size = 1", "services.cases.data_base: Extra inputs"),
        ('[services.seal.sealing]\nworkers = "many"', "services.seal.sealing.workers: Input should be a valid integer"),
        ('[services.seal.telemetry]\nlog_level = "loud"', "services.seal.telemetry.log_level: Input should be 'debug'"),
        ("[services.gateway.limits]\nburts = 1", "services.gateway.limits.burts: Extra inputs"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(WrongSettings, match=told) as refused:
        _given(tmp_path, text)
    assert str(refused.value).startswith(str(tmp_path / FILE))


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes("# 端口\n".encode("gb18030"))
    with pytest.raises(WrongSettings, match="is not UTF-8"):
        own_settings.read(tmp_path)


def test_an_edit_of_a_written_file_is_told_and_kept_beside_it(local: LocalRegion) -> None:
    assert write_all(local) == []
    assert write_all(local) == [], "what nobody touched is not told"
    path = config_path(local, "cases")
    edited = path.read_text(encoding="utf-8") + "\n[telemetry]\n"
    path.write_text(edited, encoding="utf-8")
    (note,) = write_all(local)
    assert str(path) in note
    assert FILE in note
    assert path.with_name("cases.toml.edited").read_text(encoding="utf-8") == edited
    assert "[telemetry]" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda old: old.partition(b"\n")[2],
        lambda old: old.replace(b"Written anew", b"Mine"),
        lambda _: b"",
        lambda old: old + "# 注释\n".encode("gb18030"),
    ],
    ids=["first line gone", "first line changed", "emptied", "another encoding"],
)
def test_every_edit_is_told(local: LocalRegion, change: Callable[[bytes], bytes]) -> None:
    write_all(local)
    path = config_path(local, "seal")
    edited = change(path.read_bytes())
    path.write_bytes(edited)
    (note,) = write_all(local)
    assert str(path) in note
    assert path.with_name("seal.toml.edited").read_bytes() == edited
    assert write_all(local) == []


def test_a_second_edit_leaves_the_first_one_where_it_was_kept(local: LocalRegion) -> None:
    for text in ("one", "two", "three"):
        write_all(local)
        config_path(local, "seal").write_text(text, encoding="utf-8")
    write_all(local)
    kept = {each.name: each.read_text(encoding="utf-8") for each in local.path("config").glob("*.edited*")}
    assert kept == {"seal.toml.edited": "one", "seal.toml.edited-2": "two", "seal.toml.edited-3": "three"}


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("envoy.json", marked({"node": {"id": "gateway"}, "admin": {"port": 1}})),
        ("envoy-listeners.json", marked_resources({"resources": [], "admin": {"port": 1}})),
    ],
)
def test_an_edit_of_envoys_configuration_is_told_too(local: LocalRegion, name: str, document: dict[str, Any]) -> None:
    write_all(local)
    path = local.path("config", name)
    path.write_text(json.dumps(document), encoding="utf-8")
    assert write_all(local) == []
    path.write_text(json.dumps(document, indent=3, sort_keys=True), encoding="utf-8")
    assert write_all(local) == [], "laid out anew, it says the same"
    for text in (json.dumps(document | {"admin": {"port": 2}}), json.dumps({"node": {}}), "{"):
        path.write_text(text, encoding="utf-8")
        (note,) = write_all(local)
        assert str(path) in note
        assert not path.exists(), "the gateway writes it when it starts"


def test_old_addresses_in_credentials_are_refreshed_and_the_key_stays(local: LocalRegion) -> None:
    key = {"kid": "one", "kty": "EC"}
    old = {
        "client_id": "administrator",
        "token_endpoint": "http://127.0.0.1:1/oauth/token",
        "private_key_jwk": key,
        "issuer": "http://127.0.0.1:1",
        "gateway": "http://127.0.0.1:1",
    }
    path = local.path("credentials.json")
    path.write_text(json.dumps(old), encoding="utf-8")
    now = replace(local, http_port=8088)
    write_all(now)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["token_endpoint"] == "http://127.0.0.1:8088/oauth/token"
    assert found["issuer"] == found["gateway"] == "http://127.0.0.1:8088"
    assert (found["private_key_jwk"], found["client_id"]) == (key, "administrator")
    assert path.stat().st_mode & 0o077 == 0
