"""Every permission that a contract declares is held by a role of a kind that the method lets in: none is a dead letter."""

import pytest

from libs.access import roles
from libs.access.actor import Actor
from libs.rpc.contract import Method
from libs.rpc.stages.permission import check
from services.identity.core.duties import Duty
from tests.support import contracts

ASSURED = 4


_HUMANS = {"STAFF": "persons/p", "REGION": "//320402/persons/p"}
"""Staff are human beings, those of another region too."""


def _holders() -> list[Actor]:
    """One caller of every role."""
    found = [
        *(("STAFF", roles.of_duties([duty])) for duty in Duty),
        ("PERSON", roles.PERSON),
        ("STAFF", roles.ASSISTED_PERSON),
        ("REGION", roles.REGION),
        ("CLIENT", roles.ADMINISTRATOR),
        *(("SERVICE", patterns) for patterns in roles.SERVICES.values()),
    ]
    return [
        Actor(f"role/{place}", kind, frozenset(held), ASSURED, human=_HUMANS.get(kind, ""))
        for place, (kind, held) in enumerate(found)
    ]


HOLDERS = _holders()


def _may(method: Method, principal: Actor) -> bool:
    try:
        check(method, principal)
    except Exception:  # noqa: BLE001 - whatever refuses, refuses
        return False
    return True


@pytest.mark.parametrize("method", contracts.methods(), ids=lambda method: method.name)
def test_somebody_may_call_it(method: Method) -> None:
    assert any(_may(method, principal) for principal in HOLDERS)


@pytest.mark.parametrize("method", contracts.methods(), ids=lambda method: method.name)
def test_what_is_for_regions_only_is_held_by_regions(method: Method) -> None:
    kinds = {principal.kind for principal in HOLDERS if not method.access.public and _may(method, principal)}
    named = {
        kind
        for kind in ("PERSON", "STAFF", "REGION")
        if Actor("", kind, frozenset()).kind_value in method.access.actors
    }
    assert "REGION" not in named or "REGION" in kinds


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
        "SealService.MakeSeal",
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
