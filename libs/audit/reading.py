"""Records reads of somebody's data before they are answered, where they are not one's own."""

from collections.abc import Iterable

from google.protobuf.message import Message

from libs.audit.writer import AuditWriter
from libs.db.command import command_of
from libs.rpc.call import Call


async def record_read(
    audit: AuditWriter,
    request: Message,
    about: str,
    fields: tuple[str, ...],
    count: int = 1,
    *,
    own: bool = False,
    of: Iterable[str] = (),
    call: Call,
) -> None:
    """Records a read before its answer leaves, except where people read by themselves what is their own.

    Args:
        audit: the service's log.
        request: the request; where it says why, the record says it too.
        about: what is read, a resource name, or the collection.
        fields: what leaves.
        count: how many records of data leave.
        own: whether it is the caller's own; with staff at a window beside them it is recorded nevertheless.
        of: whose data leaves, persons and organisations, who are told of it.
        call: the call that is answered.

    Raises:
        Unavailable: AUDIT_UNAVAILABLE, nothing may be answered.
    """
    if own and not call.actor.delegate:
        call.own()
    else:
        await audit.write(command_of(request, call=call), about, fields=fields, record_count=count, subjects=of)
