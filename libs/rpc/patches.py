"""What an Update changes, laid over what stands (AIP-134): by the mask, and held to the rules of the contract as a new thing is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

from google.api import field_behavior_pb2
from google.protobuf.message import Message

from libs.errors import InvalidArgument, TongbanError, Violation, reasons
from libs.rpc import masks
from libs.rpc.outputs import behaviors_of
from libs.rpc.stages.validation import check

Resource = TypeVar("Resource", bound=Message)


@dataclass(frozen=True, slots=True)
class Patch(Generic[Resource]):
    """What an Update request changes. The stage of validation has found its mask good.

    Attributes:
        field: the request's field in which the resource stands; what is told of the resource names it.
        name: the resource's name.
        given: the resource as the request says it.
        paths: the fields that it changes, one after the other, each once; none of them holds one that stays.
        around: what the mask named and holds fields that stay: these must be as they were.
    """

    field: str
    name: str
    given: Resource
    paths: tuple[str, ...]
    around: tuple[str, ...]

    def changes(self, path: str) -> bool:
        """Tells whether anything at ``path``, above it or below it is changed."""
        return any(_meet(each, path) for each in self.paths)

    def over(self, stands: Resource) -> Resource:
        """Returns the resource as it stands with what is changed, held to the rules of its contract.

        Raises:
            InvalidArgument: FIELD_INVALID with the fields that break a rule, or that stay as they were made.
        """
        changed = type(stands)()
        changed.CopyFrom(stands)
        for path in self.paths:
            _put(self.given, changed, path.split("."))
        moved = [each for path in self.around for each in _moved(_at(self.given, path), _at(stands, path), path)]
        if moved:
            faults = tuple(masks.fault(f"{self.field}.{each}", "immutable") for each in moved)
            raise reasons.field_invalid("what stays as it was made can't be changed", violations=faults)
        with standing_in(self.field):
            check(changed)
        return changed


def patch_of(request: Message, kind: type[Resource]) -> Patch[Resource]:
    """Returns what an Update request changes of a resource of ``kind``."""
    field = masks.updated(request)
    if field is None or field.message_type != kind.DESCRIPTOR:
        raise TypeError(f"{request.DESCRIPTOR.full_name} updates no {kind.DESCRIPTOR.full_name}")
    given: Any = getattr(request, field.name)
    within = {path: masks.parts(given.DESCRIPTOR, path) for path in masks.named(request)}
    around = tuple(path for path, paths in within.items() if paths != (path,))
    return Patch(field.name, given.name, given, tuple(dict.fromkeys(chain.from_iterable(within.values()))), around)


@contextmanager
def standing_in(field: str) -> Iterator[None]:
    """Has refusals of a resource tell its fields as they stand in the request's ``field``."""
    try:
        yield
    except InvalidArgument as error:
        raise under(field, error) from error


def under(field: str, error: TongbanError) -> TongbanError:
    """Returns the same refusal, of fields that stand in ``field``."""
    return error.about(*(Violation(f"{field}.{each.field}", each.rule, each.description) for each in error.violations))


def _at(message: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        message = getattr(message, name)
    return message


def _put(given: Any, changed: Any, path: list[str]) -> None:
    name, *rest = path
    if rest:
        _put(getattr(given, name), getattr(changed, name), rest)
        return
    changed.ClearField(name)
    field = given.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated or field.message_type is not None:
        if field.is_repeated or given.HasField(name):
            getattr(changed, name).MergeFrom(getattr(given, name))
    else:
        setattr(changed, name, getattr(given, name))


def _moved(given: Any, stands: Any, inside: str) -> Iterator[str]:
    """The fields that stay as they were made, and that the request says otherwise; left out they stay, too."""
    for field, value in given.ListFields():
        stood, path = getattr(stands, field.name), f"{inside}.{field.name}".lstrip(".")
        if field_behavior_pb2.IMMUTABLE in behaviors_of(field):
            if value != stood:
                yield path
        elif field.message_type is not None and not field.is_repeated:
            yield from _moved(value, stood, path)


def _meet(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
