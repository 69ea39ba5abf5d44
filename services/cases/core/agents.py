"""Whether the agent whom a case names may still act for its applicant.

Who speaks for the applicant shows it by the token, which ends with the mandate. An agent's own token ends with nothing of the kind:
that they were named says that they might act once, so whether they may now is asked each time, and never remembered.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from libs.access.actor import Actor
from libs.db.uow import AskFirst
from libs.errors import not_found
from services.cases.core.access import agent_abroad, as_agent, at_home, spoken_for_abroad
from services.cases.core.cases import CaseRecord
from services.cases.core.items import ItemStore
from services.cases.core.transfers import TransferRow, TransferStore
from services.cases.integrations.identity import IdentityService
from tongban.cases.v1 import resources_pb2 as pb

_AT_ONCE = 8
_NATIONAL_LENGTH, _BASIC_LENGTH = 31, 12


@dataclass(frozen=True, slots=True)
class Agency:
    """The right that a named agent claims, by names as this region writes them.

    Attributes:
        agent: who acts.
        principal: for whom.
        mandate: by which mandate; empty for who says that they need none.
        item_codes: the codes of the item. None of them asks whether the right stands at all: whether it covers the item is
            judged elsewhere.
    """

    agent: str
    principal: str
    mandate: str
    item_codes: tuple[str, ...]


def codes_of_task(code: str) -> tuple[str, ...]:
    """Returns the codes that a mandate may name an item of another region by: its basic code, the same everywhere, ends a national one."""
    return (code, code[-_BASIC_LENGTH:]) if len(code) == _NATIONAL_LENGTH else (code,)


@dataclass(frozen=True, slots=True)
class NamedAgents:
    """Tells by what right a caller has to do with a case, where it is an agent's alone, and whether it stands.

    Attributes:
        home: this region's id.
        identity: who is asked.
    """

    home: str
    identity: IdentityService
    items: ItemStore
    transfers: TransferStore

    async def of_case(self, actor: Actor, record: CaseRecord) -> Agency | None:
        """Returns the right on which access to a case rests; None where it rests on none, or there is none."""
        if record.applicant in actor.speaks_for or record.agent not in as_agent(actor):
            return None
        item = await self.items.version(record.item)
        return Agency(record.agent, record.applicant, record.mandate, item.codes)

    def is_party(self, actor: Actor, row: TransferRow) -> bool:
        """True for who speaks for the applicant of an application that goes between regions, or is its agent, as `belongs_to` has it."""
        return row.applicant in spoken_for_abroad(actor, self.home) or row.agent in agent_abroad(actor, self.home)

    def of_transfer(self, actor: Actor, row: TransferRow) -> Agency | None:
        """Returns the right on which access to an application that goes between regions rests; None as for a case."""
        if row.applicant in spoken_for_abroad(actor, self.home) or row.agent not in agent_abroad(actor, self.home):
            return None
        mandate = self.transfers.content(row).agent.mandate
        agent, principal, under = (at_home(name, self.home) for name in (row.agent, row.applicant, mandate))
        return Agency(agent, principal, under, codes_of_task(row.task_code))

    def of_listed(self, actor: Actor, case: pb.Case) -> Agency | None:
        """Returns the right on which a case of another region's list rests.

        None as for a case, and where the principal is that region's: it judges that itself.
        """
        agent, applicant = case.agent, case.applicant.subject
        if applicant.startswith("//") or applicant in actor.speaks_for or agent.subject not in as_agent(actor):
            return None
        return Agency(agent.subject, applicant, agent.mandate, ())

    async def stand(self, agencies: Sequence[Agency | None]) -> list[bool]:
        """Tells of each whether it stands now; what rests on none does.

        Raises Unavailable DEPENDENCY_UNAVAILABLE while identity does not answer.
        """
        asked, limit = list(dict.fromkeys(each for each in agencies if each)), asyncio.Semaphore(_AT_ONCE)

        async def ask(agency: Agency) -> bool:
            async with limit:
                return await self.stands(agency)

        found = dict(zip(asked, await asyncio.gather(*map(ask, asked)), strict=True))
        return [each is None or found[each] for each in agencies]

    async def stands(self, agency: Agency) -> bool:
        """Tells whether a right stands now."""
        return await self.identity.may_act(agency.agent, agency.principal, agency.mandate, agency.item_codes)

    async def require(self, actor: Actor, *records: CaseRecord) -> None:
        """Raises NotFound for the first of the cases in which the caller is the agent and may act no more."""
        rights = [await self.of_case(actor, record) for record in records]
        for record, stands in zip(records, await self.stand(rights), strict=True):
            if not stands:
                raise not_found(record.name)

    async def shown(self, actor: Actor, records: Sequence[CaseRecord]) -> list[CaseRecord]:
        """Returns those of the cases of a list's page that the caller may see now."""
        rights = [await self.of_case(actor, record) for record in records]
        return [record for record, stands in zip(records, await self.stand(rights), strict=True) if stands]

    def side(self, actor: Actor) -> "AgentSide":
        """Returns what asks for one call that changes something."""
        return AgentSide(self, actor)


@dataclass(frozen=True, slots=True)
class AgentSide:
    """What one call found out of the rights that its caller acts by: asked outside of the lock, and judged again under it."""

    agents: NamedAgents
    actor: Actor
    _found: dict[Agency, bool] = field(default_factory=dict)

    async def require(self, record: CaseRecord, name: str = "") -> None:
        """Raises AskFirst while it is not known whether the caller's right stands, and NotFound where it does not.

        Args:
            record: the case, locked.
            name: what the call names, where that is not the case.
        """
        self._require(await self.agents.of_case(self.actor, record), name or record.name)

    def require_for_transfer(self, row: TransferRow, name: str = "") -> None:
        """Does the same for an application that goes between regions."""
        self._require(self.agents.of_transfer(self.actor, row), name or row.name)

    def _require(self, agency: Agency | None, name: str) -> None:
        if agency is None:
            return
        if agency not in self._found:
            raise AskFirst(partial(self._ask, agency))
        if not self._found[agency]:
            raise not_found(name)

    async def _ask(self, agency: Agency) -> None:
        self._found[agency] = await self.agents.stands(agency)
