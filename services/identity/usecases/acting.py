"""By which right one acts for another here: what mandates, consents and tokens all ask."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Row
from libs.errors import not_found, reasons
from services.identity.convert.mandates import mandate_of
from services.identity.domain import regions as trust
from services.identity.domain.mandates import Basis, Mandate, basis_without, check_acting
from services.identity.store import regions as region_store
from services.identity.store.reading import one
from services.identity.tables import mandates, organizations, persons
from services.identity.usecases.caller import region_of


@dataclass(frozen=True, slots=True)
class Right:
    """A right that holds now.

    Attributes:
        basis: by which right.
        uscc: the organisation's unified social credit code; empty for a person.
        mandate: the mandate, where that is the basis.
    """

    basis: Basis
    uscc: str = ""
    mandate: Mandate | None = None


async def active_person(connection: AsyncConnection, name: str, *, lock: bool = False) -> Row:
    """Reads a person of this region; raises NotFound, or FailedPrecondition PERSON_NOT_ACTIVE."""
    row = await one(connection, persons, name, lock=lock)
    if row.state != "ACTIVE":
        raise reasons.person_not_active("the person's account is not in use", person=name)
    return row


async def active_organization(connection: AsyncConnection, name: str, *, lock: bool = False) -> Row:
    """Reads an organisation; raises NotFound, or FailedPrecondition ORGANIZATION_NOT_ACTIVE."""
    row = await one(connection, organizations, name, lock=lock)
    if row.state != "ACTIVE":
        raise reasons.organization_not_active("the account is closed", organization=name)
    return row


async def represents(connection: AsyncConnection, person: str, organization: str) -> bool:
    """Says whether ``person`` represents the organisation by law."""
    row = await one(connection, organizations, organization)
    return bool(person) and representative(row) == person


def representative(organization: Row) -> str:
    """Returns the legal representative's name, or an empty string."""
    return f"persons/{organization.legal_representative}" if organization.legal_representative else ""


async def require_trust(connection: AsyncConnection, region: str, direction: trust.Direction) -> Row:
    """Reads a region that is trusted in ``direction`` now; raises PermissionDenied REGION_NOT_TRUSTED."""
    row = await region_store.find_region(connection, region)
    trust.require(region, trust.State(row.state) if row else None, direction)
    assert row is not None
    return row


async def agent_ready(connection: AsyncConnection, agent: str) -> None:
    """Checks who may act: a living account here, or a person of a region that is trusted.

    Raises:
        NotFound, FailedPrecondition: PERSON_NOT_ACTIVE.
        PermissionDenied: REGION_NOT_TRUSTED.
    """
    home = region_of(agent)
    if home:
        await require_trust(connection, home, trust.Direction.INBOUND)
    else:
        await active_person(connection, agent)


async def right(connection: AsyncConnection, person: str, principal: str, mandate: str, now: datetime) -> Right:
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
    uscc, representing = "", ""
    if principal.startswith("organizations/"):
        organization = await active_organization(connection, principal)
        uscc, representing = organization.uscc, representative(organization)
    else:
        await active_person(connection, principal)
    if not mandate:
        return Right(basis_without(person, principal, representing), uscc)
    if region_of(mandate):
        raise not_found(mandate)
    found = mandate_of(await one(connection, mandates, mandate))
    check_acting(found, person=person, principal=principal, now=now)
    return Right(Basis.MANDATE, uscc, found)
