"""The contract is the registry: who holds a permission, and who may call whom, is said there and nowhere else."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from deploy.local.settings import GATEWAY, allowlist
from libs.access import rights, roles
from libs.access.actor import Actor
from libs.rpc.contract import Method
from services.gateway.contracts import read_image, services
from tests.support import contracts
from tongban.options.v1 import options_pb2

PRIVATE = [method for method in contracts.methods() if not method.access.public]
CONTRACTS = services(read_image())
_ROOT = Path(__file__).parents[2]
_OF_DUTIES = ("RECEIVING", "REVIEWING", "DECIDING", "SEAL_CUSTODY", "DATA", "ADMINISTRATION", "AUDITING", "SECURITY")
_OF_WHOEVER_CALLS_REGIONS = {"tongban.identity.v1.RegionService", "tongban.identity.v1.TokenService"}


def _holders(method: Method) -> frozenset[int]:
    service = method.descriptor.containing_service.GetOptions().Extensions[options_pb2.service].holders
    return frozenset({*method.access.holders, *service})


@pytest.mark.parametrize("method", PRIVATE, ids=lambda method: method.name)
def test_every_permission_has_holders(method: Method) -> None:
    assert _holders(method) or method.access.services
    assert options_pb2.HOLDER_UNSPECIFIED not in _holders(method)


def test_rpcs_of_one_permission_name_the_same_holders() -> None:
    by_permission = defaultdict(set)
    for method in PRIVATE:
        by_permission[method.access.permission].add(_holders(method))
    assert {name: found for name, found in by_permission.items() if len(found) > 1} == {}


def test_what_is_public_has_no_permission_and_no_holders() -> None:
    public = [method for method in contracts.methods() if method.access.public]
    assert [method.name for method in public if method.access.permission or method.access.holders] == []


def _expanded(patterns: tuple[str, ...]) -> set[str]:
    return {each for each in rights.PERMISSIONS if Actor("", "CLIENT", frozenset(patterns)).may(each)}


@pytest.mark.parametrize("duty", _OF_DUTIES)
def test_a_duty_may_what_its_contracts_say_and_nothing_else(duty: str) -> None:
    number = options_pb2.Holder.Value(f"HOLDER_{duty}")
    named = {each.access.permission for each in PRIVATE if _holders(each) & {number, options_pb2.HOLDER_STAFF}}
    assert _expanded(roles.of_duties([duty])) == named


@pytest.mark.parametrize("service", sorted(rights.SERVICES))
def test_a_service_may_what_its_contracts_say_and_nothing_else(service: str) -> None:
    number = options_pb2.Holder.Value(f"HOLDER_{service.upper()}_SERVICE")
    assert _expanded(roles.of_service(service)) == {
        each.access.permission for each in PRIVATE if number in _holders(each)
    }


def test_the_administrator_holds_what_administering_staff_are_given() -> None:
    numbers = {options_pb2.HOLDER_ADMINISTRATION, options_pb2.HOLDER_ADMINISTRATOR}
    assert _expanded(roles.ADMINISTRATOR) == {each.access.permission for each in PRIVATE if _holders(each) & numbers}


@pytest.mark.parametrize("role", [roles.PERSON, roles.ASSISTED_PERSON, roles.REGION])
def test_what_crosses_a_border_or_a_counter_is_said_one_by_one(role: tuple[str, ...]) -> None:
    """A family would be lost where the other side holds a part of it."""
    assert [each for each in role if each.endswith("*")] == []


def test_a_family_stands_only_for_what_is_held_whole() -> None:
    some = frozenset({"cases.caseTasks.list", "seal.seals.get"})
    assert roles.families(some) == some
    whole = frozenset(each for each in rights.PERMISSIONS if each.startswith("cases.caseTasks."))
    assert roles.families(whole) == {"cases.caseTasks.*"}


@pytest.mark.parametrize("service", sorted(rights.SERVICES))
def test_who_may_call_is_whom_the_contracts_name(service: str) -> None:
    for name, callers in allowlist(service, CONTRACTS).items():
        contract = next(each for each in CONTRACTS if each.full_name == name)
        named = {caller for rpc in contract.rpcs for caller in rpc.access.services}
        assert set(callers) - {GATEWAY} == named, name
        # Who follows all services follows itself as it does the others (decision 0073), and identity finds other regions as all do (0091).
        assert service not in callers or contract.everywhere or name in _OF_WHOEVER_CALLS_REGIONS
        assert (GATEWAY in callers) == any(not rpc.internal for rpc in contract.rpcs)


@pytest.mark.parametrize("service", sorted(rights.SERVICES))
def test_whom_a_service_calls_has_named_it(service: str) -> None:
    """Found from the source: the stubs of its neighbours that stand in its folder, and those that all services use."""
    files = [*(_ROOT / "services" / service).rglob("*.py"), *(_ROOT / "libs").rglob("*.py")]
    for name in {name for file in files for name in _called(file, service)}:
        contract = next(each for each in CONTRACTS if each.full_name == name)
        if contract.owner != service and not all(
            options_pb2.AUDIENCE_REGION in rpc.access.audience for rpc in contract.rpcs
        ):
            assert service in {caller for rpc in contract.rpcs for caller in rpc.access.services}, name


def _called(file: Path, service: str) -> list[str]:
    """The gRPC services whose stubs a file makes, by the modules it imports them from."""
    text = file.read_text(encoding="utf-8")
    found = []
    for owner, module in re.findall(r"tongban\.(\w+)\.v1(?: import \(?[^)]*?|\.)(\w+_service)_pb2_grpc", text):
        for stub in re.findall(r"\b(\w+Service)Stub\b", text):
            name = f"tongban.{owner}.v1.{stub}"
            if any(each.full_name == name for each in CONTRACTS) and owner != service:
                found.append(name)
        assert module
    return found
