"""A service's certificate is good for the RPCs whose contract names it, and for nothing else (issue 5, B8)."""

import re
from pathlib import Path

import pytest

from deploy.local.settings import allowlist
from libs.access.actor import service_actor
from libs.access.rights import SERVICES as OWN_SERVICES
from libs.clock import SystemClock
from libs.errors import PermissionDenied
from libs.rpc.contract import Method
from libs.rpc.stages.permission import check
from services.gateway.contracts import read_image, services
from tests.support import contracts
from tongban.options.v1 import options_pb2

PRIVATE = [method for method in contracts.methods() if not method.access.public]
_ROOT = Path(__file__).parents[2]


def _named(method: Method) -> set[str]:
    return set(method.access.services)


def test_only_services_are_named_and_only_those_that_get_in() -> None:
    for method in contracts.methods():
        assert _named(method) <= OWN_SERVICES, method.name
        if _named(method):
            allowed = allowlist(contracts.owner_of(method), services(read_image()))[method.service]
            assert _named(method) <= set(allowed), method.name


@pytest.mark.parametrize("method", PRIVATE, ids=lambda method: method.name)
def test_what_is_for_services_alone_names_them(method: Method) -> None:
    alone = list(method.access.actors) == [options_pb2.ACTOR_KIND_SERVICE]
    inside = options_pb2.AUDIENCE_INTERNAL in method.audience
    assert bool(_named(method)) or not (alone or inside)


@pytest.mark.parametrize("service", sorted(OWN_SERVICES))
def test_a_certificate_opens_what_its_contract_names_and_nothing_else(service: str) -> None:
    opened = set()
    for method in PRIVATE:
        permissions = (method.access.permission,) if service in method.access.services else ()
        try:
            check(method, service_actor(service, *permissions), SystemClock().now())
        except PermissionDenied:
            continue
        opened.add(method.name)
    assert opened == {method.name for method in PRIVATE if service in method.access.services}
    assert len(opened) < 15


def test_every_call_that_a_service_makes_as_itself_is_named() -> None:
    """Found from the source: RPCs called with ``token=""``, by the service in whose folder they are called."""
    methods = {method.descriptor.name: method for method in PRIVATE}
    missing = []
    for service in OWN_SERVICES:
        for file in (_ROOT / "services" / service).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            for call in re.finditer(
                r"(?:invoke|stream)\(\s*(?:\w+\(.*?\)|[\w.]+)\.([A-Z]\w+),(.*?)token=\"\"", text, re.DOTALL
            ):
                method = methods.get(call[1])
                if method is not None and "invoke(" not in call[2] and service not in method.access.services:
                    missing.append(f"{service}: {method.name}")
    assert missing == []
