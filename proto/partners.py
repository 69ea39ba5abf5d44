"""Packs what a partner needs to compile the contracts into ``proto/gen/protos.zip``: our sources and everything they import.

google/api, google/rpc and google/protobuf come from their wheels as they are. Of buf/validate/validate.proto the wheel has a descriptor alone:
it is written out as text without its own options, which only those need who check rules, and they have the file from their library.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator
from importlib import util
from pathlib import Path

from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parent
IMAGE, PACK = ROOT / "gen" / "tongban.binpb", ROOT / "gen" / "protos.zip"
_DAY = (2020, 1, 1, 0, 0, 0)
"""The same bytes from the same contracts, whenever they are packed."""
_README = """The contracts of Tongban with everything that they import.

  protoc -I . --python_out=OUT tongban/*/v1/*.proto google/api/*.proto buf/validate/*.proto
  buf generate .
  grpcurl -protoset tongban.binpb HOST:PORT list

tongban.binpb is the same as one descriptor set, comments included (protoc --descriptor_set_in, buf, grpcurl, @grpc/proto-loader).
"""
_TYPES = {
    number: name.removeprefix("TYPE_").lower() for name, number in descriptor_pb2.FieldDescriptorProto.Type.items()
}
_LABELS = {
    number: name.removeprefix("LABEL_").lower() for name, number in descriptor_pb2.FieldDescriptorProto.Label.items()
}
_NO_END = 1 << 29


def printed(file: descriptor_pb2.FileDescriptorProto) -> str:
    """Writes a file of proto2 as text, without options of fields; nested messages it does not know.

    Raises:
        ValueError: it holds what is not written here.
    """
    if file.syntax not in ("", "proto2") or any(message.nested_type for message in file.message_type):
        raise ValueError(f"{file.name} is not as simple as this writes")
    lines = ['syntax = "proto2";', f"package {file.package};"]
    lines += [f'import "{each}";' for each in file.dependency]
    for message in file.message_type:
        lines += [f"message {message.name} {{", *_body(message), "}"]
    for enum in file.enum_type:
        lines += [f"enum {enum.name} {{", *_values(enum), "}"]
    for extension in file.extension:
        lines += [f"extend {extension.extendee} {{", f"  {_field(extension)}", "}"]
    return "\n".join(lines) + "\n"


def _body(message: descriptor_pb2.DescriptorProto) -> Iterator[str]:
    alone = [field for field in message.field if not field.HasField("oneof_index")]
    yield from (f"  {_field(field)}" for field in alone)
    for place, oneof in enumerate(message.oneof_decl):
        chosen = [field for field in message.field if field.HasField("oneof_index") and field.oneof_index == place]
        yield from (f"  oneof {oneof.name} {{", *(f"    {_field(each, label=False)}" for each in chosen), "  }")
    yield from _ranges("extensions", message.extension_range)
    yield from _ranges("reserved", message.reserved_range)
    yield from (f'  reserved "{name}";' for name in message.reserved_name)


def _values(enum: descriptor_pb2.EnumDescriptorProto) -> Iterator[str]:
    yield from (f"  {value.name} = {value.number};" for value in enum.value)
    # Of enums, and of nothing else, the end of a range is the last number in it.
    yield from (f"  reserved {each.start} to {each.end};" for each in enum.reserved_range)
    yield from (f'  reserved "{name}";' for name in enum.reserved_name)


def _ranges(
    word: str,
    ranges: Iterable[descriptor_pb2.DescriptorProto.ExtensionRange | descriptor_pb2.DescriptorProto.ReservedRange],
) -> Iterator[str]:
    for each in ranges:
        yield f"  {word} {each.start} to {'max' if each.end >= _NO_END else each.end - 1};"


def _field(field: descriptor_pb2.FieldDescriptorProto, *, label: bool = True) -> str:
    kind = field.type_name or _TYPES[field.type]
    return f"{f'{_LABELS[field.label]} ' if label else ''}{kind} {field.name} = {field.number};"


def _texts(files: Iterable[descriptor_pb2.FileDescriptorProto]) -> Iterator[tuple[str, str]]:
    for file in files:
        # The wheel calls google/longrunning/operations.proto otherwise than who imports it.
        names = (file.name, file.name.replace(".proto", "_proto.proto"))
        places = (folder / name for folder in (ROOT, *_wheels()) for name in names)
        found = next((place for place in places if place.exists()), None)
        yield file.name, found.read_text(encoding="utf-8") if found else printed(file)


def _wheels() -> list[Path]:
    specs = (util.find_spec("google.api"), util.find_spec("grpc_tools"))
    api, tools = (Path(next(iter(spec.submodule_search_locations or ()))) for spec in specs if spec)
    return [api.parents[1], tools / "_proto"]


def packed(image: bytes) -> bytes:
    """Returns the archive for a compiled image."""
    files = descriptor_pb2.FileDescriptorSet.FromString(image).file
    entries: dict[str, bytes] = {name: text.encode() for name, text in sorted(_texts(files))}
    entries |= {"tongban.binpb": image, "README.txt": _README.encode()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name, _DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


if __name__ == "__main__":
    PACK.write_bytes(packed(IMAGE.read_bytes()))
