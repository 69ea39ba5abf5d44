"""For whom data is used: what the token says, and what of the context of a use counts beside it."""

from dataclasses import dataclass

from libs.access.actor import Actor, Standing
from libs.access.context import StatedUse, stated
from libs.errors import invalid_field
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import data_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class DataConsumer:
    """For whom data is used.

    Attributes:
        region: the code of the region.
        department: the department as grants name it; empty where nobody answers for one.
        operator: the person at the keyboard, or the machine.
        use: the use as it is recorded.
    """

    region: str
    department: str
    operator: str
    use: common_pb2.UseContext


def consumer_of(actor: Actor, request: pb.QueryRequest | pb.CompareRequest, home: str) -> DataConsumer:
    """Returns for whom a caller asks, by whether it is another region.

    Raises InvalidArgument FIELD_INVALID, as each of both.
    """
    return (_abroad if actor.standing is Standing.REGION else _here)(actor, request, home)


def _here(actor: Actor, request: pb.QueryRequest | pb.CompareRequest, home: str) -> DataConsumer:
    """Returns for whom a caller of this region asks: a service of ours says it, of all others the token does.

    Raises InvalidArgument FIELD_INVALID where the context contradicts the token.
    """
    said = stated(actor, request.use_context, home, "grant")
    operator = said.context.operator.removeprefix(f"//{home}/") or actor.subject
    return _consumer(said, said.department, operator)


def _abroad(actor: Actor, request: pb.QueryRequest | pb.CompareRequest, home: str) -> DataConsumer:
    """Returns for whom another region asks; it answers for its departments.

    Raises InvalidArgument FIELD_INVALID for a context without department, operator or transaction id of that region.
    """
    said, context = stated(actor, request.use_context, home), request.use_context
    ours = f"//{actor.region}/"
    if not context.department.startswith(f"{ours}departments/"):
        raise invalid_field("use_context.department", "department.region", "must be a department of your region")
    if not context.operator.startswith(ours):
        raise invalid_field("use_context.operator", "operator.region", "must be somebody of your region")
    if not context.transaction_id:
        raise invalid_field("use_context.transaction_id", "required", "both regions record it")
    return _consumer(said, context.department, context.operator)


def _consumer(said: StatedUse, department: str, operator: str) -> DataConsumer:
    return DataConsumer(said.region, department, operator, said.context)


def under_grant(use: common_pb2.UseContext, grant: str) -> common_pb2.UseContext:
    """Returns a context that names the grant that allowed the use, also where it was chosen for the caller."""
    under = common_pb2.UseContext()
    under.CopyFrom(use)
    under.grant = grant
    return under
