"""Every permission that a contract declares is held by a role of a kind that the method lets in: none is a dead letter."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from libs.access import roles
from libs.access.actor import Actor, from_claims
from libs.rpc.contract import Method
from libs.rpc.stages.permission import check
from services.identity.core.duties import Duty
from tests.support import contracts
from tests.support.kinds import CLAIMED, claims_of
from tongban.options.v1 import options_pb2

ASSURED = 4
NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
_OF_REGIONS = {options_pb2.ACTOR_KIND_REGION_SERVICE, options_pb2.ACTOR_KIND_REGION_STAFF}


def _holders() -> list[Actor]:
    """One caller of every role."""
    found = [
        *(("STAFF", roles.of_duties([duty])) for duty in Duty),
        ("PERSON", roles.PERSON),
        ("ASSISTED", roles.ASSISTED_PERSON),
        ("REGION_SERVICE", roles.REGION),
        ("REGION_STAFF", roles.REGION),
        ("CLIENT", roles.ADMINISTRATOR),
        *(("SERVICE", patterns) for patterns in roles.SERVICES.values()),
    ]
    return [_holder(kind, held) for kind, held in found]


def _holder(kind: str, held: Iterable[str]) -> Actor:
    said = {
        "actor_kind": CLAIMED[kind],
        "scope": " ".join(held),
        "acr": str(ASSURED),
        "auth_time": int(NOW.timestamp()),
    }
    return from_claims(claims_of(kind, "320402") | said, "")


HOLDERS = _holders()


def _may(method: Method, principal: Actor) -> bool:
    try:
        check(method, principal, NOW)
    except Exception:  # noqa: BLE001 - whatever refuses, refuses
        return False
    return True


@pytest.mark.parametrize("method", contracts.methods(), ids=lambda method: method.name)
def test_somebody_may_call_it(method: Method) -> None:
    assert any(_may(method, principal) for principal in HOLDERS)


@pytest.mark.parametrize("method", contracts.methods(), ids=lambda method: method.name)
def test_what_is_for_regions_only_is_held_by_regions(method: Method) -> None:
    kinds = {principal.access_kind for principal in HOLDERS if not method.access.public and _may(method, principal)}
    assert not _OF_REGIONS & set(method.access.actors) or _OF_REGIONS & kinds


@pytest.mark.parametrize("method", contracts.methods(), ids=lambda method: method.name)
def test_every_kind_that_is_let_in_has_somebody_who_may(method: Method) -> None:
    """A window is let in exactly where there is something to do for who stands at it; and so with each other kind."""
    kinds = {principal.access_kind for principal in HOLDERS if _may(method, principal)}
    machines = {options_pb2.ACTOR_KIND_CLIENT, options_pb2.ACTOR_KIND_SERVICE}
    assert set(method.access.actors) - kinds <= machines


def test_the_first_administrator_can_set_a_region_up() -> None:
    """What ./run demo does with the administrator's client."""
    wanted = {
        "StaffService.CreateDepartment",
        "StaffService.CreatePost",
        "StaffService.CreateStaff",
        "StaffService.AssignStaff",
        "ClientService.CreateClient",
        "RegionService.ProposeRegion",
        "LicenseTypeService.CreateLicenseType",
        "LicenseTypeService.PublishLicenseType",
        "ItemService.CreateServiceItem",
        "ItemService.PublishServiceItem",
        "CalendarService.ImportCalendar",
        "SealService.CreateSeal",
        "CatalogService.CreateDataResource",
        "MountService.CreateDataMount",
    }
    administrator = next(principal for principal in HOLDERS if principal.kind == "CLIENT")
    methods = {".".join(method.name.split(".")[-2:]): method for method in contracts.methods()}
    assert [name for name in sorted(wanted) if not _may(methods[name], administrator)] == []


def test_no_role_holds_a_permission_that_no_contract_knows() -> None:
    """A pattern without any method is a leftover, or a typo that leaves somebody without their right."""
    known = {method.access.permission for method in contracts.methods() if not method.access.public}
    held = {pattern for principal in HOLDERS for pattern in principal.scopes}
    dead = {
        pattern
        for pattern in held
        if not any(Actor("", "CLIENT", frozenset({pattern})).may(permission) for permission in known)
    }
    assert dead == set()
