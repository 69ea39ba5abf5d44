"""What all steps of the model share: the world that they go on in, the model beside it, and how both are compared."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from libs.access.actor import Actor
from tests.service.identity.model.held import EVERYTHING, Given, Held, SignedIn, StandIn
from tests.service.identity.model.places import HOME, Refused
from tests.service.identity.model.reference import Reference
from tests.service.identity.model.world import World

ANY = st.integers(0, 10_000)
_PEOPLE, _FIRMS = 4, 2


def of(found: Any, number: int) -> Any:
    """One of several, by any number."""
    return found[number % len(found)]


class Machine(RuleBasedStateMachine):
    """The steps' ground; which world they go on in is set by the test."""

    world: World
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    seen: dict[str, int]

    def __init__(self) -> None:
        super().__init__()
        self.model = Reference(self.world.now)
        self.held: list[Held] = []
        self.given: list[Given] = []
        self.stand_ins: list[StandIn] = []
        self.sign_ins: list[SignedIn] = []

    @initialize()
    def others_come(self) -> None:
        """Begins with people of whom nobody knows anything, and with nothing ended or narrowed."""
        self.tick()
        self.run(self.world.enter(_PEOPLE, _FIRMS))
        self.model.heads = dict(zip(self.world.firms, self.world.people, strict=False))
        self.model.region_keys = self.world.region_keys()
        self.model.pinned = frozenset(self.model.region_keys)

    @invariant()
    def every_token_is_judged_as_the_model_does(self) -> None:
        """Shows every token that was ever made where it belongs."""
        self.run(self._judge_all())

    async def _judge_all(self) -> None:
        await self.world.look()
        for held in self.held:
            if held.kind != "access":
                continue
            actor, why = await self.world.judged(held.text, abroad=held.abroad)
            assert (actor is not None) is self.model.holds(held), f"{why or 'taken'} against the model: {held}"
            self.seen["taken" if actor else "refused"] += 1
            if actor:
                _check_no_more(actor, held)

    # -- how --------------------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Lets a second pass: what happened before it and what after can be told apart."""
        self.passes(1)

    def passes(self, seconds: int) -> None:
        """Lets time pass."""
        self.world.pass_by(seconds)
        self.model.now = self.world.now

    def keep(self, held: Held) -> None:
        """Remembers a token."""
        self.held.append(held)

    def one(self, number: int, likely: Callable[[Held], bool] = lambda _: True) -> Held:
        """A token: three times in four one of those that hold and fit, the latest most often; else any."""
        fits = [each for each in self.held if likely(each) and self.model.holds(each)]
        found: Held = of((fits[-4:] or self.held) if number % 4 else self.held, number // 4)
        return found

    def rights(self, held: Held) -> list[tuple[str, Given | None]]:
        """For whom somebody may act now, and by what."""
        firms = [(firm, None) for firm, head in self.model.heads.items() if head == held.subject]
        given = [(each.principal, each) for each in self.given if each.agent == held.subject]
        return [*firms, *((firm, each) for firm, each in given if self.model.given_stands(each))]

    def one_given(self, number: int) -> Given | None:
        """A mandate, or none."""
        found: Given | None = of([None, *self.given], number)
        return found

    def signed_in(self, person: str) -> str:
        """A fresh token of somebody, by the region's own window; nobody keeps it."""
        return str(self.run(self.world.home.human_token(person)))

    def key_of(self, client: str, number: int) -> int:
        """Three times in four the key that is good, else any that a client ever had."""
        known: int = number // 4 % len(self.world.signers[client])
        return self.model.client_keys[client].good if number % 4 else known

    def makes(self, asked: Coroutine[Any, Any, str], allowed: bool, made: Callable[[], Held]) -> str:
        """Does a step that makes a token, which both must allow, or neither; remembers it, and returns its text."""
        self.model.region_keys = self.world.region_keys()
        text, why = "", ""
        try:
            text = str(self.run(asked))
        except Refused as refused:
            why = str(refused)
        assert bool(text) is allowed, f"{why or 'made'} against the model"
        self.seen["made" if text else "not made"] += 1
        if text:
            self.keep(replace(made(), text=text))
        return text


def _check_no_more(actor: Actor, held: Held) -> None:
    """What is taken may do what the model says, and no more."""
    claims = actor.claims
    assert actor.scopes == held.scopes, (sorted(actor.scopes ^ held.scopes), held)
    assert actor.assurance == held.assurance, (actor.assurance, held)
    assert int(claims["exp"]) <= held.ends, (claims["exp"], held)
    front = f"{HOME}/" if held.abroad else ""
    assert actor.organization == (f"{front}{held.for_whom}" if held.for_whom else ""), held
    assert actor.mandate == (f"{front}{held.mandate.name}" if held.mandate else ""), held
    assert actor.subject == f"{front}{held.subject}", held
    assert actor.delegate == (f"{front}{held.delegate}" if held.delegate else ""), held
    assert actor.represented == (held.stands_in.represented if held.stands_in else ""), held
    assert actor.powers == (held.mandate.all_powers if held.mandate else frozenset()), (actor.powers, held)
    if held.mandate:
        assert set(claims["mandate_items"]) == held.mandate.all_items, (claims["mandate_items"], held)
    assert held.mandate is None or held.mandate.all_items != EVERYTHING or claims["mandate_items"] == ["*"], held
