"""`up --sandbox` furnishes bare regions alone: where one is not, it says so and nothing is changed, in none of them."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from deploy.local import cli
from deploy.local.state import RegionSnapshot, Snapshot

SOMEBODYS = {"name": "departments/1", "displayName": "六安市行政审批局"}


@dataclass
class SetUpRegion:
    """A region's gateway, which gives tokens and tells its departments; what else is asked is noted.

    Attributes:
        departments: those that it has.
        asked: what was asked of it, a token aside.
    """

    departments: list[dict[str, str]]
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        found = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found.asked.append(self.path)
                self._answer({"departments": found.departments})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                if self.path != "/oauth/token":
                    found.asked.append(self.path)
                self._answer({"access_token": "token", "expires_in": 600})

            def _answer(self, content: dict[str, Any]) -> None:
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Answers)
        Thread(target=self.server.serve_forever).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def snapshot(self, code: str, folder: Path) -> RegionSnapshot:
        """The region as the supervisor tells of it, with the administrator's credentials in its folder."""
        folder.mkdir()
        key = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"}).as_dict(private=True)
        credentials = {"client_id": "first", "private_key_jwk": key, "issuer": "http://issuer"}
        (folder / "credentials.json").write_text(json.dumps(credentials), encoding="utf-8")
        return RegionSnapshot(code, "六安市", f"http://127.0.0.1:{self.server.server_port}", str(folder))


@pytest.fixture
def bare() -> Iterator[SetUpRegion]:
    made = SetUpRegion([])
    yield made
    made.close()


@pytest.fixture
def set_up() -> Iterator[SetUpRegion]:
    made = SetUpRegion([SOMEBODYS])
    yield made
    made.close()


def _up(monkeypatch: pytest.MonkeyPatch, state: Path, *regions: RegionSnapshot) -> tuple[int, str]:
    """Types `up --sandbox` where these regions have come up."""

    class Started:
        snapshot = Snapshot(os.getpid(), True, "", list(regions), [])

        def __init__(self, *_args: object, **_options: object) -> None:
            pass

        def start(self, *_args: object, **_options: object) -> None:
            pass

    monkeypatch.setattr(cli, "Cluster", Started)
    result = CliRunner().invoke(cli.app, ["up", "--sandbox", "--detach", "--state", str(state)])
    return result.exit_code, result.output


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_region_that_somebody_has_set_up_is_not_furnished(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, set_up: SetUpRegion
) -> None:
    region = set_up.snapshot("341500", tmp_path / "341500")
    before = _files(tmp_path)
    code, said = _up(monkeypatch, tmp_path, region)
    assert code == 1
    assert "region 341500 has departments already: a sandbox begins in a bare region (./run purge)" in said
    assert set_up.asked == ["/v1/departments?pageSize=1"]
    assert _files(tmp_path) == before


def test_of_two_regions_none_is_furnished_where_one_is_not_bare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bare: SetUpRegion, set_up: SetUpRegion
) -> None:
    """The second refuses: the first, which is bare, is left as it is."""
    regions = (bare.snapshot("341500", tmp_path / "341500"), set_up.snapshot("320402", tmp_path / "320402"))
    before = _files(tmp_path)
    code, said = _up(monkeypatch, tmp_path, *regions)
    assert (code, "region 320402 has departments already" in said) == (1, True)
    assert bare.asked == set_up.asked == ["/v1/departments?pageSize=1"]
    assert _files(tmp_path) == before
