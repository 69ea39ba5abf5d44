"""Every RPC that takes a request_id refuses one that was used with another request: on the real stack, one service after another."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from libs.crypto.sm3 import sm3
from libs.db.command import Command
from libs.db.uow import Transaction
from libs.ids.synthetic import SyntheticPopulation
from libs.process import Process
from libs.rpc.contract import Method
from tests.support import contracts
from tests.support.calls import OTHER_REGION, Caller, all_of, kinds_of, said
from tests.support.kinds import claims_of
from tests.support.requests import minimal
from tests.support.service import REGION

pytestmark = pytest.mark.asyncio(loop_scope="module")

_REQUEST_ID = "00000000-0000-4000-8000-0000000000e1"
_STAFF = claims_of("STAFF", OTHER_REGION)
_NO_UUID7 = re.compile("f{8}(-f{4}){3}-f{12}")
_UUID7 = "0190a5d2-0000-7000-8000-0000000000e2"
_OWNER = re.compile(f"^({'|'.join(contracts.OWNERS)})(?=/|$)")
_USCC = SyntheticPopulation(1).uscc()
_ABROAD = re.compile("^//[^/]+/(?=presentations/)")


def _later(request: Any) -> None:
    request.end_time.seconds = request.start_time.seconds + 60


def _festival(request: Any) -> None:
    festival = request.festivals.add(display_name="元旦")
    for day in (festival.start_date, festival.end_date):
        day.year, day.month, day.day = request.year, 1, 1


def _decided_on_the_spot(request: Any) -> None:
    request.service_item.content.promised_limit.amount = 0


def _coded(request: Any) -> None:
    request.license_type.code = f"{_USCC}{request.license_type.code[18:]}"


def _selected(request: Any) -> None:
    request.data_resource.entry.fields[0].key = True


def _named(request: Any) -> None:
    request.name = f"presentations/{_UUID7}"


def _ours(request: Any) -> None:
    request.data_request.content.terms.consumer_region = REGION.id


def _placed(request: Any) -> None:
    request.department.region_code = REGION.id


def _signing(keys: Any) -> None:
    keys.ClearField("keys")
    keys.keys.add(kid="1", kty="RSA", alg="PS256", n="w" * 342, e="AQAB")


def _sent(request: Any) -> None:
    request.webhook.url = "https://partner.example/"
    request.webhook.types[:] = ["cn.tongban.cases.case.accepted.v1"]


# What services ask of a request beyond the rules of its contract, before they look whether it is a repeat.
_FITTING: dict[str, Callable[[Any], None]] = {
    "CreateClient": lambda request: _signing(request.client.jwks),
    "CreateDataRequest": _ours,
    "CreateDataResource": _selected,
    "CreateDepartment": _placed,
    "CreateLicenseType": _coded,
    "CreateServiceItem": _decided_on_the_spot,
    "CreateWebhook": _sent,
    "ExportAuditRecords": _later,
    "ImportCalendar": _festival,
    "ProposeRegion": lambda request: _signing(request.region.anchor.jwks),
    "ProposeUpstream": lambda request: setattr(request.upstream, "issuer", "https://idp.example"),
    "RedeemPresentation": _named,
    "SetRegionKeys": lambda request: _signing(request.anchor.jwks),
}
_OF_WHAT_STANDS = {"SealDigests", "SealDocument"}
"""What signs for a seal that is there, by a flow of several steps: shown in tests/service/seal/test_sealings.py."""


def _fitting(method: Method, process: Process) -> Message:
    request: Any = minimal(method.descriptor.input_type)
    request.request_id = _REQUEST_ID
    _at_home(request, process)
    _FITTING.get(method.descriptor.name, lambda _: None)(request)
    return request  # type: ignore[no-any-return]


def _at_home(message: Any, process: Process) -> None:
    """Puts in names that this service can have given out, the caller's own department, and codes that are some."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            held = value.values() if contracts.is_map(field) else value if field.is_repeated else [value]
            for each in held:
                if isinstance(each, Message):
                    _at_home(each, process)
        elif field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(message, field.name, _own(field.name, value, process.service))
        elif field.name == "root_certificate":
            message.root_certificate = (process.config.keys.folder / "root.der").read_bytes()


def _own(field: str, value: str, owner: str) -> str:
    if field == "uscc":
        return _USCC
    if re.fullmatch("departments/[0-9a-f-]+", value):
        return str(_STAFF["dept"])
    return _ABROAD.sub("", _OWNER.sub(owner, _NO_UUID7.sub(_UUID7, value)))


async def _use(caller: Caller, method: Method, told: dict[str, Any]) -> None:
    """Has the request_id answered for another body, as the RPC itself would have."""
    command = Command(
        caller=f"{told['sub']} {told.get('act', {}).get('sub', '')}".strip(),
        method=method.name,
        request_id=_REQUEST_ID,
        digest=sm3(b"another body"),
        response_type=method.response_type,
    )

    async def work(_tx: Transaction) -> Message:
        return method.response_type()

    await caller.service.process.uow.run(command, work)


async def test_a_request_id_that_was_used_with_another_body_is_refused(serving_caller: Caller) -> None:
    """Whatever has become since of what the request names: here it was never there."""

    async def check(method: Method) -> str:
        kinds = kinds_of(method)
        kind = next((each for each in ("PERSON", "STAFF") if each in kinds), kinds[0])
        await _use(serving_caller, method, claims_of(kind, OTHER_REGION))
        request = _fitting(method, serving_caller.service.process)
        error = await serving_caller.error(method, request, serving_caller.token(method, kind))
        known = (error.reason, error.metadata) if error is not None else ("", {})
        wanted = ("REQUEST_ID_REUSED", {"request_id": _REQUEST_ID})
        return "" if known == wanted else f"{method.name}: {said(error)}"

    own = [each for each in serving_caller.methods() if "request_id" in each.once_by]
    methods = [each for each in own if each.descriptor.name not in _OF_WHAT_STANDS]
    wrong = await all_of(methods, check)
    assert wrong == [], "\n".join(wrong)
