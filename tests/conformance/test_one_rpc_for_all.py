"""What people, services and other regions ask alike is one RPC (decision 0060): who gets in is whom it was before, and nobody else."""

import pytest

from libs.access import roles
from libs.access.actor import Actor, from_claims
from libs.clock import SystemClock
from libs.errors import PermissionDenied
from libs.rpc.contract import Method
from libs.rpc.stages.permission import check
from libs.rpc.stages.validation import keeps_unknown
from services.identity.core.duties import Duty
from tests.support import contracts
from tests.support.kinds import CLAIMED, claims_of

_HOME = ("PERSON", "ASSISTED", "STAFF", "CLIENT", "SERVICE")
_OFFICIALS = ("STAFF", "CLIENT", "SERVICE")
ONE_FOR_ALL = {
    "tongban.license.v1.LicenseService.GetLicense": _HOME,
    "tongban.license.v1.LicenseService.DownloadLicense": _HOME,
    "tongban.license.v1.MaterialService.DownloadMaterial": _HOME,
    "tongban.license.v1.PresentationService.RedeemPresentation": _OFFICIALS,
    "tongban.sharing.v1.DataService.Query": _OFFICIALS,
    "tongban.sharing.v1.DataService.Compare": _OFFICIALS,
}
"""The kinds of caller of this region that call it; of other regions it is their services alone."""
_VERIFY = "tongban.license.v1.VerificationService.VerifyLicense"
_ASKING = {"license": {"license", "cases"}, "sharing": {"sharing", "cases"}}
"""Whose services of another region hold the permissions: those that asked by the RPCs that were twins."""
METHODS = {method.name: method for method in contracts.methods()}
KINDS = sorted(CLAIMED)
_OF_LATE = {"tongban.sharing.v1.DataService.Compare": {"identity"}}
"""Who came to hold it since: to compare names within its own region. Abroad the service `sharing` asks for it."""


def _actor(kind: str, scope: str) -> Actor:
    said = {"actor_kind": CLAIMED[kind], "scope": scope, "acr": "4", "auth_time": int(SystemClock().now().timestamp())}
    return from_claims(claims_of(kind, "320402") | said, "")


def _may(method: Method, kind: str, scope: str) -> bool:
    try:
        check(method, _actor(kind, scope), SystemClock().now())
    except PermissionDenied:
        return False
    return True


def test_what_is_for_several_places_is_listed_here() -> None:
    assert {name for name, each in METHODS.items() if len(each.audience) > 1} == {*ONE_FOR_ALL, _VERIFY}
    assert METHODS[_VERIFY].access.public


@pytest.mark.parametrize("name", ONE_FOR_ALL)
def test_no_kind_of_caller_is_let_in_that_was_not(name: str) -> None:
    """Whatever their token holds: an officer of another region has it asked by the region, which knows whose case it is."""
    allowed = {kind for kind in KINDS if _may(METHODS[name], kind, "*")}
    assert allowed == {*ONE_FOR_ALL[name], "REGION_SERVICE"}


@pytest.mark.parametrize("name", ONE_FOR_ALL)
def test_of_another_region_only_those_services_that_asked_before_hold_its_permission(name: str) -> None:
    """A token of another region's holds what both the caller holds there and a region may hold here (scopes never grow)."""
    permission = METHODS[name].access.permission
    assert permission in roles.REGION
    holding = {name for name, held in roles.SERVICES.items() if _actor("SERVICE", " ".join(held)).may(permission)}
    assert holding == _ASKING[name.split(".")[1]] | _OF_LATE.get(name, set())


def test_a_region_gets_into_nothing_else_by_what_it_holds_now() -> None:
    """RPCs that share a permission with one of these: to read many licences, or by number, is not for regions."""
    scope = " ".join(roles.REGION)
    opened = {
        name
        for name, method in METHODS.items()
        if method.access.permission in {METHODS[each].access.permission for each in ONE_FOR_ALL}
        and (_may(method, "REGION_SERVICE", scope) or _may(method, "REGION_STAFF", scope))
    }
    assert opened == ONE_FOR_ALL.keys()


@pytest.mark.parametrize("name", ONE_FOR_ALL)
def test_only_what_a_region_sends_may_hold_what_is_not_known_here(name: str) -> None:
    """Its services may run a newer release; its people call as everybody does, and are refused (decision 0032)."""
    kept = {kind for kind in KINDS if keeps_unknown(METHODS[name], _actor(kind, "*"))}
    assert kept == {"REGION_SERVICE", "REGION_STAFF"}


@pytest.mark.parametrize("duty", Duty)
def test_staff_of_no_duty_reach_another_region_by_themselves(duty: Duty) -> None:
    """What an officer's own token holds opens, exchanged, none of these there: it would be past what is checked here."""
    held = [_actor("STAFF", " ".join(roles.of_duties([duty]))).may(each) for each in roles.REGION]
    scope = " ".join(each for each, covered in zip(roles.REGION, held, strict=True) if covered)
    assert not [name for name in ONE_FOR_ALL if _may(METHODS[name], "REGION_STAFF", scope)]
