"""Who calls, and on which side of a request or grant they stand."""

from collections.abc import Collection
from dataclasses import dataclass

from libs.access.actor import Actor, Standing
from libs.db.engine import Row
from libs.errors import not_found, reasons
from libs.ids.uuid7 import is_uuid7
from libs.rpc.call import current_call

_WHOLE = (Standing.CLIENT, Standing.SERVICE, Standing.REGION)


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of this call.

    Attributes:
        subject: the person or machine that acts; who stands at a window counts, not who stands before it.
        region: the six digits of the region that the caller is of.
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
        return self.home and self._in_office and self.actor.may("audit.records.list")

    @property
    def publishes(self) -> bool:
        """Tells whether the caller is of the competent authority, which sees what is not published yet."""
        return self.home and self._in_office and self.actor.may("sharing.resources.publish")

    @property
    def _in_office(self) -> bool:
        return self.actor.standing in (Standing.OFFICE, Standing.CLIENT, Standing.SERVICE)

    def sees(self, row: Row) -> bool:
        """Tells whether the caller may know of a request or grant: as its provider, its consumer or an auditor."""
        provider, consumer = self.provides(row.provider_department), self.consumes(row.consumer_region, row.departments)
        return provider or consumer or self.audits

    def must_provide(self, department: str) -> None:
        """Raises PermissionDenied NOT_OWNER unless the caller is of the provider."""
        if not self.provides(department):
            raise reasons.not_owner(f"this is for {department}, which provides the data")

    def must_consume(self, region: str, departments: Collection[str]) -> None:
        """Raises PermissionDenied NOT_OWNER unless the caller may speak for every one of the departments."""
        own = self.whole_region or bool(self.department and set(departments) == {self.department})
        if self.region != region or not own:
            raise reasons.not_owner("a request is made for one's own department only")


def calling(home: str) -> Caller:
    """Returns the caller of the call being served; ``home`` is this region's code."""
    actor = current_call().actor
    region = actor.region or home
    # A window token speaks for a person: the clerk's department is not asked for then.
    department = "" if actor.standing is Standing.PERSON else actor.department
    return Caller(actor.clerk or actor.subject, region, department, region == home, actor)


def key_of(name: str) -> str:
    """Returns the id of a resource name of this service; raises NotFound for one that it can't have given out."""
    key = name.rpartition("/")[2]
    if not is_uuid7(key):
        raise not_found(name)
    return key
