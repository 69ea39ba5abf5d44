"""Who says what of a use: the context of a request against the token that it came with.

What a token says is believed. What a context says counts only where the token leaves it open: for the region's own services,
and for other regions, who answer for their departments themselves. One rule for all services, so that one and the same
context is not taken by one service and refused by the next.
"""

from dataclasses import dataclass

from libs.access.actor import Actor, Standing
from libs.errors import invalid_field, reasons
from tongban.common.v1 import common_pb2

_ANSWERABLE = (Standing.SERVICE, Standing.REGION)
_OF_WHO_ASKS = ("service_item", "case", "item")
"""What lies in the region that asks, where no region stands in front."""
_OF_WHO_IS_ASKED = ("grant", "consent", "presentation")
"""What lies where the data lies, where no region stands in front."""


@dataclass(frozen=True, slots=True)
class StatedUse:
    """A use as it is recorded, and what of it counts.

    Attributes:
        region: the code of the region that asks.
        department: ``departments/…`` of that region, for which somebody answers; empty where nobody does.
        context: the context as it stands in the record, with department and operator as the token says them, and with all
            names as this region writes them.
    """

    region: str
    department: str
    context: common_pb2.UseContext

    @property
    def case_name(self) -> str:
        """The case that the use is for, as this region writes it; empty where none is named."""
        return self.context.case


def stated(actor: Actor, context: common_pb2.UseContext, home: str, *bases: str) -> StatedUse:
    """Reads a context.

    Args:
        actor: who asks.
        context: what the request says.
        home: this region's id.
        bases: the kinds of basis that the service can have checked; of another kind it takes only the word of a region.

    Raises:
        InvalidArgument: FIELD_INVALID, the context names another department or operator than the token (``context.token``), or
            a basis that can't be checked here (``basis.kind``).
    """
    if not actor.region:
        check_kind(context, *bases)
    region = actor.region or home
    recorded = common_pb2.UseContext()
    recorded.CopyFrom(context)
    recorded.department = _department(actor, context, region)
    recorded.operator = _operator(actor, context)
    for owner, fields in ((region, _OF_WHO_ASKS), (home, _OF_WHO_IS_ASKED)):
        for name in fields:
            if said := getattr(context, name):
                setattr(recorded, name, name_here(said, owner, home))
    answered = actor.standing in _ANSWERABLE or bool(actor.department)
    return StatedUse(region, recorded.department if answered else "", recorded)


def check_kind(context: common_pb2.UseContext, *bases: str) -> None:
    """Raises FIELD_INVALID ``basis.kind`` where a basis is named that is none of ``bases``: nobody here could check it."""
    kind = context.WhichOneof("basis")
    if kind and kind not in bases:
        taken = ", ".join(bases) or "none"
        raise invalid_field(f"use_context.{kind}", "basis.kind", f"can't be checked here; what can is: {taken}")


def name_here(name: str, region: str, home: str) -> str:
    """Returns a name as this region writes it: its own without a region in front, all others with theirs.

    ``region`` is that of who names it: ``cases/…`` means a case of theirs.
    """
    name = name.strip()
    if name and region != home and not name.startswith("//"):
        return f"//{region}/{name}"
    return name.removeprefix(f"//{home}/")


def lies_here(actor: Actor, region: str, home: str) -> bool:
    """Tells whether what a caller names lies here; what lies in another region is asked for there, in the caller's place.

    ``region`` is the one in the name, empty where none is. Nothing is asked for another region, which asks there itself: raises
    InvalidArgument REGION_MISMATCH.
    """
    if region in ("", home):
        return True
    if actor.standing is Standing.REGION:
        raise reasons.region_mismatch("what is named is of another region", region=region)
    return False


def for_abroad(context: common_pb2.UseContext, home: str, region: str) -> common_pb2.UseContext:
    """Returns a context as it is told to another region: whole, every name with the region that owns the thing in front."""
    told = common_pb2.UseContext()
    told.CopyFrom(context)
    for owner, fields in ((home, _OF_WHO_ASKS), (region, _OF_WHO_IS_ASKED)):
        for name in fields:
            said = getattr(context, name)
            if said and not said.startswith("//"):
                setattr(told, name, f"//{owner}/{said}")
    return told


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
