"""Whether the case that a reader names is theirs: asked where nothing but the case stands for the right to read."""

from services.license.domain.material import KEEPER_OF_CASES
from services.license.domain.reader import HandledCase
from services.license.store.cases import CaseStore
from services.license.usecases.asking import Asking


class CaseDoor:
    """The door for those who name a case (decision 0029)."""

    def __init__(self, cases: CaseStore) -> None:
        self._cases = cases

    async def case_of(self, asked: Asking) -> HandledCase | None:
        """Returns the case that is named, if the reader has to do with it now."""
        case = await self._cases.handled(asked.purpose.case_name) if asked.purpose.case_name else None
        return case if case is not None and case.is_of(asked.reader) else None

    async def is_of(self, asked: Asking) -> bool:
        """Tells whether the case is the reader's; the cases service is believed, for the cases are its own."""
        keeper = asked.reader.client == KEEPER_OF_CASES and bool(asked.purpose.case_name)
        return keeper or await self.case_of(asked) is not None
