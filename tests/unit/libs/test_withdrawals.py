"""What no longer stands behind tokens is refused from memory, whoever of their parties it is (issue 5, B8)."""

import asyncio
import math
from collections.abc import Mapping

import pytest

from libs.access.actor import Actor
from libs.errors import Unauthenticated, Unavailable
from libs.security.withdrawals import (
    Withdrawals,
    WithdrawnParties,
    party_of_assertion,
    party_of_assertions,
    party_of_post,
    party_of_region,
    party_of_representative,
)

ID = "00000000-0000-7000-8000-000000000001"
STAFF, PERSON, FIRM, OFFICE_OF = f"staff/{ID}", f"persons/{ID}", f"organizations/{ID}", f"departments/{ID}"
POST = f"{OFFICE_OF}/posts/{ID}"


class Identity:
    """Answers as told, and remembers what it was asked."""

    def __init__(self, **parties: float) -> None:
        self.parties: Mapping[str, float] = parties
        self.away = False
        self.asked: list[float] = []

    async def __call__(self, since: float) -> WithdrawnParties:
        self.asked.append(since)
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="identity")
        return WithdrawnParties(self.parties, 1_000.0)


def _actor(kind: str = "STAFF", subject: str = STAFF, **fields: object) -> Actor:
    claims = {"iat": 500, "via": fields.pop("via", [])}
    known: dict[str, object] = {"client": "hall", "claims": claims, **fields}
    return Actor(subject, kind, frozenset(), **known)  # type: ignore[arg-type]


OFFICE = _actor(posts=(POST,), department=OFFICE_OF, human=PERSON)
WINDOW = _actor(subject=PERSON, delegate=STAFF, posts=(POST,), department=OFFICE_OF, human=PERSON, via=["app"])
ACTING = _actor("PERSON", PERSON, organization=FIRM)
AGENT = _actor("PERSON", PERSON, organization=FIRM, mandate=f"mandates/{ID}")
PASSED_ON = _actor(
    "PERSON", PERSON, organization=FIRM, mandate=f"mandates/{ID}", claims={"iat": 500, "mandate_by": "persons/2"}
)
GUEST = _actor("PERSON", f"//320402/{PERSON}", region="320402", client="//320402", claims={"iat": 500, "txn": ID})
CASES = [
    (OFFICE, "clients/hall"),
    (OFFICE, PERSON),
    (WINDOW, PERSON),
    (ACTING, PERSON),
    (ACTING, FIRM),
    (AGENT, FIRM),
    (PASSED_ON, "persons/2"),
    (OFFICE, party_of_post(STAFF, POST)),
    (WINDOW, "clients/app"),
    (WINDOW, "clients/hall"),
    (WINDOW, party_of_post(STAFF, POST)),
    (ACTING, party_of_representative(PERSON, FIRM)),
    (AGENT, f"mandates/{ID}"),
    (_actor("CLIENT", "clients/hall"), "clients/hall"),
    (_actor("PERSON", f"//320402/{PERSON}", region="320402", client="//320402"), party_of_region("320402")),
    (GUEST, party_of_region("320402")),
    (GUEST, party_of_assertions("320402")),
    (GUEST, party_of_assertion("320402", ID)),
]


def test_a_right_to_act_rests_on_whom_it_is_for_and_by_what() -> None:
    assert ACTING.right_parties == {FIRM, party_of_representative(PERSON, FIRM)}
    assert AGENT.right_parties == {FIRM, f"mandates/{ID}"}
    assert PASSED_ON.right_parties == {FIRM, f"mandates/{ID}", "persons/2"}
    assert OFFICE.right_parties == frozenset()


def test_a_guest_without_an_assertion_that_is_known_rests_on_its_region() -> None:
    found = _actor("PERSON", f"//320402/{PERSON}", region="320402", client="//320402")
    assert found.parties == {"//320402", "//320402/assertions"}
    assert GUEST.parties == {"//320402", "//320402/assertions", f"//320402/assertions/{ID}"}


