"""Who takes part in sharing: on which side of an entry, a request or a grant the caller stands."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from libs.access import owners
from libs.access.actor import Actor, Standing
from libs.errors import reasons

_WHOLE = (Standing.CLIENT, Standing.SERVICE, Standing.REGION)


class TwoSided(Protocol):
    """What has a provider and a consumer: a request, a grant."""

    @property
    def provider_department(self) -> str:
        """The department that provides the data."""

    @property
    def consumer_region(self) -> str:
        """The region that uses them."""

    @property
    def departments(self) -> tuple[str, ...]:
        """The departments that use them, as this region names them."""


@dataclass(frozen=True, slots=True)
class Participant:
    """The caller of a call.

    Attributes:
        subject: the person or machine that acts; who stands at a window counts, not who stands before it.
        region: the id of the region that the caller is of.
        department: the department that the token names, as it names it; empty where it names none.
        home: whether the caller is of this region.
        actor: what the token says.
    """

    subject: str
    region: str
    department: str
    home: bool
    actor: Actor

    def provides(self, department: str) -> bool:
        """Tells whether the caller is of the provider: staff or a system of this region, of no other department of it."""
        return self.home and self._is_of((department,))

    def consumes(self, region: str, departments: Collection[str]) -> bool:
        """Tells whether the caller is of the consumer: of its region, and of no other department than those."""
        return self.region == region and self._is_of(departments)

    @property
    def whole_region(self) -> bool:
        """Tells whether the caller stands for its region as a whole: a system or service of it that names no department.

        Staff always have one; whoever has none because they are nobody in office stands for nothing.
        """
        return not self.department and self.actor.standing in _WHOLE

    def _is_of(self, departments: Collection[str]) -> bool:
        return self.whole_region or bool(self.department and self.department in departments)

    @property
    def audits(self) -> bool:
        """Tells whether the caller audits this region, and so sees every department's requests and grants."""
        return self._official and self.actor.may("audit.auditRecords.list")

    @property
    def publishes(self) -> bool:
        """Tells whether the caller is of the competent authority, which sees what is not published yet."""
        return self._official and self.actor.may("sharing.dataResources.publish")

    @property
    def _official(self) -> bool:
        return self.home and self.actor.standing in owners.OFFICIAL

    def sees(self, row: TwoSided) -> bool:
        """Tells whether the caller may know of a request or grant: as its provider, its consumer or an auditor."""
        provider, consumer = self.provides(row.provider_department), self.consumes(row.consumer_region, row.departments)
        return provider or consumer or self.audits

    def seen(self) -> tuple[Mapping[str, str], ...]:
        """Returns what :meth:`sees` says, as the scopes of a list: what fits one of them, each column held to a value."""
        if self.audits or (self.home and self.whole_region):
            return ({},)
        if self.whole_region:
            return ({"consumer_region": self.region},)
        region = {} if self.home else {"consumer_region": self.region}
        # A department of another region bears its prefix, so that no department is both of two regions.
        department = self.department or "-"  # who is of none sees nothing
        return ({**region, "departments": department}, {**region, "provider_department": department})

    def must_provide(self, department: str) -> None:
        """Raises PermissionDenied NOT_OWNER unless the caller is of the provider."""
        if not self.provides(department):
            raise reasons.not_owner(f"this is for {department}, which provides the data")

    def must_consume(self, region: str, departments: Collection[str]) -> None:
        """Raises PermissionDenied NOT_OWNER unless the caller may speak for every one of the departments."""
        own = self.whole_region or bool(self.department and set(departments) == {self.department})
        if self.region != region or not own:
            raise reasons.not_owner("a request is made for one's own department only")


def participant(actor: Actor, home: str) -> Participant:
    """Returns the caller as it takes part in sharing; ``home`` is this region's id."""
    region = actor.region or home
    # A window token speaks for a person: the clerk's department is not asked for then. Nobody's counts neither.
    department = "" if actor.standing in (Standing.PERSON, Standing.NOBODY) else actor.department
    return Participant(actor.clerk or actor.subject, region, department, region == home, actor)
