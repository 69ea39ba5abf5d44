"""Who says what of a use: the context of a request against the token that it came with.

What a token says is believed. What a context says counts only where the token leaves it open: for the region's own services,
and for other regions, who answer for their departments themselves. One rule for all services, so that one and the same
context is not taken by one service and refused by the next.
"""

from dataclasses import dataclass

from libs.access.actor import Actor, Standing
from libs.errors import invalid_field
from tongban.common.v1 import common_pb2

_ANSWERABLE = (Standing.SERVICE, Standing.REGION)


@dataclass(frozen=True, slots=True)
class StatedUse:
    """A use as it is recorded, and what of it counts.

    Attributes:
        region: the code of the region that asks.
        department: ``departments/…`` of that region, for which somebody answers; empty where nobody does.
        context: the context as it stands in the record, with department and operator as the token says them.
    """

    region: str
    department: str
    context: common_pb2.UseContext

    @property
    def case_name(self) -> str:
        """The case that the use is for, as this region writes it; empty where none is named."""
        return self.context.case


def stated(actor: Actor, context: common_pb2.UseContext, home: str) -> StatedUse:
    """Reads a context.

    Args:
        actor: who asks.
        context: what the request says.
        home: this region's id.

    Raises:
        InvalidArgument: FIELD_INVALID, the context names another department or operator than the token.
    """
    region = actor.region or home
    recorded = common_pb2.UseContext()
    recorded.CopyFrom(context)
    recorded.department = _department(actor, context, region)
    recorded.operator = _operator(actor, context)
    recorded.case = case_here(context.case, region, home)
    answered = actor.standing in _ANSWERABLE or bool(actor.department)
    return StatedUse(region, recorded.department if answered else "", recorded)


def case_here(name: str, region: str, home: str) -> str:
    """Returns a case's name as this region writes it: its own without a region in front, all others with theirs.

    ``region`` is that of who names it: ``cases/…`` means a case of theirs.
    """
    name = name.strip()
    if region != home and name.startswith("cases/"):
        return f"//{region}/{name}"
    return name.removeprefix(f"//{home}/")


def _department(actor: Actor, context: common_pb2.UseContext, region: str) -> str:
    said = context.department.removeprefix(f"//{region}/")
    if not actor.department or actor.standing is Standing.REGION:
        return said
    if said not in ("", actor.department):
        raise invalid_field("use_context.department", "context.token", "must be the department of the token")
    return actor.department


def _operator(actor: Actor, context: common_pb2.UseContext) -> str:
    if not actor.clerk:
        return context.operator
    if context.operator not in ("", actor.clerk):
        raise invalid_field("use_context.operator", "context.token", "must be the staff of the token")
    return actor.clerk
