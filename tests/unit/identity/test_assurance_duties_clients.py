from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from services.identity.domain import assurance, clients, duties
from services.identity.domain.assurance import Method
from services.identity.domain.clients import AuthMethod, Client, Kind
from services.identity.domain.duties import Assignment, Duty

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("current", "method", "passed", "after"),
    [
        (0, Method.PHONE, True, 1),
        (1, Method.DOCUMENT_MATCH, True, 2),
        (2, Method.FACE, True, 3),
        (0, Method.IN_PERSON, True, 4),
        (4, Method.DOCUMENT_MATCH, True, 4),
        (2, Method.IN_PERSON, False, 2),
        (3, Method.DOCUMENT_MATCH, False, 3),
    ],
)
def test_assurance_rises_and_never_falls(current: int, method: Method, passed: bool, after: int) -> None:
    assert assurance.after(current, method, passed=passed) == after


def test_who_vouches_is_believed_up_to_a_ceiling() -> None:
    assert [assurance.believed(level, 3) for level in (-1, 0, 2, 3, 4)] == [0, 0, 2, 3, 3]
    assert assurance.believed(9, 9) == 4
    assurance.require(3, 3)
    with pytest.raises(PermissionDenied) as caught:
        assurance.require(2, 3)
    assert caught.value.metadata == {"required": "3", "actual": "2"}


def test_only_staff_vouch_in_person_and_not_for_themselves() -> None:
    def check(method: Method, kind: str, affairs: set[str], *, founding: bool = False) -> None:
        assurance.check_verifier(method, kind, affairs, "persons/p", founding=founding)

    check(Method.IN_PERSON, "STAFF", {"persons/clerk"})
    check(Method.DOCUMENT_MATCH, "CLIENT", set())
    check(Method.IN_PERSON, "CLIENT", set(), founding=True)
    with pytest.raises(PermissionDenied, match="ACTOR_NOT_ALLOWED"):
        check(Method.IN_PERSON, "CLIENT", set())
    for affairs in ({"persons/p"}, {"persons/clerk", "persons/p"}, {"persons/clerk", "*"}):
        with pytest.raises(PermissionDenied, match="ACTING_ON_SELF"):
            check(Method.DOCUMENT_MATCH, "STAFF", affairs)


def post(*held: Duty, begin: int = 0, expire: int | None = None) -> Assignment:
    end = None if expire is None else NOW + timedelta(days=expire)
    return Assignment("departments/d/posts/p", frozenset(held), NOW + timedelta(days=begin), end)


def assign(held: list[Assignment], wanted: Assignment) -> None:
    duties.check_assignment(held, wanted)


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        (Duty.RECEIVING, Duty.DECIDING),
        (Duty.DECIDING, Duty.RECEIVING),
        (Duty.RECEIVING, Duty.REVIEWING),
        (Duty.DECIDING, Duty.SEAL_CUSTODY),
        (Duty.AUDITING, Duty.ADMINISTRATION),
        (Duty.RECEIVING, Duty.AUDITING),
        (Duty.DATA, Duty.ADMINISTRATION),
    ],
)
def test_some_duties_exclude_one_another(held: Duty, wanted: Duty) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        assign([post(held)], post(wanted))
    assert (caught.value.reason, caught.value.metadata) == ("DUTIES_CONFLICT", {"held": held, "wanted": wanted})
    with pytest.raises(FailedPrecondition):
        duties.check_post({held, wanted})


def test_others_go_together() -> None:
    for pair in ((Duty.REVIEWING, Duty.DECIDING), (Duty.RECEIVING, Duty.SEAL_CUSTODY), (Duty.DATA, Duty.REVIEWING)):
        assign([post(pair[0])], post(pair[1]))
        duties.check_post(pair)
    duties.check_post([Duty.AUDITING])


def test_duties_exclude_one_another_only_at_one_time() -> None:
    assign([post(Duty.RECEIVING, expire=5)], post(Duty.DECIDING, begin=5))
    assign([post(Duty.RECEIVING, begin=9)], post(Duty.DECIDING, begin=5, expire=9))
    with pytest.raises(FailedPrecondition):
        assign([post(Duty.RECEIVING, expire=6)], post(Duty.DECIDING, begin=5))
    with pytest.raises(FailedPrecondition):
        assign([post(Duty.RECEIVING, begin=9)], post(Duty.DECIDING))


def test_terms_have_an_order() -> None:
    with pytest.raises(InvalidArgument):
        assign([], post(Duty.DATA, begin=3, expire=3))


def test_duties_follow_from_the_posts_held_now() -> None:
    held = [post(Duty.RECEIVING, expire=1), post(Duty.DATA, begin=1), post(Duty.SEAL_CUSTODY)]
    assert duties.duties_at(held, NOW) == {Duty.RECEIVING, Duty.SEAL_CUSTODY}
    assert duties.duties_at(held, NOW + timedelta(days=1)) == {Duty.DATA, Duty.SEAL_CUSTODY}
    assert duties.duties_at(held, NOW - timedelta(days=1)) == set()


@pytest.mark.parametrize(
    ("kind", "auth", "keys", "right", "field"),
    [
        (Kind.PARTNER, AuthMethod.PRIVATE_KEY_JWT, False, False, "client.jwks"),
        (Kind.PARTNER, AuthMethod.CLIENT_SECRET, True, False, "client.jwks"),
        (Kind.CHANNEL, AuthMethod.CLIENT_SECRET, False, True, "client.auth_method"),
        (Kind.CHANNEL, AuthMethod.PRIVATE_KEY_JWT, True, False, "client.assertion_right"),
        (Kind.SYSTEM, AuthMethod.PRIVATE_KEY_JWT, True, True, "client.assertion_right"),
    ],
)
def test_credentials_go_with_the_kind(kind: Kind, auth: AuthMethod, keys: bool, right: bool, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        clients.check_credentials(kind, auth, has_keys=keys, has_assertion_right=right)
    assert caught.value.violations[0].field == field


def test_good_credentials_pass() -> None:
    key, secret = AuthMethod.PRIVATE_KEY_JWT, AuthMethod.CLIENT_SECRET
    clients.check_credentials(Kind.CHANNEL, key, has_keys=True, has_assertion_right=True)
    clients.check_credentials(Kind.SYSTEM, secret, has_keys=False, has_assertion_right=False)


def test_a_suspended_client_does_nothing() -> None:
    window = Client("clients/window", Kind.CHANNEL, clients.State.ACTIVE, assertable=frozenset({"STAFF"}))
    clients.check_assertion(window, "STAFF")
    with pytest.raises(PermissionDenied, match="CLIENT_MAY_NOT_ASSERT"):
        clients.check_assertion(window, "PERSON")
    gone = Client("clients/window", Kind.CHANNEL, clients.suspend(window), assertable=frozenset({"STAFF"}))
    with pytest.raises(PermissionDenied, match="CLIENT_NOT_ACTIVE"):
        clients.check_assertion(gone, "STAFF")
    assert clients.resume(gone) is clients.State.REQUESTED  # a channel speaks again when two people say so
    assert clients.resume(replace(gone, kind=Kind.SYSTEM)) is clients.State.ACTIVE
    for change, client in ((clients.suspend, gone), (clients.resume, window)):
        with pytest.raises(FailedPrecondition):
            change(client)


def test_old_keys_hold_until_the_overlap_is_over() -> None:
    assert clients.old_credentials_hold(NOW + timedelta(seconds=1), NOW)
    assert not clients.old_credentials_hold(NOW, NOW)
    assert not clients.old_credentials_hold(None, NOW)
