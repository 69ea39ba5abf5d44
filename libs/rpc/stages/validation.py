"""Stage 9: parses the request, refuses what its contract does not know, and checks the contract's rules (buf.validate).

Parsing stands here, behind the permission, so that a stranger's bytes are not even read, and so that broken bytes and
broken UTF-8 get a typed error instead of gRPC's bare one.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import Any

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from buf.validate import validate_pb2
from libs.access.actor import Actor, Standing
from libs.errors import Violation, reasons
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method
from libs.rpc.masks import held
from libs.rpc.outputs import leave_out
from libs.rpc.unknown_fields import in_brackets, refuse_unknown
from libs.values.limits import SECONDS, VALUE, limit_faults

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_FEW_BYTES = 2_048
_MOST_ELEMENTS = 5_000
_SECOND = 1_000_000_000
_TIMES = {
    "google.protobuf.Timestamp": SECONDS,
    "google.protobuf.Duration": (-315_576_000_000, 315_576_000_000),
}


def _path(violation: Any) -> str:
    field = violation.proto.field
    return ".".join(element.field_name + _subscript(element.subscript) for element in (field.elements if field else ()))


def _words(violation: Any, descriptor: Any) -> str:
    """What a violation says; of an enum's, the names of the values that would be taken."""
    said = str(violation.proto.message)
    field = _field_of(violation, descriptor) if violation.proto.rule_id.startswith("enum.") else None
    if field is None or field.enum_type is None:
        return said
    rules = field.GetOptions().Extensions[validate_pb2.field]
    enum = (rules.repeated.items if field.is_repeated else rules).enum
    taken = set(getattr(enum, "in")) or {value.number for value in field.enum_type.values} - set(enum.not_in)
    return "must be one of " + ", ".join(value.name for value in field.enum_type.values if value.number in taken)


def _field_of(violation: Any, descriptor: Any) -> FieldDescriptor | None:
    field: FieldDescriptor | None = None
    for element in violation.proto.field.elements:
        field = descriptor.fields_by_number.get(element.field_number) if descriptor is not None else None
        descriptor = field.message_type if field is not None else None
    return field


def _subscript(subscript: Any) -> str:
    return "" if subscript is None else in_brackets(subscript.value)


def parse(method: Method, data: bytes) -> Message:
    """Parses one message of ``method``; raises a typed error for what is too large or not protobuf."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise reasons.message_too_large("the message is too large", limit_bytes=str(MAX_MESSAGE_BYTES))
    try:
        return method.request_type.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        violation = Violation("", "protobuf", "the bytes are not a valid message of this type, or hold broken UTF-8")
        raise reasons.field_invalid("the request can't be parsed", violations=(violation,)) from error


def _members(value: Any, field: FieldDescriptor) -> Iterator[tuple[str, Any]]:
    """The values of one set field, each with its subscript; the keys of a map count as values."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        for key in value:
            yield in_brackets(key), key
            yield in_brackets(key), value[key]
    elif field.is_repeated:
        yield from ((f"[{index}]", each) for index, each in enumerate(value))
    else:
        yield "", value


def _with_nul(message: Message, inside: str = "") -> Iterator[str]:
    for field, value in message.ListFields():
        for subscript, each in _members(value, field):
            path = f"{inside}{field.name}{subscript}"
            if isinstance(each, Message):
                yield from _with_nul(each, f"{path}.")
            elif isinstance(each, str) and "\0" in each:
                yield path


def _refuse_nul(message: Message, data: bytes) -> None:
    # PostgreSQL holds no U+0000 in text, and no contract's rule thinks of it. Most messages have no such byte at all.
    if b"\0" not in data:
        return
    violations = tuple(Violation(path, "string.nul", "must not hold U+0000") for path in _with_nul(message))
    if violations:
        raise reasons.field_invalid("the request holds U+0000 in text", violations=violations)


@cache
def _most(field: FieldDescriptor) -> int:
    """How many elements the contract lets a list or a map have."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    return min(rules.repeated.max_items or _MOST_ELEMENTS, rules.map.max_pairs or _MOST_ELEMENTS)


def _counted(message: Message, inside: str = "") -> Iterator[tuple[str, int, int]]:
    """The path, length and greatest length of every list and map that is set, one after the other."""
    for field, value in message.ListFields():
        path = f"{inside}{field.name}"
        if field.is_repeated:
            yield path, len(value), _most(field)
        if field.message_type is not None:
            for subscript, each in _members(value, field):
                if isinstance(each, Message):
                    yield from _counted(each, f"{path}{subscript}.")


@cache
def _leading_to_judged(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields of a message that hold a time, a duration or a value of any kind, themselves or somewhere inside."""
    return tuple(field for field in descriptor.fields if field.message_type is not None and _holds_judged(field, ()))


