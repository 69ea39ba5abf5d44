"""Decides whether a caller may use a licence, from the licence's row and the presentation that the caller names."""

from dataclasses import dataclass

from libs.clock import Clock
from libs.db.engine import Row
from libs.errors import not_found
from libs.ids import names
from services.license.convert import license_facts, presentation_rules_of
from services.license.domain.access import Basis, LicenseFacts, basis_for, rests_on_law
from services.license.domain.reader import HandledCase
from services.license.store.cases import CaseStore
from services.license.store.licenses import HIDDEN
from services.license.store.presentations import PresentationStore
from services.license.usecases.asking import Asking


@dataclass(frozen=True, slots=True)
class Allowed:
    """Why a licence may be used. ``presentation`` is the name that goes into the record; ``item_code`` its item."""

    basis: Basis
    presentation: str = ""
    item_code: str = ""


class Access:
    """The door to every licence."""

    def __init__(self, presentations: PresentationStore, cases: CaseStore, home: str, clock: Clock) -> None:
        self._presentations = presentations
        self._cases = cases
        self._home = home
        self._clock = clock

    async def allow(self, asked: Asking, row: Row, presentation: str) -> Allowed:
        """Returns why the caller may use the licence.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, for a draft that is not the caller's, or an unknown presentation.
            PermissionDenied: LICENSE_USE_NOT_ALLOWED, PRESENTATION_BOUND_ELSEWHERE.
            FailedPrecondition: PRESENTATION_EXPIRED.
        """
        facts = license_facts(row, self._home)
        own = asked.reader.is_issuer(row.issuer_department, self._home)
        if row.state in HIDDEN and not own:
            raise not_found(facts.name)
        asked.check_person(facts)
        now = self._clock.now()
        if not presentation:
            return Allowed(basis_for(asked.reader, facts, asked.purpose, None, now, await self._case(asked, facts)))
        shown = await self._presented(presentation)
        basis = basis_for(asked.reader, facts, asked.purpose, presentation_rules_of(shown), now)
        return Allowed(basis, f"presentations/{shown.id}", shown.item_code)

    async def _case(self, asked: Asking, facts: LicenseFacts) -> HandledCase | None:
        """Reads the case that a use by law names; nothing is read for a use that rests on something else."""
        if not asked.purpose.case_name or not rests_on_law(asked.reader, facts, None):
            return None
        return await self._cases.handled(asked.purpose.case_name)

    async def _presented(self, presentation: str) -> Row:
        name = names.parse(presentation, "presentation", "presentations")
        if name.is_foreign(self._home):
            # A presentation lies in the region of its licences; another region's allows nothing here.
            raise not_found(presentation)
        return await self._presentations.get(name.id)
