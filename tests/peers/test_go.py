"""grpcurl finds its way by reflection alone; ghz asks from many connections at once."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.peers.conftest import Town, reason_in
from tests.peers.fetch import run

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
_JWKS = "tongban.identity.v1.TokenService/GetJwks"
_DEPARTMENTS = "tongban.identity.v1.StaffService/ListDepartments"
_VERIFY = "tongban.license.v1.VerificationService/VerifyLicense"
_CALLS = 400


def refusal(*command: str) -> tuple[int, str]:
    """The gRPC code and our reason that grpcurl was refused with; its exit status is 64 and the code."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode - 64, reason_in(done.stderr)


async def test_grpcurl_lists_services_and_their_methods(go_bin: Path, town: Town) -> None:
    services = run(go_bin / "grpcurl", "-plaintext", town.target, "list").split()
    assert {"tongban.identity.v1.TokenService", "tongban.cases.v1.CaseService"} <= set(services)
    described = run(go_bin / "grpcurl", "-plaintext", town.target, "describe", _DEPARTMENTS.replace("/", "."))
    assert ".tongban.identity.v1.ListDepartmentsRequest" in described


async def test_grpcurl_reads_what_anybody_may(go_bin: Path, town: Town) -> None:
    answer = json.loads(run(go_bin / "grpcurl", "-plaintext", town.target, _JWKS))
    assert {each["kty"] for each in answer["keys"]} == {"EC"}


async def test_grpcurl_reads_by_a_token(go_bin: Path, town: Town) -> None:
    header = f"authorization: Bearer {await town.office.admin_token()}"
    answer = json.loads(run(go_bin / "grpcurl", "-plaintext", "-H", header, town.target, _DEPARTMENTS))
    assert [each["name"] for each in answer["departments"]] == [town.office.department]


@pytest.mark.parametrize(
    ("method", "code", "reason"), [(_DEPARTMENTS, 16, "TOKEN_MISSING"), (_VERIFY, 3, "FIELD_INVALID")]
)
async def test_grpcurl_reads_why_it_was_refused(go_bin: Path, town: Town, method: str, code: int, reason: str) -> None:
    assert refusal(str(go_bin / "grpcurl"), "-plaintext", "-format-error", town.target, method) == (code, reason)


def ghz(go_bin: Path, town: Town, call: str, **metadata: str) -> dict[str, Any]:
    """Calls an RPC 400 times over 4 connections, 16 at once; returns ghz's report."""
    load = (f"--total={_CALLS}", "--connections=4", "--concurrency=16", "--format=json")
    with_metadata = ("--metadata", json.dumps(metadata)) if metadata else ()
    report: dict[str, Any] = json.loads(
        run(go_bin / "ghz", "--insecure", *load, *with_metadata, f"--call={call}", "--data={}", town.target)
    )
    return report


async def test_ghz_gets_an_answer_to_every_call(go_bin: Path, town: Town) -> None:
    assert ghz(go_bin, town, _JWKS)["statusCodeDistribution"] == {"OK": _CALLS}


async def test_ghz_gets_an_answer_to_every_call_with_a_token(go_bin: Path, town: Town) -> None:
    token = await town.office.admin_token()
    report = ghz(go_bin, town, _DEPARTMENTS, authorization=f"Bearer {token}")
    assert report["statusCodeDistribution"] == {"OK": _CALLS}
