"""Tomorrow's contracts, made of today's: what a later release may add to what regions send to one another.

A value of an enum, a field, a field that is required by its rule, a rule, and a payload that today's release has never heard of.
"""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.message import Message

from buf.validate import validate_pb2
from libs.rpc.editions import ContractEdition, PayloadReader, own_edition
from libs.rpc.images import image_path
from services.cases.core.payloads import PAYLOADS, MessageReader
from tongban.cases.v1 import exchange_service_pb2 as pb

RELEASE = "99.0.0"
NOTICE = "tongban.cases.v1.TransferNotice"
"""A payload of tomorrow: a notice that travels with a case."""
NEW_STATE, NEW_FIELD, REQUIRED_FIELD, LONG_NOTE = 990, 991, 992, 5_000
NEW_KIND = 993
"""A kind of value of tomorrow: a point on the map."""
_FILES = {
    "exchange": "tongban/cases/v1/exchange_service.proto",
    "resources": "tongban/cases/v1/resources.proto",
    "values": "tongban/common/v1/value.proto",
}
CHANGED = tuple(_FILES.values())
"""The files that tomorrow's image has otherwise."""
_TEXT = descriptor_pb2.FieldDescriptorProto.TYPE_STRING


def image(*, required: bool = True) -> bytes:
    """The image of tomorrow's contracts; ``required`` where its new field is."""
    files = descriptor_pb2.FileDescriptorSet.FromString(image_path().read_bytes())
    by_name = {file.name: file for file in files.file}
    exchange, resources = by_name[_FILES["exchange"]], by_name[_FILES["resources"]]
    states = next(each for each in resources.enum_type if each.name == "CaseState")
    states.value.add(name="CASE_STATE_IN_PUBLIC_NOTICE", number=NEW_STATE)
    for name in ("TransferProgress", "TransferApplication", "TransferCorrection"):
        message = _message(exchange, name)
        message.field.add(name="fee_notice", number=NEW_FIELD, type=_TEXT, label=1)
        asked = message.field.add(name="contact_desk", number=REQUIRED_FIELD, type=_TEXT, label=1)
        if required:
            asked.options.Extensions[validate_pb2.field].string.min_len = 1
    note = next(each for each in _message(exchange, "TransferProgress").field if each.name == "note")
    note.options.Extensions[validate_pb2.field].string.max_len = LONG_NOTE
    point = _message(by_name[_FILES["values"]], "Value").field.add(
        name="point_value", number=NEW_KIND, type=_TEXT, label=1
    )
    point.oneof_index = 0
    exchange.message_type.add(name="TransferNotice").field.add(name="text", number=1, type=_TEXT, label=1)
    return files.SerializeToString()


def _message(file: descriptor_pb2.FileDescriptorProto, name: str) -> descriptor_pb2.DescriptorProto:
    return next(each for each in file.message_type if each.name == name)


def edition(*, required: bool = True) -> ContractEdition:
    """Tomorrow's contracts."""
    return ContractEdition(RELEASE, image(required=required))


def payloads(tomorrow: ContractEdition) -> PayloadReader:
    """What tomorrow's release understands; it knows whom it was upgraded from."""
    today = own_edition()
    return PayloadReader(tomorrow, {*PAYLOADS, NOTICE}, {today.release: today}.get)


def written(tomorrow: ContractEdition, content: Message, more: Mapping[str, Any]) -> bytes:
    """``content`` as tomorrow's release writes it, with the fields ``more`` set."""
    message = tomorrow.read(str(content.DESCRIPTOR.full_name), content.SerializeToString())
    assert message is not None
    for name, value in more.items():
        setattr(message, name, value)
    return message.SerializeToString()


class TomorrowReader(MessageReader):
    """Reads and writes messages as tomorrow's release does.

    ``adds`` gives the fields that it sets of a message beside what today's code does.
    """

    def __init__(self, tomorrow: ContractEdition, adds: Callable[[Message], Mapping[str, Any]]) -> None:
        super().__init__(payloads(tomorrow))
        self._tomorrow = tomorrow
        self._adds = adds

    def packed(self, content: Message) -> pb.TransferMessage:
        """A message with what tomorrow adds."""
        message = super().packed(content)
        message.payload = written(self._tomorrow, content, self._adds(content))
        return message
