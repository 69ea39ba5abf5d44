"""What `./run status` and `./run down` say: which check of which process fails, since when, what to do; what is deleted."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deploy.local import audit_cli, call_cli, clients_cli, events_cli, token_cli, trust_cli, webhooks_cli
from deploy.local.cli import app
from deploy.local.demo.__main__ import main as demo
from deploy.local.state import ProcessSnapshot, RegionSnapshot, Snapshot, StateFolder
from tests.support.ports import free_port

_SINCE = 1_700_000_000
_WELL = 'tongban_dependency_away_since_seconds{dependency="disk"} 0.0\ntongban_warning{what="disk"} 0.0\n'
_FULL = (
    f'tongban_dependency_away_since_seconds{{dependency="disk"}} {_SINCE}.0\n'
    'tongban_dependency_away_since_seconds{dependency="database"} 0.0\n'
    'tongban_warning{what="keys"} 1.0\n'
)


@contextmanager
def _metrics(text: str) -> Iterator[int]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _process(name: str, port: int, phase: str = "READY") -> ProcessSnapshot:
    return ProcessSnapshot(
        name, "341500", phase, os.getpid(), float(_SINCE), 0, {"grpc": 1, "metrics": port}, f"/{name}.log"
    )


def _status(state: Path, *processes: ProcessSnapshot, notes: tuple[str, ...] = (), as_json: bool = False) -> Any:
    folder = StateFolder(state)
    regions = [RegionSnapshot("341500", "六安市", "http://127.0.0.1:1", str(state))]
    with folder.lock():
        folder.write(Snapshot(os.getpid(), True, "", regions, list(processes), list(notes)))
        return CliRunner().invoke(app, ["status", "--state", str(state), *(["--json"] if as_json else [])])


def test_where_all_is_well_nothing_is_said(tmp_path: Path) -> None:
    with _metrics(_WELL) as port:
        answer = _status(tmp_path, _process("cases", port))
    assert answer.exit_code == 0
    assert "WRONG" not in answer.output


def test_status_names_the_replica_the_check_the_time_and_what_to_do(tmp_path: Path) -> None:
    with _metrics(_WELL) as well, _metrics(_FULL) as full:
        answer = _status(tmp_path, _process("cases", well), _process("cases-2", full))
        described = json.loads(_status(tmp_path, _process("cases-2", full), as_json=True).output)
    lines = [line for line in answer.output.splitlines() if line.startswith(("WRONG", "soon"))]
    assert answer.exit_code == 3
    assert [line.split(" since")[0] for line in lines[:1]] == ["WRONG  341500/cases-2: disk fails"]
    assert "make room" in lines[0]
    assert lines[1].startswith("soon   341500/cases-2: keys is near its end")
    assert len(lines) == 2
    disk, keys = described["wrong"]
    assert (disk["where"], disk["what"], disk["bad"]) == ("341500/cases-2", "disk fails", True)
    assert disk["since"].startswith("2023-11-1")
    assert not keys["bad"]


@pytest.mark.parametrize(
    ("basis", "what", "todo"),
    [("MISSING", "2027 has no calendar", "enter it provisionally"), ("PROVISIONAL", "2027 is provisional", "notice")],
)
def test_status_names_a_year_whose_notice_is_missing(tmp_path: Path, basis: str, what: str, todo: str) -> None:
    other = "PROVISIONAL" if basis == "MISSING" else "MISSING"
    text = "".join(
        f'tongban_calendar_unsettled_year{{basis="{each}"}} {year}\n'
        for each, year in ((basis, "2027.0"), (other, "0.0"))
    )
    with _metrics(text) as port:
        answer = _status(tmp_path, _process("cases", port))
    assert answer.exit_code == 0  # nothing is wrong yet
    (line,) = [line for line in answer.output.splitlines() if line.startswith(("WRONG", "soon"))]
    assert line.startswith(f"soon   341500/cases: {what}, and limits reach it")
    assert todo in line


def test_status_names_what_stands_in_for_what_is_meant(tmp_path: Path) -> None:
    with _metrics('tongban_insecure{what="verifiers/insecure-double-face"} 1.0\n') as port:
        answer = _status(tmp_path, _process("identity", port))
    assert answer.exit_code == 3
    (line,) = [line for line in answer.output.splitlines() if line.startswith(("WRONG", "soon"))]
    assert line.startswith("WRONG  341500/identity: verifiers/insecure-double-face is insecure")


def test_status_names_one_that_does_not_answer_and_one_that_is_not_up(tmp_path: Path) -> None:
    answer = _status(tmp_path, _process("seal", free_port()), _process("cases", 1, "RESTARTING"))
    assert answer.exit_code == 3
    assert "341500/seal: does not answer" in answer.output
    assert "341500/cases: is RESTARTING" in answer.output
    assert "/cases.log" in answer.output


def test_status_shows_what_the_start_had_to_tell(tmp_path: Path) -> None:
    assert "note   it was edited" in _status(tmp_path, notes=("it was edited",)).output


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = StateFolder(tmp_path / "state")
    with folder.lock():
        folder.write(Snapshot(1, False, "", [], []))
    return folder.folder


@pytest.mark.parametrize("command", [["purge"], ["down", "--purge"]])
def test_purge_asks_and_deletes_the_state_folder(state: Path, command: list[str]) -> None:
    (state / "341500").mkdir()
    refused = CliRunner().invoke(app, [*command, "--state", str(state)], input="n\n")
    assert refused.exit_code == 1
    assert state.exists()
    assert CliRunner().invoke(app, [*command, "--yes", "--state", str(state)]).exit_code == 0
    assert not state.exists()


def test_purge_deletes_nothing_that_is_no_state_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    answer = CliRunner().invoke(app, ["purge", "--yes", "--state", str(tmp_path)])
    assert answer.exit_code == 1
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_purge_leaves_what_others_laid_there(state: Path) -> None:
    (state / "mine").write_text("mine")
    assert CliRunner().invoke(app, ["purge", "--yes", "--state", str(state)]).exit_code == 0
    assert [each.name for each in state.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "change", [{"more": 1}, {"regions": [{"code": "341500", "more": 1}]}, {"pid": None}, {"processes": 1}]
)
def test_what_another_version_left_is_no_fault(tmp_path: Path, change: dict[str, Any]) -> None:
    written = {"pid": 1, "ready": True, "error": "", "regions": [], "processes": []} | change
    (tmp_path / "supervisor.json").write_text(json.dumps(written), encoding="utf-8")
    assert CliRunner().invoke(app, ["status", "--state", str(tmp_path)]).exit_code == 3
    found = StateFolder(tmp_path).read()
    assert (found is not None) == ("more" in change or "pid" in change)


def test_looking_makes_no_file(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["status", "--state", str(tmp_path)]).exit_code == 3
    assert list(tmp_path.iterdir()) == []


def _alone(command: Callable[..., None]) -> typer.Typer:
    group = typer.Typer()
    group.command()(command)
    return group


@pytest.mark.parametrize(
    ("group", "words"),
    [
        *((app, [name]) for name in ("up", "down", "reload", "purge", "reset", "status", "doctor")),
        (audit_cli.app, ["verify"]),
        *((events_cli.app, [name]) for name in ("list", "show", "replay", "drop")),
        *((clients_cli.app, [name]) for name in ("list", "show", "suspend", "resume")),
        *((webhooks_cli.app, [name]) for name in ("list", "dead", "show", "resend")),
        (call_cli.app, []),
        (token_cli.app, []),
        *((trust_cli.app, [name]) for name in ("show", "propose", "approve", "list")),
        (_alone(demo), []),
    ],
)
def test_every_command_takes_the_state_folder(group: typer.Typer, words: list[str]) -> None:
    assert "--state" in CliRunner().invoke(group, [*words, "--help"], env={"COLUMNS": "200"}).output
