"""Who may use a licence or a file: who asks, and for what, against what is known of the case and of the presentation."""

from dataclasses import dataclass

from libs.access import owners
from libs.access.actor import Actor, Standing, is_person
from libs.access.context import StatedUse, stated
from libs.access.purposes import item_of
from libs.clock import Clock
from libs.errors import not_found
from libs.ids import names
from services.license.core.handled_cases import HandledCases
from services.license.core.licenses import License
from services.license.core.lifecycle import HIDDEN
from services.license.core.presentations import PresentationStore
from services.license.core.reading import (
    KEEPER_OF_CASES,
    HandledCase,
    LicenseFacts,
    Presentation,
    Purpose,
    Reader,
    UseBasis,
    basis_for,
    rests_on_case,
    use_not_allowed,
)
from services.license.integrations.identity import ConsentedUse, IdentityService
from tongban.common.v1 import common_pb2

CHECKED = ("consent", "presentation", "law", "item")
"""The kinds of basis that this service can have checked where a licence is used."""
STATED = ("law",)
"""What else is asked for rests on nothing that is named: of its bases only a citation is taken, and opens nothing."""
_MACHINES = (Standing.CLIENT, Standing.SERVICE)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Who asks for data of somebody, and for what.

    Attributes:
        actor: the caller.
        reader: what the rules know of the caller.
        use: the use as it is recorded.
    """

    actor: Actor
    reader: Reader
    use: StatedUse

    @property
    def abroad(self) -> bool:
        """Whether another region asks, so that names in the answer carry the region."""
        return bool(self.actor.region)

    @property
    def purpose(self) -> Purpose:
        """What the rules know of the purpose."""
        context = self.use.context
        return Purpose(self.use.case_name, item_of(context), context.law, context.item)

    @property
    def is_keeper(self) -> bool:
        """Whether the cases service asks for a case: it is believed, for the cases are its own."""
        return self.reader.client == KEEPER_OF_CASES and bool(self.use.case_name)


def asked_by(actor: Actor, context: common_pb2.UseContext, home: str, bases: tuple[str, ...] = CHECKED) -> Inquiry:
    """Reads who asks, and for what; raises FIELD_INVALID where the context contradicts the token, or rests on another basis."""
    use = stated(actor, context, home, *bases)
    reader = Reader(
        use.region,
        subjects_of(actor),
        use.department,
        actor.subject if actor.standing in _MACHINES else "",
        actor.subject if actor.standing in owners.OFFICIAL else "",
    )
    return Inquiry(actor, reader, use)


def subjects_of(actor: Actor) -> frozenset[str]:
    """Returns for whom a token speaks as a possible holder: the person, and the firm that the person acts for."""
    if actor.standing is Standing.REGION and is_person(actor.subject):
        return actor.known_as(actor.subject) | actor.known_as(actor.organization)
    return actor.speaks_for


@dataclass(frozen=True, slots=True)
class AllowedUse:
    """Why a licence may be used. ``presentation`` is the name that goes into the record; ``item_code`` its item."""

    basis: UseBasis
    presentation: str = ""
    item_code: str = ""


@dataclass(frozen=True, slots=True)
class UseAuthorization:
    """Decides whether a caller may use what is asked for."""

    presentations: PresentationStore
    cases: HandledCases
    identity: IdentityService
    clock: Clock
    home: str

    async def allow(self, asked: Inquiry, wanted: License) -> AllowedUse:
        """Returns why the caller may use a licence; a presentation or a consent that is named must hold, even where another basis would do.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, for a draft that is not the caller's, a person's request for a licence that they
                don't hold, or an unknown presentation.
            PermissionDenied: LICENSE_USE_NOT_ALLOWED, PRESENTATION_BOUND_ELSEWHERE.
            FailedPrecondition: PRESENTATION_EXPIRED.
        """
        facts = wanted.facts(self.home)
        if wanted.state in HIDDEN and not asked.reader.is_issuer(wanted.issuer_department, self.home):
            raise not_found(facts.name)
        # A person's region or case is no basis: those are for the people who work on a case.
        owners.hide_from_others(asked.actor, facts.name, facts.holders)
        context = asked.use.context
        if context.consent:
            await self._check_consent(asked, facts)
            return AllowedUse(UseBasis.CONSENT)
        if not context.presentation:
            case = await self._case_for(asked, facts)
            return AllowedUse(basis_for(asked.reader, facts, asked.purpose, case))
        shown = await self._shown(context.presentation)
        shown.check_read(facts.name, asked.reader, asked.purpose.case_name, self.clock.now())
        return AllowedUse(UseBasis.PRESENTATION, shown.name, shown.item_code)

    async def _case_for(self, asked: Inquiry, facts: LicenseFacts) -> HandledCase | None:
        """Reads the case that a use by law names; nothing is read for a use that rests on something else."""
        if not asked.use.case_name or not rests_on_case(asked.reader, facts, asked.purpose):
            return None
        return await self.cases.at_work(asked.use.case_name)

    async def _check_consent(self, asked: Inquiry, facts: LicenseFacts) -> None:
        """Raises LICENSE_USE_NOT_ALLOWED, rule ``consent``, unless a holder consented to this reader, purpose, case and licence.

        A consent lies in the region of the licence, so another region's is none; whose it is, and whether it was taken back, is not told.
        """
        consent, reader = asked.use.context.consent, asked.reader
        if not consent.startswith("//"):
            for holder in sorted(facts.holders):
                use = ConsentedUse(holder, reader.own_name(), (facts.name,), asked.use.context)
                if await self.identity.consents(consent, use):
                    return
        raise use_not_allowed(facts.name, "consent")

    async def _shown(self, presentation: str) -> Presentation:
        name = names.parse(presentation, "presentation", "presentations")
        if name.is_foreign(self.home):
            # A presentation lies in the region of its licences; another region's allows nothing here.
            raise not_found(presentation)
        return await self.presentations.get(name.local)

    async def case_of(self, asked: Inquiry) -> HandledCase | None:
        """Returns the case that is named, if the reader has to do with it now (decision 0029)."""
        case = await self.cases.at_work(asked.use.case_name) if asked.use.case_name else None
        return case if case is not None and case.is_of(asked.reader) else None

    async def is_of(self, asked: Inquiry) -> bool:
        """Tells whether the case that is named is the reader's."""
        return asked.is_keeper or await self.case_of(asked) is not None
