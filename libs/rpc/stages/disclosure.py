"""Stage 10: nobody's data leaves, and nothing is changed, without its record ("no record, no service").

What an RPC can give away is read from its contract: an answer with a personal field, or one that names a person. Whoever
writes such an RPC records the read before answering, or says that the answer is the caller's own
(:func:`libs.rpc.call.Call.own`). What changes something is recorded with the change. Where neither was done the answer is
thrown away: forgetting it can't pass any test. So every such call has a receipt, which goes before its answer.
"""

from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from buf.validate import validate_pb2
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method
from tongban.options.v1 import options_pb2


class UnrecordedDisclosure(Exception):
    """An RPC would answer without a record that it needs: a mistake of ours, which nobody outside is told."""


def discloses(method: Method) -> bool:
    """Tells whether an answer of ``method`` can tell of somebody who is not the caller."""
    declared = method.access.disclosure
    if declared == options_pb2.DISCLOSURE_UNSPECIFIED:
        return not method.access.public and _tells_of_somebody(method.descriptor.output_type)
    return bool(declared == options_pb2.DISCLOSURE_RECORDED)


def needs_record(method: Method) -> bool:
    """Tells whether an answer of ``method`` leaves with the receipt of its record only, or as the caller's own."""
    return method.writes or discloses(method)


@cache
def _tells_of_somebody(message: Descriptor) -> bool:
    return any(map(_of_somebody, _fields(message)))


def _fields(message: Descriptor) -> list[FieldDescriptor]:
    """All fields of a message and of the messages in it."""
    seen, found, waiting = set[str](), list[FieldDescriptor](), [message]
    while waiting:
        each = waiting.pop()
        if each.full_name not in seen:
            seen.add(each.full_name)
            found += each.fields
            waiting += [field.message_type for field in each.fields if field.message_type is not None]
    return found


def _of_somebody(field: FieldDescriptor) -> bool:
    options = field.GetOptions()
    rules = options.Extensions[validate_pb2.field]
    named = any("persons" in pattern for pattern in (rules.string.pattern, rules.repeated.items.string.pattern))
    return named or bool(options.Extensions[options_pb2.field].personal)


def disclosure(method: Method, handler: Handler) -> Handler:
    """Lets an answer that can tell of somebody, or of a change, leave only after its record was written."""
    if not needs_record(method):
        return handler

    async def with_record(request: object, call: Call) -> Message:
        answer = await handler(request, call)
        if not call.accounted:
            raise UnrecordedDisclosure(method.name)
        return answer

    return with_record
