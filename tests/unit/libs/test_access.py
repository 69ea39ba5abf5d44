"""The rules that all services decide by alike: contexts against tokens, and whose things there are."""

from typing import Any

import pytest

from libs.access.actor import Actor
from libs.access.context import for_abroad, name_here, stated
from libs.access.owners import hide_from_others, listed_owners, require_official, whose
from libs.errors import InvalidArgument, NotFound, PermissionDenied
from tongban.common.v1 import common_pb2

HOME, AWAY = "341524", "320402"
ID = "00000000-0000-7000-8000-00000000000"
DEPARTMENT, OTHER, STAFF, PERSON, FIRM = (
    f"departments/{ID}1",
    f"departments/{ID}2",
    f"staff/{ID}3",
    f"persons/{ID}4",
    f"organizations/{ID}5",
)


def actor(subject: str, kind: str, **more: Any) -> Actor:
    return Actor(subject, kind, frozenset({"*"}), **more)


OFFICE = actor(STAFF, "STAFF", department=DEPARTMENT, human=PERSON)
WINDOW = actor(PERSON, "STAFF", department=DEPARTMENT, delegate=STAFF, human=f"persons/{ID}9")
CITIZEN = actor(PERSON, "PERSON", organization=FIRM, human=PERSON)
SYSTEM = actor(f"clients/{ID}6", "CLIENT")
SERVICE = actor("services/cases", "SERVICE")
REGION = actor(f"//{AWAY}/services/cases", "REGION", region=AWAY)
NOBODY = actor("anonymous", "")


def context(**said: str) -> common_pb2.UseContext:
    return common_pb2.UseContext(purpose_code="LICENSE_CHECK", purpose="核验", **said)


@pytest.mark.parametrize("who", [OFFICE, WINDOW])
def test_staff_are_of_the_department_of_their_token_and_at_the_keyboard(who: Actor) -> None:
    for said in (context(), context(department=f"//{HOME}/{DEPARTMENT}", operator=STAFF)):
        found = stated(who, said, HOME)
        assert (found.region, found.department) == (HOME, DEPARTMENT)
        assert (found.context.department, found.context.operator) == (DEPARTMENT, STAFF)


