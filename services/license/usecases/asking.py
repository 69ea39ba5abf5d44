"""Who asks, and for what: the caller's token and the request's context turned into what the rules decide on.

What a token says is believed; what a context says counts only where the token leaves it open: for the region's own
services and for other regions, which answer for their departments themselves.
"""

from dataclasses import dataclass

from libs.access.actor import Actor, Standing, is_person
from libs.errors import invalid_field, reasons
from services.license.domain.access import LicenseFacts
from services.license.domain.reader import Purpose, Reader, canonical_case
from tongban.common.v1 import common_pb2

_OFFICIAL = (Standing.OFFICE, Standing.CLIENT, Standing.SERVICE)
_ANSWERABLE = (Standing.OFFICE, Standing.SERVICE, Standing.REGION)


@dataclass(frozen=True, slots=True)
class Asking:
    """A caller who asks for data of somebody.

    Attributes:
        actor: the caller.
        reader: what the rules know of the caller.
        purpose: what the rules know of the purpose.
        context: the context as it is recorded.
    """

    actor: Actor
    reader: Reader
    purpose: Purpose
    context: common_pb2.UseContext

    @property
    def abroad(self) -> bool:
        """Whether another region asks, so that names in the answer carry the region."""
        return bool(self.actor.region)

    def check_person(self, facts: LicenseFacts) -> None:
        """Raises LICENSE_USE_NOT_ALLOWED where a person asks for a licence that neither they nor their firm hold.

        A person's region or case is no basis: those are for the people who work on a case.
        """
        if self.actor.standing is Standing.PERSON and not self.reader.subjects & facts.holders:
            raise reasons.license_use_not_allowed(
                f"{facts.name} is held by somebody else", resource=facts.name, rule="holder"
            )


def subjects_of(actor: Actor) -> frozenset[str]:
    """Returns for whom a token speaks as a possible holder: the person, and the firm that the person acts for."""
    if actor.standing is Standing.REGION and is_person(actor.subject):
        return frozenset(filter(None, (actor.subject, actor.organization)))
    return actor.speaks_for


def visible_holder(actor: Actor, asked: str) -> str:
    """Returns whose things are listed: as asked by staff in office and machines, of all others only their own.

    Raises:
        PermissionDenied: NOT_OWNER where somebody else's are asked for, ACTOR_NOT_ALLOWED for who speaks for nobody.
    """
    if actor.standing in _OFFICIAL:
        return asked
    if actor.standing is not Standing.PERSON:
        raise reasons.actor_not_allowed("the caller speaks for nobody here", actor_kind=actor.kind)
    holder = asked or actor.organization or actor.subject
    if holder not in actor.speaks_for:
        raise reasons.not_owner("a person lists only what is their own")
    return holder


def asking(actor: Actor, context: common_pb2.UseContext, home: str) -> Asking:
    """Reads who asks, and for what.

    Raises FIELD_INVALID where the context names another department or operator than the token.
    """
    region = actor.region or home
    recorded = common_pb2.UseContext()
    recorded.CopyFrom(context)
    recorded.department = _department(actor, context, region)
    recorded.operator = _operator(actor, context)
    recorded.case_name = canonical_case(_with_region(context.case_name, region, home), home)
    trusted = actor.standing in _ANSWERABLE or bool(actor.department)
    reader = Reader(
        region,
        subjects_of(actor),
        recorded.department if trusted else "",
        actor.subject if actor.standing in (Standing.CLIENT, Standing.SERVICE) else "",
        actor.subject if actor.standing in _OFFICIAL else "",
    )
    return Asking(actor, reader, Purpose(recorded.case_name, context.legal_basis), recorded)


def _department(actor: Actor, context: common_pb2.UseContext, region: str) -> str:
    said = context.department.removeprefix(f"//{region}/")
    if actor.department and actor.standing is not Standing.REGION:
        if said not in ("", actor.department):
            raise invalid_field("context.department", "context.token", "must be the department of the token")
        return actor.department
    # Services and other regions answer for what they say.
    return said


def _operator(actor: Actor, context: common_pb2.UseContext) -> str:
    if not actor.clerk:
        return context.operator
    if context.operator not in ("", actor.clerk):
        raise invalid_field("context.operator", "context.token", "must be the staff of the token")
    return actor.clerk


def _with_region(case_name: str, region: str, home: str) -> str:
    """Another region's own case comes without its region in front; here it needs it."""
    return f"//{region}/{case_name}" if region != home and case_name.startswith("cases/") else case_name
