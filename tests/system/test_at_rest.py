"""Personal data is readable nowhere on a region's machine: planted by every RPC and a whole case, looked for everywhere."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office, open_person
from deploy.local.demo.people import Person, Registry
from libs.ids.synthetic import SyntheticPopulation
from libs.rpc.contract import Method
from tests.support import contracts
from tests.support.at_rest import (
    Needles,
    columns_with,
    files_with,
    open_to_others,
    packed,
    streams_with,
    told_with,
)
from tests.support.case_runs import application, approval, is_closed
from tests.support.evidence import drained
from tests.support.regions import YIELDING, Regions, owner
from tests.support.requests import full
from tongban.cases.v1 import case_service_pb2, case_service_pb2_grpc, rating_service_pb2, rating_service_pb2_grpc
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2 as identity
from tongban.license.v1 import verification_service_pb2, verification_service_pb2_grpc
from tongban.options.v1 import options_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

NAME, ADDRESS, PHONE = "植标楠", "植标路七十七号暗巷", "10076543219"
NUMBER = SyntheticPopulation("planted", province="34").person().citizen_id
PLANTED = (NAME, ADDRESS, PHONE, NUMBER)


def _planted(field: FieldDescriptor) -> str:
    for word, value in (("phone", PHONE), ("number", NUMBER), ("name", NAME), ("person", NAME)):
        if word in field.name:
            return value
    return ADDRESS


def plant(message: Message) -> int:
    """Writes planted data into every text of a request that the contract marks as personal; returns how many."""
    count = 0
    for field in contracts.find_message(str(message.DESCRIPTOR.full_name)).fields:
        if contracts.output_only(field) or contracts.is_map(field):
            continue
        if field.message_type is not None and contracts.is_ours(field.message_type):
            values = getattr(message, field.name)
            count += sum(map(plant, values if field.is_repeated else [values] if message.HasField(field.name) else []))
        elif field.type == FieldDescriptor.TYPE_STRING and field.GetOptions().Extensions[options_pb2.personal]:
            value = [_planted(field)] if field.is_repeated else _planted(field)
            message.ClearField(field.name)
            getattr(message, field.name).extend(value) if field.is_repeated else setattr(message, field.name, value)
            count += 1
    return count


def _unary() -> Iterator[Method]:
    for method in contracts.methods():
        if not (method.descriptor.client_streaming or method.descriptor.server_streaming):
            yield method


async def _ask_everything(office: Office, tokens: list[str]) -> int:
    """Calls every unary RPC with planted data, as each of the callers; nearly all are refused, which must not tell."""
    planted = 0
    for method in _unary():
        request = full(method.descriptor.input_type)
        planted += plant(request)
        call: Any = office.gateway.channel.unary_unary(method.path, request_serializer=type(request).SerializeToString)
        for token in tokens:
            metadata = [("authorization", f"Bearer {token}")] if token else []
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call(request, metadata=metadata, timeout=10)
    return planted


async def _a_whole_case(office: Office) -> None:
    """A person, their firm, its case with a licence, a rating with words, and a question about the licence."""
    clerk = await office.token_of("receiving")
    document = common_pb2.IdentityDocument(type_code="111", number=NUMBER)
    made = await open_person(
        office.gateway, clerk, identity.Person(full_name=NAME, document=document, phone=PHONE)
    )  # fmt: skip
    firm = await Registry(office, 977).firm(Person(made.name, NAME, NUMBER))
    stub = case_service_pb2_grpc.CaseServiceStub(office.gateway.channel)
    request = application(office, YIELDING, firm)
    request.form_values[0].value = ADDRESS
    name = (await office.gateway.call(stub.CreateCase, request, cases.Case, clerk)).name
    for method, kind, duty in (
        ("SubmitCase", case_service_pb2.SubmitCaseRequest, "receiving"),
        ("AcceptCase", case_service_pb2.AcceptCaseRequest, "receiving"),
        ("StartReview", case_service_pb2.StartReviewRequest, "reviewing"),
    ):
        token = await office.token_of(duty)
        step: Any = kind(name=name, request_id=request_id())
        await office.gateway.call(getattr(stub, method), step, cases.Case, token)
    await office.gateway.call(stub.DecideCase, approval(name), cases.Case, await office.token_of("deciding"))
    case = await _closed(office, stub, name)
    rating = rating_service_pb2.CreateRatingRequest(
        case_name=name, kind=rating_service_pb2.RATING_KIND_FIRST, level=cases.SATISFACTION_LEVEL_SATISFIED,
        channel=rating_service_pb2.RATING_CHANNEL_WINDOW_TABLET, comment=f"{NAME}住{ADDRESS},电话{PHONE}",
        request_id=request_id(),
    )  # fmt: skip
    ratings = rating_service_pb2_grpc.RatingServiceStub(office.gateway.channel)
    await office.gateway.call(ratings.CreateRating, rating, rating_service_pb2.Rating, clerk)
    await _ask_in_public(office, case)


async def _closed(office: Office, stub: Any, name: str) -> cases.Case:
    context = common_pb2.UseContext(purpose="办件督办", case_name=name, department=office.department)
    request = case_service_pb2.GetCaseRequest(name=name, context=context)
    async with asyncio.timeout(60):
        while True:
            token = await office.token_of("receiving")
            case = await office.gateway.call(stub.GetCase, request, cases.Case, token)
            if is_closed(case):
                return case
            await asyncio.sleep(0.1)


async def _ask_in_public(office: Office, case: cases.Case) -> None:
    """Strangers ask with a name and a number, also in an address, where they don't belong."""
    question = verification_service_pb2.VerifyLicenseRequest(
        digest="sm3:" + "0" * 64, holder_name=NAME, holder_document_number=NUMBER
    )
    stub = verification_service_pb2_grpc.VerificationServiceStub(office.gateway.channel)
    await office.gateway.call(stub.VerifyLicense, question, verification_service_pb2.VerifyLicenseResponse, "")
    for path in ("/v1/persons:lookup", f"/v1/{case.name}", "/verify", "/v1/nothing", "/oauth/token"):
        await office.gateway.http.get(path, params={"number": NUMBER, "full_name": NAME, "phone": PHONE})
        await office.gateway.http.post(path, json={"number": NUMBER, "fullName": [NAME], "phone": {"a": PHONE}})