@pytest.mark.parametrize(
    ("said", "field"),
    [(context(department=OTHER), "use_context.department"), (context(operator=f"staff/{ID}8"), "use_context.operator")],
)
def test_who_says_other_than_the_token_is_told_which_field(said: common_pb2.UseContext, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        stated(OFFICE, said, HOME)
    assert [(each.field, each.rule) for each in refused.value.violations] == [(field, "context.token")]


@pytest.mark.parametrize(("who", "counts"), [(SERVICE, True), (REGION, True), (SYSTEM, False), (CITIZEN, False)])
def test_a_department_that_nobody_answers_for_is_recorded_and_does_not_count(who: Actor, counts: bool) -> None:
    found = stated(who, context(department=OTHER), HOME)
    assert found.context.department == OTHER
    assert found.department == (OTHER if counts else "")


def test_what_the_request_says_is_not_changed() -> None:
    said = context(case=f"//{HOME}/cases/1")
    assert stated(OFFICE, said, HOME).case_name == "cases/1"
    assert (said.case, said.department) == (f"//{HOME}/cases/1", "")


@pytest.mark.parametrize(
    ("name", "region", "here"),
    [
        ("cases/1", HOME, "cases/1"),
        (f"//{HOME}/cases/1", HOME, "cases/1"),
        (f"//{HOME}/cases/1", AWAY, "cases/1"),
        ("cases/1", AWAY, f"//{AWAY}/cases/1"),
        (" cases/1 ", AWAY, f"//{AWAY}/cases/1"),
        ("serviceItems/1", AWAY, f"//{AWAY}/serviceItems/1"),
        (f"//{AWAY}/cases/1", HOME, f"//{AWAY}/cases/1"),
        ("", AWAY, ""),
    ],
)
def test_a_thing_has_one_name_here_whoever_names_it(name: str, region: str, here: str) -> None:
    assert name_here(name, region, HOME) == here


def test_people_list_their_own_and_officials_whose_they_ask_for() -> None:
    assert listed_owners(CITIZEN, "") == (FIRM,)
    assert listed_owners(CITIZEN, PERSON) == (PERSON,)
    assert listed_owners(WINDOW, "") == (PERSON,)
    for official in (OFFICE, SYSTEM, SERVICE):
        assert listed_owners(official, "") == ()
        assert listed_owners(official, PERSON) == (PERSON,)


@pytest.mark.parametrize(
    ("who", "asked", "reason"),
    [
        (CITIZEN, f"persons/{ID}8", "NOT_OWNER"),
        (REGION, PERSON, "ACTOR_NOT_ALLOWED"),
        (NOBODY, "", "ACTOR_NOT_ALLOWED"),
    ],
)
def test_nobody_lists_what_is_not_theirs(who: Actor, asked: str, reason: str) -> None:
    with pytest.raises(PermissionDenied) as refused:
        listed_owners(who, asked)
    assert refused.value.reason == reason
    assert refused.value.metadata == ({} if reason == "NOT_OWNER" else {"actor_kind": who.kind})


def test_a_person_who_acts_for_nobody_lists_their_own() -> None:
    assert listed_owners(actor(PERSON, "PERSON", human=PERSON), "") == (PERSON,)


@pytest.mark.parametrize(
    ("who", "person"), [(CITIZEN, PERSON), (WINDOW, PERSON), (OFFICE, None), (SYSTEM, None), (SERVICE, None)]
)
def test_whose_things_somebody_may_see(who: Actor, person: str | None) -> None:
    assert whose(who) == person


def test_what_is_somebody_elses_does_not_exist_for_people() -> None:
    hide_from_others(CITIZEN, "licenses/1", {FIRM, "persons/x"})
    hide_from_others(OFFICE, "licenses/1", {"persons/x"})
    for who in (CITIZEN, WINDOW):
        with pytest.raises(NotFound) as hidden:
            hide_from_others(who, "licenses/1", {"persons/x"})
        assert (hidden.value.reason, hidden.value.metadata) == ("RESOURCE_NOT_FOUND", {"resource": "licenses/1"})


@pytest.mark.parametrize("who", [OFFICE, SYSTEM, SERVICE])
def test_what_is_hidden_from_people_is_not_from_officials(who: Actor) -> None:
    require_official(who)
    hide_from_others(who, "licenses/1", [])


@pytest.mark.parametrize("who", [CITIZEN, WINDOW, REGION, NOBODY])
def test_who_is_no_official_is_told_so(who: Actor) -> None:
    with pytest.raises(PermissionDenied) as refused:
        require_official(who)
    assert (refused.value.reason, refused.value.metadata) == ("ACTOR_NOT_ALLOWED", {"actor_kind": who.kind})


@pytest.mark.parametrize("who", [REGION, NOBODY])
def test_who_speaks_for_nobody_sees_nobodys_things(who: Actor) -> None:
    """Nobody gets everybody's by having no subject."""
    with pytest.raises(PermissionDenied) as refused:
        whose(who)
    assert (refused.value.reason, refused.value.metadata) == ("ACTOR_NOT_ALLOWED", {"actor_kind": who.kind})


def test_every_name_is_recorded_as_this_region_writes_it() -> None:
    there = context(service_item="serviceItems/1", case="cases/1", consent=f"//{HOME}/consents/1", department=OTHER)
    found = stated(REGION, there, HOME).context
    assert (found.service_item, found.case) == (f"//{AWAY}/serviceItems/1", f"//{AWAY}/cases/1")
    assert found.consent == "consents/1"
    assert stated(REGION, context(presentation="presentations/1"), HOME).context.presentation == "presentations/1"


def test_a_context_is_told_abroad_whole_and_no_name_of_it_is_taken_for_one_of_theirs() -> None:
    said = context(service_item="serviceItems/1", case="cases/1", presentation="presentations/1", operator=STAFF)
    told = for_abroad(said, HOME, AWAY)
    assert (told.service_item, told.case) == (f"//{HOME}/serviceItems/1", f"//{HOME}/cases/1")
    assert told.presentation == f"//{AWAY}/presentations/1"
    assert (told.purpose_code, told.purpose, told.operator) == (said.purpose_code, said.purpose, said.operator)
    again = for_abroad(context(item=f"//{AWAY}/serviceItems/2", case=f"//{AWAY}/cases/2"), HOME, AWAY)
    assert (again.item, again.case) == (f"//{AWAY}/serviceItems/2", f"//{AWAY}/cases/2")


@pytest.mark.parametrize("who", [OFFICE, CITIZEN, SYSTEM, SERVICE])
def test_a_basis_that_nobody_here_can_check_is_refused_of_ones_own_callers(who: Actor) -> None:
    with pytest.raises(InvalidArgument) as refused:
        stated(who, context(law="《行政许可法》"), HOME, "consent", "grant")
    assert [(each.field, each.rule) for each in refused.value.violations] == [("use_context.law", "basis.kind")]
    assert stated(who, context(consent="consents/1"), HOME, "consent").context.consent == "consents/1"


def test_another_regions_word_is_kept_whatever_basis_it_names() -> None:
    assert stated(REGION, context(law="《行政许可法》"), HOME, "grant").context.law == "《行政许可法》"
