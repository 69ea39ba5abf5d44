"""Steps at the sign-in pages: people sign in to a client, and it comes again with its refresh tokens, or somebody who copied one."""

from collections.abc import Coroutine
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.service.identity.model.held import SignedIn
from tests.service.identity.model.machine import ANY, Machine, of
from tests.service.identity.model.rights import PERSON, TABLE

_OPENID = frozenset({"openid", "offline_access"})
_LOST_ANSWER_SECONDS = 30
"""So long a client that lost an answer may ask again; whoever shows an old token later has copied it."""
_ASKED = ("cases.cases.get cases.cases.list", "license.licenses.get", "")


class PageSteps(Machine):
    """What people and a client do."""

    @rule(who=ANY, key=ANY, wanted=st.sampled_from(_ASKED))
    def signs_in_at_the_pages(self, who: int, key: int, wanted: str) -> None:
        """Somebody signs in to the client with a password, and agrees."""
        party, person = of(self.world.parties, 0), of(self.world.with_passwords, who)
        scopes, may = frozenset(wanted.split()), self.model.machines[party]
        if not self.model.stands(party) or not scopes <= may:
            return
        number = self.key_of(party, key)
        allowed = self.model.client_keys[party].takes(number, self.model.now)
        found = SignedIn(f"sign-in {len(self.sign_ins)}", party, person, self.model.now, _OPENID | scopes)
        asked = f"openid offline_access {wanted}"
        self._comes(found, self.world.goes_to(party, person, asked.strip(), key=number), allowed, found.scopes)
        if found.given:
            self.sign_ins.append(found)

    @precondition(lambda self: self.sign_ins)
    @rule(which=ANY, key=ANY, older=ANY)
    def comes_again(self, which: int, key: int, older: int) -> None:
        """A refresh token is shown: mostly the last, else one from before."""
        self.tick()
        found = of(self.sign_ins[-3:], which)
        place = len(found.given) - 1 - (0 if older % 4 else older // 4 % len(found.given))
        number = self.key_of(found.party, key)
        known = self.model.client_keys[found.party].takes(number, self.model.now) and self.model.stands(found.party)
        lasts = self.model.stands(found.name) and not any(at > found.began for at in self.model.suspended[found.party])
        age = len(found.given) - 1 - place
        lately = age == 1 and self.model.now < found.last + _LOST_ANSWER_SECONDS
        asked = self.world.refresh(found.party, found.given[place], key=number, scope="")
        self._comes(found, asked, known and lasts and (age == 0 or lately), found.scopes, again=age > 0)
        if known and lasts and age and not lately:
            # It was copied by somebody: nothing that came of the sign-in is good any more.
            self.model.stop(found.name)
        self.tick()

    def _comes(
        self,
        found: SignedIn,
        asked: Coroutine[Any, Any, tuple[str, str]],
        allowed: bool,
        scopes: frozenset[str],
        *,
        again: bool = False,
    ) -> None:
        may = self.model.machines[found.party] & TABLE[PERSON]
        held = self.model.signed_in_at(found.party, found.person, (scopes & _OPENID) | (scopes & may), found.name)
        refreshed: list[str] = []

        async def first() -> str:
            text, token = await asked
            refreshed.append(token)
            return text

        if not self.makes(first(), allowed, lambda: held):
            return
        if again:
            assert refreshed == found.given[-1:], "a client that lost an answer gets the same refresh token again"
            return
        assert refreshed[0] not in found.given, "each refresh token is good once"
        found.given.append(refreshed[0])
        found.last = self.model.now
