"""Receipts as the outside gets them: the same by JSON and by gRPC, and what curl printed holds against the signed log."""

import asyncio
import base64
import uuid
from pathlib import Path

import httpx
import pytest
from google.protobuf import json_format
from typer.testing import CliRunner

from deploy.local.audit_cli import app
from deploy.local.demo.office import Office
from deploy.pki.region_root import ROOT_FILE
from libs.client.verifying import verify
from libs.ids.synthetic import SyntheticPopulation
from tests.support.regions import Regions
from tongban.common.v1 import common_pb2, party_pb2
from tongban.identity.v1 import account_service_pb2, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _request(office: Office) -> account_service_pb2.CreateOrganizationRequest:
    firm = SyntheticPopulation("receipts", province=office.gateway.code[:2]).firm()
    organization = resources_pb2.Organization(
        display_name=firm.name, uscc=firm.uscc, kind=party_pb2.PARTY_KIND_ENTERPRISE
    )
    return account_service_pb2.CreateOrganizationRequest(organization=organization, request_id=str(uuid.uuid4()))


def _read(answer: httpx.Response) -> common_pb2.Receipt:
    value = answer.headers["tongban-receipt"]
    return common_pb2.Receipt.FromString(base64.b64decode(value + "=" * (-len(value) % 4), validate=True))


def _printed(answer: httpx.Response) -> bytes:
    """What `curl -i` prints of an answer."""
    lines = [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", answer.text]).encode()


async def _verified(regions: Regions, printed: Path) -> tuple[int, str]:
    """Runs `tongban audit verify` on what curl printed, with the officer's own token."""
    office = regions.home
    root = regions.state / office.gateway.id / "root" / ROOT_FILE
    token = await office.token_of("receiving")
    command = ["verify", str(printed), "--root", str(root), "--gateway", office.gateway.url, "--token", token]
    done = await asyncio.to_thread(CliRunner().invoke, app, command)
    return done.exit_code, done.output


async def test_a_change_by_json_and_its_repeat_by_grpc_have_one_receipt(regions: Regions, tmp_path: Path) -> None:
    office, request = regions.home, _request(regions.home)
    token = await office.token_of("receiving")
    told = await office.gateway.http.post(
        "/v1/organizations", json=json_format.MessageToDict(request), headers={"authorization": f"Bearer {token}"}
    )
    assert told.status_code == 200, told.text
    again = await office.gateway.using(token).call(request, resources_pb2.Organization)
    assert again.name == told.json()["name"]
    assert office.gateway.receipts[-1] == _read(told)
    root = regions.state / office.gateway.id / "root" / ROOT_FILE
    file = await office.gateway.using(token).prove(_read(told))
    report = verify(file, root.read_bytes())
    assert report.valid, report
    (tmp_path / "answer.txt").write_bytes(_printed(told))
    code, output = await _verified(regions, tmp_path / "answer.txt")
    assert (code, "everything holds" in output) == (0, True), output


async def test_a_person_is_read_by_a_body_and_the_reading_has_its_receipt(regions: Regions, tmp_path: Path) -> None:
    """A search that finds nobody is on record as well: the refusal carries the receipt."""
    office = regions.home
    headers = {"authorization": f"Bearer {await office.token_of('receiving')}"}
    body = {
        "document": {"typeCode": "111", "number": "110105194912310021"},
        "useContext": {"purposeCode": "ASSISTANCE", "purpose": "窗口受理"},
    }
    refused = await office.gateway.http.post("/v1/persons:lookup", json=body, headers=headers)
    assert refused.status_code == 404
    (tmp_path / "refused.txt").write_bytes(_printed(refused))
    code, output = await _verified(regions, tmp_path / "refused.txt")
    assert (code, "LookupPerson on persons, OK" in output) == (0, True), output
    name = f"persons/{uuid.uuid4()}"
    in_the_url = await office.gateway.http.get(f"/v1/{name}", params={"useContext.purpose": "核对"}, headers=headers)
    assert in_the_url.status_code == 404
    read = await office.gateway.http.post(
        f"/v1/{name}:read", json={"useContext": {"purposeCode": "IDENTITY_CHECK", "purpose": "核对"}}, headers=headers
    )
    assert (read.status_code, read.json()["details"][0]["reason"]) == (404, "RESOURCE_NOT_FOUND")
