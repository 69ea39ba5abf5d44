from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from services.identity.core import assurance, duties
from services.identity.core import client_rules as clients
from services.identity.core.assurance import VerificationMethod
from services.identity.core.client_rules import ClientAuthMethod, ClientKind
from services.identity.core.duties import Assignment, Duty
from tests.unit.identity.records import client

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("current", "method", "passed", "after"),
    [
        (0, VerificationMethod.PHONE, True, 1),
        (1, VerificationMethod.DOCUMENT_MATCH, True, 2),
        (2, VerificationMethod.FACE, True, 3),
        (0, VerificationMethod.IN_PERSON, True, 4),
        (4, VerificationMethod.DOCUMENT_MATCH, True, 4),
        (2, VerificationMethod.IN_PERSON, False, 2),
        (3, VerificationMethod.DOCUMENT_MATCH, False, 3),
    ],
)
def test_assurance_rises_and_never_falls(current: int, method: VerificationMethod, passed: bool, after: int) -> None:
    assert assurance.after(current, method, passed=passed) == after


def test_who_vouches_is_believed_up_to_a_ceiling() -> None:
    assert [assurance.believed(level, 3) for level in (-1, 0, 2, 3, 4)] == [0, 0, 2, 3, 3]
    assert assurance.believed(9, 9) == 4
    assurance.require(3, 3)
    with pytest.raises(PermissionDenied) as caught:
        assurance.require(2, 3)
    assert caught.value.metadata == {"required": "3", "actual": "2"}


def test_only_staff_vouch_in_person_and_not_for_themselves() -> None:
    def check(method: VerificationMethod, kind: str, affairs: set[str], *, founding: bool = False) -> None:
        assurance.check_verifier(method, kind, affairs, "persons/p", founding=founding)

    check(VerificationMethod.IN_PERSON, "STAFF", {"persons/clerk"})
    check(VerificationMethod.DOCUMENT_MATCH, "CLIENT", set())
    check(VerificationMethod.IN_PERSON, "CLIENT", set(), founding=True)
    with pytest.raises(PermissionDenied, match="ACTOR_NOT_ALLOWED"):
        check(VerificationMethod.IN_PERSON, "CLIENT", set())
    for affairs in ({"persons/p"}, {"persons/clerk", "persons/p"}, {"persons/clerk", "*"}):
        with pytest.raises(PermissionDenied, match="ACTING_ON_SELF"):
            check(VerificationMethod.DOCUMENT_MATCH, "STAFF", affairs)


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
        (Duty.SECURITY, Duty.ADMINISTRATION),
        (Duty.AUDITING, Duty.SECURITY),
        (Duty.SECURITY, Duty.DECIDING),
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


def test_the_pairs_that_exclude_one_another_are_these() -> None:
    """GB/T 22239-2019 level 3: administration, security, audit and work in separate hands; 受审分离; who decides keeps no seal."""
    alone = {
        frozenset({each, other})
        for each in (Duty.ADMINISTRATION, Duty.SECURITY, Duty.AUDITING)
        for other in Duty
        if other != each
    }
    work = {
        frozenset({Duty.RECEIVING, Duty.REVIEWING}),
        frozenset({Duty.RECEIVING, Duty.DECIDING}),
        frozenset({Duty.DECIDING, Duty.SEAL_CUSTODY}),
    }
    # Each of the three with the five kinds of work, and the three with one another.
    assert len(alone) == 3 * 5 + 3
    # Made anew: the constant was made when the module was imported.
    assert duties._pairs() == duties.EXCLUDING == alone | work


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
        (ClientKind.PARTNER, ClientAuthMethod.PRIVATE_KEY_JWT, False, False, "client.jwks"),
        (ClientKind.PARTNER, ClientAuthMethod.CLIENT_SECRET, True, False, "client.jwks"),
        (ClientKind.CHANNEL, ClientAuthMethod.CLIENT_SECRET, False, True, "client.auth_method"),
        (ClientKind.CHANNEL, ClientAuthMethod.PRIVATE_KEY_JWT, True, False, "client.assertion_right"),
        (ClientKind.SYSTEM, ClientAuthMethod.PRIVATE_KEY_JWT, True, True, "client.assertion_right"),
    ],
)
def test_credentials_go_with_the_kind(
    kind: ClientKind, auth: ClientAuthMethod, keys: bool, right: bool, field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        clients.check_credentials(kind, auth, has_keys=keys, has_assertion_right=right)
    assert caught.value.violations[0].field == field


def test_good_credentials_pass() -> None:
    key, secret = ClientAuthMethod.PRIVATE_KEY_JWT, ClientAuthMethod.CLIENT_SECRET
    clients.check_credentials(ClientKind.CHANNEL, key, has_keys=True, has_assertion_right=True)
    clients.check_credentials(ClientKind.SYSTEM, secret, has_keys=False, has_assertion_right=False)


def test_a_suspended_client_does_nothing() -> None:
    window = client("window", ClientKind.CHANNEL, clients.ClientState.ACTIVE, assertable=("STAFF",))
    clients.check_assertion(window, "STAFF", NOW)
    with pytest.raises(PermissionDenied, match="CLIENT_MAY_NOT_ASSERT"):
        clients.check_assertion(window, "PERSON", NOW)
    gone = client("window", ClientKind.CHANNEL, clients.suspend(window), assertable=("STAFF",))
    with pytest.raises(PermissionDenied, match="CLIENT_NOT_ACTIVE"):
        clients.check_assertion(gone, "STAFF", NOW)
    assert clients.resume(gone) is clients.ClientState.REQUESTED  # a channel speaks again when two people say so
    assert clients.resume(replace(gone, kind=ClientKind.SYSTEM)) is clients.ClientState.ACTIVE
    for change, machine in ((clients.suspend, gone), (clients.resume, window)):
        with pytest.raises(FailedPrecondition):
            change(machine)


def test_old_keys_hold_until_the_overlap_is_over() -> None:
    machine = client("erp", ClientKind.SYSTEM, old_jwks=[{"kid": "old"}], jwks=[{"kid": "new"}])
    for end, held in ((NOW + timedelta(seconds=1), ["new", "old"]), (NOW, ["new"]), (None, ["new"])):
        rotated = replace(machine, overlap_expire_time=end)
        assert rotated.overlaps(NOW) is (len(held) == 2)
        assert [key["kid"] for key in rotated.keys_at(NOW)] == held
