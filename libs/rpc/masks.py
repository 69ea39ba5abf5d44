"""Update masks (AIP-134, 161): which fields of a resource a request changes, held against the contract.

A mask names fields of the resource by their paths in the contract, or is ``*`` alone, which means all that a caller may
write. What can be written is read from the descriptors, once: what is OUTPUT_ONLY, the name and the fields of what lies in a
list can't be named; what is IMMUTABLE can't either, and where it stands in what is named it must say what stands. Of what a
mask does not name the request may say anything: it is not looked at.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from google.api import field_behavior_pb2, resource_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from libs.errors import Violation
from libs.rpc.outputs import SERVERS_OWN, behaviors_of, resource_fields

ALL, MASK = "*", "update_mask"
_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_CHOSEN = {"client": "[a-z0-9][a-z0-9-]{2,62}"}
"""The ids that are no UUID, because whoever makes the thing may choose them."""
_SUBSCRIPT = re.compile(r"\[[^\]]*\]")
_FAULTS = {
    "all": "is all there is where it stands: no other path beside it",
    "empty": "must say which fields are changed",
    "unknown": "is no field of the resource",
    "output_only": "is written by the server only",
    "immutable": "stays as it was made",
}


def updated(request: Message) -> FieldDescriptor | None:
    """Returns the field of an Update in which the resource stands; None for requests that are none."""
    descriptor: Any = request.DESCRIPTOR
    return resource_fields(descriptor)[0] if MASK in descriptor.fields_by_name else None


def fault(field: str, kind: str, shown: str = "") -> Violation:
    """Returns what is told of a field that can't be changed."""
    return Violation(field, f"{MASK}.{kind}", f"{shown} {_FAULTS[kind]}".strip())


def held(request: Message, violations: list[Violation]) -> list[Violation]:
    """Returns what is wrong with a request of whose contract's rules these are broken.

    Of an Update that is what is wrong with its mask, and of its resource only what the mask names.
    """
    field = updated(request)
    if field is None:
        return violations
    given: Any = getattr(request, field.name)
    faults = [
        *(_name_faults(field.name, given) if request.HasField(field.name) else ()),
        *_mask_faults(given.DESCRIPTOR, _paths(request)),
    ]
    return [*faults, *(each for each in violations if _concerned(each.field, f"{field.name}.", _paths(request)))]


def named(request: Message) -> tuple[str, ...]:
    """Returns the paths that a mask without faults names, once each; the empty path where it is all."""
    return ("",) if _paths(request) == (ALL,) else tuple(dict.fromkeys(_paths(request)))


def _paths(request: Any) -> tuple[str, ...]:
    return tuple(getattr(request, MASK).paths)


def _concerned(told: str, inside: str, paths: tuple[str, ...]) -> bool:
    """Whether a violation stands outside of the resource, or at or below what the mask names in it."""
    if not told.startswith(inside):
        return True
    path = f"{_SUBSCRIPT.sub('', told.removeprefix(inside))}."
    return any(each == ALL or path.startswith(f"{each}.") for each in paths)


def _name_faults(field: str, given: Any) -> Iterator[Violation]:
    if not re.fullmatch(_name_pattern(given.DESCRIPTOR), given.name):
        yield Violation(f"{field}.name", "string.pattern", "must be the name of a resource of this kind")


def _mask_faults(resource: Descriptor, paths: tuple[str, ...]) -> Iterator[Violation]:
    if not paths:
        yield fault(MASK, "empty")
    if paths != (ALL,):
        yield from (
            fault(MASK, kind, _shown(path)) for path in dict.fromkeys(paths) if (kind := _fault(resource, path))
        )


def _shown(path: str) -> str:
    """A caller's words go into an answer, and so at most a path's worth of them."""
    return path if re.fullmatch(r"[\w.]{1,100}", path) else "a path"


@cache
def _name_pattern(resource: Descriptor) -> str:
    pattern = resource.GetOptions().Extensions[resource_pb2.resource].pattern[0]
    return re.sub(r"\{(\w+)\}", lambda found: _CHOSEN.get(found[1], _UUID), str(pattern))


@cache
def parts(resource: Descriptor, path: str) -> tuple[str, ...]:
    """The paths that make up ``path`` and hold nothing that stays: itself, or those within. The empty path is the resource."""
    if not path:
        return tuple(_writable_in(resource, ""))
    field = _followed(resource, path)[-1]
    message = None if field.is_repeated else field.message_type
    return tuple(_writable_in(message, f"{path}.")) if message is not None and _holds_fixed(message) else (path,)


def _writable_in(message: Descriptor, inside: str) -> Iterator[str]:
    for field in message.fields:
        if _fixed(field):
            continue
        if field.message_type is not None and not field.is_repeated and _holds_fixed(field.message_type):
            yield from _writable_in(field.message_type, f"{inside}{field.name}.")
        else:
            yield f"{inside}{field.name}"


def _fixed(field: FieldDescriptor) -> bool:
    return bool(behaviors_of(field) & (SERVERS_OWN | {field_behavior_pb2.IMMUTABLE}))


def _holds_fixed(message: Descriptor) -> bool:
    return any(map(_fixed, message.fields))


def _followed(resource: Descriptor, path: str) -> list[FieldDescriptor]:
    """The fields on a path, the last being what it names; as far as they are fields.

    Nothing names the third of a list (AIP-161): a list is changed as a whole.
    """
    message: Descriptor | None = resource
    found: list[FieldDescriptor] = []
    for name in path.split("."):
        field = message.fields_by_name.get(name) if message is not None else None
        if field is None:
            break
        found.append(field)
        message = None if field.is_repeated else field.message_type
    return found


def _fault(resource: Descriptor, path: str) -> str:
    """What is wrong with a path; empty where nothing is."""
    if path == ALL:
        return "all"
    fields = _followed(resource, path)
    if len(fields) < path.count(".") + 1:
        return "unknown"
    said = frozenset().union(*map(behaviors_of, fields))
    if said & SERVERS_OWN:
        return "output_only"
    return "immutable" if field_behavior_pb2.IMMUTABLE in said else ""
