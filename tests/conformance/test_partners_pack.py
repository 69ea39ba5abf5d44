"""What a partner compiles the contracts from: everything is in it, and it is what the region itself runs on."""

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from proto import partners
from services.gateway.contracts import pack_path, read_image


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack, unpacked where nothing else is."""
    folder = tmp_path_factory.mktemp("partner")
    with zipfile.ZipFile(pack_path()) as archive:
        archive.extractall(folder)
    return folder


def _plain(files: descriptor_pb2.FileDescriptorSet) -> Iterator[descriptor_pb2.FileDescriptorProto]:
    for file in files.file:
        copy = descriptor_pb2.FileDescriptorProto()
        copy.CopyFrom(file)
        copy.ClearField("source_code_info")
        if copy.name.startswith("buf/"):
            _without_options(copy)
        yield copy


def _without_options(file: descriptor_pb2.FileDescriptorProto) -> None:
    """The rules about rules, and what names code in other languages, are left out of the pack's own text."""
    file.ClearField("options")
    fields = [*file.extension, *(field for message in file.message_type for field in message.field)]
    oneofs = [oneof for message in file.message_type for oneof in message.oneof_decl]
    values = [value for enum in file.enum_type for value in enum.value]
    ranges = [each for message in file.message_type for each in message.extension_range]
    for each in (*fields, *oneofs, *values, *ranges, *file.message_type, *file.enum_type):
        each.ClearField("options")
    for field in fields:
        field.ClearField("json_name")
    for message in file.message_type:
        # The text puts a oneof where it can; numbers say who is who.
        message.field.sort(key=lambda each: each.number)


def test_the_pack_compiles_alone_to_what_the_region_runs_on(unpacked: Path, tmp_path: Path) -> None:
    sources = sorted(str(path.relative_to(unpacked)) for path in unpacked.rglob("*.proto"))
    image = tmp_path / "partner.binpb"
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--include_imports", f"--descriptor_set_out={image}"]
    subprocess.run([*command, *sources], cwd=unpacked, check=True)
    made = {each.name: each for each in _plain(descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()))}
    ours = {each.name: each for each in _plain(read_image())}
    assert made.keys() == ours.keys()
    for name, file in ours.items():
        assert made[name] == file, name


def test_buf_takes_the_pack(unpacked: Path, tmp_path: Path) -> None:
    buf = Path(sys.executable).with_name("buf")
    subprocess.run([buf, "build", ".", "-o", tmp_path / "image.binpb"], cwd=unpacked, check=True)


def test_the_same_contracts_give_the_same_pack() -> None:
    image = read_image().SerializeToString()
    assert partners.packed(image) == partners.packed(image)
    with zipfile.ZipFile(io.BytesIO(partners.packed(image))) as archive:
        assert {"tongban.binpb", "README.txt", "buf/validate/validate.proto"} <= set(archive.namelist())
