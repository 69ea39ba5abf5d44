"""By which right one acts for another here: what mandates, consents and tokens all ask."""

from dataclasses import dataclass
from datetime import datetime

from libs.db.connection import DatabaseConnection
from libs.errors import FailedPrecondition, NotFound, PermissionDenied, not_found, reasons
from services.identity.core.accounts import active_organization, active_person, organization
from services.identity.core.claims import ActingRight
from services.identity.core.issue import on_wall
from services.identity.core.mandate_chain import MandateChain
from services.identity.core.mandate_rules import ActingBasis, basis_without
from services.identity.core.mandates import chain as read_chain
from services.identity.core.names import region_of
from services.identity.core.regions import require_trust
from services.identity.core.trust import TrustDirection


@dataclass(frozen=True, slots=True)
class HeldRight:
    """A right that holds now.

    Attributes:
        basis: by which right.
        uscc: the organisation's unified social credit code; empty for a person.
        mandate: the mandate with what it was passed on from, where that is the basis.
        former: names that the principal, a person, had before accounts were merged.
    """

    basis: ActingBasis
    uscc: str = ""
    mandate: MandateChain | None = None
    former: tuple[str, ...] = ()

    def in_a_token(self, principal: str, now: datetime, wall: datetime) -> ActingRight:
        """Returns it as a token says it, to act for ``principal``; its end is told by the clock of tokens, ``wall``."""
        if self.mandate is None:
            return ActingRight(principal, self.uscc)
        scope = self.mandate.scope
        items = ("*",) if scope.all_items else tuple(sorted(scope.item_codes))
        end, powers = on_wall(self.mandate.expire_time, now, wall), tuple(sorted(scope.powers))
        name, by = self.mandate.mandate.name, self.mandate.parent.agent if self.mandate.parent else ""
        return ActingRight(principal, self.uscc, name, items, powers, int(end.timestamp()), by, self.former)


async def represents(connection: DatabaseConnection, person: str, name: str) -> bool:
    """Says whether ``person`` represents the organisation ``name`` by law."""
    found = await organization(connection, name)
    return bool(person) and found.representative == person


async def agent_ready(connection: DatabaseConnection, agent: str) -> None:
    """Checks who may act: a living account here, or a person of a region that is trusted.

    Raises:
        NotFound, FailedPrecondition: PERSON_NOT_ACTIVE.
        PermissionDenied: REGION_NOT_TRUSTED.
    """
    home = region_of(agent)
    if home:
        await require_trust(connection, home, TrustDirection.INBOUND)
    else:
        await active_person(connection, agent)


@dataclass(frozen=True, slots=True)
class ReadyPrincipal:
    """For whom may be acted: code and representative of an organisation, and the former names of a person."""

    uscc: str = ""
    representative: str = ""
    former: tuple[str, ...] = ()


async def principal_ready(connection: DatabaseConnection, principal: str) -> ReadyPrincipal:
    """Checks for whom is acted: a living account of this region.

    Raises:
        NotFound, FailedPrecondition: PERSON_NOT_ACTIVE, ORGANIZATION_NOT_ACTIVE.
    """
    if principal.startswith("organizations/"):
        firm = await active_organization(connection, principal)
        return ReadyPrincipal(firm.uscc, firm.representative)
    return ReadyPrincipal(former=(await active_person(connection, principal)).former_names)


async def right(connection: DatabaseConnection, person: str, principal: str, mandate: str, now: datetime) -> HeldRight:
    """Returns the right by which ``person`` acts for ``principal`` of this region at ``now``.

    Args:
        connection: where from.
        person: who acts, of another region with ``//<region>/``.
        principal: for whom, of this region.
        mandate: under which mandate; empty where the person needs none.
        now: the business time.

    Raises:
        NotFound: for person, principal or mandate.
        FailedPrecondition: PERSON_NOT_ACTIVE, ORGANIZATION_NOT_ACTIVE.
        PermissionDenied: REGION_NOT_TRUSTED, NOT_LEGAL_REPRESENTATIVE, MANDATE_NOT_ACTIVE, MANDATE_WRONG_AGENT,
            MANDATE_WRONG_PRINCIPAL.
    """
    await agent_ready(connection, person)
    ready = await principal_ready(connection, principal)
    if not mandate:
        return HeldRight(basis_without(person, principal, ready.representative), ready.uscc)
    if region_of(mandate):
        raise not_found(mandate)
    found = await read_chain(connection, mandate)
    found.check(person=person, principal=principal, now=now)
    await _check_passed_on(connection, found)
    return HeldRight(ActingBasis.MANDATE, ready.uscc, found, ready.former)


async def _check_passed_on(connection: DatabaseConnection, found: MandateChain) -> None:
    """Raises PermissionDenied MANDATE_NOT_ACTIVE where who passed a mandate on could not act under it any more."""
    parent = found.parent
    if parent is None:
        return
    try:
        await agent_ready(connection, parent.agent)
    except (FailedPrecondition, NotFound, PermissionDenied) as error:
        raise reasons.mandate_not_active(
            "who passed it on does not act any more", mandate=parent.name, state=parent.state
        ) from error
