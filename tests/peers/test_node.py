"""A partner's client by grpc-js, which knows the contracts and nothing else."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2

from tests.peers.conftest import Town
from tests.peers.fetch import HERE, run

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
_IMAGE = HERE.parents[1] / "proto" / "gen" / "tongban.binpb"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def said(node_modules: Path, town: Town) -> dict[str, Any]:
    token = await town.office.admin_token()
    answers: dict[str, Any] = json.loads(
        run("node", HERE / "node" / "client.js", node_modules, _IMAGE, town.target, token)
    )
    return answers


def reason_of(call: dict[str, Any]) -> str:
    """The reason of the error that a call ended with."""
    status = status_pb2.Status.FromString(base64.b64decode(call["status"]))
    info = error_details_pb2.ErrorInfo()
    assert any(each.Unpack(info) for each in status.details)
    assert info.domain == "tongban"
    return str(info.reason)


async def test_it_reads_what_anybody_may(said: dict[str, Any]) -> None:
    keys = said["keys"]["answer"]["keys"]
    assert {each["kty"] for each in keys} == {"EC"}


async def test_it_reads_by_a_token_and_is_refused_without(said: dict[str, Any], town: Town) -> None:
    (department,) = said["departments"]["answer"]["departments"]
    assert (department["name"], department["display_name"]) == (town.office.department, town.office.department_name)
    assert (said["nobody"]["code"], reason_of(said["nobody"])) == (16, "TOKEN_MISSING")


async def test_a_broken_request_names_its_fields(said: dict[str, Any]) -> None:
    assert (said["broken"]["code"], reason_of(said["broken"])) == (3, "FIELD_INVALID")


async def test_its_deadline_is_its_own(said: dict[str, Any]) -> None:
    assert said["late"]["code"] == 4


async def test_an_enum_comes_by_name(said: dict[str, Any]) -> None:
    assert said["nonsense"]["answer"]["conclusion"] == "CONCLUSION_TOTAL_FAILED"