def _holds_judged(field: FieldDescriptor, above: tuple[str, ...]) -> bool:
    kind = field.message_type
    if kind is None or kind.full_name in above:
        return False
    if kind.full_name in _TIMES or kind.full_name == VALUE:
        return True
    return any(_holds_judged(each, (*above, kind.full_name)) for each in kind.fields)


def _misjudged(message: Message, inside: str = "") -> Iterator[Violation]:
    for field in _leading_to_judged(message.DESCRIPTOR):
        if not field.is_repeated and not message.HasField(field.name):
            continue
        for subscript, each in _members(getattr(message, field.name), field):
            if isinstance(each, Message):
                yield from _judged(each, f"{inside}{field.name}{subscript}")


def _judged(message: Any, path: str) -> Iterator[Violation]:
    kind = message.DESCRIPTOR.full_name
    if kind == VALUE:
        yield from limit_faults(message, path)
    elif kind not in _TIMES:
        yield from _misjudged(message, f"{path}.")
    elif not (_TIMES[kind][0] <= message.seconds <= _TIMES[kind][1] and abs(message.nanos) < _SECOND):
        yield Violation(path, "timestamp.range", "must be a time that can be written (years 1 to 9999)")


def _refuse_what_is_none(message: Message) -> None:
    # What the JSON mapping can't write can stand in a protobuf all the same, and no converter takes it.
    violations = tuple(_misjudged(message))
    if violations:
        raise reasons.field_invalid("the request holds a time or a value that is none", violations=violations)


def _refuse_too_many(message: Message, data: bytes) -> None:
    # The rules of every element are checked, so a list past its limit costs what its length says before it is refused.
    if len(data) < _FEW_BYTES:
        return
    total = 0
    for path, length, most in _counted(message):
        total += length
        if length > most or total > _MOST_ELEMENTS:
            violation = Violation(path, "repeated.max_items", f"must hold at most {most} elements")
            raise reasons.field_invalid("the request holds too many elements", violations=(violation,))


def check(message: Message, broken: Callable[[Message], list[Any]] = protovalidate.collect_violations) -> None:
    """Raises InvalidArgument FIELD_INVALID naming every field of ``message`` that breaks a rule or holds U+0000.

    ``broken`` finds the rules of its contract that it breaks; another edition of the contract has a validator of its own.
    """
    data = message.SerializeToString()
    _refuse_too_many(message, data)
    _check(message, data, broken)


def _check(
    message: Message, data: bytes, broken: Callable[[Message], list[Any]] = protovalidate.collect_violations
) -> None:
    _refuse_nul(message, data)
    _refuse_what_is_none(message)
    found = [Violation(_path(v), v.proto.rule_id, _words(v, message.DESCRIPTOR)) for v in broken(message)]
    violations = tuple(held(message, found))
    if violations:
        raise reasons.field_invalid("the request breaks rules of its contract", violations=violations)


def keeps_unknown(method: Method, actor: Actor) -> bool:
    """Whether fields that the contract lacks are kept: another region may run a newer release, and must get through.

    What its people call beside everybody else they call as everybody does.
    """
    return method.for_regions and (not method.for_fronts or actor.standing is Standing.REGION)


def _parse_and_check(method: Method, data: bytes, actor: Actor) -> Message:
    message = parse(method, data)
    _refuse_too_many(message, data)
    if not keeps_unknown(method, actor):
        refuse_unknown(message, data)
        leave_out(message)
    _check(message, data)
    return message


async def _each(method: Method, stream: AsyncIterator[bytes], call: Call) -> AsyncIterator[Message]:
    async for data in stream:
        call.pace.moved()
        # The first says what the rest is, by its digest too: it is what stands for the whole. What is answered as it goes
        # stands for itself.
        call.received = data if method.exchanges else call.received or data
        yield _parse_and_check(method, data, call.actor)


def validation(method: Method, handler: Handler) -> Handler:
    """Parses and validates the request, or each message of a client's stream as it comes.

    The bytes are kept with the call: a record is of what came, not of what we would have written in its place.
    """
    streams = method.descriptor.client_streaming

    async def with_validation(request: Any, call: Call) -> Message:
        if streams:
            return await handler(_each(method, request, call), call)
        call.received = request
        return await handler(_parse_and_check(method, request, call.actor), call)

    return with_validation