def _told_at(regions: Regions, code: str) -> list[str]:
    """Where a region's processes tell of themselves."""
    ports = [process.ports for process in regions.cluster.snapshot.processes if process.region == code]
    metrics = [f"http://127.0.0.1:{each['metrics']}/metrics" for each in ports if "metrics" in each]
    envoy = [f"http://127.0.0.1:{each['admin']}/stats" for each in ports if "admin" in each]
    return metrics + envoy


async def _settled(state: Path, code: str) -> None:
    """Waits until every event has gone out, and has PostgreSQL write its pages to disk."""
    assert await drained(state, code) == {}
    async with owner(state, code, "cases") as connection:
        await connection.execute("SELECT pg_current_wal_lsn()")


async def test_planted_personal_data_is_readable_nowhere(regions: Regions) -> None:
    office, state = regions.handling, regions.state
    code = office.gateway.code
    admin, clerk = await office.admin_token(), await office.token_of("receiving")
    await _a_whole_case(office)
    assert await _ask_everything(office, ["", admin, clerk]) > 50
    await _settled(state, code)
    needles = Needles(PLANTED)
    found = {
        "tables": await columns_with(needles, state, code), "streams": await streams_with(needles, state, code),
        "files": files_with(needles, state), "archives": packed(state), "told": await told_with(needles, _told_at(regions, code)),
    }  # fmt: skip
    assert found == {"tables": {}, "streams": {}, "files": {}, "archives": [], "told": {}}


async def test_what_a_region_keeps_is_its_own_users_alone(regions: Regions) -> None:
    folder = regions.state / regions.handling.gateway.code
    assert any((folder / "documents").rglob("*"))
    kept = {name: open_to_others(folder / name) for name in ("documents", "logs", "postgres", "redis", "secrets")}
    assert kept == {name: [] for name in kept}
    assert {name: (folder / name).stat().st_mode & 0o077 for name in kept} == dict.fromkeys(kept, 0)
