"""Events that only tests emit: messages of one number, as ``Money`` writes its own, declared as the contract declares its own."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tongban.options.v1 import options_pb2

_PACKAGE = "tests.events"
_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "Done": "cn.tongban.test.done.v1",
    "Handled": "cn.tongban.test.handled.v1",
    "Other": "cn.tongban.test.other.v1",
}
_INTERNAL = ("Other",)


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/events.proto", package=_PACKAGE, syntax="proto3", dependency=["tongban/options/v1/options.proto"]
    )
    for name, kind in _TYPES.items():
        message = file.message_type.add(name=name)
        message.field.add(name="fen", number=1, type=_FIELD.TYPE_INT64, label=_FIELD.LABEL_OPTIONAL)
        audience = options_pb2.EVENT_AUDIENCE_INTERNAL if name in _INTERNAL else options_pb2.EVENT_AUDIENCE_PUBLIC
        message.options.Extensions[options_pb2.message].event.CopyFrom(options_pb2.Event(type=kind, audience=audience))
    return file


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_POOL = descriptor_pool.Default()
_POOL.Add(_file())

Done, Handled, Other = map(_class, _TYPES)