async def _told(identity: Identity) -> Withdrawals:
    found = Withdrawals(identity)
    await found.be_ready()
    return found


@pytest.mark.parametrize(("principal", "party"), CASES)
async def test_every_party_behind_a_token_is_looked_at(principal: Actor, party: str) -> None:
    identity = Identity()
    known = await _told(identity)
    known.check(principal)
    identity.parties = {party: math.inf}
    await known.look()
    with pytest.raises(Unauthenticated, match="TOKEN_INVALID"):
        known.check(principal)


async def test_others_are_left_alone() -> None:
    known = await _told(
        Identity(
            **{
                "clients/other": math.inf,
                party_of_post(STAFF, f"{OFFICE_OF}/posts/y"): math.inf,
                "mandates/n": math.inf,
                party_of_post("staff/t", POST): math.inf,
                party_of_representative("persons/q", FIRM): math.inf,
                party_of_representative(PERSON, FIRM): math.inf,
            }
        )
    )
    for principal in (OFFICE, WINDOW, AGENT):
        known.check(principal)


async def test_what_was_restored_takes_new_tokens_and_no_old_ones() -> None:
    for restored, refused in ((500.0, False), (501.0, True)):
        known = await _told(Identity(**{"clients/hall": restored}))
        if refused:
            with pytest.raises(Unauthenticated):
                known.check(OFFICE)
        else:
            known.check(OFFICE)


async def test_what_is_known_holds_while_identity_is_away() -> None:
    identity = Identity(**{"clients/hall": math.inf})
    known = await _told(identity)
    identity.away = True
    await known.look()
    with pytest.raises(Unauthenticated):
        known.check(OFFICE)
    known.check(_actor(client="other"))


async def test_who_was_never_told_judges_nobody() -> None:
    identity = Identity()
    identity.away = True
    never = Withdrawals(identity)
    results = await asyncio.gather(*(never.be_ready() for _ in range(50)), return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in results)
    assert len(identity.asked) == 1  # however many wait


async def test_changes_are_asked_for_and_everything_at_times(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = Identity(**{"clients/old": math.inf})
    known = await _told(identity)
    identity.parties = {"clients/new": math.inf}
    await known.look()
    assert identity.asked == [0.0, 970.0]
    for client in ("old", "new"):
        with pytest.raises(Unauthenticated):
            known.check(_actor(client=client))
    monkeypatch.setattr("libs.security.withdrawals._ALL_EVERY_SECONDS", 0.0)
    await known.look()
    assert identity.asked[-1] == 0.0
    known.check(_actor(client="old"))


async def test_what_this_process_restores_takes_new_tokens_at_once() -> None:
    identity = Identity(**{"clients/hall": math.inf, "clients/other": math.inf})
    known = await _told(identity)
    known.restored("clients/hall", 500.7)
    known.check(OFFICE)
    await known.look()  # read before it was committed
    known.check(OFFICE)
    for refused in (_actor(claims={"iat": 499}), _actor(client="other")):
        with pytest.raises(Unauthenticated):
            known.check(refused)


async def test_what_it_had_not_heard_of_is_restored_all_the_same() -> None:
    """Withdrawn and restored within a second: the answer that tells of the first comes behind the second."""
    identity = Identity()
    known = await _told(identity)
    known.restored("clients/hall", 500.7, stood_withdrawn=True)
    identity.parties = {"clients/hall": math.inf}  # as it was read before the restoration was committed
    await known.look()
    known.check(OFFICE)
    with pytest.raises(Unauthenticated):
        known.check(_actor(claims={"iat": 499}))


async def test_what_it_withdraws_again_at_once_is_refused_at_once() -> None:
    """Restored and withdrawn again within a second: what is told then is no answer of before."""
    identity = Identity(**{"clients/hall": math.inf})
    known = await _told(identity)
    known.restored("clients/hall", 500.7)
    known.withdrawn("clients/hall")
    await known.look()
    with pytest.raises(Unauthenticated):
        known.check(OFFICE)
