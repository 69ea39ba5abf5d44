import re

import pytest

from libs.access import roles
from libs.access.rights import HELD, PERMISSIONS
from libs.errors import PermissionDenied
from services.identity.core.duties import Duty
from services.identity.core.scopes import covers

PATTERN = re.compile(r"[a-z]+\.(\*|[A-Za-z]+\.(\*|[A-Za-z_]+))")
DECISIONS = {"cases.cases.decide", "license.licenses.issue", "license.licenses.revoke"}
RECEPTION = {"cases.cases.accept", "cases.cases.decline", "cases.cases.requestCorrection"}


def tables() -> dict[str, tuple[str, ...]]:
    staff = {duty.value: roles.of_duties([duty]) for duty in Duty}
    others = {
        "person": roles.PERSON,
        "assisted": roles.ASSISTED_PERSON,
        "region": roles.REGION,
        "administrator": roles.ADMINISTRATOR,
    }
    return {**staff, **others, **roles.SERVICES}


@pytest.mark.parametrize("role", tables())
def test_every_pattern_is_well_formed_and_stands_once(role: str) -> None:
    patterns = tables()[role]
    assert patterns
    assert len(set(patterns)) == len(patterns)
    assert [pattern for pattern in patterns if not PATTERN.fullmatch(pattern)] == []


def test_receiving_is_apart_from_deciding() -> None:
    assert set(roles.of_duties([Duty.RECEIVING])).isdisjoint(DECISIONS | {"cases.cases.review"})
    for duty in (Duty.REVIEWING, Duty.DECIDING):
        assert set(roles.of_duties([duty])).isdisjoint(RECEPTION)
    assert set(roles.of_duties([Duty.DECIDING])) >= DECISIONS


def test_administration_and_audit_do_no_work() -> None:
    for duty in (Duty.ADMINISTRATION, Duty.SECURITY, Duty.AUDITING):
        patterns = roles.of_duties([duty])
        assert "cases.*" not in patterns
        assert "cases.cases.*" not in patterns
        assert set(patterns).isdisjoint(DECISIONS | RECEPTION)
    holders = [duty for duty in Duty if "audit.auditRecords.*" in roles.of_duties([duty])]
    assert holders == [Duty.AUDITING]


def test_people_do_only_their_own_business() -> None:
    assert set(roles.PERSON).isdisjoint(DECISIONS | RECEPTION)
    assert not [pattern for pattern in roles.PERSON if pattern.endswith("*")]
    assert set(roles.ASSISTED_PERSON) > set(roles.PERSON)


def test_staff_without_a_post_may_nothing() -> None:
    assert roles.of_duties([]) == ()


def test_guests_by_kind() -> None:
    assert roles.of_guest("PERSON") is roles.PERSON
    assert roles.of_guest("REGION") is roles.REGION


def test_only_the_regions_own_services_are_services() -> None:
    assert roles.of_service("seal") == ("seal.*",)
    with pytest.raises(PermissionDenied, match="PEER_NOT_ALLOWED"):
        roles.of_service("gateway")


def test_a_system_that_is_no_service_is_refused_by_its_reason() -> None:
    with pytest.raises(PermissionDenied) as refused:
        roles.of_service("gateway")
    assert (refused.value.reason, refused.value.metadata) == ("PEER_NOT_ALLOWED", {})
    for service, patterns in roles.SERVICES.items():
        assert roles.of_service(service) is patterns


def test_a_family_stands_for_those_who_hold_all_of_it_and_for_nobody_else() -> None:
    family = sorted(each for each in PERMISSIONS if each.startswith("cases.cases."))
    assert roles.families(frozenset(family)) == {"cases.cases.*"}
    assert roles.families(frozenset(family[1:])) == set(family[1:])
    service = frozenset(each for each in PERMISSIONS if each.startswith("cases."))
    assert roles.families(service) == {"cases.*"}
    lacking = service - {family[0]}
    assert "cases.*" not in roles.families(lacking)
    assert not any(covers([pattern], family[0]) for pattern in roles.families(lacking))
    assert roles.families(frozenset()) == frozenset()
    # A family of two is one, a permission that stands alone is none.
    two = frozenset(each for each in PERMISSIONS if each.startswith("cases.caseTasks."))
    assert len(two) == 2
    assert roles.families(two) == {"cases.caseTasks.*"}
    (alone,) = (each for each in PERMISSIONS if each.startswith("cases.statistics."))
    assert roles.families(frozenset({alone})) == {alone}


@pytest.mark.parametrize("duty", Duty)
def test_a_duty_gives_what_its_contracts_say_and_no_more(duty: Duty) -> None:
    held = HELD["STAFF"] | HELD[duty.value]
    given = roles.of_duties([duty])
    assert list(given) == sorted(given)
    assert {each for each in PERMISSIONS if covers(given, each)} == held
    exact = duty in (Duty.RECEIVING, Duty.REVIEWING, Duty.DECIDING)
    assert any(pattern.endswith(".*") for pattern in given) is not exact


def test_two_duties_give_what_both_do() -> None:
    both = roles.of_duties([Duty.REVIEWING, Duty.DECIDING])
    assert set(both) == set(roles.of_duties([Duty.REVIEWING])) | set(roles.of_duties([Duty.DECIDING]))
